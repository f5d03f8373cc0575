"""Which frames of a clip share a screen layout: a clip may switch from one view to another and back."""

from collections.abc import Sequence

import cv2
import numpy as np

from usfm.imaging.gray import to_gray

THUMBNAIL_PX = 64

_JUMP = 10.0
_JUMP_RATIO = 3.0
_SAME_OVERLAP = 0.88
_LIT = 4
_TURNED = 0.25
_SHORT = 3
_MOST = 8
_BLOCK = 256


def thumbnail(frame: np.ndarray) -> np.ndarray:
    """Return a frame as a small gray square (uint8, `THUMBNAIL_PX` wide and high), its aspect given up."""
    return cv2.resize(to_gray(frame), (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)


def layouts(thumbnails: np.ndarray, sizes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Sort the frames of a clip into screen layouts.

    The clip is cut where the picture or its lit area jumps, and pieces whose lit areas agree are joined again: a quick
    movement of the probe cuts a clip but leaves the lit area alone, another view or zoom changes it.

    Args:
        thumbnails: uint8 (n, 64, 64), of `thumbnail`, in time order.
        sizes: shape of each frame; frames of different sizes never share a layout.

    Returns:
        One array of ascending frame numbers per layout, in order of first appearance; together every frame once.
    """
    by_size: dict[tuple[int, ...], list[int]] = {}
    for i, size in enumerate(sizes):
        by_size.setdefault(tuple(size[:2]), []).append(i)
    found = []
    for members in by_size.values():
        numbers = np.array(members)
        found += [numbers[group] for group in _by_lit_area(thumbnails[numbers])]
    return sorted(found, key=lambda group: int(group[0]))


def _jumps(stack: np.ndarray) -> np.ndarray:
    """Mean difference of each frame to the one before."""
    return np.abs(np.diff(stack.astype(np.int16), axis=0)).mean((1, 2))


def _turned(lit: np.ndarray) -> np.ndarray:
    """Share of the lit area that each frame lights up and the one before does not, or the other way round."""
    return (lit[1:] ^ lit[:-1]).sum((1, 2)) / np.maximum(1, (lit[1:] | lit[:-1]).sum((1, 2)))


def _by_lit_area(stack: np.ndarray) -> list[np.ndarray]:
    """Cut frames of one size at jumps and join the pieces that light up the same area."""
    everything = [np.arange(len(stack))]
    if len(stack) < 3:
        return everything
    background = int(np.bincount(stack[:, [0, -1]].ravel(), minlength=256).argmax())
    starts = range(
        0, len(stack), _BLOCK
    )  # 16 bits a pixel and their differences, of all frames at once, are 30 kB each
    lit = np.concatenate([np.abs(stack[at : at + _BLOCK].astype(np.int16) - background) > _LIT for at in starts])
    jumps = np.concatenate([_jumps(stack[at : at + _BLOCK + 1]) for at in starts])
    turned = np.concatenate([_turned(lit[at : at + _BLOCK + 1]) for at in starts])
    cuts = np.flatnonzero((jumps > max(_JUMP, _JUMP_RATIO * float(np.median(jumps)))) | (turned > _TURNED)) + 1
    if not len(cuts):
        return everything
    groups: list[tuple[np.ndarray, np.ndarray]] = []
    for piece in sorted(np.split(np.arange(len(stack)), cuts), key=len, reverse=True):
        area = np.asarray(lit[piece].any(0))
        # One or two frames may show only part of their area: it is enough that they show nothing else.
        whole = area.sum() if len(piece) < _SHORT else 0
        overlaps = [(area & known).sum() / max(1, whole or (area | known).sum()) for _, known in groups]
        if not area.any():
            overlaps = [1.0] * len(groups)
        if overlaps and max(overlaps) >= _SAME_OVERLAP:
            best = int(np.argmax(overlaps))
            members, known = groups[best]
            groups[best] = (np.sort(np.concatenate([members, piece])), known | area)
        else:
            groups.append((piece, area))
    return [members for members, _ in groups] if len(groups) <= _MOST else everything
