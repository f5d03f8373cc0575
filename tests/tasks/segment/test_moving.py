"""Masks go to a network's size and come back: the outline keeps its place, whatever the sizes are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from usfm.engine.windows import starts
from usfm.imaging.framing import Framing
from usfm.model.embedders import letterboxing
from usfm.tasks.segment.moving import back, blended, decided, onto, packed, planes, unpacked


def ellipse(height, width, seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    y, x = rng.uniform(0.35, 0.65, 2) * (height, width)
    a, b = rng.uniform(0.15, 0.3, 2) * min(height, width)
    turn = rng.uniform(0, np.pi)
    u = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
    v = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
    return ((u / a) ** 2 + (v / b) ** 2 < 1).astype(np.uint8)


def outline(mask):
    return np.concatenate(find_contours(np.pad(mask.astype(float), 1), 0.5)) - 1


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 300), st.integers(40, 300), st.sampled_from([64, 96, 160, 224]), st.integers(0, 99),
       st.sampled_from(["letterbox", "stretch"]))  # fmt: skip
def test_an_outline_keeps_its_place(height, width, side, seed, resize):
    truth = ellipse(height, width, seed)
    framing = letterboxing(truth.shape, (side, side)) if resize == "letterbox" else None
    moved, seen = onto(truth, framing, (side, side), "index")
    odds = planes(np.where(seen, moved, 0), 2, "index")[0].astype(np.float32)
    again = decided(back(odds, framing, truth.shape), "index")
    assert again.shape == truth.shape
    away, _ = cKDTree(outline(truth)).query(outline(again))
    coarser = max(1.0, max(height, width) / side)  # pixels of the coarser of the two grids
    assert np.mean(away) < 0.5 * coarser
    assert abs(int(again.sum()) - int(truth.sum())) < 0.5 * coarser * len(outline(truth))
    middle = [np.argwhere(mask).mean(0) for mask in (truth, again)]
    assert np.abs(middle[0] - middle[1]).max() < 0.45 * coarser  # no shift to one side


@pytest.mark.parametrize("kind", ["index", "bits"])
def test_what_lies_outside_the_frame_is_not_known(kind):
    moved, seen = onto(np.ones((40, 80), np.uint8), letterboxing((40, 80), (64, 64)), (64, 64), kind)
    assert seen.sum() == 32 * 64
    assert (moved[seen] == 1).all()


@pytest.mark.parametrize("framing", [None, letterboxing((40, 80), (64, 64))], ids=["stretch", "letterbox"])
def test_255_is_unknown_by_number_and_eight_structures_by_bit(framing):
    mask = np.full((40, 80), 255, np.uint8)
    assert not onto(mask, framing, (64, 64), "index")[1].any()
    moved, seen = onto(mask, framing, (64, 64), "bits")
    assert seen.sum() == (64 * 64 if framing is None else 32 * 64)
    assert (moved[seen] == 255).all()


@pytest.mark.parametrize("kind", ["index", "bits"])
def test_masks_by_number_and_by_bit(kind):
    mask = np.random.default_rng(0).integers(0, 4, (12, 9)).astype(np.uint8)
    count = 4 if kind == "index" else 2
    truth, seen = planes(mask, count, kind)
    assert seen.all()
    assert np.array_equal(decided(truth.astype(np.float32), kind), mask)
    assert np.array_equal(unpacked(packed(mask)), mask)
    assert unpacked(np.zeros(9, np.uint8)) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 130), st.integers(40, 130), st.floats(0, 0.8), st.integers(0, 99))
def test_windows_that_agree_blend_into_what_they_agree_on(height, width, overlap, seed):
    odds = np.random.default_rng(seed).integers(0, 256, (2, height, width), np.uint8)
    parts, maps = [], []
    for top in starts(height, 40, overlap):
        for left in starts(width, 40, overlap):
            parts.append(odds[:, top : top + 40, left : left + 40])
            maps.append(Framing(top, left, 40, 40, 1.0, 0.0, 0.0, 40, 40))
    again = blended(np.stack(parts), maps, (height, width))
    assert np.abs(again - odds / 255).max() < 1e-5


def test_where_windows_differ_the_nearer_middle_weighs_more():
    maps = [Framing(0, left, 40, 40, 0.5, 0.0, 0.0, 20, 20) for left in (0, 20)]
    one = blended(np.stack([np.full((1, 20, 20), value, np.uint8) for value in (0, 255)]), maps, (40, 60))[0, 20]
    assert (one[:20] == 0).all()
    assert np.allclose(one[40:], 1)
    assert (np.diff(one[20:40]) > 0).all()
    assert np.isclose(one[29:31].mean(), 0.5)
