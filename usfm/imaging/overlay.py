"""What a scanner draws over the picture: coloured ink, strokes of text, what stands still; with the tissue veto."""

from collections.abc import Sequence

import cv2
import numpy as np

from usfm.imaging.gray import chroma
from usfm.imaging.pieces import label

INK_CHROMA = 48.0
"""Chroma, gray levels, from which a pixel counts as coloured (tinted gray maps and codecs reach about 25)."""

INK_HALF_WIDTH_PX = 5.0
"""Half the width of the thickest drawn line in a frame of 720 rows (scaled with the frame, never under 3 px)."""

FLAT_INK = 20.0
"""Spread of a colour channel (standard deviation, gray levels) up to which a small coloured blob is a drawn disc; half
of it for large blobs (measured: discs 3 to 9, flow above 12)."""

MOST_INK = 0.2
"""Share of the region from which colour is a colour map of the picture, not ink."""

STROKE_CONTRAST = 20.0
"""Gray levels by which a stroke of text stands out from its background at least."""

TISSUE_SPREAD = 6.0
"""Standard deviation over time, gray levels, from which a pixel moves like tissue (compressed overlays stay under
4)."""


def colored_ink(frame: np.ndarray, region: np.ndarray | None = None) -> np.ndarray:
    """Find what is drawn in colour: calipers, lines, coloured text, logos; not Doppler.

    Drawn ink is thin; a Doppler box holds blobs that are thicker than any drawn line. Inside the region, blobs (what an
    opening by the thickest line leaves, unless it is the small knot where lines cross) and all colour in the box around
    them are taken for flow and left alone. Outside the region all colour is ink, with the white it encloses (logos).

    Args:
        frame: (H, W) or RGB (H, W, 3) uint8.
        region: (H, W) bool, the acoustic region; default: the whole frame.

    Returns:
        (H, W) bool, grown by 2 px for the colour that chroma subsampling smears around a line.

    Source: the colour step of USF-MAE (saturation > 40, k-means on hue). Differs: no k-means, thinness decides, flow is
    kept.
    """
    colored = chroma(frame) > INK_CHROMA
    if not colored.any():
        return colored
    inside = np.ones_like(colored) if region is None else region
    half = max(3.0, INK_HALF_WIDTH_PX * frame.shape[0] / 720)
    flow = colored_flow(frame, colored & inside, half)
    ink = colored.copy()
    if flow.any():
        rows, columns = np.flatnonzero(flow.any(axis=1)), np.flatnonzero(flow.any(axis=0))
        reach = round(2 * half)
        box = np.s_[max(0, rows[0] - reach) : rows[-1] + reach, max(0, columns[0] - reach) : columns[-1] + reach]
        ink[box] &= ~inside[box]
    if (ink & inside).sum() > MOST_INK * inside.sum():
        ink &= ~inside
    ink = cv2.dilate(ink.astype(np.uint8), np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = cv2.drawContours(np.zeros_like(ink), outlines, -1, 1, cv2.FILLED).astype(bool)
    return ink.astype(bool) | (solid & ~inside)


def colored_flow(frame: np.ndarray, colored: np.ndarray, half_width_px: float) -> np.ndarray:
    """The parts of a coloured mask that no pen draws: blobs, not knots of lines, not flat discs.

    Args:
        frame: RGB (H, W, 3) uint8.
        colored: (H, W) bool.
        half_width_px: Half the width of the thickest line.

    Returns:
        (H, W) bool, a part of `colored`.
    """
    size = 2 * round(half_width_px) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    count, pieces, _ = label(colored)
    opened = cv2.morphologyEx(colored.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0
    area = np.maximum(np.bincount(pieces.ravel(), minlength=count), 1)
    blob = np.bincount(pieces[opened], minlength=count)
    flow = (blob >= 0.5 * area) | ((blob >= 0.25 * area) & (blob >= (8 * half_width_px) ** 2))
    core = cv2.distanceTransform(colored.astype(np.uint8), cv2.DIST_L2, 3) > half_width_px
    number, cores, _ = label(core)
    spread, pixels = np.zeros(number), np.maximum(np.bincount(cores[core], minlength=number), 1)
    for channel in range(3):
        level = frame[..., channel][core].astype(float)
        mean, square = (np.bincount(cores[core], v, number) / pixels for v in (level, level * level))
        spread = np.maximum(spread, np.sqrt(np.maximum(square - mean * mean, 0)))
    large = pixels > (3 * half_width_px) ** 2
    varied = core & (spread > np.where(large, FLAT_INK / 2, FLAT_INK))[cores]
    flow &= 2 * np.bincount(pieces[varied], minlength=count) > np.bincount(pieces[core], minlength=count)
    flow[0] = False
    return opened & flow[pieces]


def spread_over_time(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Standard deviation of each pixel over the frames of a clip.

    Args:
        frames: (H, W) uint8 frames of one layout, at least 1.

    Returns:
        (H, W) float32, gray levels.
    """
    total = np.zeros(frames[0].shape, np.float32)
    squares = np.zeros_like(total)
    for frame in frames:
        level = frame.astype(np.float32)
        total += level
        squares += level * level
    mean = total / len(frames)
    return np.sqrt(np.maximum(squares / len(frames) - mean * mean, 0))


def moves_like_tissue(frames: Sequence[np.ndarray], fewest: int = 4) -> np.ndarray | None:
    """The tissue veto: pixels that change over time as nothing drawn does.

    Args:
        frames: (H, W) uint8 frames of one layout.
        fewest: Frames below which nothing can be said.

    Returns:
        (H, W) bool, True where the pixel must never be erased by a rule about gray or still pixels; None when there are
        too few frames or the clip stands still.
    """
    if len(frames) < fewest:
        return None
    moving = spread_over_time(frames) > TISSUE_SPREAD
    return moving if moving.mean() > 0.02 else None


def relief(image: np.ndarray, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """How far each pixel rises above, and lies below, surroundings of a given size.

    Args:
        image: (H, W) uint8.
        size_px: Structures narrower than this stand out.

    Returns:
        White and black top-hat, (H, W) uint8 each.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size_px | 1, size_px | 1))
    return cv2.morphologyEx(image, cv2.MORPH_TOPHAT, disc), cv2.morphologyEx(image, cv2.MORPH_BLACKHAT, disc)


def stroke_mask(image: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """The character strokes inside a text box, bright on dark or dark on bright.

    Args:
        image: (H, W) uint8, the still picture of a layout.
        box: xyxy, px.

    Returns:
        (H, W) bool, not grown; the whole box where text fills most of it.
    """
    mask = np.zeros(image.shape, bool)
    left, top, right, bottom = (round(v) for v in box)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, image.shape[1]), min(bottom, image.shape[0])
    if right <= left or bottom <= top:
        return mask
    size = max(5, round(0.6 * min(bottom - top, right - left)))
    pad = 2 * size
    around = np.s_[max(0, top - pad) : bottom + pad, max(0, left - pad) : right + pad]
    inner = np.s_[top - around[0].start : bottom - around[0].start, left - around[1].start : right - around[1].start]
    bright, dark = (hat[inner] for hat in relief(image[around], size))
    inside = image[top:bottom, left:right]
    rim = float(np.median(np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])))
    low, high = np.percentile(inside, (2, 98))
    best = bright if high - rim >= rim - low else dark
    strokes = best >= max(STROKE_CONTRAST, 0.35 * float(np.percentile(best, 99)))
    mask[top:bottom, left:right] = True if strokes.mean() > 0.6 else strokes
    return mask


