"""Windows of large frames: nothing is missed, neighbours overlap, each window is what its map says, small frames."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.engine.prepared import Prepared
from usfm.engine.windows import Windows, check_large, prepared, starts
from usfm.errors import RequestError
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region
from usfm.model.network import Entry
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter

SHAPES = ((50, 40), (30, 90), (20, 24), (32, 32))


def entry_of(side=16, chans=1):
    return Entry("nano", {}, (side, side), chans, (0.0,) * chans, (1.0,) * chans)


@pytest.fixture
def store(tmp_path):
    rng, part = np.random.default_rng(0), PartWriter()
    for k, shape in enumerate(SHAPES):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k}")
        pixels = rng.integers(0, 256, shape, np.uint8)
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0)
    return Store.open(write_store(tmp_path / "s.h5", part))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(16, 700), st.floats(0, 0.9))
def test_windows_cover_a_side_and_overlap_as_asked(length, window, overlap):
    found = starts(length, window, overlap)
    assert found[0] == 0
    assert found == sorted(set(found))
    if length <= window:
        assert found == [0]
        return
    assert found[-1] + window == length
    assert max(np.diff(found)) <= max(1, window * (1 - overlap)) + 1  # rounded to a pixel


@pytest.mark.parametrize("chans", [1, 3])
def test_a_window_is_what_its_map_says(store, chans):
    frames = Windows(store, np.array([0, 1, 2]), entry_of(32, chans), torch.device("cpu"), 32, 0.25)
    assert frames.padded == 2
    seen = {row: np.zeros(SHAPES[row], int) for row in (0, 1, 2)}
    for row, counts in seen.items():
        for sample in frames.samples(np.array([row])):
            assert frames.row_of(np.array([sample])) == row
            move, pixels = frames.part(sample), store.frame(row)
            at = (slice(move.crop_row_px, move.crop_row_px + move.crop_height_px),
                  slice(move.crop_col_px, move.crop_col_px + move.crop_width_px))  # fmt: skip
            counts[at] += 1
            got = frames.read(np.array([sample]))[0].numpy()
            above, before = round(move.pad_row_px), round(move.pad_col_px)
            inner = got[:, above : above + move.crop_height_px, before : before + move.crop_width_px]
            assert (inner == pixels[at]).all()
            assert got.sum() == inner.sum(), "the border is black"
        assert counts.min() >= 1
    both = frames.samples(np.array([1, 0]))
    assert both.tolist() == [*frames.samples(np.array([1])), *frames.samples(np.array([0]))]


def test_windows_are_the_same_whether_kept_or_made_each_time(store, monkeypatch):
    rows = np.arange(4)
    kept = Windows(store, rows, entry_of(16), torch.device("cpu"), 32, 0.5)
    monkeypatch.setattr("usfm.engine.prepared.HELD_BYTES", 0)
    made = Windows(store, rows, entry_of(16), torch.device("cpu"), 32, 0.5)
    order = np.random.default_rng(1).permutation(kept.count)
    assert kept.count == made.count
    assert torch.equal(kept.read(order), made.read(order))


def test_regions_move_with_their_windows(tmp_path):
    mask = np.zeros((60, 60), bool)
    mask[10:50, 20:40] = True
    geometry = SectorGeometry("linear", 30.0, 10.0, 0.0, 40.0, -0.2, 0.2)
    part = PartWriter()
    source = part.source(path="0.png", sha256="0" * 64, kind="image", patient="p")
    row = part.region(Region(mask, geometry=geometry), "key")
    pixels = mask.astype(np.uint8) * 200
    part.frame(pixels, frame_id="0" * 16 + ":0", source=source, index=0, time_s=0.0, region_row=row)
    frames = Windows(Store.open(write_store(tmp_path / "s.h5", part)), np.array([0]), entry_of(32),
                     torch.device("cpu"), 32, 0.25)  # fmt: skip
    samples = frames.samples(np.array([0]))
    sectors, regions = frames.scene(samples)
    assert regions is not None
    for sample, sector in zip(samples, sectors, strict=True):
        move = frames.part(int(sample))
        assert sector[1:3].tolist() == [30 - move.crop_col_px, 10 - move.crop_row_px]
    assert torch.equal(regions, frames.read(samples)[:, 0] > 0)


def test_no_frame_is_larger(store):
    with pytest.raises(RequestError, match="--window 90: no frame is larger than a window"):
        check_large(store, np.arange(4), 90)
    small = Windows(
        store, np.arange(4), entry_of(), torch.device("cpu"), 90, 0.25
    )  # prediction asks about such frames too
    assert small.samples(np.arange(4)).tolist() == [0, 1, 2, 3]
    assert type(prepared(store, np.arange(4), entry_of(), torch.device("cpu"), None, None)) is Prepared
