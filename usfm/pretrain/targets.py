"""What the decoder has to predict of a patch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

BINS = 9


@dataclass(frozen=True)
class Target:
    """One kind of target.

    Attributes:
        values: (B, M, P) normalised pixels of the target patches, the channel fastest, and the patch's side ->
            (B, M, length).
        length: numbers a patch has, from its side and the channels.
    """

    values: Callable[[torch.Tensor, int], torch.Tensor]
    length: Callable[[int, int], int]


def pixels(patches: torch.Tensor, patch: int) -> torch.Tensor:
    """The normalised pixels of the image as they are: (B, M, P) -> (B, M, P)."""
    return patches


def normalised(patches: torch.Tensor, patch: int) -> torch.Tensor:
    """Each patch with mean 0 and variance 1: (x - mean) / sqrt(var + 1e-6), the variance unbiased. Source: MAE."""
    mean = patches.mean(dim=-1, keepdim=True)
    return (patches - mean) / (patches.var(dim=-1, keepdim=True) + 1e-6).sqrt()


def hog(patches: torch.Tensor, patch: int) -> torch.Tensor:
    """Orientations of the gradients in the four quarters of each patch: (B, M, P) -> (B, M, 36).

    Nine unsigned orientations, hard bins weighted by magnitude, each quarter's nine brought to length 1 (flat ones to
    0). Gradients do not look over the patch's edge, and of several channels the mean is taken.

    Source: histograms of oriented gradients as the target of MaskFeat (Wei et al., CVPR 2022) and LocalMIM (Wang et
    al., CVPR 2023), here at one scale.
    """
    b, m, _ = patches.shape
    x = patches.float().reshape(b * m, 1, patch, patch, -1).mean(-1)
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across, down = x[..., 1:-1, 2:] - x[..., 1:-1, :-2], x[..., 2:, 1:-1] - x[..., :-2, 1:-1]
    size = torch.hypot(across, down)
    bins = (torch.atan2(across, down) / torch.pi * BINS).floor().remainder(BINS)
    cells = torch.cat([F.avg_pool2d(size * (bins == k), patch // 2) for k in range(BINS)], dim=1)
    length = cells.square().sum(1, keepdim=True).sqrt()
    return (cells / (length + 0.01)).reshape(b, m, BINS * 4)


def hog_glyphs(values: torch.Tensor, patch: int) -> torch.Tensor:
    """Draw orientations as strokes, for looking at: (..., 36) -> (..., patch * patch), 0 to about 1."""
    half = patch // 2
    place = torch.arange(half, device=values.device, dtype=torch.float32) - (half - 1) / 2
    y, x = place[:, None], place[None, :]
    angles = (torch.arange(BINS, device=values.device) + 0.5) * torch.pi / BINS
    # the gradient points along (sin a, cos a) in (x, y); the stroke runs across it
    strokes = torch.stack([torch.exp(-((x * a.sin() + y * a.cos()) ** 2)) for a in angles])
    cells = values.unflatten(-1, (BINS, 2, 2)).clamp(min=0)
    drawn = torch.einsum("...kij,kyx->...iyjx", cells, strokes)
    return drawn.flatten(-4)


TARGETS: dict[str, Target] = {
    "pixels": Target(pixels, lambda patch, channels: patch * patch * channels),
    "normalised": Target(normalised, lambda patch, channels: patch * patch * channels),
    "hog": Target(hog, lambda patch, channels: 4 * BINS),
}
