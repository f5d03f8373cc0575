"""Masks between the frames of a store and the size that a network takes, by the same map as the pixels."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from usfm.imaging.framing import Framing

IGNORE = 255
"""A pixel whose truth is not known."""


def planes(mask: np.ndarray, count: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """A stored label mask as a plane a class.

    Args:
        mask: uint8 (H, W), by number (`index`, the background is 0) or by bit (`bits`).
        count: K, with the background for `index`.
        kind: index or bits.

    Returns:
        bool (K, H, W), and where the truth is known, bool (H, W).
    """
    if kind == "bits":
        return np.stack([(mask >> k) & 1 > 0 for k in range(count)]), np.ones(mask.shape, bool)
    return mask == np.arange(count, dtype=np.uint8)[:, None, None], mask != IGNORE


def onto(mask: np.ndarray, framing: Framing | None, size: tuple[int, int], kind: str) -> tuple[np.ndarray, np.ndarray]:
    """A label mask of a frame, in the pixels of the prepared frame.

    Args:
        mask: uint8 (H, W).
        framing: the letterbox; None where the frame is stretched.
        size: (rows, columns) of the prepared frame.
        kind: index or bits; eight structures by bit may all be in one pixel, which is the value `IGNORE` of `index`.

    Returns:
        uint8 (rows, columns), the nearest pixel of the frame; and where the truth is known, bool (rows, columns).
    """
    if framing is None:
        moved = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        inside = np.ones(moved.shape, bool)
    else:
        moved = framing.apply_labels(mask)
        inside = framing.apply_labels(np.ones(mask.shape, np.uint8)) > 0
    return moved, inside & (moved != IGNORE) if kind == "index" else inside


def back(values: np.ndarray, framing: Framing | None, shape: tuple[int, int]) -> np.ndarray:
    """Planes of a prepared frame on the frame itself, bilinear, so that an outline keeps its place between pixels.

    Args:
        values: (K, h, w) float32, such as probabilities.
        framing: the letterbox; None where the frame was stretched.
        shape: (H, W) of the frame.

    Returns:
        (K, H, W) float32.
    """
    height, width = values.shape[1:]
    if framing is None:
        rows, columns = height / shape[0], width / shape[1]
        move = np.array([[columns, 0, (columns - 1) / 2], [0, rows, (rows - 1) / 2]])
    else:
        row, column = framing.origin_px
        move = np.array([[framing.scale, 0, (0.5 - column) * framing.scale - 0.5],
                         [0, framing.scale, (0.5 - row) * framing.scale - 0.5]])  # fmt: skip
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = [cv2.warpAffine(plane, move, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
             for plane in np.ascontiguousarray(values, np.float32)]  # fmt: skip
    return np.stack(moved)


def blended(odds: np.ndarray, framings: Sequence[Framing | None], shape: tuple[int, int]) -> np.ndarray:
    """Probabilities of the windows of a frame on the frame: a mean in which the middle of a window weighs most.

    Args:
        odds: (n, K, h, w) uint8 in steps of 1 / 255, a window each.
        framings: (n,) from the frame to each window; one None where the whole frame was stretched.
        shape: (H, W) of the frame.

    Returns:
        (K, H, W) float32.
    """
    if len(framings) == 1:  # it sees all of the frame
        return back(odds[0].astype(np.float32) / 255, framings[0], shape)
    total, weights = np.zeros((odds.shape[1], *shape), np.float32), np.zeros(shape, np.float32)
    for each, framing in zip(odds, framings, strict=True):
        assert framing is not None  # several windows are never stretched
        height, width = framing.crop_height_px, framing.crop_width_px
        place = (slice(framing.crop_row_px, framing.crop_row_px + height),
                 slice(framing.crop_col_px, framing.crop_col_px + width))  # fmt: skip
        inner = back(each.astype(np.float32) / 255, replace(framing, crop_row_px=0, crop_col_px=0), (height, width))
        weight = np.outer(_tent(height), _tent(width))
        total[:, *place] += weight * inner
        weights[place] += weight
    return total / weights


def _tent(length: int) -> np.ndarray:
    """(length,) float32, 1 in the middle and falling to both ends, nowhere 0."""
    place = np.arange(length)
    return (np.minimum(place + 1, length - place) / ((length + 1) // 2)).astype(np.float32)


def decided(values: np.ndarray, kind: str) -> np.ndarray:
    """Probabilities as a label mask.

    Args:
        values: (K, H, W), of each class.
        kind: index takes the likeliest class; bits takes every one from 0.5 on.

    Returns:
        uint8 (H, W).
    """
    if kind == "index":
        return values.argmax(0).astype(np.uint8)
    bits = (values >= 0.5).astype(np.uint8) << np.arange(len(values), dtype=np.uint8)[:, None, None]
    return bits.sum(0).astype(np.uint8)


def packed(mask: np.ndarray) -> np.ndarray:
    """A label mask as the bytes of a PNG, uint8 (n,)."""
    return cv2.imencode(".png", mask)[1].reshape(-1)


def unpacked(data: np.ndarray) -> np.ndarray | None:
    """The inverse of `packed`, uint8 (H, W); None where the bytes are no picture."""
    found = cv2.imdecode(np.ascontiguousarray(data, np.uint8), cv2.IMREAD_UNCHANGED) if len(data) else None
    return found if found is not None and found.ndim == 2 and found.dtype == np.uint8 else None