def text_mask(
    image: np.ndarray,
    boxes: Sequence[tuple[float, float, float, float]],
    region: np.ndarray | None = None,
    moving: np.ndarray | None = None,
) -> np.ndarray:
    """Turn text boxes into the pixels to fill: strokes inside the region, whole boxes outside.

    Args:
        image: (H, W) uint8, the still picture of a layout (temporal median, or the still).
        boxes: xyxy, px.
        region: (H, W) bool, the acoustic region; default: the whole frame.
        moving: (H, W) bool, the tissue veto: inside the region no stroke is taken that moves; default: no veto.

    Returns:
        (H, W) bool. Strokes are grown by a twelfth of the box's height and 1 px, for soft edges and shadows.
    """
    mask = np.zeros(image.shape, bool)
    for box in boxes:
        strokes = still_strokes(stroke_mask(image, box), moving)
        reach = 1 + round(min(box[3] - box[1], box[2] - box[0]) / 12)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        mask |= cv2.dilate(strokes.astype(np.uint8), disc).astype(bool)
        if region is not None:
            left, top = max(0, int(box[0]) - 1), max(0, int(box[1]) - 1)
            whole = np.s_[top : int(np.ceil(box[3])) + 2, left : int(np.ceil(box[2])) + 2]
            mask[whole] |= ~region[whole]
    return mask


def still_strokes(strokes: np.ndarray, moving: np.ndarray | None) -> np.ndarray:
    """Strokes that stand still: the still pixels of connected pieces of which a quarter or more stands still.

    The soft edge of a letter takes part in the motion below it; tissue hardly ever stands still by a quarter.

    Args:
        strokes: (H, W) bool.
        moving: (H, W) bool, the tissue veto; None for no veto.

    Returns:
        (H, W) bool, a part of `strokes` without a moving pixel.
    """
    if moving is None or not strokes.any():
        return strokes
    count, pieces, area = label(strokes)
    still = strokes & ~moving
    rest = np.bincount(pieces[still], minlength=count)
    return still & ((4 * rest >= area) & (rest >= 3))[pieces]


def new_ink(image: np.ndarray, seen: Sequence[np.ndarray], where: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Strokes in a picture that none of the pictures read so far shows: has text appeared?

    A cheap check (some ms) that decides whether the text reader (some 100 ms) must look again.

    Args:
        image: (H, W) uint8.
        seen: (H, W) uint8 pictures that were read.
        where: (H, W) bool, pixels that can be judged: they stand still, or lie outside the region.
        known: (H, W) bool, pixels already known to be overlay.

    Returns:
        (H, W) bool, without specks under 6 px.
    """
    fresh = relief(image, 15)[0] >= 2 * STROKE_CONTRAST
    fresh &= where & ~known
    for other in seen:
        fresh &= cv2.absdiff(image, other) > 1.5 * STROKE_CONTRAST
    if not fresh.any():
        return fresh
    _, labels, areas = label(fresh)
    big = areas >= 6
    big[0] = False
    return big[labels]
