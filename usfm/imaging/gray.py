"""Colour to luminance, and how coloured a frame is."""

import cv2
import numpy as np


def to_gray(frame: np.ndarray) -> np.ndarray:
    """Return the luminance of a frame (ITU-R BT.601); a gray frame comes back unchanged.

    Args:
        frame: uint8 (H, W), (H, W, 1) or RGB (H, W, 3).

    Returns:
        uint8 (H, W). The near-gray RGB that video codecs give ends within one level of its gray.

    Raises:
        ValueError: for any other shape.

    >>> to_gray(np.full((2, 2, 3), 77, np.uint8))[0, 0]
    np.uint8(77)
    """
    if frame.ndim == 2:
        return frame
    if frame.ndim == 3 and frame.shape[2] == 1:
        return frame[:, :, 0]
    if frame.ndim == 3 and frame.shape[2] == 3:
        return cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    raise ValueError(f"a frame is (H, W) or (H, W, 3), not {frame.shape}")


def chroma(frame: np.ndarray) -> np.ndarray:
    """Return how far each pixel is from gray: the largest minus the smallest of its channels.

    Args:
        frame: uint8 (H, W) or RGB (H, W, 3).

    Returns:
        float32 (H, W), 0 (gray) to 255 (a pure colour).
    """
    if frame.ndim == 2 or frame.shape[2] == 1:
        return np.zeros(frame.shape[:2], np.float32)
    red, green, blue = frame[:, :, 0], frame[:, :, 1], frame[:, :, 2]
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    return (high - low).astype(np.float32)


def is_gray(frame: np.ndarray, tolerance: float = 16.0, share: float = 0.0005) -> bool:
    """Say whether a frame holds no colour worth keeping.

    Args:
        frame: uint8 (H, W) or RGB (H, W, 3).
        tolerance: chroma in grey levels that compression noise may reach.
        share: part of the pixels (0 to 1) that may be more coloured than that.

    Returns:
        Whether it can be stored as gray.
    """
    if frame.ndim == 2 or frame.shape[2] == 1:
        return True
    return bool((chroma(frame) > tolerance).mean() <= share)
