"""What the decoder has to predict of a patch."""

from collections.abc import Callable

import torch


def pixels(patches: torch.Tensor) -> torch.Tensor:
    """The normalised pixels of the image as they are: (B, M, P) -> (B, M, P)."""
    return patches


def normalised(patches: torch.Tensor) -> torch.Tensor:
    """Each patch with mean 0 and variance 1: (x - mean) / sqrt(var + 1e-6), the variance unbiased. Source: MAE."""
    mean = patches.mean(dim=-1, keepdim=True)
    return (patches - mean) / (patches.var(dim=-1, keepdim=True) + 1e-6).sqrt()


TARGETS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"pixels": pixels, "normalised": normalised}
