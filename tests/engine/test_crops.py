"""Crops against torchvision's rules, and covered areas against counting."""

import numpy as np
import pytest

from usfm.engine.crops import DRAWS, AreaTables, random_crops, whole


def crops(n=400, frame=(64, 80), **kw):
    return random_crops(np.random.default_rng(0).random((n, DRAWS)), frame, **kw)


def test_inside_the_frame_with_area_and_ratio_in_range():
    c = crops()
    assert (c.top >= 0).all()
    assert (c.left >= 0).all()
    assert (c.top + c.height <= 64).all()
    assert (c.left + c.width <= 80).all()
    area = c.height * c.width / (64 * 80)
    assert area.min() > 0.17
    ratio = c.width / c.height
    assert ((ratio > 0.7) & (ratio < 1.4)).all()
    assert 0.4 < c.hflip.mean() < 0.6
    assert not c.vflip.any()
    assert not c.angle_rad.any()


def test_spread_is_torchvisions():
    import torch
    from torchvision.transforms import RandomResizedCrop

    theirs = np.array(
        [RandomResizedCrop.get_params(torch.zeros(1, 64, 80), (0.2, 1.0), (3 / 4, 4 / 3)) for _ in range(400)]
    )
    ours = crops(4000)
    assert abs((ours.height * ours.width).mean() - (theirs[:, 2] * theirs[:, 3]).mean()) < 200
    assert abs(ours.top.mean() - theirs[:, 0].mean()) < 2


def test_impossible_areas_fall_back_to_the_largest_allowed():
    c = crops(5, (20, 200), area=(0.99, 1.0))
    assert (c.height == 20).all()
    assert (c.width == 27).all()


def loop_coverage(mask, top, left, height, width, grid, fine=20):
    """Average a mask over patches by sampling it densely."""
    rows = (top + height * (np.arange(grid[0] * fine) + 0.5) / (grid[0] * fine)).astype(int)
    columns = (left + width * (np.arange(grid[1] * fine) + 0.5) / (grid[1] * fine)).astype(int)
    return mask[np.ix_(rows, columns)].reshape(grid[0], fine, grid[1], fine).mean((1, 3))


def test_area_tables_count_what_a_loop_counts():
    rng = np.random.default_rng(1)
    masks = rng.random((3, 64, 80)) > 0.4
    masks[0, :30] = False
    c, which = crops(12), rng.integers(0, 3, 12)
    got = AreaTables.of(masks).coverage(which, c, (4, 5))
    for i in range(12):
        expected = loop_coverage(masks[which[i]], c.top[i], c.left[i], c.height[i], c.width[i], (4, 5))
        assert np.abs(got[i] - expected).max() < 0.06


def test_whole_frame_coverage_is_exact():
    from usfm.imaging.region import coverage

    mask = np.random.default_rng(2).random((64, 80)) > 0.5
    got = AreaTables.of(mask[None]).coverage(np.zeros(1, int), whole(1, (64, 80)), (4, 5))[0]
    assert np.allclose(got, coverage(mask, 16), atol=1e-6)


def test_coarser_cells_when_memory_is_short():
    mask = np.zeros((1, 64, 64), bool)
    mask[0, :32] = True
    table = AreaTables.of(mask, limit_bytes=5000)
    assert table.cell > 1
    assert table.coverage(np.zeros(1, int), whole(1, (64, 64)), (2, 2))[0] == pytest.approx(np.array([[1, 1], [0, 0]]))
