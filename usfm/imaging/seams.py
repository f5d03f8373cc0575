"""Black gaps between pictures that fill one region: a split screen whose views nearly touch."""

import numpy as np

from usfm.imaging.gray import to_gray

_LEAST_SIDE = 0.35
"""Of the box's width or height: a view is no narrower. The moving gap of a sweep is rarely so near the middle."""
_WIDEST = 0.12
_DARK, _LIT = 0.3, 0.5
"""Of the typical brightness: a gap is darker along its length but for a word over it, its neighbours are brighter."""
_BINS, _LIT_BINS, _SKIN = 8, 3, 3
"""A gap is looked at in so many pieces; its two neighbours are bright in some, and it is dark in all of the first."""
_BESIDE = 4

Box = tuple[int, int, int, int]
"""First row, first column, end row, end column, px."""


def panels(frame: np.ndarray, mask: np.ndarray) -> list[Box]:
    """Cut the box around a region at its black gaps: from top to bottom, then each side from left to right.

    A shadow is no gap, since the skin above it is bright; nor is a dark band across a single picture.

    Args:
        frame: uint8 (H, W) or RGB (H, W, 3).
        mask: bool (H, W), the region; not empty.

    Returns:
        The boxes between the gaps; one where there is none.

    Example:
        >>> frame = np.full((40, 64), 90, np.uint8)
        >>> frame[:, 31:34] = 0
        >>> panels(frame, np.ones((40, 64), bool))
        [(0, 0, 40, 31), (0, 34, 40, 64)]
    """
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1
    gray = to_gray(frame).astype(np.float32)
    beside = _between(gray, box)
    if len(beside) < 2:
        return beside
    below = [_turned(_between(gray.T, _turned([one])[0])) for one in beside]
    return [one for some in below for one in some] if all(len(some) > 1 for some in below) else beside


def _turned(boxes: list[Box]) -> list[Box]:
    return [(left, top, right, bottom) for top, left, bottom, right in boxes]


def _between(gray: np.ndarray, box: Box) -> list[Box]:
    """Cut a box at the gaps that run from its top to its bottom."""
    top, left, bottom, right = box
    part = gray[top:bottom, left:right]
    if min(part.shape) < 4 * _BINS:
        return [box]
    bins = np.stack([one.mean(0) for one in np.array_split(part, _BINS)])  # (8, columns)
    typical = float(np.median(part.mean(0)))
    dark = (bins[:_SKIN].max(0) < _DARK * typical) & (np.sort(bins, 0)[-2] < _DARK * typical)
    edges = np.flatnonzero(np.diff(np.r_[False, dark, False].astype(np.int8)))
    least, found, start = _LEAST_SIDE * part.shape[1], [], 0
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if min(first - start, part.shape[1] - end) < least or end - first > max(2, _WIDEST * part.shape[1]):
            continue
        sides = bins[:, max(0, first - _BESIDE) : first].max(1), bins[:, end : end + _BESIDE].max(1)
        if (np.minimum(*sides) > _LIT * typical).sum() >= _LIT_BINS:
            found.append((top, left + start, bottom, left + first))
            start = end
    return [*found, (top, left + start, bottom, right)]
