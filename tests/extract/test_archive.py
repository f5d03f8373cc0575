"""Archives give the same sources as their folder unpacked, and hostile ones give a row and nothing else."""

import gzip
import io
import os
import tarfile
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.errors import MediaError, RequestError
from usfm.extract import archive, packed, seekable
from usfm.extract.folders import by_folder
from usfm.extract.labels import Facts
from usfm.extract.plan import Names, TakeTask, pieces
from usfm.extract.sampling import Sampling
from usfm.extract.scan import ScanTask, loads, scan
from usfm.extract.seekable import Gunzipped
from usfm.extract.sources import find
from usfm.extract.take import take

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (24, 32), dtype=np.uint8)


def made_of(path, files, *, how=None):
    """Write an archive of the kind that its name says: name -> bytes."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", how or zipfile.ZIP_DEFLATED) as file:
            for name, data in files.items():
                file.writestr(name, data)
        return path
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def files(tmp_path, make_still, make_video):
    """Media of two classes, a note, a hidden file and something broken, as name -> bytes."""
    made = tmp_path / "made"
    make_still("made/benign/1.png", NOISE)
    make_still("made/benign/2.tif", NOISE.T)
    make_still("made/malignant/3.jpg", np.repeat(NOISE[..., None], 3, 2))
    make_video("made/malignant/4.mp4", frames=12)
    (made / "notes.txt").write_text("words")
    (made / ".hidden.png").write_bytes(b"x")
    (made / "malignant/5.mp4").write_text("no clip")
    return {str(path.relative_to(made)): path.read_bytes() for path in sorted(made.rglob("*")) if path.is_file()}


def found_in(*inputs, **options):
    return find([str(one) for one in inputs], **options)


def parts_of(sources):
    scans = loads(scan(ScanTask(sources, 1 << 30)))
    cut = pieces(sources, scans, {one.relative: Facts() for one in sources}, Sampling(None), None, hide_paths=False)
    return scans, b"".join(take(TakeTask(tuple(cut), Sampling(None), None, Names())))


ENDS = ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"]


@pytest.mark.parametrize("end", ENDS)
def test_an_archive_is_its_folder_unpacked(tmp_path, files, end):
    path = made_of(tmp_path / f"set.{end}", files)
    inside, outside = found_in(path), found_in(tmp_path / "made")
    assert [one.relative for one in inside.sources] == [one.relative for one in outside.sources]
    assert [(one.kind, one.size, one.fault) for one in inside.sources] == [
        (one.kind, one.size, one.fault) for one in outside.sources
    ]
    assert inside.passed == outside.passed == {".txt": 1}
    (scans, part), (others, other) = parts_of(inside.sources), parts_of(outside.sources)
    assert scans == others
    assert part == other
    assert by_folder(inside.sources, "folder") == by_folder(outside.sources, "folder")


def test_in_a_folder_an_archive_is_a_folder(tmp_path, files):
    (tmp_path / "in").mkdir()
    made_of(tmp_path / "in/benign.zip", {"a/1.png": files["benign/1.png"]})
    made_of(tmp_path / "in/malignant.tar.gz", {"2.tif": files["benign/2.tif"]})
    sources = found_in(tmp_path / "in").sources
    assert [one.relative for one in sources] == ["benign.zip/a/1.png", "malignant.tar.gz/2.tif"]
    assert {label for label, _ in by_folder(sources, "folder").values()} == {"benign", "malignant"}
    assert [one.relative for one in found_in(tmp_path / "in", exclude=["*.zip"]).sources] == ["malignant.tar.gz/2.tif"]
    assert [one.relative for one in found_in(tmp_path / "in", include=["*.png"]).sources] == ["benign.zip/a/1.png"]


def test_what_cannot_be_read_has_a_row(tmp_path, files):
    png = files["benign/1.png"]
    inner = made_of(tmp_path / "inner.zip", {"x.png": png}).read_bytes()
    path = made_of(tmp_path / "set.zip", {"good.png": png, "inner.zip": inner, "bad.png": png, "locked.png": png})
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[_entry(data, mark, b"locked.png") + flags] |= 1
    at = _entry(data, b"PK\3\4", b"bad.png") + 30 + len("bad.png")
    data[at + 40 : at + 60] = bytes(20)
    path.write_bytes(data)
    sources = found_in(path).sources
    assert {one.relative: one.fault for one in sources if one.fault} == {
        "bad.png": "unreadable in the archive",
        "inner.zip": "nested archive",
        "locked.png": "encrypted",
    }
    assert [one.fault for one in loads(scan(ScanTask(sources, 1 << 30)))].count("") == 1


def test_a_member_that_breaks_behind_its_beginning_has_a_row(tmp_path):
    png = b"\x89PNG\r\n\x1a\n" + RNG.bytes(50_000)
    path = made_of(tmp_path / "set.zip", {"bad.png": png}, how=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[40_000] ^= 1
    path.write_bytes(data)
    sources = found_in(path).sources
    assert sources[0].fault == ""
    assert loads(scan(ScanTask(sources, 1 << 30)))[0].fault == "unreadable in the archive"


def _entry(data, mark, name):
    """The place of a zip's local or central header of a name."""
    at = data.find(mark)
    while data[at + (30 if mark == b"PK\3\4" else 46) :][: len(name)] != name:
        at = data.find(mark, at + 1)
    return at


