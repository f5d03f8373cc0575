"""Scan modes exchanged on the device against the functions of `usfm.imaging.fan`."""

import cv2
import numpy as np
import pytest
import torch

from usfm.engine.augment import KINDS
from usfm.engine.scan import FAN_RAD, INNER, exchanged
from usfm.imaging.fan import SectorGeometry, mask, points, to_polar

H, W = 96, 80
SECTORS = (
    SectorGeometry("convex", 40.0, -20.0, 24.0, 100.0, -0.5, 0.5),
    SectorGeometry("phased", 40.0, 4.0, 1.0, 90.0, -0.4, 0.45),
    SectorGeometry("trapezoid", 40.0, -30.0, 34.0, 120.0, -0.25, 0.3),
    SectorGeometry("linear", 40.0, 6.0, 0.0, 84.0, -0.4, 0.4),
)


def rows_of(*sectors):
    return torch.tensor(
        [
            [KINDS[g.shape], g.apex_x_px, g.apex_y_px, g.radius_0_px, g.radius_1_px, g.angle_0_rad, g.angle_1_rad]
            for g in sectors
        ],
        dtype=torch.float32,
    )


def frame(sector, seed=0):
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).random((H, W)).astype(np.float32), (0, 0), 2)
    return 255 * (smooth - smooth.min()) / (smooth.max() - smooth.min()) * mask(sector, (H, W))


@pytest.mark.parametrize("sector", SECTORS[:3], ids=lambda sector: sector.shape)
def test_a_curved_sector_is_laid_straight_along_its_beams(sector):
    image = frame(sector)
    ours = exchanged(torch.from_numpy(image)[None, None], rows_of(sector), torch.tensor([True]))[0, 0].numpy()
    assert np.abs(ours - to_polar(image, sector, H, W)).max() < 2


def test_a_straight_sector_is_bent_and_keeps_what_lies_where_on_its_beams():
    """The public code's angle and inner radius; a spot goes where depth and angle say, and the corners are black."""
    linear = SECTORS[3]
    outer, low = 1 + INNER, INNER * np.cos(FAN_RAD)
    for depth, angle in ((0.2, 0.0), (0.6, -0.5), (0.8, 0.3)):
        row, column = (float(at) for at in points(linear, depth, angle))
        image = np.zeros((H, W), np.float32)
        image[round(row) - 1 : round(row) + 2, round(column) - 1 : round(column) + 2] = 255
        bent = exchanged(torch.from_numpy(image)[None, None], rows_of(linear), torch.tensor([True]))[0, 0].numpy()
        y, x = np.average(np.indices(bent.shape).reshape(2, -1), axis=1, weights=bent.ravel())
        r, a = INNER + depth, angle * FAN_RAD
        assert y == pytest.approx((r * np.cos(a) - low) / (outer - low) * (H - 1), abs=2)
        assert x == pytest.approx((r * np.sin(a) / (outer * np.sin(FAN_RAD)) + 1) / 2 * (W - 1), abs=2)
    full = exchanged(torch.full((1, 1, H, W), 200.0), rows_of(linear), torch.tensor([True]))[0, 0]
    assert not full[[0, -1, -1], [0, 0, -1]].any()
    assert full[H // 2, W // 2] == pytest.approx(200, abs=1)


def test_frames_that_are_not_chosen_or_have_no_fit_stay():
    frames = torch.randint(0, 256, (5, 1, H, W), dtype=torch.uint8)
    geometry = torch.cat([rows_of(*SECTORS), torch.full((1, 7), torch.nan)])
    chosen = torch.tensor([False, True, False, True, True])
    moved = exchanged(frames, geometry, chosen)
    same = [torch.equal(a, b.float()) for a, b in zip(moved, frames, strict=True)]
    assert same == [True, False, True, False, True]
    assert moved.min() >= 0
    assert moved.max() <= 255
    assert torch.allclose(exchanged(frames[1:2], geometry[1:2], chosen[1:2]), moved[1:2])
