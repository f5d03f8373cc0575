import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.framing import Framing


@st.composite
def framings(draw):
    height, width = draw(st.integers(8, 300)), draw(st.integers(8, 300))
    top, left = draw(st.integers(0, height - 4)), draw(st.integers(0, width - 4))
    bottom, right = draw(st.integers(top + 3, height)), draw(st.integers(left + 3, width))
    return Framing.for_box((top, left, bottom, right), draw(st.sampled_from([32, 64, 224, 256]))), (height, width)


@settings(max_examples=60, deadline=None)
@given(framings(), st.lists(st.tuples(st.floats(-50, 400), st.floats(-50, 400)), min_size=1, max_size=5))
def test_points_come_back(case, points):
    framing, _ = case
    assert np.allclose(framing.inverse_points(framing.apply_points(points)), points, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(framings())
def test_masks_come_back_inside_the_box(case):
    framing, shape = case
    rows, cols = np.indices(shape)
    mask = (rows - shape[0] / 2) ** 2 / shape[0] ** 2 + (cols - shape[1] / 2) ** 2 / shape[1] ** 2 < 0.2
    box = np.zeros(shape, bool)
    box[framing.crop_row_px :, framing.crop_col_px :][: framing.crop_height_px, : framing.crop_width_px] = True
    back = framing.inverse_mask(framing.apply_mask(mask), shape)
    assert not back[~box].any()
    edge = 2 * (framing.crop_height_px + framing.crop_width_px) * max(1.0, 1 / framing.scale)
    assert (back != (mask & box)).sum() <= 0.5 * edge + 2


def test_everything_lands_on_the_same_place():
    """A bright block, its mask, its box, its corners: all four agree in the output."""
    image = np.zeros((200, 320), np.uint8)
    image[60:100, 150:210] = 255
    framing = Framing.for_box((20, 90, 180, 300), 256)
    out = framing.apply(image)
    rows, cols = np.nonzero(out > 127)
    (left, top, right, bottom) = framing.apply_boxes(np.array([[150, 60, 210, 100]]))[0]
    assert abs(rows.min() - top) <= 1
    assert abs(rows.max() + 1 - bottom) <= 1
    assert abs(cols.min() - left) <= 1
    assert abs(cols.max() + 1 - right) <= 1
    corner = framing.apply_points([[150, 60]])[0]
    assert np.allclose(corner, [left + 0.5 * framing.scale - 0.5, top + 0.5 * framing.scale - 0.5])
    assert (framing.apply_mask(image > 0) != (out > 127)).mean() < 0.01
    assert (framing.apply_labels((image > 0).astype(np.uint8)) != (out > 127)).mean() < 0.01


def test_a_sector_moves_with_its_mask():
    geometry = SectorGeometry("convex", 150, -30, 60, 190, -0.6, 0.6)
    mask = fan.mask(geometry, (200, 300))
    framing = Framing.for_region(mask, 128)
    moved = fan.mask(framing.apply_geometry(geometry), (128, 128))
    assert (moved != framing.apply_mask(mask)).mean() < 0.01
    assert framing.spacing(0.3) == pytest.approx(0.3 / framing.scale)


def test_one_scale_for_both_axes_and_black_around():
    framing = Framing.for_box((0, 0, 50, 200), 100)
    out = framing.apply(np.full((50, 200), 200, np.uint8))
    assert framing.scale == 0.5
    assert not out[: int(framing.pad_row_px)].any()
    assert (out[50] == 200).all()


def test_crops_chain_back_to_the_source():
    first, second = Framing.for_box((10, 20, 110, 220), 100), Framing.for_box((30, 40, 60, 90), 64)
    point = np.array([123.0, 57.0])
    through = second.apply_points(first.apply_points(point))
    row, col, scale = second.source_crop(*first.source_crop(0.0, 0.0, 1.0))
    assert np.allclose((point - (col, row) + 0.5) * scale - 0.5, through)


def test_identity_changes_nothing():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    framing = Framing.identity(image.shape)
    assert framing.is_identity
    assert framing.apply(image) is image
    assert (framing.inverse_mask(image > 3, image.shape) == (image > 3)).all()


def test_the_first_corner_of_a_larger_frame_is_cut_out():
    image = np.arange(30, dtype=np.uint8).reshape(5, 6)
    assert (Framing(0, 0, 3, 4, 1.0, 0.0, 0.0, 3, 4).apply(image) == image[:3, :4]).all()


def test_an_empty_mask_stands_for_the_whole_frame():
    assert Framing.for_region(np.zeros((30, 40), bool), 40) == Framing.for_box((0, 0, 30, 40), 40)


def test_margin_stops_at_the_frame():
    mask = np.zeros((30, 40), bool)
    mask[0:10, 5:15] = True
    framing = Framing.for_region(mask, 20, pad_px=5)
    assert (framing.crop_row_px, framing.crop_col_px) == (0, 0)
    assert (framing.crop_height_px, framing.crop_width_px) == (15, 20)


def test_boxes_outside_keep_their_place_with_no_area():
    boxes = Framing.for_box((50, 50, 60, 60), 32).apply_boxes([[0, 0, 10, 10], [50, 50, 60, 60]])
    assert boxes.shape == (2, 4)
    assert (boxes[0, 2] - boxes[0, 0]) * (boxes[0, 3] - boxes[0, 1]) == 0
    assert np.allclose(boxes[1], [0, 0, 32, 32])


def test_no_box_is_refused():
    with pytest.raises(ValueError, match="box"):
        Framing.for_box((5, 5, 5, 9), 32)
