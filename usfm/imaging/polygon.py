"""A polygon as a mask: a pixel belongs to it if its centre lies inside, by the even-odd rule."""

from collections.abc import Iterable

import numpy as np

MOST_POINTS = 20_000
_BLOCK = 1 << 21
"""Crossings of edges and rows that are worked out at a time."""


def fill(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the mask of one polygon.

    Pixel (row, column) covers columns x to x + 1 and rows y to y + 1, so its centre lies at (x + 0.5, y + 0.5). What
    lies outside the picture is cut off. A centre exactly on an edge counts as inside at the left and at the top.

    Args:
        points: (n, 2): x, y in px; the last is joined to the first.
        size: (height, width), px.

    Returns:
        bool (H, W).

    Raises:
        ValueError: For fewer than three points, too many, or ones that are not finite.

    Example:
        >>> fill(np.array([[1, 0], [3, 0], [3, 2], [1, 2]]), (3, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    points = np.asarray(points, np.float64).reshape(-1, 2)
    if not 3 <= len(points) <= MOST_POINTS:
        raise ValueError(f"a polygon of {len(points)} points")
    if not np.isfinite(points).all() or np.abs(points).max() > 1e9:
        raise ValueError("a polygon with points that are no numbers of pixels")
    height, width = size
    toggles = np.zeros((height, width + 1), np.uint8)
    first, second = points, np.roll(points, -1, axis=0)
    upper = np.where((first[:, 1] <= second[:, 1])[:, None], first, second)
    lower = np.where((first[:, 1] <= second[:, 1])[:, None], second, first)
    top = np.clip(np.ceil(upper[:, 1] - 0.5), 0, height).astype(np.int64)
    bottom = np.clip(np.ceil(lower[:, 1] - 0.5), 0, height).astype(np.int64)
    for block in _blocks(bottom - top):
        _toggle(toggles, upper[block], lower[block], top[block], bottom[block])
    return np.bitwise_xor.accumulate(toggles, axis=1)[:, :width].astype(bool)


def fill_all(rings: Iterable[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Return the union of several polygons: bool (H, W). Raises ValueError as `fill`.

    Args:
        rings: polygons, each (n, 2) x, y in px.
        size: (height, width), px.

    Returns:
        bool (H, W).
    """
    mask = np.zeros(size, bool)
    for points in rings:
        mask |= fill(points, size)
    return mask


def bounds(rings: Iterable[np.ndarray]) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of some polygons, px.

    Example:
        >>> bounds([np.array([[1.0, 2.0], [5.0, 2.5], [3.0, 4.0]])])
        (1.0, 2.0, 5.0, 4.0)
    """
    points = np.concatenate(list(rings))
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return float(left), float(top), float(right), float(bottom)


def _blocks(rows: np.ndarray):
    """Give slices of edges that cross a bounded number of rows together."""
    ends = np.cumsum(rows)
    start = 0
    while start < len(rows):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _BLOCK, side="right")))
        yield slice(start, stop)
        start = stop


def _toggle(toggles: np.ndarray, upper: np.ndarray, lower: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> None:
    """Turn over, in each row that an edge crosses, the first pixel whose centre lies at its right."""
    spans = bottom - top
    edge = np.repeat(np.arange(len(spans)), spans)
    if not len(edge):
        return
    row = np.arange(len(edge)) - np.repeat(np.cumsum(spans) - spans, spans) + top[edge]
    share = (row + 0.5 - upper[edge, 1]) / (lower[edge, 1] - upper[edge, 1])
    x = upper[edge, 0] + share * (lower[edge, 0] - upper[edge, 0])
    column = np.clip(np.ceil(x - 0.5), 0, toggles.shape[1] - 1).astype(np.int64)
    np.bitwise_xor.at(toggles, (row, column), 1)
