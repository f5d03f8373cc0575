import dataclasses

import numpy as np
import pytest

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.fan_fit import fit_fan

SHAPE = (300, 400)
FANS = {
    "convex": SectorGeometry("convex", 203.3, -60.2, 90.4, 330.7, -0.55, 0.58),
    "convex cut at the sides": SectorGeometry("convex", 200, -80, 110, 360, -0.8, 0.8),
    "convex cut at the top": SectorGeometry("convex", 200, -150, 60, 430, -0.5, 0.5),
    "phased": SectorGeometry("phased", 190.6, 12.3, 4, 270.2, -0.7, 0.7),
    "linear": SectorGeometry("linear", 180, 30.5, 0, 220, -0.5, 0.5),
    "trapezoid": SectorGeometry("trapezoid", 200, -120, 150, 390, -0.35, 0.35),
}


def corners(geometry):
    """Where side lines and arcs cross the picture: what a half-pixel error must be measured on."""
    rows, cols = fan.points(geometry, np.linspace(0, 1, 9)[:, None], np.array([[-1, 0, 1]]))
    return np.stack([rows, cols])


@pytest.mark.parametrize("name", list(FANS))
def test_a_drawn_sector_is_found_to_half_a_pixel(name):
    wanted = FANS[name]
    found, confidence = fit_fan(fan.mask(wanted, SHAPE))
    assert found.shape == wanted.shape
    assert confidence > 0.9
    drawn = fan.mask(wanted, SHAPE)
    again = fan.mask(found, SHAPE)
    assert (drawn & again).sum() / (drawn | again).sum() > 0.99
    depth = fan.depth_angle(wanted, *np.nonzero(drawn))[0]
    seen = wanted
    if "cut" in name:  # an arc outside the picture cannot be known; depth runs over what is seen
        span = wanted.radius_1_px - wanted.radius_0_px
        near = wanted.radius_0_px + depth.min() * span if "top" in name else found.radius_0_px
        far = wanted.radius_0_px + depth.max() * span if depth.max() < 0.995 else found.radius_1_px
        seen = dataclasses.replace(wanted, radius_0_px=near, radius_1_px=far)
    assert np.abs(corners(found) - corners(seen)).max() < 1.0
    assert np.abs(corners(found) - corners(seen)).mean() < 0.5


def test_shadows_do_not_bend_the_sector():
    wanted = FANS["convex"]
    mask = fan.mask(wanted, SHAPE)
    mask[180:, 190:215] = False
    mask[220:, 290:320] = False
    found, confidence = fit_fan(mask)
    assert np.abs(corners(found) - corners(wanted)).mean() < 1.0
    assert confidence > 0.7


def test_a_dark_side_is_completed_by_symmetry():
    wanted = SectorGeometry("convex", 200, -60, 90, 330, -0.55, 0.55)
    mask = fan.mask(wanted, SHAPE)
    rows, cols = np.indices(SHAPE)
    mask &= ~((cols < 150) & (rows < 190))
    found, _ = fit_fan(mask)
    drawn, again = fan.mask(wanted, SHAPE), fan.mask(found, SHAPE)
    assert (drawn & again).sum() / (drawn | again).sum() > 0.97


def test_what_fills_the_frame_or_is_empty_has_no_sector():
    assert fit_fan(np.ones((60, 60), bool)) == (None, 0.0)
    assert fit_fan(np.zeros((60, 60), bool)) == (None, 0.0)


def test_a_disc_is_no_confident_sector():
    rows, cols = np.indices(SHAPE)
    _, confidence = fit_fan(np.hypot(rows - 150, cols - 200) < 120)
    assert confidence < 0.6


def test_confidence_falls_with_raggedness():
    rng = np.random.default_rng(0)
    mask = fan.mask(FANS["convex"], SHAPE)
    worse = mask.copy()
    for _ in range(40):
        row, col = rng.integers(20, 280), rng.integers(40, 360)
        worse[row : row + 40, col : col + 40] = rng.random() < 0.4
    assert fit_fan(worse)[1] < fit_fan(mask)[1]
