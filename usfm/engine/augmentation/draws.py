"""Chances of an augmentation: numbers that belong to a sample, decided on the host; noise of its own on the device."""

import math
from collections.abc import Callable

import numpy as np
import torch

_MASK = 0xFFFFFFFF


class Draws:
    """Hands out the uniform numbers of a batch, one column after another, so that each belongs to one decision.

    Args:
        uniform: (B, n) in [0, 1), from `usfm.engine.counter.uniforms`.
    """

    def __init__(self, uniform: np.ndarray):
        self.uniform, self.used = uniform, 0

    def next(self) -> np.ndarray:
        """(B,) in [0, 1)."""
        self.used += 1
        return self.uniform[:, self.used - 1]

    def chance(self, p: float) -> np.ndarray:
        """(B,) bool, true with probability p."""
        return self.next() < p

    def between(self, low: float, high: float) -> np.ndarray:
        """Uniform numbers of a range.

        Args:
            low: least.
            high: all are under it.

        Returns:
            (B,) float64.
        """
        return low + (high - low) * self.next()

    def seed(self) -> np.ndarray:
        """(B,) int64 of 32 bits, for `normal` and `uniform`."""
        return (self.next() * 2.0**32).astype(np.int64)


def _mixed(x: torch.Tensor) -> torch.Tensor:
    """Scramble 32-bit words held in int64; products wrap, and their low 32 bits are right all the same."""
    x = (x ^ (x >> 16)) * 0x7FEB352D & _MASK
    x = (x ^ (x >> 15)) * 0x846CA68B & _MASK
    return x ^ (x >> 16)


def uniform(seeds: torch.Tensor, n: int, *, stream: int = 0) -> torch.Tensor:
    """Uniform numbers on the device, a function of the sample's seed and the place only.

    Args:
        seeds: (B,) int64 of 32 bits.
        n: numbers a sample.
        stream: another value gives other numbers.

    Returns:
        (B, n) float32 in (0, 1).
    """
    key = _mixed((seeds + stream * 0x9E3779B9) & _MASK).unsqueeze(1)
    place = torch.arange(n, device=seeds.device)
    words = _mixed(_mixed((place + key) & _MASK) ^ key)
    return ((words >> 8).float() + 0.5) / 2**24


def normal(seeds: torch.Tensor, n: int, *, stream: int = 0) -> torch.Tensor:
    """Standard normal numbers on the device, as `uniform` gives even ones.

    Args:
        seeds: (B,) int64 of 32 bits.
        n: numbers a sample.
        stream: another value gives other numbers.

    Returns:
        (B, n) float32.
    """
    radius = (-2 * uniform(seeds, n, stream=2 * stream).log()).sqrt()
    return radius * (2 * math.pi * uniform(seeds, n, stream=2 * stream + 1)).cos()


def change_some(
    images: torch.Tensor, on: np.ndarray, change: Callable, *values: np.ndarray | torch.Tensor
) -> torch.Tensor:
    """Apply a change to some samples only; which ones is known on the host, so the device is not waited for.

    Args:
        images: (B, C, H, W).
        on: (B,) bool.
        change: (images, values) of those samples -> images.
        values: (B, ...) each, on the host or the device.

    Returns:
        The same shape.
    """
    index = np.flatnonzero(on)
    if not len(index):
        return images
    at = torch.from_numpy(index).to(images.device)
    picked = [
        each[at] if isinstance(each, torch.Tensor) else torch.from_numpy(each[index]).to(images.device)
        for each in values
    ]
    return images.index_copy(0, at, change(images[at], *picked))
