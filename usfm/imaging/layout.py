"""Which frames of a clip share a screen layout."""

from collections.abc import Sequence

import numpy as np


def layouts(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Sort the frames of a clip into screen layouts.

    Args:
        frames: uint8 frames in time order; their sizes may differ.

    Returns:
        One array of ascending frame numbers per layout, in order of first appearance; together every frame once.
    """
    by_size: dict[tuple[int, ...], list[int]] = {}
    for i, frame in enumerate(frames):
        by_size.setdefault(frame.shape[:2], []).append(i)
    return [np.array(members) for members in by_size.values()]
