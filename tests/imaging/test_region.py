import numpy as np
import pytest

from usfm.imaging import fan
from usfm.imaging.abrc import abrc_mask
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.framing import Framing
from usfm.imaging.region import Region, coverage, find_region

SHAPE = (240, 320)
CONVEX = SectorGeometry("convex", 160, -40, 60, 260, -0.6, 0.6)


def overlap(mask, wanted):
    return (mask & wanted).sum() / (mask | wanted).sum()


def speckle(random, shape=SHAPE):
    import cv2

    noise = cv2.GaussianBlur(random.rayleigh(1, shape).astype(np.float32), (0, 0), 1.2)
    return np.clip(90 * noise, 2, 255).astype(np.uint8)


def screen(mask, count=1, seed=0, background=0, interface=True):
    """Frames of speckle in a mask, with a header, a gray bar, a ruler and a moving ECG strip around it."""
    random = np.random.default_rng(seed)
    frames = []
    for k in range(count):
        frame = np.full(mask.shape, background, np.uint8)
        frame[mask] = speckle(random, mask.shape)[mask]
        if interface:
            for column in range(4, 60, 6):
                frame[4:10, column : column + 3] = 220
            frame[60:160, 306:314] = np.linspace(255, 0, 100).astype(np.uint8)[:, None]
            frame[20:220:20, 296:300] = 200
            frame[232 + (np.arange(40) * 7 + k) % 6, 10 + np.arange(40)] = 255
        frames.append(frame)
    return frames


@pytest.mark.parametrize("background", [0, 40])
@pytest.mark.parametrize("geometry", [
    CONVEX,
    SectorGeometry("phased", 150, 14, 3, 205, -0.7, 0.7),
    SectorGeometry("linear", 150, 24, 0, 200, -0.45, 0.45),
    SectorGeometry("trapezoid", 150, -150, 170, 370, -0.3, 0.3),
], ids=lambda g: getattr(g, "shape", g))  # fmt: skip
@pytest.mark.parametrize("count", [1, 10])
def test_a_sector_among_interface_is_found(geometry, background, count):
    wanted = fan.mask(geometry, SHAPE)
    found = find_region(screen(wanted, count, background=background))
    assert overlap(found.mask, wanted) > 0.96
    assert found.evidence == ("still" if count == 1 else "motion")
    assert found.shape in (geometry.shape, "phased", "convex", "trapezoid")
    assert found.confidence > 0.8


def test_a_dark_shadow_stays_inside():
    wanted = fan.mask(CONVEX, SHAPE)
    rows, cols = np.indices(SHAPE)
    shadow = (np.abs(cols - 165) < 16) & (rows > 80)
    frames = screen(wanted, 10)
    for frame in frames:
        frame[shadow & wanted] = 0
    assert overlap(find_region(frames).mask, wanted) > 0.96
    assert overlap(find_region(frames[:1]).mask, wanted) > 0.96


def test_a_fan_cut_at_the_top_keeps_its_top():
    geometry = SectorGeometry("convex", 160, -120, 60, 340, -0.5, 0.5)
    wanted = fan.mask(geometry, SHAPE)
    found = find_region(screen(wanted, interface=False))
    assert found.mask[0].any()
    assert overlap(found.mask, wanted) > 0.97


def test_a_crop_without_a_sector_is_region_as_a_whole():
    found = find_region([speckle(np.random.default_rng(0), (60, 60))])
    assert found.mask.all()
    assert found.confidence >= 0.2


def test_a_black_frame_is_a_guess():
    found = find_region([np.zeros((50, 60), np.uint8)])
    assert found.mask.all()
    assert found.confidence == 0


def test_a_frozen_clip_is_a_still():
    wanted = fan.mask(CONVEX, SHAPE)
    found = find_region(screen(wanted) * 6)
    assert found.evidence == "still"
    assert overlap(found.mask, wanted) > 0.96


