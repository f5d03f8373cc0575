"""The acoustic region: where in a frame there is ultrasound, from a clip, a still, or DICOM regions."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from usfm.imaging import fan, region_boxes, region_evidence, region_score, region_search, region_seeds, shaped
from usfm.imaging.abrc import abrc_mask
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.framing import Framing

EVIDENCE = ("dicom", "motion", "still", "manual")

TRUSTED = 0.5
"""Confidence from which a region is more likely right than wrong; what has less is a guess."""

_MOVING_SHARE = 0.02
_BOX = 0.6
"""Confidence of a box of the file in which the pixels show nothing certain."""
_NEARLY = 0.9


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
        boxes = region_boxes.read(dicom_regions or [], frames[0].shape[:2])
        if boxes.sound or boxes.stray:
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


def _from_boxes(frames: Sequence[np.ndarray], boxes: region_boxes.Boxes) -> Region:
    """Find the region that DICOM boxes bound; the pixels say what a box means that does not fit them."""
    shape = frames[0].shape[:2]
    if not boxes.sound:
        return _without_sound_box(frames, boxes)
    parts = [_inside(frames, box) for box in boxes.sound]
    if (around := _cut(frames, boxes.sound, parts)) is not None:
        return around
    parts = [_believed(part, box) for part, box in zip(parts, boxes.sound, strict=True)]
    strips = dict.fromkeys(region_boxes.beside(box, boxes.sound, shape) for box in boxes.stray)
    wide = [strip for strip in strips if region_boxes.area(strip) >= region_boxes.LEAST_SHARE * shape[0] * shape[1]]
    parts += [part for part in (_inside(frames, strip) for strip in wide) if part.confidence >= TRUSTED]
    extra = {"boxes_outside": len(boxes.stray)} if boxes.stray else {}
    mask = np.logical_or.reduce([part.mask for part in parts])
    confidence = min(part.confidence for part in parts)
    if len(parts) == 1:
        return Region(mask, parts[0].shape, parts[0].geometry, confidence, "dicom", extra)
    views = [dataclasses.asdict(part.geometry) for part in parts if part.geometry is not None]
    return Region(mask, "dual", None, confidence, "dicom", extra | ({"views": views} if views else {}))


def _inside(frames: Sequence[np.ndarray], box: region_boxes.Box) -> Region:
    """Find the region in a part of the picture, as one of the whole picture."""
    left, top, right, bottom = box
    inner = find_region([frame[top:bottom, left:right] for frame in frames], "temporal")
    mask = np.zeros(frames[0].shape[:2], bool)
    mask[top:bottom, left:right] = inner.mask
    geometry = None if inner.geometry is None else inner.geometry.moved(1.0, top, left)
    return dataclasses.replace(inner, mask=mask, geometry=geometry, shape=inner.shape if geometry else "")


def _believed(part: Region, box: region_boxes.Box) -> Region:
    """Take a box in which nothing certain was found as a whole."""
    if part.confidence >= TRUSTED:
        return dataclasses.replace(part, confidence=max(_BOX, part.confidence))
    mask = np.zeros_like(part.mask)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return Region(mask, confidence=_BOX)


def _cut(frames: Sequence[np.ndarray], boxes: Sequence[region_boxes.Box], parts: Sequence[Region]) -> Region | None:
    """Return the region that boxes cut, since they were meant for a picture of another size; None where they do not."""
    middle = frames[len(frames) // 2]
    if not any(region_boxes.goes_on(middle, part.mask, box) for box, part in zip(boxes, parts, strict=True)):
        return None
    found = find_region(frames, "temporal")
    inside = np.zeros_like(found.mask)
    for left, top, right, bottom in boxes:
        inside[top:bottom, left:right] = True
    views = [fan.mask(SectorGeometry(**view), inside.shape) & found.mask for view in found.extra.get("views", ())]
    if found.confidence < TRUSTED or any(
        (view & inside).sum() > _NEARLY * view.sum() for view in views or [found.mask]
    ):
        return None  # of two views, the file may give the box of one
    return dataclasses.replace(found, extra=found.extra | {"boxes_outside": len(boxes)})


def _without_sound_box(frames: Sequence[np.ndarray], boxes: region_boxes.Boxes) -> Region:
    """Find the region of the whole picture; where that is a guess, what lies in the picture of a box is the better."""
    extra = {"boxes_outside": len(boxes.stray)}
    found = find_region(frames, "temporal")
    shape = found.mask.shape
    held = [(box, region_boxes.clipped(box, shape)) for box in boxes.stray]
    held = [part for box, part in held if region_boxes.area(part) >= region_boxes.area(box) / 2]
    if found.confidence < TRUSTED and held:
        parts = [_inside(frames, box) for box in held]
        best = max(parts, key=lambda part: part.confidence)
        if best.confidence >= TRUSTED:
            found = best
    return dataclasses.replace(found, extra=found.extra | extra)
