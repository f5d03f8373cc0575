"""What a frame shows: B-mode, Doppler, a trace, a page of text."""

import cv2
import numpy as np

from usfm.imaging import region_seeds, seams
from usfm.imaging.gray import chroma, to_gray

_SIDE = 240
_COLOURED = 40.0
_FLOW_SHARE = 0.004
_MAP_SHARE = 0.35
_ONE_COLOUR = 0.3
_WARM_SHARE = 0.97
_STRIP_WIDE, _STRIP_TALL, _STRIP_LIT = 0.5, 0.15, 0.35
_LINES, _FILLED = 0.62, 0.12
_ALL_WIDE, _ALL_FILLED = 0.75, 0.25
_HIGHEST, _LINE, _ACROSS, _EMPTY = 0.3, 20, 0.7, 6
"""Of a divider: how far up it may lie, a line's step over its neighbours, its share of the columns, a gap's level."""
_BAR_TALL, _BAR_GAP = 0.08, 7
_BRIGHT, _BRIGHT_PAGE, _PAPER = 180, 0.4, 0.8


def frame_kind(frame: np.ndarray, region: np.ndarray | None) -> str:
    """Say what a frame shows, from its colours and from what lies below its region.

    Args:
        frame: uint8 (H, W) or RGB (H, W, 3).
        region: bool (H, W), the acoustic region; None where it is a guess.

    Returns:
        One of `kinds.KINDS`: blank, report, elastography, spectral, m-mode, color-doppler, power-doppler, else b-mode.
        Frozen frames, volume renderings and others are not told apart here.

    Example:
        >>> frame_kind(np.zeros((48, 64), np.uint8), None)
        'blank'
    """
    scale = min(1.0, _SIDE / max(frame.shape[:2]))
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1 else frame
    gray = to_gray(small)
    if int(gray.max()) - int(gray.min()) <= 4:
        return "blank"
    inside = np.ones(gray.shape, bool)
    if region is not None:
        inside = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if not inside.any() or _is_page(gray, inside):
        return "report"
    colours = _colours(small, inside)
    if colours == "elastography":
        return colours
    return _strip(gray, None if region is None else inside) or colours or "b-mode"


def view_kind(frame: np.ndarray, kind: str, view: np.ndarray) -> str:
    """Say what one view of a split screen shows: a plain view may stand beside one with colours.

    Args:
        frame: uint8 (H, W) or RGB (H, W, 3), the whole frame.
        kind: what the frame shows as a whole.
        view: bool (H, W), the region of the view; not empty.

    Returns:
        What the colours in the view speak for, else b-mode; the frame's own kind where that is not b-mode or one of
        colours, such as spectral, and where the frame is gray.
    """
    if kind not in ("b-mode", "color-doppler", "power-doppler", "elastography") or frame.ndim == 2:
        return kind
    rows, cols = np.flatnonzero(view.any(1)), np.flatnonzero(view.any(0))
    box = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    inside = np.where(view[box][..., None], frame[box], 0).astype(np.uint8)
    scale = min(1.0, _SIDE / max(frame.shape[:2]))
    size = (max(1, round(inside.shape[1] * scale)), max(1, round(inside.shape[0] * scale)))
    small = cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
    return (
        _colours(small, cv2.resize(view[box].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0) or "b-mode"
    )


def _is_page(gray: np.ndarray, inside: np.ndarray) -> bool:
    """Say whether a frame is a page: flat but for text, or mostly bright paper."""
    flat = region_seeds.flat_map(gray, 2.0)
    values, counts = np.unique(gray[flat], return_counts=True)
    if not len(values):
        return False
    sheet = np.isin(gray, values[counts > 0.02 * gray.size])
    # Between letters there is paper, between grains of speckle there is none.
    apart = cv2.blur(sheet.astype(np.float32), (11, 11)) > 0.15
    solid = ((region_seeds.texture(gray) > 1.0) & ~apart).mean()
    bright = float(values[counts.argmax()]) > _BRIGHT and counts.max() > _BRIGHT_PAGE * gray.size
    return bool(solid < 0.02 and (bright or sheet.mean() > _PAPER))


def _colours(frame: np.ndarray, inside: np.ndarray) -> str:
    """Return the kind that the colours inside the region speak for, "" for none."""
    if frame.ndim == 2 or frame.shape[2] == 1:
        return ""
    vivid = (chroma(frame) > _COLOURED) & inside
    vivid = cv2.morphologyEx(vivid.astype(np.uint8), cv2.MORPH_OPEN, region_seeds.disc(5)) > 0
    share = vivid.sum() / inside.sum()
    if share < _FLOW_SHARE:
        return ""
    _, counts = np.unique(frame[vivid] // 16, axis=0, return_counts=True)
    if counts.max() > _ONE_COLOUR * len(frame[vivid]):
        return ""  # a panel or a drawing: flow has many tones
    hue = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2HSV)[..., 0][vivid].astype(int) * 2
    warm, cold = ((hue < 75) | (hue > 320)).mean(), ((hue > 170) & (hue < 275)).mean()
    green = ((hue > 80) & (hue < 165)).mean()
    spread = np.histogram(hue, 12, (0, 360))[0] / len(hue)
    tints = int((spread > 0.04).sum())
    if share > 0.12 and tints >= 4 and green > 0.1:
        return "elastography"
    if spread.max() > _WARM_SHARE and share > _MAP_SHARE:
        return ""  # a tinted picture
    if cold < 0.03 and warm > 0.9:
        return "color-doppler" if _two_way_bar(frame) else "power-doppler"
    return "color-doppler" if warm + cold > 0.6 else ""


def _two_way_bar(frame: np.ndarray) -> bool:
    """Say whether a colour bar stands on the frame that runs from warm to cold: flow then has two directions."""
    vivid = (chroma(frame) > _COLOURED).astype(np.uint8)
    hue = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2HSV)[..., 0].astype(int) * 2
    warm, cold = (hue < 75) | (hue > 320), (hue > 170) & (hue < 275)
    closed = cv2.morphologyEx(vivid, cv2.MORPH_CLOSE, np.ones((_BAR_GAP, 1), np.uint8))
    count, marks, facts, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    for k in range(1, count):
        wide, tall = facts[k, cv2.CC_STAT_WIDTH], facts[k, cv2.CC_STAT_HEIGHT]
        if tall < _BAR_TALL * frame.shape[0] or tall < 2.5 * wide:
            continue
        bar = (marks == k) & (vivid > 0)
        if min((bar & warm).sum(), (bar & cold).sum()) > 0.2 * bar.sum():
            return True
    return False


