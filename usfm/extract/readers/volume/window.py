"""Intensities of a volume: one rule and one window for all of its planes, eight bits at the end."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from usfm.errors import MediaError
from usfm.extract.readers.tone import DARK_FLOAT, Samples, shown
from usfm.extract.readers.volume.elements import blocks
from usfm.extract.readers.volume.grid import Grid


@dataclass(frozen=True)
class Window:
    """How the values of a volume become gray levels.

    Attributes:
        low: Value that becomes 0.
        high: Value that becomes 255.
    """

    low: float = 0.0
    high: float = 255.0


def plain(grid: Grid) -> bool:
    """Say whether the values are gray levels already: eight bits without a sign and without a scale."""
    return grid.dtype == np.uint8 and (grid.slope, grid.intercept) == (1.0, 0.0)


def find(grid: Grid) -> Window:
    """Find the window of a whole volume, from every value in it.

    Values of eight bits stay as they are, also where they were stored in a wider type: whole numbers in 0..255, or
    floating point in 0..255 of which the largest is at least ``DARK_FLOAT``. Any others are scaled from the least
    value, or from 0 where none is negative, to the largest.

    Values that are no finite numbers do not count here and become 0.

    Raises:
        MediaError: If no value is a finite number, or the file breaks before its end.
    """
    if plain(grid):
        return Window()
    return _of(scaled(grid, piece) for _, _, piece in blocks(grid))


def _of(pieces: Iterable[np.ndarray]) -> Window:
    """Find the window of values that come piece by piece.

    Example:
        >>> _of([np.array([0, 900]), np.array([3000])])
        Window(low=0.0, high=3000.0)
        >>> _of([np.array([-60.0, np.nan]), np.array([0.0])])
        Window(low=-60.0, high=0.0)
        >>> _of([np.array([3, 200], np.int16)])
        Window(low=0.0, high=255.0)
    """
    low, high, whole = np.inf, -np.inf, True
    for piece in pieces:
        if piece.dtype.kind == "f":
            finite = np.isfinite(piece)
            if not finite.all():
                piece = piece[finite]
            whole = whole and bool((piece == np.rint(piece)).all())
        if piece.size:
            low, high = min(low, float(piece.min())), max(high, float(piece.max()))
    if high < low:
        raise MediaError("no finite values", "none of its values is a finite number.")
    if low >= 0 and high <= 255 and (whole or high >= DARK_FLOAT):
        return Window()
    return Window(min(low, 0.0) if low >= 0 else low, high)


def lost(grid: Grid, values: np.ndarray) -> int:
    """Count the values of a plane that are no finite numbers.

    Args:
        grid: From the header.
        values: Of the plane, as they are stored.

    Returns:
        How many; 0 for whole numbers.
    """
    return int(values.size - np.count_nonzero(np.isfinite(values))) if grid.dtype.kind == "f" else 0


def scaled(grid: Grid, values: np.ndarray) -> np.ndarray:
    """Bring stored values to those that the header means, in the byte order of this machine.

    Args:
        grid: From the header.
        values: As they are stored.

    Returns:
        An array of the same shape.
    """
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return _meant(values, grid.slope, grid.intercept)


def _meant(values: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    if (slope, intercept) == (1.0, 0.0):
        return values
    with np.errstate(invalid="ignore", over="ignore"):  # what is no number then becomes black
        return values.astype(np.float64) * slope + intercept


def levels(grid: Grid, values: np.ndarray, window: Window) -> np.ndarray:
    """Bring one plane to gray levels.

    Args:
        grid: Where it comes from.
        values: Its numbers as in the file, (H, W), RGB (H, W, 3) or RGBA (H, W, 4).
        window: Of the whole volume.

    Returns:
        uint8 (H, W) or RGB (H, W, 3); opacity lies over black, unless it is 0 all over.
    """
    if not plain(grid) and grid.dtype.kind in "iu" and grid.dtype.itemsize <= 2:
        values = values.astype(grid.dtype.newbyteorder("="), copy=False)
        values = _table(grid.dtype.kind, grid.dtype.itemsize, grid.slope, grid.intercept, window)[_unsigned(values)]
    elif not plain(grid):
        values = _to_levels(scaled(grid, values), window)
    if values.ndim == 3 and values.shape[2] == 4:
        alpha = values[:, :, 3] / 255.0
        return shown(Samples(values[:, :, :3], alpha=alpha if alpha.any() else None), 0)
    return np.ascontiguousarray(values)


@lru_cache(8)
def _table(kind: str, size: int, slope: float, intercept: float, window: Window) -> np.ndarray:
    """Return the gray level of every value of at most 16 bits, by its bits."""
    values = np.arange(1 << 8 * size).astype(f"u{size}").view(f"{kind}{size}")
    return _to_levels(_meant(values, slope, intercept), window)


def _unsigned(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def _to_levels(values: np.ndarray, window: Window) -> np.ndarray:
    with np.errstate(all="ignore"):  # of infinite values and of NaN
        return _scaled_to(values, window)


def _scaled_to(values: np.ndarray, window: Window) -> np.ndarray:
    span = window.high - window.low
    if span <= 0:
        return np.zeros(values.shape, np.uint8)
    small = max(abs(window.low), abs(window.high)) < 1e30
    single = small and (values.dtype == np.float32 or values.dtype.itemsize < 4)
    values = values.astype(np.float32 if single else np.float64)
    if not np.isfinite(span):  # the ends lie further apart than a number can say
        values, window = values / 4, Window(window.low / 4, window.high / 4)
        span = window.high - window.low
    out = (values - window.low) / span * 255
    out[~np.isfinite(values)] = 0
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)
