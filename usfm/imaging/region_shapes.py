"""The best shape for a blob: a sector, one that a display window cuts, two side by side, or the blob's envelope."""

import numpy as np

from usfm.imaging import fan_fit
from usfm.imaging.shaped import Shaped, Window, drawn

TRUSTED = 0.45
"""Confidence from which a fitted sector replaces the blob it was fitted to."""

_SPILL = 0.3


def shape_of(blob: np.ndarray, hull: np.ndarray) -> Shaped:
    """Return the best shape for a blob: a sector, one cut by a window, two side by side, or its envelope ``hull``.

    Args:
        blob: bool (h, w).
        hull: bool (h, w), the envelope to fall back on.

    Returns:
        The shape with its confidence.
    """
    best = Shaped(hull, "", 0.6 * float(blob.sum() / hull.sum()) ** 4)
    whole = (0, 0, *blob.shape)
    best = _better(best, _sector(blob, whole))
    if best.confidence < 0.8:
        window = _window(blob)
        cut = _sector(blob, window) if window != whole else None
        best = _better(_better(best, cut), _dual(blob))
    return best


def _better(known: Shaped, other: Shaped | None) -> Shaped:
    return known if other is None or other.confidence <= known.confidence else other


def _sector(blob: np.ndarray, window: Window) -> Shaped | None:
    """Fit a sector to the part of a blob in a window, whose sides count as borders of the picture."""
    top, left, bottom, right = window
    part = blob[top:bottom, left:right]
    if not part.any():
        return None
    geometry, confidence = fan_fit.fit_fan(part, _SPILL)
    if geometry is None or confidence < TRUSTED:
        return None
    geometry = geometry.moved(1.0, top, left)
    cut = 1.0 if part.size == blob.size else 0.97
    return Shaped(drawn(geometry, window, blob.shape), geometry.shape, cut * confidence, ((geometry, window),))


def _window(blob: np.ndarray) -> Window:
    """Return the picture without what lies beyond a blob's long straight sides: where a display window may cut it."""
    rows, cols = np.flatnonzero(blob.any(1)), np.flatnonzero(blob.any(0))
    top, bottom, left, right = rows[0], rows[-1], cols[0], cols[-1]
    tall, wide = 0.15 * (bottom - top), 0.15 * (right - left)
    return (
        int(top) if blob[top].sum() > wide else 0,
        int(left) if blob[:, left].sum() > tall else 0,
        int(bottom) + 1 if blob[bottom].sum() > wide else blob.shape[0],
        int(right) + 1 if blob[:, right].sum() > tall else blob.shape[1],
    )


def _dual(blob: np.ndarray) -> Shaped | None:
    """Fit two sectors side by side where the blob has a gap or a notch in the middle of its upper edge."""
    split = _split_column(blob)
    if split is None:
        return None
    mask, views, confidence = np.zeros(blob.shape, bool), (), 1.0
    for columns in (slice(None, split), slice(split, None)):
        half = np.zeros(blob.shape, bool)
        half[:, columns] = blob[:, columns]
        if half.sum() < 0.25 * blob.sum():
            return None
        top, left, bottom, right = _window(half)
        left, right = (left, min(right, split)) if columns.stop else (max(left, split), right)
        view = _sector(half, (top, left, bottom, right))
        if view is None:
            return None
        mask |= view.mask
        views += view.views
        confidence = min(confidence, view.confidence)
    return Shaped(mask, "dual", confidence, views)


def _split_column(blob: np.ndarray) -> int | None:
    """Return the column between two views: the middle of a gap, else the deepest notch of the upper edge, else None."""
    cols = np.flatnonzero(blob.any(0))
    left, width = cols[0], cols[-1] + 1 - cols[0]
    middle = np.arange(left + int(0.3 * width), left + int(0.7 * width))
    if not len(middle):
        return None
    gap = middle[~blob[:, middle].any(0)]
    if len(gap):
        return int(gap[len(gap) // 2])
    tops = np.where(blob.any(0), blob.argmax(0), blob.shape[0])
    notch = int(middle[tops[middle].argmax()])
    height = np.ptp(np.flatnonzero(blob.any(1))) + 1
    depth = tops[notch] - max(tops[left:notch].min(), tops[notch + 1 : left + width].min())
    return notch if depth > 0.06 * height else None