def _strip(gray: np.ndarray, inside: np.ndarray | None) -> str:
    """Return spectral or m-mode where a wide strip of traces lies below the region, or below a divider, else ""."""
    below = "" if inside is None else _traces(gray, int(np.flatnonzero(inside.any(1))[-1]) + 1, _STRIP_WIDE, _FILLED)
    found = (_traces(gray, top, _ALL_WIDE, _ALL_FILLED) for top in _dividers(gray))  # the picture may lie there too
    return below or next((kind for kind in found if kind), "")


def _dividers(gray: np.ndarray) -> list[int]:
    """First rows below a line across the frame, or below a dark gap across it, from the top."""
    height = gray.shape[0]
    rows = np.arange(max(2, int(_HIGHEST * height)), int((1 - _STRIP_TALL) * height))
    if not len(rows):
        return []
    gray = gray.astype(np.int16)
    step = gray[rows] - np.maximum(gray[rows - 2], np.minimum(gray[rows + 2], gray[rows + 1]))
    lines = (step > _LINE).mean(1) > _ACROSS
    dark = np.percentile(gray[rows], 97, axis=1) <= gray.min() + _EMPTY
    ends = dark & ~np.r_[dark[1:], True]  # the last row of a gap
    return (rows[lines | ends] + 1).tolist()


def _traces(gray: np.ndarray, top: int, wide: float, filled: float) -> str:
    """Return spectral or m-mode where all below a row is one strip of traces, so wide and so full at least, else ""."""
    below = gray[top:].astype(np.float32)
    if below.shape[0] < _STRIP_TALL * gray.shape[0]:
        return ""
    lit = region_seeds.texture(below) > 1.0
    rows = np.flatnonzero(lit.mean(1) > 0.25)
    if not len(rows) or len(rows) < max(_STRIP_TALL * gray.shape[0], 0.7 * np.ptp(rows)):
        return ""
    part, lit = below[rows[0] : rows[-1] + 1], lit[rows[0] : rows[-1] + 1]
    columns = lit.mean(0) > 0.2
    if columns.mean() < wide or lit[:, columns].mean() < _STRIP_LIT:
        return ""
    if (part > gray.min() + _EMPTY).mean() < filled:
        return ""  # a line, such as an ECG
    beside = seams.panels(part.astype(np.uint8), np.ones(part.shape, bool))
    if len(beside) > 1 and not gray[:top, beside[0][3] : beside[1][1]].max() > _BRIGHT / 3:
        return ""  # pictures side by side, as in the lower row of a quad
    across = np.abs(np.diff(part, axis=1))[:, columns[1:]].mean()
    down = np.abs(np.diff(part, axis=0))[:, columns].mean()
    return "m-mode" if across < _LINES * down else "spectral"
