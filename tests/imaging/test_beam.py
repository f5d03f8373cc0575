"""Frames as beams see them: the map and its inverse agree for every shape, and the maps have their analytic values."""

import dataclasses
import math

import cv2
import numpy as np
import pytest

from usfm.imaging import beam, fan
from usfm.imaging.beam import BeamMap
from usfm.imaging.fan import SHAPES, SectorGeometry
from usfm.imaging.region import Region

SHAPE = (220, 260)


def sector(shape: str, rng: np.random.Generator) -> SectorGeometry:
    """A random sector that lies mostly in a frame of SHAPE."""
    apex_y, width = rng.uniform(-40, 10), rng.uniform(0.35, 0.65)
    near = {"phased": rng.uniform(11, 14), "linear": 0.0}.get(shape, rng.uniform(50, 80))
    return SectorGeometry(
        shape, rng.uniform(115, 145), apex_y if shape != "linear" else rng.uniform(5, 20), near,
        rng.uniform(160, 190), -width, width * rng.uniform(0.8, 1.2),
    )  # fmt: skip


@pytest.fixture(params=[(shape, seed) for shape in SHAPES for seed in range(3)], ids=lambda p: f"{p[0]}-{p[1]}")
def case(request):
    shape, seed = request.param
    rng = np.random.default_rng(seed)
    return BeamMap(sector(shape, rng), int(rng.choice([128, 224, 256])), *SHAPE), rng


def test_points_come_back(case):
    move, rng = case
    out = rng.uniform(0, move.size_px - 1, (200, 2))
    there = move.inverse_points(out)
    assert np.abs(move.inverse_points(move.apply_points(there)) - there).max() < 1e-6
    assert np.abs(move.apply_points(there) - out).max() < 1e-6


def test_masks_come_back(case):
    move, _ = case
    middle = move.inverse_points(np.array([[0.5, 0.55]]) * move.size_px)[0]
    rows, cols = np.indices(SHAPE)
    mask = ((rows - middle[1]) / 38) ** 2 + ((cols - middle[0]) / 30) ** 2 < 1
    mask &= fan.mask(move.geometry, SHAPE)
    back = move.inverse_mask(move.apply_mask(mask))
    assert (back & mask).sum() / (back | mask).sum() >= 0.98
    labels = move.inverse_labels(move.apply_labels(mask.astype(np.uint8) * 3))
    assert set(np.unique(labels)) == {0, 3}
    assert ((labels > 0) & mask).sum() / ((labels > 0) | mask).sum() >= 0.95


def test_boxes_contain_their_points(case):
    move, rng = case
    low = rng.uniform(0, 180, (12, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 90, (12, 2))], 1)
    for box, (left, top, right, bottom) in zip(boxes, move.apply_boxes(boxes), strict=True):
        inside = move.apply_points(rng.uniform(box[:2], box[2:], (400, 2)) - 0.5) + 0.5
        inside = inside[((inside >= 0) & (inside <= move.size_px)).all(1)]
        if not len(inside):
            continue
        slack = 0.2
        assert left - slack <= inside[:, 0].min()
        assert inside[:, 0].max() <= right + slack
        assert top - slack <= inside[:, 1].min()
        assert inside[:, 1].max() <= bottom + slack
        assert right - left <= np.ptp(inside[:, 0]) + 0.35 * move.size_px, "a box is no larger than it needs to be"


def test_a_box_outside_has_no_area_and_none_stay_none(case):
    move, _ = case
    assert move.apply_boxes(np.zeros((0, 4))).shape == (0, 4)
    left, top, right, bottom = move.apply_boxes(np.array([[-900, -900, -800, -800]]))[0]
    assert (right - left) * (bottom - top) == 0


def test_a_picture_comes_back(case):
    move, rng = case
    picture = cv2.GaussianBlur(rng.integers(0, 256, SHAPE).astype(np.float32), (0, 0), 2.0)
    picture = np.clip(128 + 4 * (picture - picture.mean()), 0, 255).astype(np.uint8)
    inner = cv2.erode(fan.mask(move.geometry, SHAPE).astype(np.uint8), np.ones((5, 5)), borderValue=0) > 0
    error = np.abs(move.inverse(move.apply(picture)).astype(float) - picture)[inner].mean()
    assert error < (6 if move.size_px < 200 else 3)
    coloured = move.apply(np.repeat(picture[..., None], 3, 2))
    assert (coloured == move.apply(picture)[..., None]).all()


