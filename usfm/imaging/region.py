"""The acoustic region: where in a frame there is ultrasound, from a clip, a still, or DICOM regions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from usfm.imaging.fan import SectorGeometry
from usfm.imaging.gray import to_gray

EVIDENCE = ("dicom", "motion", "still", "manual")


@dataclass(frozen=True)
class Region:
    """The acoustic region of one clip layout.

    Attributes:
        mask: bool (H, W), True where there is ultrasound.
        shape: "phased", "convex", "linear", "trapezoid", "dual", or "" (unknown).
        geometry: the sector's geometry in the mask's pixels, or None when no shape fits well.
        confidence: 0 (a guess: the whole frame) to 1.
        evidence: what it was found from: dicom, motion, still, manual.
        extra: JSON-able details (dual views, figures of the search).
    """

    mask: np.ndarray
    shape: str = ""
    geometry: SectorGeometry | None = None
    confidence: float = 0.0
    evidence: str = "still"
    extra: dict = field(default_factory=dict)


def coverage(mask: np.ndarray, patch: int) -> np.ndarray:
    """Return how much of each patch a mask covers.

    Args:
        mask: bool (H, W); H and W are multiples of ``patch``.
        patch: side of a patch in pixels.

    Returns:
        float32 (H / patch, W / patch), 0 to 1.

    Raises:
        ValueError: when the sides are not multiples of the patch.

    Source: PolarMAE, eq. 3 (v_i); the same mean.
    """
    height, width = mask.shape
    if height % patch or width % patch:
        raise ValueError(f"a {height}x{width} mask has no whole number of {patch}-pixel patches")
    return mask.reshape(height // patch, patch, width // patch, patch).mean((1, 3), dtype=np.float32)


def find_region(frames: Sequence[np.ndarray], method: str = "auto", dicom_regions: list[dict] | None = None) -> Region:
    """Find the acoustic region of one clip layout.

    Args:
        frames: uint8 frames of one size, in time order; one frame is a still.
        method: auto (dicom when there is some, motion when enough moves, else still), dicom, temporal, single.
        dicom_regions: what the DICOM file says (x0, y0, x1, y1, spatial_format, data_type per region), or None.
    """
    if method != "single" and len(frames) > 1:
        return region_from_clip(frames)
    return region_from_still(frames[len(frames) // 2])


def region_from_clip(frames: Sequence[np.ndarray]) -> Region:
    """Find the region from what moves over the frames of a clip."""
    stack = np.stack([to_gray(frame) for frame in frames]).astype(np.float32)
    return _blob(stack.std(0) > 3, "motion")


def region_from_still(frame: np.ndarray) -> Region:
    """Find the region of one frame from its bright connected texture."""
    return _blob(cv2.GaussianBlur(to_gray(frame), (5, 5), 0) > 10, "still")


def _blob(seeds: np.ndarray, evidence: str) -> Region:
    """Return the filled hull of the largest blob of a map."""
    closed = cv2.morphologyEx(seeds.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return Region(np.ones(seeds.shape, bool), evidence=evidence)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    contours, _ = cv2.findContours((labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(seeds.shape, np.uint8)
    cv2.fillPoly(filled, [cv2.convexHull(contours[0])], 1)
    return Region(filled.astype(bool), confidence=0.3, evidence=evidence)
