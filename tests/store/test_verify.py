"""Verification finds every damage, and says which parts are still good."""

import errno
import os

import numpy as np
import pytest

from usfm.store import hdf5, opened
from usfm.store.damage import Damaged
from usfm.store.reader import Store
from usfm.store.verify import verify


@pytest.fixture
def store(build):
    return build([[0, 1], [2], [3]])[0]


def change(path: str, dataset: str, row, value) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        file[dataset][row] = value


def test_a_whole_store(store):
    verdict = verify(store.paths[0])
    assert verdict.whole
    assert verdict.good == ["part 0", "part 1", "part 2"]


def test_a_flipped_byte_in_a_chunk_costs_one_part(store):
    with hdf5.open_store(store.paths[0]) as file:
        offsets, sizes, _ = hdf5.chunk_index(file["/pixels/8x9"])
    at = int(offsets[9] + sizes[9] // 2)  # the third frame of source 2, the only one of part 1
    with open(store.paths[0], "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 255]))
    verdict = verify(store.paths[0])
    assert (verdict.good, list(verdict.bad)) == (["part 0", "part 2"], ["part 1"])
    assert verdict.remedy.startswith("usfm test --in INPUT --out ")


@pytest.mark.parametrize("dataset, row, value", [
    ("frames/time_s", 15, 9.0),
    ("labels/class", 16, 1),
    ("labels/split", 15, b"test"),
    ("labels/boxes/xyxy_px", (9, 0), 7.0),
])  # fmt: skip
def test_a_changed_value_costs_its_part(store, dataset, row, value):
    change(store.paths[0], dataset, row, value)
    verdict = verify(store.paths[0])
    assert len(verdict.bad) == 1
    assert len(verdict.good) == 2


@pytest.mark.parametrize("dataset, row, value, words", [
    ("frames/source", 0, 77, "points at a row that is not there"),
    ("frames/region_row", 0, 77, "points at a row that is not there"),
    ("frames/frame_id", 1, b"0000000000000000:0", "same frame_id"),
    ("parts/rows", 0, 3, "does not cover"),
    ("parts/digest", 0, b"0" * 64, "content_id"),
])  # fmt: skip
def test_broken_references_are_problems(store, dataset, row, value, words):
    change(store.paths[0], dataset, row, value)
    assert any(words in problem for problem in verify(store.paths[0]).problems)


@pytest.mark.parametrize("seed", range(12))
def test_no_byte_of_the_content_changes_unseen(store, seed):
    """Flip one byte inside some dataset's own bytes: `verify` finds it, and no column of it is let in."""
    rng = np.random.default_rng(seed)
    spans = []
    with hdf5.open_store(store.paths[0]) as file:

        def look(name: str, thing) -> None:
            if not hasattr(thing, "chunks"):
                return
            if thing.chunks is None and thing.id.get_offset() is not None and thing.size:
                spans.append((thing.id.get_offset(), thing.nbytes, name))
            elif thing.chunks is not None:
                offsets, sizes, _ = hdf5.chunk_index(thing)
                spans.extend((int(o), int(s), name) for o, s in zip(offsets, sizes, strict=True))

        file.visititems(look)
    start, size, name = spans[rng.integers(len(spans))]
    at = start + int(rng.integers(size))
    with open(store.paths[0], "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << int(rng.integers(8)))]))
    assert not verify(store.paths[0]).whole, f"{name} at {at}"
    if "/mask" in name or name.startswith("pixels"):
        return
    with pytest.raises(Damaged):
        Store(store.paths).patch_coverage()


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_a_failing_disk_is_not_damage(store, monkeypatch, number):
    """What the system says of any file must not be told as a fault of this one: its owner would throw it away."""
    path, real, state = store.paths[0], os.pread, {"reads": 0, "failing": 0}

    def read_a_frame() -> int:
        """Open the store, read a frame, and count the reads."""
        state["reads"] = 0
        opened._CACHE.clear()
        Store.open(path).frame(0)
        return state["reads"]

    def pread(*arguments):
        state["reads"] += 1
        if state["reads"] == state["failing"]:
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    monkeypatch.setattr(os, "pread", pread)
    reads = read_a_frame()
    assert reads > 3
    for state["failing"] in range(1, reads + 1, max(1, reads // 6)):
        with pytest.raises(OSError, match=os.strerror(number)):
            read_a_frame()
