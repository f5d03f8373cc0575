"""Lettering for painted overlays: OpenCV's stroke fonts and the DejaVu faces that come with matplotlib."""

import functools
from pathlib import Path

import cv2
import numpy as np

FONTS = ("sans", "sans-bold", "mono", "serif", "stroke", "stroke-double")
"""Names that `lettering` knows; the first four are DejaVu faces, the last two OpenCV's Hershey fonts."""

_FILES = {
    "sans": "DejaVuSans.ttf",
    "sans-bold": "DejaVuSans-Bold.ttf",
    "mono": "DejaVuSansMono.ttf",
    "serif": "DejaVuSerif.ttf",
}
_HERSHEY = {"stroke": cv2.FONT_HERSHEY_SIMPLEX, "stroke-double": cv2.FONT_HERSHEY_DUPLEX}


@functools.lru_cache(maxsize=256)
def _face(font: str, size_px: int):
    """A DejaVu face at a size."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / _FILES[font], size_px)


def lettering(text: str, size_px: int, font: str = "sans") -> np.ndarray:
    """Render one line of text, cut to its ink.

    Args:
        text: the line; stroke fonts have ASCII only, other characters become "?".
        size_px: size of the letters from the line's top to its bottom, 8 to 24 on scanners.
        font: one of `FONTS`.

    Returns:
        Ink 0 to 1, float32 (rows, columns); an empty array where the text has no ink.
    """
    if font in _FILES:
        face = _face(font, size_px)
        ink = face.getmask(text, mode="L")
        cover = np.asarray(ink, np.uint8).reshape(ink.size[1], ink.size[0])
    else:
        face, scale = _HERSHEY[font], size_px / 30
        (width, height), base = cv2.getTextSize(text, face, scale, 1)
        cover = np.zeros((height + base + 4, width + 4), np.uint8)
        cv2.putText(cover, text, (2, height + 2), face, scale, 255, 1, cv2.LINE_AA)
    rows, cols = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    if not rows.size:
        return np.zeros((0, 0), np.float32)
    return cover[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].astype(np.float32) / 255
