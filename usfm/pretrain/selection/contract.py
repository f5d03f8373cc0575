"""What a prior is given and what it owes."""

from dataclasses import dataclass
from typing import Protocol

import torch

from usfm.pretrain.settings import Selection


@dataclass(frozen=True)
class View:
    """A batch of augmented samples as a prior sees it, on the device.

    Attributes:
        images: (B, 1, H, W) float, gray, 0 to 255.
        coverage: (B, L) float, share of each patch inside the acoustic region (1 without a region).
        fine: (B, 1, rows * f, columns * f) float, the same for f x f cells of each patch; None without a region.
        grid: (rows, columns) of patches, row-major.
        depth: (B, L) float, true depth along the beam, 0 to 1; NaN where no geometry is known; None if never.
        angle: (B, L) float, true angle, -1 to 1; likewise.
    """

    images: torch.Tensor
    coverage: torch.Tensor
    grid: tuple[int, int]
    depth: torch.Tensor | None = None
    angle: torch.Tensor | None = None
    fine: torch.Tensor | None = None

    def inside(self, tau: float) -> torch.Tensor:
        """(B, L) bool: patches that count as inside the region; all of them where none does."""
        inside = self.coverage >= tau
        return inside | ~inside.any(1, keepdim=True)


class Prior(Protocol):
    """Probabilities to draw patches by.

    Every row keeps these rules (one test runs them over the table): (B, L) float32, not negative, sums to 1 for each
    image, finite for any image, mirrored when the view is mirrored, nothing asked back from the device.
    """

    def __call__(self, view: View, settings: Selection) -> torch.Tensor: ...


def normalise(scores: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Scores to probabilities: (B, L) >= 0 -> sums to 1; where an image's are all zero, uniform over its inside.

    Args:
        scores: (B, L), 0 or more.
        inside: (B, L) bool, some of each image.

    Returns:
        (B, L) float32.
    """
    total = scores.sum(1, keepdim=True)
    uniform = inside.float() / inside.sum(1, keepdim=True)
    return torch.where(total > 0, scores / total.clamp(min=1e-12), uniform)
