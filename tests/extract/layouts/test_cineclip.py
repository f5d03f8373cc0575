"""One file of many nodules: runs of frames, and files that are something else."""

import h5py
import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.extract.layouts import cineclip


def write(path, ids, lacks=""):
    with h5py.File(path, "w") as file:
        for name in {"annot_id", "image", "mask"} - {lacks}:
            file[name] = ids if name == "annot_id" else np.zeros((max(len(ids), 1), 8, 8), np.uint8)
    return str(path)


@pytest.mark.parametrize("dtype", [h5py.string_dtype(), "S5", np.int64])
def test_runs_of_one_nodule(tmp_path, dtype):
    ids = np.array([1, 1, 2, 1, 3, 3]) if dtype is np.int64 else np.array(["1_", "1_", "2_", "1_", "3_", "3_"], dtype)
    assert cineclip.runs(write(tmp_path / "a.hdf5", ids)) == [("1", 0, 2), ("2", 2, 3), ("1", 3, 4), ("3", 4, 6)]


def test_other_files_are_one_sentence(tmp_path):
    ids = np.array(["1_"], h5py.string_dtype())
    for lacks in ("annot_id", "image", "mask"):
        with pytest.raises(RequestError, match=f"no array '{lacks}'"):
            cineclip.runs(write(tmp_path / f"{lacks}.hdf5", ids, lacks))
    with pytest.raises(RequestError, match="says nothing"):
        cineclip.runs(write(tmp_path / "empty.hdf5", ids[:0]))
    (tmp_path / "noise.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 200)
    with pytest.raises(RequestError, match="download it again"):
        cineclip.runs(str(tmp_path / "noise.hdf5"))
