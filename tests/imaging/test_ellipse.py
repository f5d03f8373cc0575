"""Broken outlines: the ellipse that they follow is filled, whatever else is no ellipse stays as it is."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.imaging.mask_codes import ellipse, filled, is_outline


def drawn(seed, gap):
    """An ellipse as a 1 px line with a gap, and its inside."""
    rng = np.random.default_rng(seed)
    centre, axes = rng.uniform(60, 100, 2), rng.uniform(20, 50, 2)
    turn, start = float(rng.uniform(0, 180)), float(rng.uniform(0, 360))
    box = (tuple(centre.round().astype(int).tolist()), tuple(axes.round().astype(int).tolist()))
    line, inside = np.zeros((160, 160), np.uint8), np.zeros((160, 160), np.uint8)
    cv2.ellipse(line, *box, turn, start, start + 360 * (1 - gap), 1, 1)
    cv2.ellipse(inside, *box, turn, 0, 360, 1, cv2.FILLED)
    return line > 0, inside > 0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 999), st.floats(0.05, 0.3))
def test_a_broken_ellipse_is_filled(seed, gap):
    line, inside = drawn(seed, gap)
    got = filled(line)
    assert (got & inside).sum() / (got | inside).sum() > 0.93
    assert is_outline(line)


@pytest.mark.parametrize("kind", ["needle", "half", "box", "speckle", "empty"])
def test_what_is_no_ellipse_stays_as_it_is(kind):
    line = np.zeros((160, 160), np.uint8)
    if kind == "needle":
        cv2.line(line, (10, 20), (140, 90), 1)
    elif kind == "half":
        cv2.ellipse(line, (80, 80), (50, 30), 0, 0, 180, 1, 1)
    elif kind == "box":
        cv2.polylines(line, [np.array([[20, 20], [140, 20], [140, 120]])], False, 1)
    elif kind == "speckle":
        line = (np.random.default_rng(0).random(line.shape) < 0.02).astype(np.uint8)
    assert not ellipse(line > 0).any()