def test_the_output_has_parallel_beams_over_all_of_it(case):
    move, _ = case
    found = move.apply_region(Region(fan.mask(move.geometry, SHAPE), move.geometry.shape, move.geometry, 0.9))
    assert found.mask.all()
    assert found.geometry is not None
    assert fan.mask(found.geometry, found.mask.shape).all()
    share = (np.arange(move.size_px) + 0.5) / move.size_px
    assert np.allclose(beam.depth_map(found.geometry, found.mask.shape), share[:, None], atol=1e-6)
    assert np.allclose(beam.angle_map(found.geometry, found.mask.shape), 2 * share[None] - 1, atol=1e-6)
    assert beam.of(found) == move, "the way back is in the region"
    assert beam.of(Region(found.mask)) is None


@pytest.mark.parametrize(
    ("shape", "at", "depth", "angle"),
    [
        ("phased", (30 + 60, 100 + 80), (100 - 20) / 160, math.atan2(80, 60) / 1.0),
        ("convex", (30 + 80, 100 - 60), (100 - 20) / 160, -math.atan2(60, 80) / 1.0),
        ("trapezoid", (30 + 80, 100 - 60), (80 - 20) / 160, -math.atan2(60, 80) / 1.0),
        ("linear", (30 + 80, 100 + 90), (80 - 20) / 160, 90 / (180 * math.tan(1.0))),
    ],
)
def test_maps_have_their_analytic_values(shape, at, depth, angle):
    geometry = SectorGeometry(shape, 100, 30, 20, 180, -1.0, 1.0)
    assert beam.depth_map(geometry, (240, 400))[at] == pytest.approx(depth, abs=1e-6)
    assert beam.angle_map(geometry, (240, 400))[at] == pytest.approx(angle, abs=1e-6)
    assert np.isnan(beam.depth_map(geometry, (240, 400))[0, 399])
    patches = beam.depth_map(geometry, (240, 400), 16)
    pixels = beam.depth_map(geometry, (240, 400))[96:112, 96:112]
    assert patches.shape == (15, 25)
    assert patches[6, 6] == pytest.approx(np.nanmean(pixels), abs=1e-5)


def test_two_views_and_a_flat_top():
    left, right = (SectorGeometry("linear", x, -0.5, 0, 40, -0.4, 0.4) for x in (25, 75))
    both = beam.depth_map([left, right], (40, 100))
    assert np.array_equal(both[:, :50], beam.depth_map(left, (40, 100))[:, :50], equal_nan=True)
    assert np.array_equal(both[:, 50:], beam.depth_map(right, (40, 100))[:, 50:], equal_nan=True)
    phased = SectorGeometry("phased", 130, 0, 2, 200, -0.7, 0.7)
    flat = fan.mask(phased, SHAPE) & (np.arange(SHAPE[0])[:, None] >= 30)
    assert beam.trimmed(phased, flat).radius_0_px == 29.5
    assert beam.trimmed(phased, fan.mask(phased, SHAPE)) == phased
    seen = BeamMap(beam.trimmed(phased, flat), 128, *SHAPE).apply_mask(flat)
    assert seen[1, 60:68].all(), "the depth starts where the flat top cuts"
    assert not seen[0, 0]


def test_spacing_is_known_where_it_is_one_number():
    round_one = BeamMap(SectorGeometry("convex", 50, 0, 20, 120, -0.5, 0.5), 50, 100, 100)
    assert round_one.spacings(0.3, 0.3) == (pytest.approx(0.6), pytest.approx(math.nan, nan_ok=True))
    assert math.isnan(round_one.spacings(0.3, 0.5)[0])
    straight = BeamMap(SectorGeometry("linear", 50, 0, 0, 100, -math.atan(0.5), math.atan(0.5)), 50, 100, 100)
    assert straight.spacings(0.3, 0.2) == (pytest.approx(0.6), pytest.approx(0.4))


def test_a_damaged_map_is_refused():
    good = dataclasses.asdict(BeamMap(SectorGeometry("convex", 50, 0, 20, 120, -0.5, 0.5), 50, 100, 100))
    for bad in ("x", {}, good | {"size_px": 0}, good | {"geometry": good["geometry"] | {"shape": "round"}}):
        with pytest.raises((ValueError, TypeError, KeyError)):
            beam.of(Region(np.ones((4, 4), bool), extra={"beam": bad}))
