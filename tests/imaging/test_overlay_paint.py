import numpy as np
import pytest

from usfm.imaging import overlay_paint
from usfm.imaging.overlay_fonts import FONTS, lettering


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("size_px", [8, 16, 24])
def test_lettering_is_as_tall_as_asked(font, size_px):
    ink = lettering("Hg 12", size_px, font)
    assert 0.5 * size_px <= ink.shape[0] <= 1.2 * size_px
    assert 0 <= ink.min() < 0.5 < ink.max() <= 1


@pytest.mark.parametrize("name", sorted(overlay_paint.ELEMENTS))
@pytest.mark.parametrize("channels", [1, 3])
def test_mask_is_exact(name, channels):
    rng = np.random.default_rng(1)
    region = np.zeros((200, 260), bool)
    region[40:180, 60:200] = True
    frame = np.where(region, 90, 0).astype(np.uint8)
    frame = frame if channels == 1 else np.repeat(frame[..., None], 3, 2)
    overlay = overlay_paint.design((name,), region, rng)
    painted, mask = overlay.over(frame)
    assert mask.any()
    assert painted.shape[:2] == frame.shape[:2]
    before = np.repeat(frame[..., None], 3, 2) if painted.ndim > frame.ndim else frame
    changed = (painted != before).reshape(*mask.shape, -1).any(axis=2)
    assert not (changed & ~mask).any()
    assert (frame == np.where(region, 90, 0).astype(np.uint8).reshape(200, 260, *([1] * (frame.ndim - 2)))).all()


def test_same_stream_same_drawing():
    region = np.ones((120, 160), bool)
    one, two = (overlay_paint.design(("header", "caliper"), region, np.random.default_rng(3)) for _ in range(2))
    assert (one.cover == two.cover).all()
    assert (one.colour == two.colour).all()


@pytest.mark.parametrize("layout", sorted(overlay_paint.LAYOUTS))
@pytest.mark.parametrize("shape", [(96, 120), (300, 400)])
def test_every_layout_paints_any_frame(layout, shape):
    region = np.zeros(shape, bool)
    region[shape[0] // 4 : -20, 20:-30] = True
    frame = np.where(region, 120, 0).astype(np.uint8)
    for seed in range(3):
        painted, mask = overlay_paint.paint(frame, region, layout, np.random.default_rng(seed))
        assert painted.shape[:2] == mask.shape == shape
        assert mask.any() == bool(overlay_paint.LAYOUTS[layout].elements)
        _, again = overlay_paint.paint(frame, np.zeros(shape, bool), layout, np.random.default_rng(seed))
        assert again.shape == shape


def test_there_are_eight_layouts_of_scanners():
    assert len([layout for layout in overlay_paint.LAYOUTS.values() if layout.elements]) >= 8