def test_links_and_names_that_lead_elsewhere_do_no_harm(tmp_path, files):
    png = files["benign/1.png"]
    with tarfile.open(tmp_path / "set.tar", "w") as file:
        for name in ("../../up.png", "/etc/abs.png", "good.png", "./again.png"):
            info = tarfile.TarInfo(name)
            info.size = len(png)
            file.addfile(info, io.BytesIO(png))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind!r}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    found = found_in(tmp_path / "set.tar")
    told = {one.relative: one.fault for one in found.sources}
    assert told == {"__/__/up.png": "unsafe name", "etc/abs.png": "", "good.png": "", "again.png": ""}
    assert found.passed == {"links in archives": 3}


def test_a_name_that_is_there_twice_is_told(tmp_path, files):
    with tarfile.open(tmp_path / "set.tar", "w") as file:
        for data in (b"old", files["benign/1.png"]):
            info = tarfile.TarInfo("1.png")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    told = {one.relative: one.fault for one in found_in(tmp_path / "set.tar").sources}
    assert told == {"1.png": "", "1.png~0": "replaced in the archive"}


@pytest.mark.parametrize("end", ["zip", "tar.gz", "tar.xz"])
def test_a_bomb_is_refused_at_the_stated_ratio(tmp_path, monkeypatch, end):
    monkeypatch.setattr(seekable, "FREE_BYTES", 1 << 20)
    path = made_of(tmp_path / f"set.{end}", {"a.png": bytes(4 << 20), "b.txt": b"words"})
    source = found_in(path).sources[0]
    assert source.fault == "archive bomb"
    assert str(seekable.LARGEST_RATIO) in source.detail
    made_of(path, {"a.png": RNG.bytes(2 << 20)})
    assert found_in(path).sources[0].fault == "not media"


def test_a_zip_whose_table_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "DIRECTORY_BYTES", 1000)
    path = made_of(tmp_path / "set.zip", {f"{number}.png": b"x" for number in range(100)})
    assert found_in(path).sources[0].fault == "archive bomb"


def test_a_tar_header_of_any_length_is_not_read_whole(tmp_path):
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 1 << 33
    (tmp_path / "set.tar").write_bytes(info.tobuf() + bytes(2048))
    assert found_in(tmp_path / "set.tar").sources[0].fault == "damaged archive"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.95])
def test_a_cut_archive_has_a_row_and_no_traceback(tmp_path, files, end, share):
    path = made_of(tmp_path / f"set.{end}", files | {"z.png": RNG.bytes(5000)})
    data = path.read_bytes().rstrip(b"\0")  # a tar ends in zeros, which nobody misses
    path.write_bytes(data[: int(share * len(data))])
    (tmp_path / "other.png").write_bytes(files["benign/1.png"])
    found = found_in(path, tmp_path / "other.png")
    assert any(one.kind == "image" and one.member is None for one in found.sources)
    assert any(one.relative.endswith(f"set.{end}") and one.fault for one in found.sources)
    assert "reader failed" not in {one.fault for one in parts_of(found.sources)[0]}


def test_other_zips_and_other_gzips_are_passed_over(tmp_path, files):
    (tmp_path / "in").mkdir()
    made_of(tmp_path / "x.zip", {"word/media/1.png": files["benign/1.png"]}).rename(tmp_path / "in/letter.docx")
    (tmp_path / "in/table.csv.gz").write_bytes(gzip.compress(b"a,b"))
    with pytest.raises(RequestError, match="no video or image"):
        found_in(tmp_path / "in")
    with pytest.raises(RequestError, match="no video or image"):
        found_in(made_of(tmp_path / "y.zip", {"a.txt": b"words"}))


@given(
    size=st.integers(0, 300_000),
    members=st.integers(1, 3),
    steps=st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 70_000)), max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_any_place_of_a_gzip_stream_can_be_read_in_any_order(size, members, steps):
    data = np.random.default_rng(size).integers(0, 4, size, np.uint8).tobytes()
    cuts = np.linspace(0, size, members + 1).astype(int)
    zipped = b"".join(gzip.compress(data[a:b]) for a, b in pairwise(cuts))
    file = Gunzipped(io.BytesIO(zipped))
    file._spacing = 4096
    for place, count in steps:
        file.seek(place)
        assert io.BufferedReader(file, 1000).read(count) == data[place : place + count]
        file = Gunzipped(io.BytesIO(zipped)) if place % 7 == 0 else _again(zipped, file)
    assert file.seek(0, 2) == size


