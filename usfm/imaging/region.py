"""The acoustic region: where in a frame there is ultrasound, from a clip, a still, or DICOM regions."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from usfm.imaging import region_evidence, region_score, region_search, region_seeds, shaped
from usfm.imaging.abrc import abrc_mask
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.framing import Framing

EVIDENCE = ("dicom", "motion", "still", "manual")

TRUSTED = 0.5
"""Confidence from which a region is more likely right than wrong; what has less is a guess."""

_MOVING_SHARE = 0.02


@dataclass(frozen=True)
class Region:
    """The acoustic region of one clip layout.

    Attributes:
        mask: bool (H, W), True where there is ultrasound.
        shape: "phased", "convex", "linear", "trapezoid", "dual", or "" (unknown).
        geometry: the sector's geometry in the mask's pixels, or None when no shape fits well.
        confidence: probability that the region overlaps the true one by 0.90 or more, as measured; 0: a guess.
        evidence: what it was found from: dicom, motion, still, manual.
        extra: JSON-able details (dual views, figures of the search).
        predicted_iou: overlap with the true region that the evidence lets expect; NaN where nobody judged it.
    """

    mask: np.ndarray
    shape: str = ""
    geometry: SectorGeometry | None = None
    confidence: float = 0.0
    evidence: str = "still"
    extra: dict = field(default_factory=dict)
    predicted_iou: float = float("nan")

    def framed(self, framing: Framing) -> "Region":
        """Return the region after a crop and scale: mask, geometry and the two views of a dual one move together."""
        extra = dict(self.extra)
        if "views" in extra:
            moved = [framing.apply_geometry(SectorGeometry(**view)) for view in extra["views"]]
            extra["views"] = [dataclasses.asdict(view) for view in moved]
        geometry = None if self.geometry is None else framing.apply_geometry(self.geometry)
        mask = framing.apply_mask(self.mask)
        return dataclasses.replace(self, mask=mask, geometry=geometry, extra=extra)


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
        method: auto (dicom when there is some, else as temporal), dicom (whole frame without), temporal (motion when
            enough moves, else as single), single (the middle frame alone), abrc (the published rule, middle frame).
        dicom_regions: what the DICOM file says: dicts with x0, y0, x1, y1 (pixels, ends included) and, where known,
            spatial_format (1 = 2-D) and data_type (1 = tissue, 2 = colour flow).

    Returns:
        The region; the whole frame with confidence 0 where nothing is found.
    """
    if method == "abrc":
        mask = abrc_mask(frames[len(frames) // 2])
        return Region(mask, confidence=0.5) if mask.any() else Region(np.ones_like(mask))
    if method in ("auto", "dicom"):
        boxes = _boxes(dicom_regions or [], frames[0].shape[:2])
        if boxes:
            return _from_boxes(frames, boxes)
        if method == "dicom":
            return Region(np.ones(frames[0].shape[:2], bool), evidence="dicom")
    if method != "single" and len(frames) > 1:
        return region_from_clip(frames)
    return region_from_still(frames[len(frames) // 2])


def region_from_clip(frames: Sequence[np.ndarray]) -> Region:
    """Find the region from what moves over the frames of a clip, or, when next to nothing moves, from their mean.

    Args:
        frames: two or more uint8 frames of one size and one layout.
    """
    stack, scale = region_seeds.shrink(frames)
    spread = stack.astype(np.float32).std(0)
    moves = (spread > 1.0).mean() >= _MOVING_SHARE
    found = _judged(region_search.search(stack, spread if moves else None), stack, bool(moves))
    return _region(found, scale, frames[0].shape[:2], "motion" if moves else "still")


def region_from_still(frame: np.ndarray) -> Region:
    """Find the region of one uint8 frame from what differs from the background and has the shape of a sector."""
    stack, scale = region_seeds.shrink([frame])
    return _region(_judged(region_search.search(stack, None), stack, False), scale, frame.shape[:2], "still")


def _judged(found: shaped.Shaped, stack: np.ndarray, moves: bool) -> shaped.Shaped:
    """Put the probability that a region is right in the place of its fit; a whole frame keeps what the search says."""
    if found.mask.all():
        return found
    small = region_evidence.smaller(stack)
    mask = cv2.resize(found.mask.astype(np.float32), small.shape[:0:-1], interpolation=cv2.INTER_AREA) > 0.5
    if not mask.any():
        return found
    seen = region_evidence.evidence(small, moves)
    probability, expected = region_score.judged(dataclasses.replace(found, mask=mask), seen)
    return dataclasses.replace(found, confidence=probability, predicted_iou=expected)


def _region(found: shaped.Shaped, scale: float, shape: tuple[int, int], evidence: str) -> Region:
    """Return what the search found at working size as a region of the full-size frame."""
    found = shaped.enlarged(found, scale, shape)
    extra = {"views": [dataclasses.asdict(view) for view, _ in found.views]} if len(found.views) > 1 else {}
    geometry = found.views[0][0] if len(found.views) == 1 else None
    return Region(found.mask, found.shape, geometry, found.confidence, evidence, extra, found.predicted_iou)


def _boxes(regions: list[dict], shape: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Return the 2-D image regions of a DICOM file as (left, top, right, bottom), clipped; none that make no sense."""
    boxes = []
    for entry in regions:
        if int(entry.get("spatial_format", 1) or 1) != 1 or int(entry.get("data_type", 1) or 1) not in (1, 2):
            continue
        left, top = max(0, int(entry["x0"])), max(0, int(entry["y0"]))
        right, bottom = min(shape[1], int(entry["x1"]) + 1), min(shape[0], int(entry["y1"]) + 1)
        inside = max(0, right - left) * max(0, bottom - top)
        whole = (int(entry["x1"]) + 1 - int(entry["x0"])) * (int(entry["y1"]) + 1 - int(entry["y0"]))
        if inside >= 0.02 * shape[0] * shape[1] and inside >= 0.9 * whole and (left, top, right, bottom) not in boxes:
            boxes.append((left, top, right, bottom))
    return [box for box in boxes if not any(other != box and _lies_in(box, other) for other in boxes)]


def _lies_in(inner: tuple[int, int, int, int], outer: tuple[int, int, int, int]) -> bool:
    """Say whether a box is a part of another, as the box of colour flow is of that of tissue, but for a few pixels."""
    width = min(inner[2], outer[2]) - max(inner[0], outer[0])
    height = min(inner[3], outer[3]) - max(inner[1], outer[1])
    area, around = ((box[2] - box[0]) * (box[3] - box[1]) for box in (inner, outer))
    return area < around and max(width, 0) * max(height, 0) >= 0.9 * area


def _from_boxes(frames: Sequence[np.ndarray], boxes: list[tuple[int, int, int, int]]) -> Region:
    """Find the region inside each DICOM box; a box in which nothing certain is found is taken whole."""
    mask, parts = np.zeros(frames[0].shape[:2], bool), []
    for left, top, right, bottom in boxes:
        inner = find_region([frame[top:bottom, left:right] for frame in frames], "temporal")
        whole = inner.confidence < TRUSTED
        mask[top:bottom, left:right] |= True if whole else inner.mask
        geometry = None if whole or inner.geometry is None else inner.geometry.moved(1.0, top, left)
        parts.append((inner.shape if geometry else "", geometry, 0.6 if whole else max(0.6, inner.confidence)))
    confidence = min(part[2] for part in parts)
    if len(parts) == 1:
        return Region(mask, parts[0][0], parts[0][1], confidence, "dicom")
    views = [dataclasses.asdict(geometry) for _, geometry, _ in parts if geometry is not None]
    return Region(mask, "dual", None, confidence, "dicom", {"views": views} if views else {})
