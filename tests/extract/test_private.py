"""Planted names, dates and numbers: found nowhere in what is written or told, once patients are known."""

import gzip
import json
import os
import stat
import zlib

import h5py
import numpy as np
import pytest

from usfm.cli.main import main
from usfm.errors import RequestError
from usfm.store import path_map

PLANTED = ("mueller", "zwetschge", "19700102", "1970-01-02", "kx77421", "acc99812")


@pytest.fixture
def ward(tmp_path):
    """A folder whose names, tags, tables and containers name a patient, with files that are wrong in several ways."""
    import av
    from PIL import Image, PngImagePlugin

    folder = tmp_path / "ward" / "Mueller^Zwetschge_19700102"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Mueller^Zwetschge KX77421")
    Image.fromarray(rng.integers(0, 255, (64, 64), np.uint8)).save(folder / "KX77421_a.png", pnginfo=text)
    exif = Image.Exif()
    exif[270] = "Mueller Zwetschge 1970-01-02"
    Image.fromarray(rng.integers(0, 255, (64, 64), np.uint8)).save(folder / "KX77421_b.jpg", exif=exif)
    Image.fromarray(rng.integers(0, 255, (64, 64), np.uint8)).save(
        folder / "KX77421_c.tif", tiffinfo={315: "Zwetschge"}
    )
    with av.open(str(folder / "Zwetschge.mp4"), "w") as container:
        container.metadata["title"] = "Mueller ACC99812"
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(4):
            image = av.VideoFrame.from_ndarray(rng.integers(0, 255, (64, 64, 3), np.uint8), format="rgb24")
            for packet in stream.encode(image):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    (folder / "Zwetschge_torn.mp4").write_bytes((folder / "Zwetschge.mp4").read_bytes()[:300])
    (folder / "notes.Zwetschge").write_text("words")
    (folder / "twin.png").write_bytes((folder / "KX77421_a.png").read_bytes())
    table = tmp_path / "meta.csv"
    table.write_text(
        "path,label,PatientID,patient_name,dob,AccessionNumber,remark,file\n"
        "KX77421_a.png,x,KX77421,Mueller,1970-01-02,ACC99812,seen: KX77421,KX77421_a.png\n"
        "twin.png,y,KX77421,Mueller,1970-01-02,ACC99812,,twin.png\n"
        "KX77421_missing.png,y,KX77421,Mueller,1970-01-02,ACC99812,,\n"
    )
    return tmp_path


def told(data: bytes) -> list[str]:
    """Which planted words are in bytes, as they are or compressed."""
    low = data.lower()
    return [word for word in PLANTED if word.encode() in low]


def in_store(path: str) -> list[str]:
    """Which planted words are in the attributes and decompressed datasets of an HDF5 file."""
    if not h5py.is_hdf5(path):
        return []
    texts: list[bytes] = []
    with h5py.File(path) as store:

        def note(_, one) -> None:
            texts.append(repr(dict(one.attrs)).encode())
            if isinstance(one, h5py.Dataset):
                texts.append(np.asarray(one[()]).tobytes() + repr(np.asarray(one[()]).tolist()[:1000]).encode())

        texts.append(repr({name: np.asarray(value).tolist() for name, value in store.attrs.items()}).encode())
        store.visititems(note)
    return [word for text in texts for word in told(text)]


def leaks(path) -> list[str]:
    """Which planted words are in a file or folder: in names, bytes, decompressed bytes and every text of a store."""
    found = []
    for base, folders, files in os.walk(path) if path.is_dir() else [(path.parent, [], [path.name])]:
        found += [f"{name}: name" for name in (*folders, *files) if told(name.encode())]
        for name in files:
            with open(os.path.join(base, name), "rb") as file:
                data = file.read()
            found += [f"{name}: {word}" for word in told(data)]
            for unpack in (gzip.decompress, zlib.decompress):
                try:
                    found += [f"{name}: {word}" for word in told(unpack(data))]
                except (OSError, EOFError, zlib.error):
                    continue
            found += [f"{name}: {word}" for word in in_store(os.path.join(base, name))]
    return found


def call(capfd, *words, code=0):
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    said = capfd.readouterr()
    assert end.value.code == code, said.err
    return said


def extract_of(ward, *more):
    return [
        "extract",
        ward / "ward",
        "--manifest",
        ward / "meta.csv",
        "--out",
        ward / "s.h5",
        "--workers",
        "1",
        "-v",
        *more,
    ]


def test_nothing_planted_is_written_or_told(ward, capfd, monkeypatch):
    said = call(capfd, *extract_of(ward, "--path-map", ward / "map.json"))
    assert not told((said.out + said.err).replace("meta.csv", "").encode()), said.err
    assert "'PatientID' is taken as the patient" in said.err
    assert "--keep-column" in said.err
    assert "carry different labels" in said.err
    said = call(
        capfd, "sector", "--in", ward / "s.h5", "--size", "64", "--workers", "1", "--report", ward / "report", "-v"
    )
    assert not told((said.out + said.err).encode()), said.err
    assert not [leak for name in ("s.h5", "s.sector.h5", "report") for leak in leaks(ward / name)]
    assert told((ward / "map.json").read_bytes())
    assert stat.S_IMODE((ward / "map.json").stat().st_mode) == 0o600
    said = call(capfd, "info", ward / "s.h5", "--path-map", ward / "map.json")
    assert "Mueller^Zwetschge_19700102/Zwetschge_torn.mp4" in said.out


