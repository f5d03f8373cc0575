"""Where a picture may be acoustic: maps of what is lit and of what moves, and their clean blobs."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging.gray import to_gray
from usfm.imaging.pieces import label

WORK_PX = 400
"""Longest side at which regions are searched; the found shape is scaled back."""

_FLAT_RANGE = 2
_LEVEL_SHARE = 0.01
LIT_THRESHOLDS = (0.5, 2, 5, 12, 25)
PEAK_THRESHOLDS = (1.5, 5, 15)
MOTION_THRESHOLDS = (0.5, 1.5, 4.0)


def shrink(frames: Sequence[np.ndarray], side: int = WORK_PX) -> tuple[np.ndarray, float]:
    """Return gray frames no larger than ``side``.

    Args:
        frames: uint8 frames of one size.
        side: longest side in pixels.

    Returns:
        uint8 (T, h, w) and the scale (output pixels per input pixel, 1 or less).
    """
    height, width = frames[0].shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grays = [to_gray(frame) for frame in frames]
    if scale < 1:
        grays = [cv2.resize(gray, size, interpolation=cv2.INTER_AREA) for gray in grays]
    return np.stack(grays), scale


def flat_map(image: np.ndarray, spread: float = _FLAT_RANGE) -> np.ndarray:
    """Return the pixels whose 5x5 surroundings vary by no more than ``spread`` grey levels (bool, like the image).

    Args:
        image: (H, W) gray.
        spread: gray levels.

    Returns:
        bool (H, W).
    """
    window = np.ones((5, 5), np.uint8)
    image = image.astype(np.float32)
    return (cv2.dilate(image, window) - cv2.erode(image, window)) <= spread


def texture(image: np.ndarray) -> np.ndarray:
    """Return how much a picture varies around each pixel, capped so that text weighs no more than speckle (float32)."""
    image = image.astype(np.float32)
    return np.minimum(cv2.blur(np.abs(image - cv2.GaussianBlur(image, (0, 0), 2)), (7, 7)), 6.0)


def activity(image: np.ndarray, spread: np.ndarray | None, levels: Sequence[float]) -> np.ndarray:
    """Return where a region should be: motion for a clip, texture in bodies thicker than text for a still.

    Args:
        image: float32 (h, w), a still or the mean over a clip.
        spread: float32 (h, w) standard deviation over the clip, or None.
        levels: background levels as `background_levels` gives them.

    Returns:
        float32 (h, w), 0 to 6.
    """
    if spread is not None:
        return np.minimum(spread, 6.0)
    found = texture(image)
    if not len(levels):
        return found
    side = max(image.shape)
    thick = (distance(image, levels) > 3).astype(np.uint8)
    thick = cv2.morphologyEx(thick, cv2.MORPH_CLOSE, disc(max(3, side // 80)))
    return found * cv2.morphologyEx(thick, cv2.MORPH_OPEN, disc(max(3, side // 24)))


def edges(image: np.ndarray) -> np.ndarray:
    """Return how sharply a picture changes at each pixel, 0 to 1 (a step of a few grey levels is enough for 1)."""
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    return np.minimum(np.hypot(cv2.Sobel(smooth, -1, 1, 0), cv2.Sobel(smooth, -1, 0, 1)) / 8, 4.0) / 4


def background_levels(image: np.ndarray, spread: np.ndarray | None = None) -> np.ndarray:
    """Return the grey levels of a picture's background: flat areas that reach the picture's border and never move.

    Args:
        image: float32 (h, w), a still or the mean over a clip.
        spread: float32 (h, w) standard deviation over the clip, or None.

    Returns:
        float (k,) grey levels, the commonest on the border first; none when nothing flat touches the border.
    """
    flat = flat_map(image)
    if spread is not None:
        flat &= spread < 0.5
    border = np.ones(image.shape, bool)
    border[2:-2, 2:-2] = False
    levels, counts = np.unique(image[flat & border].round(), return_counts=True)
    found: list[float] = []
    for level in levels[np.argsort(-counts, kind="stable")]:
        if all(abs(level - other) > _FLAT_RANGE for other in found):
            close = flat & (np.abs(image - level) <= _FLAT_RANGE / 2)
            if close.mean() > _LEVEL_SHARE and (close & border).sum() > 0.02 * border.sum():
                found.append(float(np.median(image[close])))
    return np.array(found)


def distance(image: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return how far each pixel is from the nearest of some grey levels (float32, like the image).

    Args:
        image: (H, W) gray.
        levels: gray levels.

    Returns:
        float32 (H, W), gray levels.
    """
    image = image.astype(np.float32)
    if not len(levels):
        return np.full(image.shape, np.inf, np.float32)
    return np.min([np.abs(image - np.float32(level)) for level in levels], axis=0)


