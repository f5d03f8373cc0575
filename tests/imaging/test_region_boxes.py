"""Boxes of a DICOM file: those that fit bound the region, and the pixels correct those that do not."""

import cv2
import numpy as np
import pytest

from usfm.imaging import fan, region_boxes
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import find_region

SHAPE = (240, 320)
CONVEX = SectorGeometry("convex", 160, -40, 60, 260, -0.6, 0.6)
WANTED = fan.mask(CONVEX, SHAPE)
ROWS, COLUMNS = np.nonzero(WANTED)
BOX = {"x0": int(COLUMNS.min()), "y0": int(ROWS.min()), "x1": int(COLUMNS.max()), "y1": int(ROWS.max())}


def overlap(mask, wanted):
    return (mask & wanted).sum() / (mask | wanted).sum()


def screen(mask, count, interface=True):
    """Frames of speckle in a mask, with a header, a gray bar and a ruler beside it."""
    random, frames = np.random.default_rng(0), []
    for _ in range(count):
        noise = cv2.GaussianBlur(random.rayleigh(1, mask.shape).astype(np.float32), (0, 0), 1.2)
        frame = np.where(mask, np.clip(90 * noise, 2, 255), 0).astype(np.uint8)
        if interface:
            frame[4:9, 4:60:6] = 220
            frame[60:160, 312:318] = np.linspace(255, 0, 100).astype(np.uint8)[:, None]
            frame[20:220:20, 308:311] = 200
        frames.append(frame)
    return frames


def scaled(factor):
    return {side: int(value * factor) for side, value in BOX.items()}


@pytest.mark.parametrize("box, evidence", [
    (BOX, "dicom"),
    ({"x0": 0, "y0": 0, "x1": SHAPE[1] - 1, "y1": SHAPE[0] - 1}, "dicom"),  # larger than the fan
    (scaled(2), "motion"),  # meant for a picture of twice the size
    (scaled(1.2), "motion"),
    (scaled(0.5), "motion"),  # lies inside, and cuts the fan
    (scaled(0.7), "motion"),
    (BOX | {"x0": BOX["x0"] - 150, "x1": BOX["x1"] - 150}, "motion"),  # shifted half out of the picture
    (BOX | {"x0": 900, "x1": 1200}, "motion"),
    (BOX | {"x0": -900, "x1": -600, "y0": -400, "y1": -200}, "motion"),
])  # fmt: skip
def test_the_pixels_correct_a_box_that_does_not_fit(box, evidence):
    found = find_region(screen(WANTED, 6), dicom_regions=[box])
    assert overlap(found.mask, WANTED) > 0.95
    assert found.evidence == evidence
    assert found.shape == "convex"
    assert found.confidence > 0.8
    assert ("boxes_outside" in found.extra) == (evidence != "dicom")


def test_a_view_whose_box_leaves_the_picture_is_found_beside_the_other():
    left = SectorGeometry("convex", 80, -60, 78, 280, -0.42, 0.42)
    first = fan.mask(left, SHAPE) & (np.arange(320) < 160)
    both = first | first[:, ::-1]
    good = {"x0": 0, "y0": 0, "x1": 159, "y1": 239}
    found = find_region(screen(both, 6, interface=False), dicom_regions=[good, good | {"x0": 200, "x1": 440}])
    assert overlap(found.mask, both) > 0.95
    assert (found.evidence, found.shape, len(found.extra["views"])) == ("dicom", "dual", 2)


def test_nothing_is_made_of_a_stray_box_where_nothing_is_seen():
    found = find_region(screen(WANTED, 6), dicom_regions=[BOX, {"x0": 310, "y0": 0, "x1": 900, "y1": 200}])
    assert overlap(found.mask, WANTED) > 0.95
    assert found.evidence == "dicom"
    assert found.extra == {"boxes_outside": 1}


def test_a_box_without_anything_certain_is_taken_whole_and_one_without_area_not_at_all():
    flat = [np.full(SHAPE, 60, np.uint8)] * 2
    found = find_region(flat, dicom_regions=[{"x0": 40, "y0": 40, "x1": 200, "y1": 200}])
    assert found.mask.sum() == 161**2
    assert found.evidence == "dicom"
    assert region_boxes.read([{"x0": 5, "y0": 5, "x1": 4, "y1": 90}], SHAPE) == region_boxes.Boxes()
