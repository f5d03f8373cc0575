import math

import numpy as np
import pytest

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry

SHAPE = (220, 260)
GEOMETRIES = [
    SectorGeometry("convex", 130, -30, 60, 230, -0.6, 0.55),
    SectorGeometry("phased", 128, 5, 2, 200, -0.75, 0.75),
    SectorGeometry("linear", 130, 12, 0, 190, -0.5, 0.5),
    SectorGeometry("trapezoid", 131, -60, 80, 260, -0.4, 0.4),
]


@pytest.fixture(params=GEOMETRIES, ids=lambda g: g.shape)
def geometry(request):
    return request.param


def test_beam_coordinates_invert_points(geometry):
    depth, angle = np.meshgrid(np.linspace(0, 1, 7), np.linspace(-1, 1, 9), indexing="ij")
    rows, cols = fan.points(geometry, depth, angle)
    back = fan.depth_angle(geometry, rows, cols)
    assert np.allclose(back, (depth, angle), atol=1e-9)


def test_mask_is_where_beam_coordinates_are_inside(geometry):
    rows, cols = np.indices(SHAPE)
    depth, angle = fan.depth_angle(geometry, rows, cols)
    inside = (depth >= 0) & (depth <= 1) & (np.abs(angle) <= 1)
    assert (fan.mask(geometry, SHAPE) != inside).mean() < 1e-3


def test_polar_and_back_keeps_a_smooth_picture(geometry):
    rows, cols = np.indices(SHAPE)
    image = (127 + 60 * np.sin(rows / 11) + 50 * np.cos(cols / 13)).astype(np.float32)
    back = fan.to_cartesian(fan.to_polar(image, geometry, 400, 400), geometry, SHAPE)
    depth, angle = fan.depth_angle(geometry, rows, cols)
    inner = (depth > 0.02) & (depth < 0.98) & (np.abs(angle) < 0.96)
    inner[[0, -1]] = inner[:, [0, -1]] = False  # beams that leave the picture have no value to interpolate with
    assert np.abs(back - image)[inner].mean() < 0.3
    assert not back[~fan.mask(geometry, SHAPE)].any()


def test_cartesian_and_back_keeps_smooth_beams(geometry):
    depth, angle = np.meshgrid(np.linspace(0, 1, 100), np.linspace(-1, 1, 90), indexing="ij")
    beams = (100 + 80 * depth + 40 * np.sin(3 * angle)).astype(np.float32)
    back = fan.to_polar(fan.to_cartesian(beams, geometry, SHAPE), geometry, 100, 90)
    rows, cols = fan.points(geometry, depth, angle)
    inner = (rows > 2) & (rows < SHAPE[0] - 3) & (cols > 2) & (cols < SHAPE[1] - 3)
    inner &= (depth > 0.05) & (depth < 0.95) & (np.abs(angle) < 0.9)
    assert np.abs(back - beams)[inner].mean() < 1.0


def test_scale_moves_the_sector(geometry):
    moved = geometry.moved(1.7, 4, -9)
    for depth, angle in [(0, -1), (0.4, 0.2), (1, 1)]:
        row, col = fan.points(geometry, depth, angle)
        assert np.allclose(fan.points(moved, depth, angle), (row * 1.7 + 4, col * 1.7 - 9))


def test_flip_mirrors_the_sector(geometry):
    flipped = fan.mask(geometry.flipped(SHAPE[1]), SHAPE)
    assert (flipped != fan.mask(geometry, SHAPE)[:, ::-1]).mean() < 1e-3


def test_outline_lies_on_the_edge(geometry):
    x, y = fan.outline(geometry, 100).T
    depth, angle = fan.depth_angle(geometry, y, x)
    on_edge = np.minimum(np.minimum(abs(depth), abs(depth - 1)), np.minimum(abs(angle - 1), abs(angle + 1)))
    assert on_edge.max() < 0.01


@pytest.mark.parametrize("values", [(10, 5, -1, 1), (-1, 5, -1, 1), (0, 5, 1, -1), (0, 5, -4, 1)])
def test_no_sector_is_refused(values):
    with pytest.raises(ValueError, match="sector"):
        SectorGeometry("convex", 0, 0, *values)


def test_unknown_shape_is_refused():
    with pytest.raises(ValueError, match="shape"):
        SectorGeometry("round", 0, 0, 0, 5, -1, 1)


def test_linear_angles_point_at_the_bottom_corners():
    g = SectorGeometry("linear", 50, 10, 0, 80, -math.atan(0.5), math.atan(0.25))
    assert np.allclose(fan.points(g, 1, -1), (90, 10))
    assert np.allclose(fan.points(g, 0, 1), (10, 70))
