"""How much texture each patch of an image has: a score per patch, in four ways."""

from collections.abc import Callable

import numpy as np


def _mean(values: np.ndarray, patch: int) -> np.ndarray:
    rows, columns = values.shape[0] // patch, values.shape[1] // patch
    return values.reshape(rows, patch, columns, patch).mean((1, 3))


def slopes(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sobel slopes across and down, gray levels per pixel; edges are mirrored.

    Args:
        image: (H, W) uint8 or float.

    Returns:
        Two float32 (H, W).
    """
    x = np.pad(np.asarray(image, np.float32), 1, mode="reflect")
    tall = x[:-2] + 2 * x[1:-1] + x[2:]
    wide = x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]
    return (tall[:, 2:] - tall[:, :-2]) / 8, (wide[2:] - wide[:-2]) / 8


def gradient_energy(image: np.ndarray, patch: int) -> np.ndarray:
    """Mean gradient magnitude of each patch: (H, W) -> (H / patch, W / patch), gray levels per pixel.

    >>> gradient_energy(np.tile(np.arange(32.0), (32, 1)), 16)[0, 0] > 0.9
    np.True_
    """
    x, y = slopes(image)
    return _mean(np.hypot(x, y), patch)


def hog_length(image: np.ndarray, patch: int, bins: int = 9) -> np.ndarray:
    """Euclidean length of each patch's un-normalised histogram of oriented gradients (unsigned, hard bins)."""
    x, y = slopes(image)
    which = np.floor(np.arctan2(x, y) / np.pi * bins).astype(int) % bins
    size = np.hypot(x, y)
    return np.sqrt(sum(_mean(size * (which == k), patch) ** 2 for k in range(bins)))


def deviation(image: np.ndarray, patch: int) -> np.ndarray:
    """Standard deviation of each patch, gray levels."""
    image = np.asarray(image, np.float64)
    return np.sqrt(np.maximum(_mean(image**2, patch) - _mean(image, patch) ** 2, 0))


def laplacian(image: np.ndarray, patch: int) -> np.ndarray:
    """Mean absolute Laplacian (four neighbours) of each patch, gray levels per pixel squared."""
    x = np.pad(np.asarray(image, np.float32), 1, mode="reflect")
    around = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]
    return _mean(np.abs(around - 4 * x[1:-1, 1:-1]), patch)


SCORES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "gradient": gradient_energy,
    "hog": hog_length,
    "std": deviation,
    "laplacian": laplacian,
}
