"""Pixels as targets: as they are, or with each cell brought to mean 0 and variance 1."""

import torch

from usfm.pretrain.targets.contract import Target


def pixels(cells: torch.Tensor, side: int) -> torch.Tensor:
    """The normalised pixels of the image as they are: (B, n, P) -> (B, n, P).

    Args:
        cells: (B, n, P), normalised pixels.
        side: of a cell, px; not needed.

    Returns:
        `cells` itself.
    """
    return cells


def normalised(cells: torch.Tensor, side: int) -> torch.Tensor:
    """Each cell with mean 0 and variance 1: (x - mean) / sqrt(var + 1e-6), the variance unbiased. Source: MAE.

    Args:
        cells: (B, n, P), normalised pixels.
        side: of a cell, px; not needed.

    Returns:
        (B, n, P).
    """
    mean = cells.mean(dim=-1, keepdim=True)
    return (cells - mean) / (cells.var(dim=-1, keepdim=True) + 1e-6).sqrt()


def _length(side: int, channels: int) -> int:
    return side * side * channels


def _as_they_are(values: torch.Tensor, truth: torch.Tensor, side: int) -> tuple[torch.Tensor, bool]:
    return values, True


def _with_the_truths_contrast(values: torch.Tensor, truth: torch.Tensor, side: int) -> tuple[torch.Tensor, bool]:
    return values * (truth.var(-1, keepdim=True) + 1e-6).sqrt() + truth.mean(-1, keepdim=True), True


PIXELS = Target(pixels, _length, "Truth and prediction: pixels of the target patches.", _as_they_are, unit="pixels")
NORMALISED = Target(
    normalised,
    _length,
    "Truth and prediction: pixels of the target patches. The model predicts each patch without its mean and contrast; "
    "both are taken from the truth.",
    _with_the_truths_contrast,
    unit="normalised",
)
