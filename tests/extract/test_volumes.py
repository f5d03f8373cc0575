"""Volumes through the whole of `extract`: data files, ranges, times, planes, and arrays that were named."""

import gzip
import json
import os
import zipfile
from concurrent.futures import Executor, Future

import h5py
import nibabel
import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import WorkError
from usfm.extract import plan
from usfm.extract.config import Config
from usfm.extract.media import Media
from usfm.extract.readers import recognised
from usfm.extract.readers.contract import Notes
from usfm.extract.run import run
from usfm.extract.sampling import Sampling
from usfm.jobs import pool
from usfm.store.reader import Store

FIELDS = "".join(f"Seq_Frame{n:04}_Timestamp = {n / 10}\n" for n in range(12)) + "Seq_Frame0003_ImageStatus = INVALID\n"


class Here(Executor):
    """Runs parts in this process."""

    def __init__(self, workers):
        self.limit_s = self.hang_s = None

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def extract(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "WorkerPool", Here)
    monkeypatch.setenv("USFM_SALT", "a salt of tests")

    def go(*inputs, **settings):
        request = Request(inputs=tuple(map(str, inputs)), out=str(tmp_path / "o.h5"), workers=1, overwrite=True)
        return Store.open(run(Config(**settings), request)["out"])

    return go


@pytest.fixture
def sequence(tmp_path):
    """A header with a data file whose first bytes are those of a picture."""
    values = np.random.default_rng(0).integers(0, 256, (12, 8, 9), dtype=np.uint8)
    values[0, 0, :3] = 0xFF, 0xD8, 0xFF
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.raw").write_bytes(values.tobytes())
    (folder / "a.mhd").write_text(
        f"ObjectType = Image\nNDims = 3\nDimSize = 9 8 12\n{FIELDS}ElementType = MET_UCHAR\nElementDataFile = a.raw\n"
    )
    return folder, values


def frames_of(store):
    return [store.frame(number) for number in range(len(store))]


def test_a_data_file_is_part_of_its_source(extract, sequence):
    folder, values = sequence
    store = extract(folder / "a.mhd", folder / "a.raw", fps="all")
    assert store.source_column("path").tolist() == ["a.mhd"]
    assert store.source_column("kind").tolist() == ["metaimage"]
    assert store.column("index").tolist() == [n for n in range(12) if n != 3]
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(store), np.delete(values, 3, 0), strict=True))
    first = store.source_column("sha256")[0]
    (folder / "a.raw").write_bytes(bytes(values.size))
    assert extract(folder, fps="all").source_column("sha256")[0] != first


@pytest.mark.parametrize(
    "kind, settings",
    [
        ("sequence", {"fps": "all"}),
        ("sequence", {"fps": "3"}),
        ("over time", {"fps": "3"}),
        ("over time", {"every": 2}),
        ("wide", {"fps": "all", "max_frames": 5}),
        ("packed", {"fps": "all"}),
    ],
)
def test_ranges_give_what_the_whole_gives(extract, sequence, tmp_path, monkeypatch, settings, kind):
    folder, values = sequence
    source = folder / "a.mhd"
    if kind != "sequence":
        source = tmp_path / ("v.nii.gz" if kind == "packed" else "v.nii")
        values = values.reshape(4, 3, 8, 9).astype("<u2" if kind == "wide" else "u1") * (9 if kind == "wide" else 1)
        image = nibabel.Nifti1Image(values.transpose(3, 2, 1, 0), np.diag([0.5, 0.5, 0.5, 1]))
        image.header["xyzt_units"], image.header["pixdim"][4] = 2 | 8, 0.2
        nibabel.save(image, str(source))
    whole = extract(source, **settings)
    expected, pictures = [whole.column(name).tolist() for name in ("index", "time_s")], frames_of(whole)
    monkeypatch.setattr(plan, "PART_BYTES", 500)
    cut = extract(source, **settings)
    assert [cut.column(name).tolist() for name in ("index", "time_s")] == expected
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(cut), pictures, strict=True))
    assert cut.source_column("metadata").tolist() == whole.source_column("metadata").tolist()