def panel_levels(image: np.ndarray, spread: np.ndarray | None, levels: np.ndarray) -> list[float]:
    """Return the grey levels of flat user interface: the darkest background, and bright levels with a large flat area.

    Args:
        image: float32 (h, w), a still or the mean over a clip.
        spread: float32 (h, w) standard deviation over the clip, or None.
        levels: background levels as `background_levels` gives them.

    Returns:
        Gray levels.
    """
    flat = flat_map(image, 1.0)
    if spread is not None:
        flat &= spread < 0.5
    values, counts = np.unique(image[flat].round(), return_counts=True)
    values, counts = values[counts > 0.005 * image.size], counts[counts > 0.005 * image.size]
    bright = [
        float(v)
        for v, n in zip(values, counts, strict=True)
        if n > 0.02 * image.size and v > np.percentile(image, 1) + 8
    ]
    return sorted({*bright, *([float(levels.min())] if len(levels) else [])})


@dataclass(frozen=True)
class Seeds:
    """One map that is worth a try.

    Attributes:
        kind: "lit" (the mean differs from the background), "peak" (some frame does), "moves" (the spread is large).
        levels: gray levels of the background; none for "moves".
        threshold: gray levels above which a pixel counts.
    """

    kind: str
    levels: tuple[float, ...]
    threshold: float


def worth_a_try(levels: np.ndarray, interface: list[float], is_clip: bool) -> list[Seeds]:
    """List the maps worth a try: what differs from the background by ever more, and what moves ever more.

    Args:
        levels: background levels as `background_levels` gives them.
        interface: levels of flat user interface as `panel_levels` gives them.
        is_clip: whether there is motion to look at.

    Returns:
        The maps; those of one kind and the same levels stand together.
    """
    sets = [[float(level)] for level in levels[:2]] + ([[float(v) for v in levels]] if len(levels) > 1 else [])
    if interface and not any(sorted(interface) == sorted(chosen) for chosen in sets):
        sets.append(interface)
    listed = []
    for chosen in sets:
        listed += [Seeds("lit", tuple(chosen), threshold) for threshold in LIT_THRESHOLDS]
        if is_clip:
            listed += [Seeds("peak", tuple(chosen), threshold) for threshold in PEAK_THRESHOLDS]
    return listed + ([Seeds("moves", (), threshold) for threshold in MOTION_THRESHOLDS] if is_clip else [])


def seed_maps(
    listed: Sequence[Seeds], image: np.ndarray, spread: np.ndarray | None, stack: np.ndarray
) -> list[np.ndarray]:
    """Draw maps.

    Args:
        listed: which.
        image: float32 (h, w), a still or the mean over a clip.
        spread: float32 (h, w) standard deviation over the clip, or None.
        stack: uint8 (T, h, w), the frames.

    Returns:
        bool (h, w) for each.
    """
    drawn = []
    for (kind, levels), some in itertools.groupby(listed, key=lambda seeds: (seeds.kind, seeds.levels)):
        if kind == "peak":
            far = np.max([distance(frame, levels) for frame in stack], axis=0)
        else:
            far = distance(image, levels) if kind == "lit" or spread is None else spread
        drawn += [far > seeds.threshold for seeds in some]
    return drawn


def blobs(seeds: np.ndarray, heal_px: int, thin_px: int) -> list[np.ndarray]:
    """Return the blobs of a map: gaps healed, thin things (text, rulers, bars) removed, holes filled.

    Args:
        seeds: bool (h, w).
        heal_px: gaps up to about this many pixels are closed.
        thin_px: what is thinner than this many pixels goes.

    Returns:
        bool (h, w) masks, largest first; none smaller than a fifth of the largest.
    """
    pad = 2 * max(heal_px, thin_px)
    padded = cv2.copyMakeBorder(seeds.astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    padded = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc(heal_px))
    padded = fill_holes(padded, 0.005 * seeds.size)
    padded = fill_holes(cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc(thin_px)), seeds.size)
    clean = np.ascontiguousarray(padded[pad:-pad, pad:-pad])
    _, labels, areas = label(clean, connectivity=4)
    areas = areas[1:]
    order = np.argsort(-areas, kind="stable")
    return [labels == 1 + k for k in order if areas[k] * 5 >= areas[order[0]]]


def disc(diameter_px: int) -> np.ndarray:
    """Return a round structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(1, diameter_px), max(1, diameter_px)))


def fill_holes(mask: np.ndarray, largest_px: float) -> np.ndarray:
    """Return a uint8 mask with its holes of up to ``largest_px`` pixels filled (thin frames keep their inside).

    Args:
        mask: uint8 (H, W), 0 or 1.
        largest_px: area of the largest hole to fill, square px.

    Returns:
        uint8 (H, W).
    """
    count, labels, areas = label(1 - mask, connectivity=4)
    small = areas <= largest_px
    small[0] = False
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    small[border] = False
    return mask | small[labels].astype(np.uint8) if count > 1 else mask
