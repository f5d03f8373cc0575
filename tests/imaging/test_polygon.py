"""Polygons as masks: the same as scikit-image at the centres of pixels, whatever their shape and place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon as reference

from usfm.imaging import polygon


@pytest.mark.parametrize("seed", range(60))
def test_the_same_as_the_reference(seed):
    random = np.random.default_rng(seed)  # so that no centre lies on an edge
    points = random.uniform(-20, 60, (random.integers(3, 13), 2))
    expected = np.zeros((30, 40), bool)
    expected[reference(points[:, 1] - 0.5, points[:, 0] - 0.5, (30, 40))] = True
    assert np.array_equal(polygon.fill(points, (30, 40)), expected)


@given(st.integers(0, 8), st.integers(0, 8), st.integers(1, 8), st.integers(1, 8))
def test_a_rectangle_on_the_edges_of_pixels_is_exact(left, top, width, height):
    points = np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])
    expected = np.zeros((20, 20), bool)
    expected[top : top + height, left : left + width] = True
    assert np.array_equal(polygon.fill(points, (20, 20)), expected)


def test_neighbours_share_no_pixel_and_leave_none_out():
    """Two halves of a picture along any line."""
    for slope in (0.0, 1.0, -0.37):
        x, y = np.array([0.0, 20.0]), 10 + slope * np.array([-10.0, 10.0])
        above = polygon.fill(np.array([[0, -50], [20, -50], [x[1], y[1]], [x[0], y[0]]]), (20, 20))
        below = polygon.fill(np.array([[0, 90], [20, 90], [x[1], y[1]], [x[0], y[0]]]), (20, 20))
        assert np.array_equal(above, ~below)


def test_the_work_is_cut_into_blocks(monkeypatch):
    points = np.random.default_rng(0).uniform(0, 50, (300, 2))
    whole = polygon.fill(points, (50, 50))
    monkeypatch.setattr(polygon, "_BLOCK", 7)
    assert np.array_equal(polygon.fill(points, (50, 50)), whole)


@pytest.mark.parametrize("points", [
    np.zeros((2, 2)), np.zeros((0, 2)), np.full((3, 2), np.nan), np.full((3, 2), np.inf), np.full((4, 2), 1e300),
    np.zeros((polygon.MOST_POINTS + 1, 2)),
])  # fmt: skip
def test_what_is_no_polygon_is_refused(points):
    with pytest.raises(ValueError):
        polygon.fill(points, (9, 9))
