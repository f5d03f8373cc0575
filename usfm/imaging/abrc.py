"""The region rule that the public PolarMAE code uses on single frames, for comparison and for `--preset polarmae`."""

import cv2
import numpy as np

from usfm.imaging.gray import to_gray


def abrc_mask(frame: np.ndarray) -> np.ndarray:
    """Find a region as the published ABRC step does: threshold, blanking, gap rule, closing, convex hulls.

    Args:
        frame: uint8 (H, W) or RGB (H, W, 3).

    Returns:
        bool (H, W); empty when no contour is large enough.

    Source: PolarMAE's public code (2026), its constants and order of steps, written anew. Known to blank the top 13 %
    of fans that touch the frame's edge, cut out central shadows, fill the probe's concave arc, and join bars and
    rulers to the fan.
    """
    lit = (cv2.GaussianBlur(to_gray(frame), (5, 5), 0) > 10).astype(np.uint8)
    height, width = lit.shape
    lit[: int(0.13 * height)] = 0
    lit[:, :5] = 0
    lit[:, max(0, width - 5) :] = 0
    gap = np.flatnonzero(lit.sum(0)[int(0.3 * width) : int(0.7 * width)] < 0.02 * height) + int(0.3 * width)
    if len(gap) > 5:
        lit[:, gap[0] : gap[-1] + 1] = 0
    small, large = (cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)) for side in (5, 30))
    lit = cv2.morphologyEx(lit, cv2.MORPH_OPEN, small, iterations=2)
    lit = cv2.morphologyEx(lit, cv2.MORPH_CLOSE, large, iterations=2)
    contours, _ = cv2.findContours(lit, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    areas = [cv2.contourArea(contour) for contour in contours]
    mask = np.zeros((height, width), np.uint8)
    for contour, area in zip(contours, areas, strict=True):
        if area >= 0.03 * height * width and area > 0.2 * max(areas):
            cv2.fillPoly(mask, [cv2.convexHull(contour)], 1)
    return mask.astype(bool)
