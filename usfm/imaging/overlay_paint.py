"""Draw on frames what scanners draw, in the layouts of real screens, with the exact mask of the pixels covered."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from usfm.imaging import overlay_marks as marks
from usfm.imaging import overlay_text as text
from usfm.imaging.overlay_drawing import Overlay, blank

Element = Callable[[Overlay, np.ndarray, np.random.Generator], None]

ELEMENTS: dict[str, Element] = {
    "header": text.header,
    "presets": text.presets,
    "results": text.results,
    "words": text.words,
    "toolbar": text.toolbar,
    "report": text.report,
    "ruler": marks.ruler,
    "gray_bar": marks.gray_bar,
    "colour_bar": marks.colour_bar,
    "focus": marks.focus,
    "logo": marks.logo,
    "body_mark": marks.body_mark,
    "caliper": marks.caliper,
    "arrow": marks.arrow,
    "ink": marks.ink,
}
"""What can be drawn, by name; each takes the drawing, the acoustic region and a random stream."""

OVER_TISSUE = ("words", "caliper", "arrow", "ink")
"""Elements that lie on tissue and change from picture to picture; the others belong to the screen."""


@dataclass(frozen=True)
class ScreenLayout:
    """A screen: where its image lies (x0, y0, x1, y1 in fractions) and what is drawn.

    `moving` names what changes from frame to frame (see `overlay_moving`): "ecg", "colour_box", "spectral", "m_mode".
    """

    box: tuple[float, float, float, float]
    elements: tuple[str, ...]
    moving: tuple[str, ...] = ()


LAYOUTS: dict[str, ScreenLayout] = {
    "bare": ScreenLayout((0.0, 0.0, 1.0, 1.0), ()),
    "ticks": ScreenLayout((0.02, 0.02, 0.94, 0.98), ("ruler",)),
    "cart": ScreenLayout((0.13, 0.1, 0.93, 0.96), ("header", "presets", "ruler", "gray_bar", "logo")),
    "measure": ScreenLayout((0.03, 0.1, 0.94, 0.95), ("header", "ruler", "focus", "caliper", "results")),
    "annotated": ScreenLayout((0.06, 0.08, 0.94, 0.97), ("header", "gray_bar", "words", "arrow", "body_mark")),
    "handheld": ScreenLayout((0.02, 0.05, 0.9, 0.9), ("toolbar", "ruler")),
    "cardiac": ScreenLayout((0.06, 0.07, 0.94, 0.86), ("header", "presets", "ruler", "logo"), ("ecg",)),
    "doppler": ScreenLayout((0.1, 0.09, 0.92, 0.97), ("header", "presets", "colour_bar", "ruler"), ("colour_box",)),
    "spectral": ScreenLayout((0.16, 0.07, 0.84, 0.58), ("header", "presets", "results"), ("spectral",)),
    "m_mode": ScreenLayout((0.16, 0.05, 0.84, 0.55), ("header", "ruler"), ("m_mode",)),
    "inked": ScreenLayout((0.01, 0.01, 0.97, 0.99), ("ink", "words")),
    "report": ScreenLayout((0.3, 0.3, 0.7, 0.7), ("report",)),
}
"""Screens by name, as real scanners, handhelds and archives lay them out."""


def design(elements: tuple[str, ...], region: np.ndarray, rng: np.random.Generator) -> Overlay:
    """Design a drawing: the same random stream gives the same drawing.

    Args:
        elements: names of `ELEMENTS`, drawn in this order.
        region: the acoustic region, bool (H, W), which says where things go.
        rng: the random stream.

    Returns:
        The drawing.

    Example:
        >>> overlay = design(("header",), np.ones((120, 160), bool), np.random.default_rng(0))
        >>> painted, mask = overlay.over(np.zeros((120, 160), np.uint8))
        >>> bool((painted[~mask] == 0).all()), bool(mask.any())
        (True, True)
    """
    overlay = blank(region.shape)
    for name in elements:
        ELEMENTS[name](overlay, region, rng)
    return overlay


def paint(
    frame: np.ndarray, region: np.ndarray, layout: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw all that stands still in a layout on one frame.

    Args:
        frame: uint8 gray (H, W) or RGB (H, W, 3); left as it is.
        region: the acoustic region, bool (H, W).
        layout: one of `LAYOUTS`.
        rng: the random stream.

    Returns:
        The painted frame (RGB as soon as an ink has colour) and the bool mask of the pixels drawn on.
    """
    return design(LAYOUTS[layout].elements, region, rng).over(frame)
