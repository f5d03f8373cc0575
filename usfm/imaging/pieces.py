"""Connected pieces of a mask."""

import cv2
import numpy as np


def label(mask: np.ndarray, connectivity: int = 8) -> tuple[int, np.ndarray, np.ndarray]:
    """Number the connected pieces of a mask.

    Args:
        mask: (H, W) bool, or uint8 with 0 for the background.
        connectivity: 4, or 8 to count diagonal neighbours too.

    Returns:
        How many numbers there are (the background is number 0), the number of each pixel as int32 (H, W), and the
        area of each number in pixels, int32.

    >>> count, numbers, areas = label(np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0]], bool))
    >>> count, areas.tolist(), numbers[2].tolist()
    (3, [6, 2, 1], [0, 2, 0])
    """
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=connectivity)
    return count, numbers, stats[:, cv2.CC_STAT_AREA]
