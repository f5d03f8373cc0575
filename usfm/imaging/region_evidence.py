"""What a picture says about where it is acoustic, map by map, at the size that a found region is judged at."""

from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging import region_seeds

COARSE_PX = 200
"""Longest side at which a region is judged."""


@dataclass(frozen=True)
class Evidence:
    """Maps of one picture or clip, float32 (h, w).

    Attributes:
        body: texture (or motion) in bodies thicker than text, 0 to 6.
        faint: 1 where the picture differs from the background by as little as one gray level, or moves; else 0.
        ground: 1 where it is exactly background; else 0.
        edges: how sharply the picture changes, 0 to 1.
    """

    body: np.ndarray
    faint: np.ndarray
    ground: np.ndarray
    edges: np.ndarray


def smaller(stack: np.ndarray, side: int = COARSE_PX) -> np.ndarray:
    """Return frames no larger than a side.

    Args:
        stack: uint8 (T, H, W).
        side: longest side, px.

    Returns:
        uint8 (T, h, w).
    """
    height, width = stack.shape[1:]
    scale = side / max(height, width)
    if scale >= 1:
        return stack
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in stack])


def evidence(stack: np.ndarray, moves: bool) -> Evidence:
    """Look at a picture or a clip.

    Args:
        stack: uint8 (T, h, w).
        moves: whether to look at what changes over the frames.

    Returns:
        The maps.
    """
    image = stack.mean(0, dtype=np.float32)
    spread = stack.astype(np.float32).std(0) if moves else None
    levels = region_seeds.background_levels(image, spread)
    still = region_seeds.flat_map(image, 1.0)
    far = region_seeds.distance(image, levels.tolist())
    if spread is not None:
        body, faint = np.minimum(spread, 6.0), (far > 0.6) & (spread > 0.15)
    else:
        interface = region_seeds.panel_levels(image, spread, levels)
        panel = still & (region_seeds.distance(image, interface) <= 0.75)
        body, faint = region_seeds.texture(image) * _thick(far > 3), (far > 0.6) & ~panel
    ground = still & (far <= 0.75)
    maps = (body, faint, ground, region_seeds.edges(image))
    return Evidence(*(values.astype(np.float32) for values in maps))


def _thick(lit: np.ndarray) -> np.ndarray:
    """Return a mask without what is as thin as text."""
    side = max(lit.shape)
    closed = cv2.morphologyEx(lit.astype(np.uint8), cv2.MORPH_CLOSE, region_seeds.disc(max(3, side // 80)))
    return cv2.morphologyEx(closed, cv2.MORPH_OPEN, region_seeds.disc(max(3, side // 24)))