def _again(zipped, file):
    """The same marks under a new object: a closed BufferedReader closes what it reads."""
    new = Gunzipped(io.BytesIO(zipped))
    new._spacing, new._marks = file._spacing, file._marks
    return new


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_large_member_is_read_from_any_place_with_little_memory(tmp_path, monkeypatch, how):
    monkeypatch.setattr(packed, "IN_MEMORY_BYTES", 1000)
    data = RNG.bytes(50_000)
    path = made_of(tmp_path / "set.zip", {"a": b"first", "b.dcm": data}, how=how)
    member = archive.listing(str(path)).members[1]
    assert archive.unpacked(str(path), member) is archive.unpacked(str(path), member)
    with archive.opened(str(path), member) as file:
        for place in (40_000, 0, 49_999, 25_000):
            file.seek(place)
            assert file.read(100) == data[place : place + 100]
        assert file.seek(0, os.SEEK_END) == len(data)


def test_a_header_finds_its_pixels_in_the_same_archive_only(tmp_path):
    from usfm.extract.media import Media

    path = made_of(tmp_path / "set.tar.gz", {"a/x.mhd": b"head", "a/x.raw": b"pixels"})
    media = Media(str(path), member=archive.found(str(path), "a/x.mhd"))
    with media.beside("x.raw").open() as file:
        assert file.read() == b"pixels"
    with pytest.raises(FileNotFoundError):
        media.beside("y.raw").open()
    with pytest.raises(MediaError, match="data elsewhere"):
        media.beside("../a/x.raw")


def test_no_temporary_file_is_left(tmp_path, files, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    sources = found_in(made_of(tmp_path / "set.zip", files)).sources
    parts_of(sources)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_label_masks_are_known_and_read_in_an_archive(tmp_path, files, make_still):
    from usfm.extract.mask_reading import look

    mask = np.zeros((24, 32), np.uint8)
    mask[5:15, 8:20] = 255
    data = make_still("made/mask.png", mask).read_bytes()
    path = made_of(tmp_path / "set.tar.gz", {"1.png": files["benign/1.png"], "1_mask.png": data})
    found = found_in(path)
    assert [one.relative for one in found.sources] == ["1.png"]
    assert [one.below for one in found.mask_files] == ["set.tar.gz/1_mask.png"]
    assert look(found.mask_files[0].media).levels == (0, 255)


def test_a_header_and_its_pixels_are_one_source_in_an_archive(tmp_path):
    head = b"ObjectType = Image\nNDims = 2\nDimSize = 8 6\nElementType = MET_UCHAR\nElementDataFile = x.raw\n"
    sources = found_in(made_of(tmp_path / "set.zip", {"a/x.mhd": head, "a/x.raw": bytes(range(48))})).sources
    assert [(one.relative, one.kind, len(one.companions)) for one in sources] == [("a/x.mhd", "metaimage", 1)]
    assert loads(scan(ScanTask(sources, 1 << 30)))[0].fault == ""


def spoilt(data, seed):
    """Some bytes with a few changed, cut out, doubled or missing at the end."""
    random = np.random.default_rng(seed)
    data = bytearray(data)
    for _ in range(int(random.integers(1, 5))):
        at, how = int(random.integers(len(data))), int(random.integers(4))
        if how == 0:
            data[at : at + 4] = random.bytes(4)
        elif how == 1:
            data[at] ^= 1 << int(random.integers(8))
        elif how == 2:
            data[at : at + int(random.integers(1, 600))] = b""
        else:
            data[at:at] = data[max(0, at - 300) : at]
        data = data or bytearray(b"P")
    return bytes(data)


def survives(path, seeds):
    """Look into spoilt versions of an archive; the result is how many gave a source that its reader can open."""
    whole, good = path.read_bytes(), 0
    for seed in seeds:
        path.write_bytes(spoilt(whole, seed))
        try:
            sources = found_in(path).sources
        except RequestError:
            continue
        scans = loads(scan(ScanTask(sources, 1 << 30)))
        assert "reader failed" not in {one.fault for one in scans}
        assert all(one.detail.endswith(".") for one in (*sources, *scans) if one.fault)
        good += any(one.fault == "" for one in scans)
    path.write_bytes(whole)
    return good


@pytest.mark.parametrize("end", ENDS)
def test_spoilt_archives_end_as_rows(tmp_path, files, end):
    small = {name: files[name] for name in ("benign/1.png", "benign/2.tif", "notes.txt")}
    good = survives(made_of(tmp_path / f"set.{end}", small), range(20))
    assert good or end in ("tar.bz2", "tar.xz")  # one block: what is spoilt in it spoils all


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_thousands_of_spoilt_archives_end_as_rows(tmp_path, files, end):
    survives(made_of(tmp_path / f"set.{end}", files), range(100, 600))
