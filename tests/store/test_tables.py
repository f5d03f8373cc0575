import h5py
import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.store import tables


def _columns():
    return {"frame_id": np.array(["a:0", "ü:1"], object), "vectors": np.arange(6, dtype=np.float32).reshape(2, 3)}


def test_a_table_comes_back_as_it_was(tmp_path):
    tables.write(tmp_path / "t.h5", "usfm-test", _columns(), {"names": ["a", "b"], "n": 3, "word": "x", "d": {"k": 1}})
    columns, attributes = tables.read(tmp_path / "t.h5", "usfm-test")
    assert list(columns["frame_id"]) == ["a:0", "ü:1"]
    assert np.array_equal(columns["vectors"], _columns()["vectors"])
    assert attributes["names"] == ["a", "b"]
    assert (attributes["n"], attributes["word"], attributes["d"]) == (3, "x", {"k": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["t.h5"]


def test_the_digest_follows_the_content_only():
    columns = _columns()
    swapped = dict(reversed(columns.items()))
    assert tables.content_digest(columns) == tables.content_digest(swapped)
    changed = {**columns, "vectors": columns["vectors"] + 1}
    assert tables.content_digest(columns) != tables.content_digest(changed)


def test_what_is_not_the_table_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(RequestError, match="no such file"):
        tables.read(tmp_path / "none.h5", "usfm-test")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(RequestError, match="not a readable HDF5"):
        tables.read(tmp_path / "text.h5", "usfm-test")
    tables.write(tmp_path / "t.h5", "usfm-test", _columns(), {})
    with pytest.raises(RequestError, match="expected a usfm-other file"):
        tables.read(tmp_path / "t.h5", "usfm-other")
    with h5py.File(tmp_path / "t.h5", "a") as file:
        file.attrs["version"] = 99
    with pytest.raises(RequestError, match="newer usfm"):
        tables.read(tmp_path / "t.h5", "usfm-test")
    whole = (tmp_path / "t.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RequestError, match="cut short"):
        tables.read(tmp_path / "cut.h5", "usfm-test")


def test_writers_of_one_table_at_once_leave_one_whole(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    def write(value):
        tables.write(tmp_path / "t.h5", "thing", {"x": np.full(1000, value)}, {"key": str(value)})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(12)))
    columns, about = tables.read(tmp_path / "t.h5", "thing")
    assert set(columns["x"]) == {int(about["key"])}
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5"]
