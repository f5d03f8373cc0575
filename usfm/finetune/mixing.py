"""Mixup and cutmix of a batch: each frame with the one opposite in the batch, by a share drawn for the step."""

import numpy as np
import torch


def mix(images: torch.Tensor, rng: np.random.Generator, mixup: float, cutmix: float) -> tuple[torch.Tensor, float]:
    """Mix a batch of frames.

    Args:
        images: (B, C, H, W).
        rng: of the step.
        mixup: alpha of the Beta distribution that shares come from; 0 = never.
        cutmix: alpha where a box is exchanged instead; 0 = never. With both, each step takes one of them, evenly.

    Returns:
        The mixed frames, and the share that each has of itself; its partner is `images.flip(0)`.

    Source: timm's Mixup in its mode "batch" (Zhang et al. 2018; Yun et al. 2019).
    """
    boxed = cutmix > 0 and (mixup == 0 or rng.random() < 0.5)
    alpha = cutmix if boxed else mixup
    if not alpha:
        return images, 1.0
    share = float(rng.beta(alpha, alpha))
    if not boxed:
        return share * images + (1 - share) * images.flip(0), share
    h, w = images.shape[2:]
    top, bottom, left, right = box(h, w, share, rng)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images.flip(0)[:, :, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (h * w)


def box(height: int, width: int, share: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A box of 1 - share of the area, as far as it lies in the frame.

    Args:
        height: rows, px.
        width: columns, px.
        share: of the area that stays outside.
        rng: draws its centre.

    Returns:
        Top, bottom, left, right, px; ends not included.
    """
    side = np.sqrt(1 - share)
    high, wide = int(height * side), int(width * side)
    row, column = int(rng.integers(0, height)), int(rng.integers(0, width))
    return (max(row - high // 2, 0), min(row + (high + 1) // 2, height),
            max(column - wide // 2, 0), min(column + (wide + 1) // 2, width))  # fmt: skip
