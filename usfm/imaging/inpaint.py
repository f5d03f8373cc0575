"""Fill a mask from what surrounds it: Navier-Stokes, Telea, or black."""

import cv2
import numpy as np

from usfm.imaging.dct import region_box

METHODS = ("ns", "telea", "blank")
"""Navier-Stokes (Bertalmio 2001), fast marching (Telea 2004), black."""

MARGIN_PX = 16
"""Surroundings that take part in the fill, on each side of the mask's box."""


def fill(image: np.ndarray, mask: np.ndarray, method: str = "ns", radius: int = 3) -> np.ndarray:
    """Return the image with the masked pixels filled; every other pixel is unchanged.

    The image is padded by its edge before the fill, so that a mask touching the border (where scanners print names)
    is filled from inside; only the mask's surroundings are worked on, so a small mask costs little in a large frame.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        mask: (H, W) bool, True where to fill.
        method: "ns", "telea" or "blank" (zeros).
        radius: Neighbourhood of each filled pixel, px.

    Returns:
        A new array like `image`.

    Raises:
        ValueError: Unknown method, or mask and image differ in size.

    >>> spoilt = np.full((9, 9), 50, np.uint8)
    >>> spoilt[:3, :3] = 255
    >>> fill(spoilt, spoilt == 255).max()
    np.uint8(50)
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, received {method!r}")
    if mask.shape != image.shape[:2]:
        raise ValueError(f"the mask has shape {mask.shape}, the image {image.shape[:2]}")
    result = image.copy()
    if not mask.any():
        return result
    if method == "blank" or mask.all():
        result[mask] = 0
        return result
    margin = MARGIN_PX + radius
    top, left, bottom, right = region_box(mask)
    rows = slice(max(0, top - margin), min(mask.shape[0], bottom + margin))
    columns = slice(max(0, left - margin), min(mask.shape[1], right + margin))
    pad = ((margin, margin), (margin, margin))
    patch = np.pad(image[rows, columns], pad + ((0, 0),) * (image.ndim - 2), mode="edge")
    hole = np.pad(mask[rows, columns], pad, mode="edge")
    flag = cv2.INPAINT_NS if method == "ns" else cv2.INPAINT_TELEA
    filled = cv2.inpaint(patch, hole.astype(np.uint8), radius, flag)[margin:-margin, margin:-margin]
    result[rows, columns] = np.where(hole_like(mask[rows, columns], filled), filled, result[rows, columns])
    return result


def hole_like(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The mask with a channel axis where the image has one.

    Args:
        mask: (H, W) bool.
        image: (H, W) or (H, W, 3).

    Returns:
        (H, W) or (H, W, 1) bool, broadcastable with `image`.
    """
    return mask if image.ndim == 2 else mask[..., None]
