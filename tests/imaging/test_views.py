import numpy as np
import pytest

from usfm.imaging import fan, views
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region
from usfm.imaging.seams import panels

SHAPE = (120, 200)


def screen(gaps, rows=(), seed=0):
    """Speckle over the whole frame with black gaps at columns and rows."""
    frame = np.clip(60 * np.random.default_rng(seed).rayleigh(1, SHAPE), 1, 255).astype(np.uint8)
    for first, end in gaps:
        frame[:, first:end] = 0
    for first, end in rows:
        frame[first:end] = 0
    return frame


WHOLE = np.ones(SHAPE, bool)


@pytest.mark.parametrize(("gaps", "rows", "count"), [
    ([], [], 1), ([(98, 101)], [], 2), ([(98, 104)], [(58, 62)], 4), ([(20, 23)], [], 1), ([], [(58, 62)], 1),
])  # fmt: skip
def test_black_gaps_from_edge_to_edge_cut_a_screen(gaps, rows, count):
    """A gap near the edge, and a dark band across one picture, cut nothing."""
    assert len(panels(screen(gaps, rows), WHOLE)) == count


def test_a_shadow_is_no_gap():
    frame = screen([])
    frame[18:, 95:103] = 0  # the skin above it is bright
    assert len(panels(frame, WHOLE)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_every_point_belongs_to_exactly_one_view(seed):
    rng = np.random.default_rng(seed)
    geometries = [SectorGeometry("convex", x, -20, 20, 120, -0.4, 0.4) for x in (50, 150)]
    region = Region(np.logical_or.reduce([fan.mask(one, SHAPE) for one in geometries]), "dual", None, 0.9, "still",
                    {"views": [vars(one) for one in geometries[::-1]]})  # fmt: skip
    parts = views.split(region, screen([]))
    assert [round(one.geometry.apex_x_px) for one in parts if one.geometry is not None] == [50, 150]
    assert not (parts[0].mask & parts[1].mask).any()
    assert ((parts[0].mask | parts[1].mask) == region.mask).all()
    both = [views.View(k, tuple(part.mask for part in parts)) for k in (0, 1)]
    xy = rng.uniform(-20, 220, (200, 2))
    assert (both[0].holds(xy) ^ both[1].holds(xy)).all()
    structure = rng.random(SHAPE) < 0.1
    kept = [view.part_of(structure) for view in both]
    assert ((kept[0] | kept[1]) == structure).all()  # nothing of a label is lost
    assert not (kept[0] & kept[1]).any()


def test_a_region_that_joins_its_views_is_cut_at_the_gap():
    frame = screen([(98, 102)])
    parts = views.split(Region(WHOLE, "linear", None, 0.9, "still"), frame)
    assert [(np.flatnonzero(p.mask.any(0))[[0, -1]]).tolist() for p in parts] == [[0, 97], [102, 199]]
    assert [part.extra for part in parts] == [{"view": 0, "of": 2}, {"view": 1, "of": 2}]
    assert views.count(Region(WHOLE & (np.arange(200) < 199), "linear", None, 0.2), frame) == 2
    assert views.count(Region(WHOLE, "linear", None, 0.9), screen([])) == 1
    assert views.count(Region(WHOLE, "", None, 0.0), frame) == 0