def test_nothing_planted_is_in_the_parts_of_a_run_that_was_cut_short(ward, capfd, monkeypatch):
    from usfm.jobs.folder import PartsFolder

    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    monkeypatch.setattr("usfm.jobs.run.assemble", die)
    monkeypatch.setattr(PartsFolder, "remove", lambda self: None)
    with pytest.raises(Killed):
        main([str(word) for word in extract_of(ward, "--group", "(?P<patient>Mueller.Zwetschge)")])
    parts = ward / "s.h5.parts"
    assert {path.suffix for path in parts.iterdir()} >= {".json", ".part"}
    assert not leaks(parts)
    for path in parts.iterdir():
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert not stat.S_IMODE(parts.stat().st_mode) & 0o077


def test_a_pattern_stands_in_the_history_as_a_digest(ward, capfd):
    hidden = ("--group", "(?P<patient>Mueller)", "--include", "*", "--out", ward / "g.h5", "--workers", "1")
    call(capfd, "extract", ward / "ward", *hidden)
    assert not leaks(ward / "g.h5")
    call(capfd, "extract", ward / "ward", "--out", ward / "p.h5", "--workers", "1")
    assert leaks(ward / "p.h5")  # nobody said that there are patients: paths are plain


def test_a_path_map_extends_its_own_kind_and_touches_no_other(tmp_path):
    file = tmp_path / "map.json"
    path_map.write(file, {"a": {"path": "/x/a", "size": 1}})
    path_map.write(file, {"b": {"path": "/x/b", "size": 2}})
    assert set(path_map.read(file)) == {"a", "b"}
    for text in ("", "{}", "[]", json.dumps({"format": "other", "paths": {}}), "mine"):
        file.write_text(text)
        with pytest.raises(RequestError, match="no path map"):
            path_map.write(file, {})
        assert file.read_text() == text
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RequestError, match="no path map"):
        path_map.check(tmp_path / "pipe")


def test_a_short_key_is_refused(tmp_path, monkeypatch):
    from usfm.extract.identity import load_key

    (tmp_path / "key").write_text("1234567\n")
    with pytest.raises(RequestError, match="8 are the least"):
        load_key(str(tmp_path / "key"))
    monkeypatch.setenv("USFM_SALT", "usfm-demo")
    assert load_key(None) == b"usfm-demo"
    monkeypatch.setenv("USFM_SALT", "salt")
    with pytest.raises(RequestError, match="USFM_SALT"):
        load_key(None)


@pytest.mark.slow
def test_nothing_planted_is_anywhere_from_extract_to_eval(tmp_path, capfd):
    call(capfd, "simulate", "--clips", "6", "--stills", "0", "--seconds", "1", "--patients", "6", "--size", "160",
         "--out", tmp_path / "sim", "--workers", "1")  # fmt: skip
    clips = sorted(path for path in (tmp_path / "sim").rglob("*") if path.is_file())
    folder = tmp_path / "ward" / "Mueller^Zwetschge_19700102"
    folder.mkdir(parents=True)
    rows = ["path,label,subject_id,dob"]
    for number, clip in enumerate(clips):
        name = f"KX77421_{number}{clip.suffix}"
        clip.rename(folder / name)
        rows.append(f"{name},{'ab'[number % 2]},KX77421-{number},1970-01-02")
    (tmp_path / "meta.csv").write_text("\n".join(rows) + "\n")
    made = tmp_path / "made"
    made.mkdir()
    raw, clean, few, fixed, run = (made / name for name in ("s.h5", "c.h5", "d.h5", "e.h5", "run"))
    common = "-v", "--workers", "1"
    for words in (
        ("extract", tmp_path / "ward", "--manifest", tmp_path / "meta.csv", "--out", raw, *common),
        ("clean", "--in", raw, "--text", "none", "--out", clean, "--report", made / "rc", *common),
        ("dedup", "--in", clean, "--out", few, "--report", made / "rd", *common),
        ("sector", "--in", few, "--size", "64", "--out", fixed, "--report", made / "rs", *common),
        ("embed", "--in", fixed, "--encoder", "random", "--out", made / "f.h5", "-v"),
        ("finetune", "classify", "--in", fixed, "--encoder", "random", "--folds", "2", "--out", run, "-v"),
        ("eval", run, "--out", made / "report", "-v"),
        ("info", fixed, run, "--sheet", made / "sheet.png"),
    ):
        said = call(capfd, *words)
        assert not told((said.out + said.err).replace(str(tmp_path), "").encode()), said.err
    assert not leaks(made)
