"""The outline of a mask: its points inside the picture, its envelope, and the straight sides of a sector in it."""

import cv2
import numpy as np

POINTS = 256
"""Points that an outline is thinned to."""


def outline_points(mask: np.ndarray) -> np.ndarray:
    """Return the outline of a mask's outer contours where it does not run along the picture's border.

    Args:
        mask: bool (H, W).

    Returns:
        float64 (n, 2) x, y: points half-way between a pixel inside and its neighbour outside, at most `POINTS`.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    rows, cols = np.nonzero(filled[:-1] != filled[1:])
    across = np.stack([cols, rows + 0.5], 1)
    rows, cols = np.nonzero(filled[:, :-1] != filled[:, 1:])
    along = np.stack([cols + 0.5, rows], 1)
    points = np.concatenate([across, along]).astype(np.float64)
    if len(points) > POINTS:
        centre = points.mean(0)
        order = np.argsort(np.arctan2(*(points - centre).T), kind="stable")
        points = points[order[np.linspace(0, len(points) - 1, POINTS).astype(int)]]
    return points


def envelope(mask: np.ndarray) -> np.ndarray:
    """Return the convex hull of a mask without what lies above its first pixel in each column.

    It fills shadows and notches that open sideways or downwards, and keeps the concave arc of the probe's face.
    """
    rows = np.flatnonzero(mask.any(1))
    first, last = mask[rows].argmax(1), mask.shape[1] - 1 - mask[rows][:, ::-1].argmax(1)
    points = np.stack([np.concatenate([first, last]), np.concatenate([rows, rows])], 1).astype(np.int32)
    hull = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), cv2.convexHull(points), 1).astype(bool)
    return hull & (np.logical_or.accumulate(mask, 0) | ~mask.any(0))


def side_line(points: np.ndarray, side: int) -> tuple[float, float] | None:
    """Find the side line of a sector by consensus: the line most points lie on, with few beyond it.

    Args:
        points: (n, 2) x, y of the outline on that side.
        side: -1 for the left side (leans left downwards), 1 for the right.

    Returns:
        ``(x0, slope)`` with ``x = x0 + slope * y``, or None when no 8 points agree.
    """
    if len(points) < 8:
        return None
    some = points[np.linspace(0, len(points) - 1, min(len(points), 36)).astype(int)]
    i, j = np.triu_indices(len(some), 1)
    dy = some[j, 1] - some[i, 1]
    steep = np.abs(dy) > 6
    i, j, dy = i[steep], j[steep], dy[steep]
    if not len(i):
        return None
    slope = (some[j, 0] - some[i, 0]) / dy
    fits = (side * slope > -0.06) & (np.abs(slope) < 3.0)
    slope, i = slope[fits], i[fits]
    if not len(i):
        return None
    x0 = some[i, 0] - slope * some[i, 1]
    beyond = side * (points[None, :, 0] - x0[:, None] - slope[:, None] * points[None, :, 1])
    beyond /= np.hypot(1, slope)[:, None]
    votes = (np.abs(beyond) < 1.2).sum(1) - 0.5 * (beyond > 3).sum(1)
    best = int(votes.argmax())
    on = np.abs(beyond[best]) < 1.5
    if on.sum() < 8 or np.ptp(points[on, 1]) < 6:
        return None
    slope_fit, x0_fit = np.polyfit(points[on, 1], points[on, 0], 1)
    return float(x0_fit), float(slope_fit)
