"""Search a picture for its acoustic region: try seed maps, give each blob its best shape, keep the best of all."""

import dataclasses
from collections.abc import Iterator

import cv2
import numpy as np

from usfm.imaging import fan_fit, region_seeds
from usfm.imaging.outline import envelope
from usfm.imaging.shaped import Shaped, Window, drawn

TRUSTED = 0.45
"""Confidence from which a fitted sector replaces the blob it was fitted to."""

_SPILL = 0.3
_SMALLEST = 0.02
_SAME = 0.01
_GOOD = 0.96
_GOOD_ENOUGH = 0.96
_GUESS = 0.2
_SLACK = 0.05
_ABOVE = 0.5
_AGREE = 0.9
_CLEANINGS = ((80, 36), (80, 14), (400, 36))
"""Gaps healed and thinnest body kept, as parts of the longest side: usual, things hang on the sector, text near it."""


def search(stack: np.ndarray, spread: np.ndarray | None) -> Shaped:
    """Return the best region of a still or a clip.

    Args:
        stack: uint8 (T, h, w) gray frames at working size.
        spread: float32 (h, w) standard deviation over the frames, None to look at their mean only.

    Returns:
        The region with its shape and confidence, at the size of the input.
    """
    image = stack.mean(0, dtype=np.float32)
    levels = region_seeds.background_levels(image, spread)
    interface = region_seeds.panel_levels(image, spread, levels)
    panel = region_seeds.flat_map(image, 1.0) & (region_seeds.distance(image, interface) <= 0.75)
    activity = region_seeds.activity(image, spread, sorted({*map(float, levels), *interface}))
    total = max(1e-6, float(activity.sum()))
    edges = region_seeds.edges(image)
    maps = list(_seed_maps(stack, image, spread, levels, interface))
    whole = Shaped(np.ones(image.shape, bool), "", 0.0 if len(levels) else 0.5)
    best, best_score = whole, 0.0
    tried: list[np.ndarray] = []
    judged: list[tuple[float, Shaped]] = []
    for heal, thin in _CLEANINGS:
        for seeds in maps:
            for blob in _new_blobs(seeds, heal, thin, tried):
                flat = (1 - float((panel & seeds & blob).sum() / blob.sum())) ** 1.5
                hull = envelope(blob)
                beaten = float(activity[hull].sum()) / total * flat + 0.02 <= best_score - _SLACK
                if beaten and not (best.shape == "linear" and not (hull & best.mask).any()):
                    continue
                shaped = shape_of(blob, hull)
                # Text lies outside the region of a still; what moves outside that of a clip is little.
                captured = (float(activity[shaped.mask].sum()) / total) ** (1 if spread is None else 2)
                sharp = 0.9 + 0.1 * _along(edges, shaped.mask)
                score = shaped.confidence * captured * flat * sharp + 0.02 * shaped.mask.mean()
                judged.append((score, shaped))
                if score > best_score:
                    best, best_score = shaped, score
            if best_score > _GOOD:
                return _judged(best, best_score, judged)
        if best_score > _GOOD_ENOUGH:
            break
    above = _above_strip(best, judged)
    if above is not None:
        return _judged(above, best_score, judged)
    best = best if best.confidence >= _GUESS else dataclasses.replace(whole, confidence=best.confidence)
    return _judged(best, best_score, judged)


def _judged(best: Shaped, score: float, judged: list[tuple[float, Shaped]]) -> Shaped:
    """Return the chosen region with how far it leads what differs from it, and how many of the judged agree with it."""
    small = best.mask[::4, ::4]
    agree, rival = 0, 0.0
    for other_score, other in judged:
        mask = other.mask[::4, ::4]
        if (mask & small).sum() > _AGREE * (mask | small).sum():
            agree += 1
        else:
            rival = max(rival, other_score)
    return dataclasses.replace(best, lead=score - rival, score=score, votes=agree / max(1, len(judged)))


def _above_strip(found: Shaped, judged: list[tuple[float, Shaped]]) -> Shaped | None:
    """Return the sector that stands above a box and apart from it: the box is a Doppler or M-mode strip."""
    if found.shape != "linear":
        return None
    top, width = np.flatnonzero(found.mask.any(1))[0], found.mask.any(0).sum()
    best, best_score = None, 0.0
    for score, other in judged:
        rows = np.flatnonzero(other.mask.any(1))
        if other.confidence < _ABOVE or not other.shape or rows[-1] > top or len(rows) < 0.2 * len(other.mask):
            continue
        narrower = other.mask.any(0).sum() < 0.95 * width
        if (other.shape in ("phased", "convex") or narrower) and score > best_score:
            best, best_score = other, score
    return best


def _new_blobs(seeds: np.ndarray, heal: int, thin: int, tried: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the two largest blobs of a map, and all its large ones together, each once."""
    side = max(seeds.shape)
    found = region_seeds.blobs(seeds, max(2, side // heal), max(3, side // thin))
    group = found[:2] + ([np.logical_or.reduce(found)] if len(found) > 1 else [])
    for blob in group:
        area = blob.sum()
        if area >= _SMALLEST * blob.size and not any((blob ^ other).sum() < _SAME * area for other in tried):
            tried.append(blob)
            yield blob


def _along(edges: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean edge strength along a mask's outline inside the picture, 1 where it has none."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(mask.astype(np.uint8), cross, borderValue=1)
    ring = (cv2.dilate(mask.astype(np.uint8), cross) != inner) if not inner.all() else np.zeros_like(mask)
    return float(edges[ring].mean()) if ring.any() else 1.0


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


def _seed_maps(
    stack: np.ndarray, image: np.ndarray, spread: np.ndarray | None, levels: np.ndarray, interface: list[float]
) -> Iterator[np.ndarray]:
    """Yield the maps worth a try: what differs from the background by ever more, and what moves ever more."""
    sets = [[float(level)] for level in levels[:2]] + ([[float(v) for v in levels]] if len(levels) > 1 else [])
    if interface and not any(sorted(interface) == sorted(chosen) for chosen in sets):
        sets.append(interface)
    for chosen in sets:
        far = region_seeds.distance(image, chosen)
        yield from (far > threshold for threshold in region_seeds.LIT_THRESHOLDS)
        if spread is not None:
            peak = np.max([region_seeds.distance(frame, chosen) for frame in stack], axis=0)
            yield from (peak > threshold for threshold in region_seeds.PEAK_THRESHOLDS)
    if spread is not None:
        yield from (spread > threshold for threshold in region_seeds.MOTION_THRESHOLDS)