def test_near_gray_colour_changes_nothing():
    wanted = fan.mask(CONVEX, SHAPE)
    frame = screen(wanted)[0]
    colour = np.repeat(frame[..., None], 3, 2)
    assert overlap(find_region([colour]).mask, find_region([frame]).mask) > 0.99


def test_two_views_side_by_side_are_dual():
    left = SectorGeometry("convex", 80, -60, 78, 280, -0.42, 0.42)
    both = fan.mask(left, SHAPE) & (np.arange(320) < 160)
    both |= both[:, ::-1]
    found = find_region(screen(both, 8, interface=False))
    assert overlap(found.mask, both) > 0.95
    assert found.shape == "dual"
    assert len(found.extra["views"]) == 2


def test_dicom_boxes_bound_the_region_and_senseless_ones_are_ignored():
    wanted = fan.mask(CONVEX, SHAPE)
    frames = screen(wanted, 8)
    box = {"x0": 20, "y0": 12, "x1": 290, "y1": 225, "spatial_format": 1, "data_type": 1}
    found = find_region(frames, dicom_regions=[box, box | {"spatial_format": 3, "y0": 226, "y1": 239}])
    assert found.evidence == "dicom"
    assert overlap(found.mask, wanted) > 0.95
    assert find_region(frames, dicom_regions=[box | {"x0": 900, "x1": 1200}]).evidence == "motion"


def test_methods():
    wanted = fan.mask(CONVEX, SHAPE)
    frames = screen(wanted, 8)
    assert find_region(frames, "single").evidence == "still"
    assert find_region(frames, "dicom").confidence == 0
    assert (find_region(frames, "abrc").mask == abrc_mask(frames[4])).all()


def test_abrc_blanks_the_top_and_takes_hulls():
    wanted = fan.mask(CONVEX, SHAPE)
    mask = abrc_mask(screen(wanted)[0])
    assert not mask[: int(0.13 * SHAPE[0]) - 15].any()
    assert not abrc_mask(np.zeros(SHAPE, np.uint8)).any()


def test_coverage_is_the_mean_of_each_patch():
    mask = np.random.default_rng(0).random((32, 48)) < 0.4
    slow = [[mask[i : i + 16, j : j + 16].mean() for j in range(0, 48, 16)] for i in range(0, 32, 16)]
    assert np.allclose(coverage(mask, 16), slow)
    with pytest.raises(ValueError, match="patches"):
        coverage(mask, 10)


def test_a_region_moves_as_one():
    wanted = fan.mask(CONVEX, SHAPE)
    view = {"shape": "convex", "apex_x_px": 160.0, "apex_y_px": -40.0, "radius_0_px": 60.0, "radius_1_px": 260.0,
            "angle_0_rad": -0.6, "angle_1_rad": 0.6}  # fmt: skip
    region = Region(wanted, "convex", CONVEX, 0.9, "motion", {"views": [view]})
    framing = Framing.for_region(wanted, 128)
    moved = region.framed(framing)
    assert overlap(moved.mask, fan.mask(moved.geometry, (128, 128))) > 0.97
    assert SectorGeometry(**moved.extra["views"][0]) == moved.geometry
    assert region.extra["views"] == [view]


def test_the_strip_below_a_fan_is_not_the_region():
    fan_above = SectorGeometry("phased", 160, 10, 3, 120, -0.7, 0.7)
    wanted = fan.mask(fan_above, SHAPE)
    frame = screen(wanted, interface=False)[0]
    frame[150:235, 10:310] = 40 + (speckle(np.random.default_rng(5), (85, 300)) // 3)
    found = find_region([frame])
    assert overlap(found.mask, wanted) > 0.95


def test_a_guess_is_the_whole_frame():
    random = np.random.default_rng(0)
    frame = np.zeros(SHAPE, np.uint8)
    for row, column in random.integers(0, (230, 300), (60, 2)):
        frame[row : row + 3, column : column + 12] = 255
    found = find_region([frame])
    assert found.confidence < 0.2
    assert found.mask.all()
