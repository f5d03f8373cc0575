"""Labels drawn over a frame: the outline of each structure, and boxes."""

from collections.abc import Sequence

import numpy as np

from usfm.pictures.sheet import AMBER, GREEN, RED, Colour, outline, to_rgb

COLOURS: tuple[Colour, ...] = (AMBER, GREEN, RED, (180, 120, 255), (255, 130, 190), (120, 170, 255))
"""Of structures and classes of boxes, in turn; the acoustic region is drawn in another one."""

COLOUR_NAMES = ("amber", "green", "red", "violet", "pink", "blue")


def labelled(frame: np.ndarray, structures: Sequence[np.ndarray], boxes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Draw labels over a frame.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        structures: a bool (H, W) for each name; their place decides the colour.
        boxes: (k, 4) left, top, right, bottom in px, edges of pixels; those without an area are left out.
        classes: (k,) number of each box's class.

    Returns:
        (H, W, 3) uint8.

    >>> labelled(np.zeros((4, 4), np.uint8), [], np.array([[1, 1, 4, 3]]), np.array([1]))[1, 1].tolist()
    [60, 200, 110]
    """
    rgb = to_rgb(frame)
    for number, mask in enumerate(structures):
        rgb = outline(rgb, mask, COLOURS[number % len(COLOURS)], width_px=_width(frame)) if mask.any() else rgb
    rgb = rgb.copy()
    height, width = frame.shape[:2]
    for box, number in zip(np.asarray(boxes, float), classes, strict=True):
        left, top, right, bottom = (int(v) for v in np.round(np.clip(box, 0, (width, height, width, height))))
        if left < right and top < bottom:
            line = _width(frame)
            part, colour = rgb[top:bottom, left:right], COLOURS[int(number) % len(COLOURS)]
            for edge in (part[:line], part[-line:], part[:, :line], part[:, -line:]):
                edge[:] = colour
    return rgb


def _width(frame: np.ndarray) -> int:
    """Thickness of a line that a cell of a sheet still shows, px."""
    return max(1, round(max(frame.shape[:2]) / 160))
