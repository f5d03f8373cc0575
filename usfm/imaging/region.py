"""The acoustic region: where in a frame there is ultrasound, from a clip, a still, or DICOM regions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from usfm.imaging import fan, fan_fit, region_seeds
from usfm.imaging.fan import SectorGeometry

EVIDENCE = ("dicom", "motion", "still", "manual")

_TRUSTED = 0.45
_MOVING_SHARE = 0.02


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
    stack, scale = region_seeds.shrink(frames)
    mean, spread = stack.mean(0, dtype=np.float32), stack.astype(np.float32).std(0)
    if (spread > 1.0).mean() < _MOVING_SHARE:
        return _search(mean, None, stack, scale, frames[0].shape[:2])
    return _search(mean, spread, stack, scale, frames[0].shape[:2])


def region_from_still(frame: np.ndarray) -> Region:
    """Find the region of one frame from its bright connected texture."""
    stack, scale = region_seeds.shrink([frame])
    return _search(stack[0].astype(np.float32), None, stack, scale, frame.shape[:2])


def _candidates(image: np.ndarray, spread: np.ndarray | None, stack: np.ndarray, levels: np.ndarray, flat: list):
    """Yield the seed maps worth a try: what differs from the background by ever more, and what moves ever more."""
    sets = [[level] for level in levels[:2]] + ([list(levels)] if len(levels) > 1 else [])
    if flat and not any(sorted(flat) == sorted(chosen) for chosen in sets):
        sets.append(flat)
    for chosen in sets:
        far = region_seeds.distance(image, chosen)
        for threshold in region_seeds.LIT_THRESHOLDS:
            yield far > threshold
        if spread is not None:
            peak = np.max([region_seeds.distance(frame, chosen) for frame in stack], axis=0)
            for threshold in region_seeds.PEAK_THRESHOLDS:
                yield peak > threshold
    if spread is not None:
        for threshold in region_seeds.MOTION_THRESHOLDS:
            yield spread > threshold
    if not sets:
        yield np.ones(image.shape, bool)


def _search(
    image: np.ndarray, spread: np.ndarray | None, stack: np.ndarray, scale: float, shape: tuple[int, int]
) -> Region:
    """Score the candidates and return the best as a region of the full-size frame."""
    side = max(image.shape)
    evidence = "still" if spread is None else "motion"
    activity = np.minimum(spread, 6.0) if spread is not None else region_seeds.texture(image)
    if spread is None and len(region_seeds.background_levels(image)):
        thick = region_seeds.distance(image, region_seeds.background_levels(image)) > 3
        activity = activity * cv2.morphologyEx(
            cv2.morphologyEx(thick.astype(np.uint8), cv2.MORPH_CLOSE, region_seeds.disc(max(3, side // 80))),
            cv2.MORPH_OPEN, region_seeds.disc(max(3, side // 24)))
    levels = region_seeds.background_levels(image, spread)
    flat_levels = region_seeds.panel_levels(image, spread, levels)
    panel = region_seeds.flat_map(image, 1.0) & (region_seeds.distance(image, flat_levels) <= 0.75)
    best, best_score, tried = None, -1.0, []
    for seeds in _candidates(image, spread, stack, levels, flat_levels):
        some = []
        for thin in (side // 36, side // 14):
            found = region_seeds.blobs(seeds, max(3, side // 80), max(3, thin))
            some += found[:1] + ([np.logical_or.reduce(found)] if len(found) > 1 else [])
        for blob in some:
            if blob.sum() < 0.02 * image.size:
                continue
            if any((blob ^ other).sum() < 0.01 * blob.sum() for other in tried):
                continue
            tried.append(blob)
            geometry, confidence = fan_fit.fit_fan(blob, spill=0.3)
            if geometry is not None and confidence > _TRUSTED:
                mask = fan.mask(geometry, image.shape)
            else:
                mask, geometry = fan_fit.envelope(blob), None
            captured = float(activity[mask].sum() / max(1e-6, activity.sum()))
            interface = float((panel & seeds & blob).sum() / blob.sum())
            plain = 0.6 * (blob.sum() / max(1, mask.sum())) ** 4
            score = max(confidence, plain) * captured**2 * (1 - interface) ** 1.5 + 0.02 * mask.mean()
            if DEBUG is not None:
                DEBUG.append((score, confidence, captured, interface, plain, geometry, blob))
            if score > best_score:
                best, best_score = (mask, geometry, confidence), score
    if best is None:
        return Region(np.ones(shape, bool), evidence=evidence)
    mask, geometry, confidence = best
    if geometry is None:
        full = cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR) >= 0.5
        return Region(full, confidence=confidence, evidence=evidence)
    geometry = geometry.moved(1 / scale, 0.5 / scale - 0.5, 0.5 / scale - 0.5)
    return Region(fan.mask(geometry, shape), geometry.shape, geometry, confidence, evidence)


DEBUG = None
