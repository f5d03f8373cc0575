import numpy as np
import pytest
from PIL import Image

from usfm.pictures import sheet


def test_a_sheet_has_a_cell_per_picture_whatever_their_sizes(tmp_path):
    images = [np.full((20, 60), 255, np.uint8), np.zeros((90, 30, 3), np.uint8), np.ones((5, 5), bool)]
    out = sheet.contact_sheet(
        images, ["a", "a very long caption that cannot fit", "c\nd"], 2, 64, tmp_path / "s" / "x.png"
    )
    assert out.dtype == np.uint8
    assert out.ndim == 3
    assert out.shape[1] == 2 * 68 + 4
    assert np.array_equal(np.asarray(Image.open(tmp_path / "s" / "x.png")), out)


def test_an_empty_sheet_is_still_a_picture():
    assert sheet.contact_sheet([]).ndim == 3


def test_a_picture_keeps_its_aspect_in_the_cell():
    box = sheet.fit(np.full((10, 40), 255, np.uint8), 80, 80)
    white = (box == 255).all(axis=2)
    assert white.any(axis=1).sum() == 20
    assert white.any(axis=0).sum() == 80


def test_borders_colour_the_cell_only():
    plain = sheet.contact_sheet([np.zeros((8, 8), np.uint8)], cell_px=32)
    framed = sheet.contact_sheet([np.zeros((8, 8), np.uint8)], cell_px=32, borders=[sheet.RED])
    changed = (plain != framed).any(axis=2)
    assert 0 < changed.sum() == 32 * 32 - 26 * 26


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_a_tint_touches_the_mask_only(alpha):
    frame = np.random.default_rng(0).integers(0, 255, (9, 7)).astype(np.uint8)
    mask = np.zeros((9, 7), bool)
    mask[2:5, 1:4] = True
    out = sheet.mask_over(frame, mask, (255, 0, 0), alpha)
    assert np.array_equal(out[~mask], sheet.to_rgb(frame)[~mask])
    expected = (1 - alpha) * sheet.to_rgb(frame)[mask] + alpha * np.array([255, 0, 0])
    assert np.abs(out[mask] - expected).max() <= 0.5


def test_an_outline_lies_inside_the_mask_and_touches_the_picture_border():
    frame, mask = np.zeros((12, 12), np.uint8), np.zeros((12, 12), bool)
    mask[:6, 2:9] = True
    drawn = (sheet.outline(frame, mask, (255, 255, 255), 1) == 255).all(axis=2)
    assert drawn.any()
    assert not (drawn & ~mask).any()
    assert drawn.sum() == 6 * 7 - 4 * 5
