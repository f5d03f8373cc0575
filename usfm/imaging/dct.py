"""Low-frequency DCT features of the acoustic region without their constant term, and the 64-bit perceptual hash."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

FLAT_RMS = 1.0
"""A region whose low-frequency structure is weaker than this (root mean square, gray levels) counts as flat."""


@lru_cache(maxsize=16)
def dct_matrix(size: int, keep: int) -> np.ndarray:
    """First `keep` rows of the orthonormal DCT-II matrix of order `size`.

    Args:
        size: Order of the transform, at least 1.
        keep: Number of rows (lowest frequencies), 1 to `size`.

    Returns:
        (keep, size) float32; `matrix @ x @ matrix.T` is the low-frequency block of the 2-D transform.

    Raises:
        ValueError: `keep` is not among 1 to `size`.

    Examples:
        >>> bool(np.allclose(dct_matrix(8, 8) @ dct_matrix(8, 8).T, np.eye(8), atol=1e-6))
        True
    """
    if not 1 <= keep <= size:
        raise ValueError(f"keep must lie in 1..{size}, received {keep}")
    rows = np.arange(keep)[:, None]
    columns = np.arange(size)[None, :]
    matrix = np.cos(np.pi * (2 * columns + 1) * rows / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


def region_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Bounding box of a mask.

    Args:
        mask: (H, W) bool.

    Returns:
        (first row, first column, end row, end column), half open; the whole image when the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return 0, 0, mask.shape[0], mask.shape[1]
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


Window = tuple[slice, slice, np.ndarray | None]
"""Rows and columns of a region's box, and the region inside it shrunk to the square (None where it fills the box)."""


def window_of(mask: np.ndarray, size: int) -> Window:
    """Where a region lies, and its shape on the square that `dct_features` transforms.

    Args:
        mask: (H, W) bool.
        size: Side of the square, pixels.

    Returns:
        Rows and columns of the box, and the region on the square, bool; None where it fills the box or is empty.
    """
    top, left, bottom, right = region_box(mask)
    rows, columns = slice(top, bottom), slice(left, right)
    inside = mask[rows, columns]
    if inside.all() or not inside.any():
        return rows, columns, None
    return rows, columns, cv2.resize(inside.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) >= 0.5


def dct_features(
    images: Sequence[np.ndarray] | np.ndarray,
    masks: Sequence[np.ndarray | None] | None = None,
    *,
    size: int = 64,
    keep: int = 16,
    emphasis: float = 1.0,
    constant: bool = False,
) -> np.ndarray:
    """Describe each frame by the low frequencies of its acoustic region.

    The region's box is shrunk to `size` x `size`, the mean inside the region is subtracted and what lies outside is
    set to zero; the low `keep` x `keep` block of the orthonormal DCT-II, each coefficient times its distance from the
    constant term to the power `emphasis`, scaled to length 1, is the feature. The cosine of two features is then a
    correlation of two blurred regions: 1 for the same picture, about 0 for unrelated ones. The spectrum of tissue falls
    about as one over frequency; without emphasis a handful of coefficients decides, and the lungs of two patients under
    the same fan reach 0.98. A flat region (less than 1 gray level of structure) has only entry 0 set, so that flat
    frames resemble one another and nothing else.

    Source: the visual stage of PVSS (PolarMAE, 2026): "low-frequency DCT, cosine". Differs: no constant term, the
    acoustic region instead of a thresholded box, weights, 16 x 16 of 64 x 64 pixels instead of 32 x 32 of 256 x 256.

    Args:
        images: n images (H, W) uint8; sizes may differ.
        masks: n masks (H, W) bool of the acoustic region (None: the whole image); default: whole images.
        size: Side of the square that is transformed, pixels.
        keep: Frequencies kept along each axis, 2 to `size`.
        emphasis: Power of the frequency that weights a coefficient; 0 = none.
        constant: Keep the constant term and subtract no mean, as the published PVSS code does (it makes any two
            pictures of the same fan look alike).

    Returns:
        (n, keep * keep) float32, each row of length 1.

    Raises:
        ValueError: images and masks do not fit one another, an image is not gray, or `keep` is not among 2 to `size`.

    Examples:
        >>> board = np.indices((40, 50)).sum(0).astype(np.uint8) * 2
        >>> features = dct_features([board, 255 - board, np.full((40, 50), 9, np.uint8)])
        >>> np.round(features @ features.T, 3).tolist()
        [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    count = len(images)
    if masks is not None and len(masks) != count:
        raise ValueError(f"{count} images but {len(masks)} masks")
    if not 2 <= keep <= size:
        raise ValueError(f"keep must lie in 2..{size}, received {keep}")
    squares = np.empty((count, size, size), np.float32)
    windows: dict[int, Window] = {}
    for i, image in enumerate(images):
        if image.ndim != 2:
            raise ValueError(f"images must be gray (H, W), image {i} has shape {image.shape}")
        mask = None if masks is None else masks[i]
        inside = None
        if mask is not None:
            if mask.shape != image.shape:
                raise ValueError(f"the mask has shape {mask.shape}, the image {image.shape}")
            if id(mask) not in windows:
                windows[id(mask)] = window_of(mask, size)
            rows, columns, inside = windows[id(mask)]
            image = image[rows, columns]
        squares[i] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        if not constant:
            if inside is None:
                squares[i] -= squares[i].mean()
            else:
                squares[i] = np.where(inside, squares[i] - squares[i][inside].mean(), 0.0)
    matrix = dct_matrix(size, keep)
    features = (matrix @ squares @ matrix.T).reshape(count, keep * keep)
    if not constant:
        features[:, 0] = 0.0
    flat = np.linalg.norm(features, axis=1) < FLAT_RMS * size
    if emphasis:
        frequency = np.hypot(*np.indices((keep, keep), np.float32)).ravel()
        frequency[0] = 1.0
        features *= frequency**emphasis
    features[flat] = 0.0
    features[flat, 0] = 1.0
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def sharpness(image: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean absolute Laplacian inside the region: larger is sharper.

    Args:
        image: (H, W) uint8.
        mask: (H, W) bool, or None for the whole image.

    Returns:
        Gray levels per square pixel, 0 or more; 0 for an empty mask.
    """
    edges = cv2.mean(np.abs(cv2.Laplacian(image, cv2.CV_32F)), None if mask is None else mask.astype(np.uint8))
    return float(edges[0])


def phash(images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """64-bit perceptual hash of each image, by `imagehash.phash` with its defaults.

    Args:
        images: n images (H, W) uint8.

    Returns:
        (n,) uint64; bit 63 is the lowest frequency, rows first.

    Source: ImageHash 4.3 (32 x 32 Lanczos, unnormalised DCT-II, low 8 x 8 against its median).
    """
    import imagehash
    from PIL import Image

    bits = [imagehash.phash(Image.fromarray(image)).hash.ravel() for image in images]
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64)[:, 0] if bits else np.empty(0, np.uint64)


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Number of differing bits of two arrays of hashes, broadcast against each other.

    Args:
        a: uint64 array.
        b: uint64 array that broadcasts with `a`; `hamming(a[:, None], b[None])` compares all with all.

    Returns:
        uint8 array, 0 to 64.

    >>> hamming(np.array([0, 7], np.uint64), np.uint64(1)).tolist()
    [1, 2]
    """
    return np.bitwise_count(np.bitwise_xor(a, b))
