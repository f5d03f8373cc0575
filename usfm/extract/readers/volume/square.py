"""Square pixels: a plane whose rows lie further apart than its columns is stretched, as frames of a video are."""

import math
from fractions import Fraction

import numpy as np

from usfm.extract.readers.display import SQUARE, WIDEST, squared
from usfm.extract.readers.volume.grid import LARGEST_PX, Grid, GridLayout


def ratio(grid: Grid, cut: GridLayout) -> Fraction:
    """Return width over height of a plane's pixels, by the rule for videos.

    It is 1 where nothing is known, where the pixels are square to one in a hundred, and where the ratio is beyond five
    or the picture would be too large: such planes stay as they are, with the two spacings that they have.

    Args:
        grid: From the header.
        cut: Which planes are pictures.

    Returns:
        The ratio.
    """
    rows_mm, columns_mm = grid.steps[cut.row], grid.steps[cut.column]
    if math.isnan(rows_mm) or math.isnan(columns_mm):
        return Fraction(1)
    found = Fraction(columns_mm / rows_mm).limit_denominator(10_000)
    if abs(found - 1) <= SQUARE or not Fraction(1, WIDEST) <= found <= WIDEST:
        return Fraction(1)
    height, width = squared(grid.sizes[cut.row], grid.sizes[cut.column], found)
    return found if height * width <= LARGEST_PX else Fraction(1)


def size(grid: Grid, cut: GridLayout) -> tuple[int, int]:
    """Return (height, width) of a frame.

    Args:
        grid: From the header.
        cut: Which planes are pictures.

    Returns:
        In px, with square pixels where that is possible.
    """
    height, width = grid.sizes[cut.row], grid.sizes[cut.column]
    by = ratio(grid, cut)
    return (height, width) if by == 1 else squared(height, width, by)


def spacing(grid: Grid, cut: GridLayout) -> tuple[float, float]:
    """Return mm between the rows and between the columns of a frame; NaN where unknown.

    Args:
        grid: From the header.
        cut: Which planes are pictures.

    Returns:
        (between rows, between columns), mm.
    """
    height, width = size(grid, cut)
    rows_mm = grid.steps[cut.row] * grid.sizes[cut.row] / height
    return rows_mm, grid.steps[cut.column] * grid.sizes[cut.column] / width


def made(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Stretch one plane of uint8 to a size from ``size``.

    Args:
        pixels: uint8 (H, W) or (H, W, 3).
        height: Rows, px.
        width: Columns, px.

    Returns:
        The plane; the same array where it has that size.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    import cv2

    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
