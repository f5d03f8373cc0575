"""A table that is damaged, or that points out of its file, ends in one sentence; none holds the reader up."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.store import tables


def _write(path):
    columns = {"frame_id": np.array([f"ü{k}:1" for k in range(50)], object), "x": np.arange(150.0).reshape(50, 3)}
    tables.write(path, "usfm-test", {**columns, "training/fold": np.array(["", "b"], object)}, {"names": ["a", "b"]})
    return path


def test_a_group_has_rows_of_its_own_and_text_any_letters(tmp_path):
    columns, attributes = tables.read(_write(tmp_path / "t.h5"), "usfm-test")
    assert columns["frame_id"].tolist() == [f"ü{k}:1" for k in range(50)]
    assert columns["training/fold"].tolist() == ["", "b"]
    assert attributes["names"] == ["a", "b"]
    tables.write(tmp_path / "none.h5", "usfm-test", {"frame_id": np.array([], object)}, {})
    assert tables.read(tmp_path / "none.h5", "usfm-test")[0]["frame_id"].shape == (0,)


def test_no_change_of_a_value_or_an_attribute_is_accepted(tmp_path):
    def names(file):
        file["frame_id"][3] = "another"

    def numbers(file):
        file["x"][7, 1] += 1

    def groups(file):
        file["training/fold"][0] = "a"

    def attributes(file):
        file.attrs["names"] = '["a", "c"]'

    def more(file):
        file.attrs["seed"] = 3

    for change in (names, numbers, groups, attributes, more):
        with h5py.File(_write(tmp_path / "t.h5"), "a") as file:
            change(file)
        with pytest.raises(RequestError, match="not what usfm wrote"):
            tables.read(tmp_path / "t.h5", "usfm-test")


def test_text_of_any_length_is_read_as_before(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file.attrs["format"], file.attrs["version"] = "usfm-test", 1
        file.create_dataset("frame_id", data=["a", "long" * 40], dtype=h5py.string_dtype())
    assert tables.read(tmp_path / "t.h5", "usfm-test")[0]["frame_id"].tolist() == ["a", "long" * 40]


FLIPS = """
import sys, numpy as np
from usfm.errors import RequestError
from usfm.store import tables
whole, random = open(sys.argv[1], "rb").read(), np.random.default_rng(0)
for k in range(90):
    data = bytearray(whole)
    for place in random.integers(0, len(data), 1 + k % 4):
        data[place] ^= 1 << int(random.integers(0, 8))
    open(sys.argv[1], "wb").write(data[: len(data) if k % 5 else int(random.integers(0, len(data)))])
    try:
        tables.read(sys.argv[1], "usfm-test")
    except RequestError as error:
        assert "\\n" not in str(error)
"""


def test_flipped_and_cut_tables_neither_crash_nor_hang(tmp_path):
    """In a process of its own: a crash of HDF5 would take the tests along."""
    subprocess.run([sys.executable, "-c", FLIPS, _write(tmp_path / "t.h5")], check=True, timeout=60)


@pytest.mark.parametrize(
    "link, says",
    [
        (h5py.ExternalLink("other.h5", "/x"), "a link to somewhere else"),
        (h5py.SoftLink("/x"), "a link to somewhere else"),
    ],
)
def test_links_are_not_followed(tmp_path, link, says):
    with h5py.File(_write(tmp_path / "t.h5"), "a") as file:
        file["y"] = link
    with pytest.raises(RequestError, match=says):
        tables.read(tmp_path / "t.h5", "usfm-test")


def test_values_in_other_files_and_more_than_the_file_holds_are_refused(tmp_path):
    def made(change):
        with h5py.File(_write(tmp_path / "t.h5"), "a") as file:
            change(file)
        return tmp_path / "t.h5"

    layout = h5py.VirtualLayout((3,), float)
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    with pytest.raises(RequestError, match="lie in another file"):
        tables.read(made(lambda file: file.create_virtual_dataset("y", layout)), "usfm-test")
    outside = [(str(tmp_path / "raw"), 0, 24)]
    with pytest.raises(RequestError, match="lie in another file"):
        tables.read(made(lambda file: file.create_dataset("y", (3,), float, external=outside)), "usfm-test")
    with pytest.raises(RequestError, match="more than the file can hold"):
        tables.read(made(lambda file: file.create_dataset("y", (1 << 40,), float, chunks=(64,))), "usfm-test")
    kind = np.dtype([("a", int), ("b", float)])
    with pytest.raises(RequestError, match="no column of numbers or text"):
        tables.read(made(lambda file: file.create_dataset("y", (3,), kind)), "usfm-test")