def test_spacing_and_axis_arrive(extract, tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 6), dtype=np.uint8)
    nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([0.2, 0.4, 0.4, 1])), str(tmp_path / "v.nii"))
    store = extract(tmp_path / "v.nii", axis="0")
    assert len(store) == 6
    assert store.column("row_spacing_mm").tolist() == pytest.approx([0.4] * 6)
    metadata = json.loads(store.source_column("metadata")[0])
    assert (metadata["axis"], metadata["sizes"]) == (0, [6, 5, 4])
    assert extract(tmp_path / "v.nii").column("row_spacing_mm").tolist() == pytest.approx([0.2] * 4)


def test_arrays_are_read_where_they_were_given_and_passed_over_in_a_folder(extract, sequence):
    folder, values = sequence
    with h5py.File(folder / "b.h5", "w") as file:
        file["clip"], file["labels"] = values, np.arange(12)
    np.savez(folder / "c.npz", one=values, two=values[:5], labels=np.arange(12))
    assert extract(folder).source_column("path").tolist() == ["a.mhd"]
    store = extract(f"{folder}/b.h5:/clip", folder / "c.npz", fps="all")
    assert store.source_column("path").tolist() == ["b.h5:/clip", "c.npz:/one", "c.npz:/two"]
    assert np.bincount(store.column("source")).tolist() == [12, 12, 5]
    with pytest.raises(WorkError, match="no such dataset"):
        extract(folder / "b.h5:/gone")


def test_a_source_that_is_no_picture_has_a_row_and_the_rest_goes_on(extract, sequence):
    folder, _ = sequence
    (folder / "b.mha").write_bytes(b"ObjectType = Image\nNDims = 3\nDimSize = 1000000000 1000000000 1\n"
                                   b"ElementType = MET_UCHAR\nElementDataFile = LOCAL\n")  # fmt: skip
    (folder / "c.nii").write_bytes(b"")
    (folder / "d.nrrd").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "e.mhd").write_text((folder / "a.mhd").read_text().replace("a.raw", "gone.raw"))
    store = extract(folder)
    rows = store.rejected()
    reasons = dict(zip(rows["source"], rows["reason"], strict=True))
    assert reasons.pop("a.mhd") == "marked as not valid"
    assert reasons == {
        "b.mha": "too large", "c.nii": "empty file", "d.nrrd": "truncated or damaged", "e.mhd": "no data file"
    }  # fmt: skip


@pytest.mark.parametrize("name", [b"M\xc3\xbcller.raw", b"M\xfcller.raw", b"with space.raw"])
@pytest.mark.parametrize("kind", ["mhd", "nhdr"])
def test_a_data_file_may_have_any_name(sequence, name, kind):
    folder, values = sequence
    (folder / os.fsdecode(name)).write_bytes(values.tobytes())
    head = (folder / "a.mhd").read_bytes().replace(b"a.raw", name)
    if kind == "nhdr":
        head = b"NRRD0005\ntype: uint8\ndimension: 3\nsizes: 9 8 12\nencoding: raw\ndata file: " + name + b"\n"
    (folder / f"b.{kind}").write_bytes(head)
    reader, media = recognised(head, f".{kind}"), Media(str(folder / f"b.{kind}"))
    assert [os.fsencode(one.name) for one in reader.companions(media)] == [name]
    first = next(reader.read(media, Sampling(None), Notes()))
    assert np.array_equal(first.pixels, values[0])


def test_volumes_inside_archives(extract, tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 6), dtype=np.uint8)
    nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0), np.eye(4)), str(tmp_path / "v.nii.gz"))
    head = "ObjectType = Image\nNDims = 3\nDimSize = 6 5 4\nElementType = MET_UCHAR\nElementDataFile = v.raw\n"
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "v.nii.gz", "in/v.nii.gz")
        archive.writestr("in/v.mhd", head)
        archive.writestr("in/v.raw", values.tobytes())
        archive.writestr(
            "in/w.nhdr", "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 6 5 4\nencoding: gz\ndata file: w.gz\n"
        )
        archive.writestr("in/w.gz", gzip.compress(values.tobytes()))
    store = extract(tmp_path / "a.zip")
    assert store.source_column("kind").tolist() == ["metaimage", "nifti", "nrrd"]
    assert all(np.array_equal(frame, values[n % 4]) for n, frame in enumerate(frames_of(store)))
    assert len(store.rejected()["reason"]) == 0
