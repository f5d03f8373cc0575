"""Frequencies taken out: rings of an image's spectrum are set to zero, and have to be put back."""

import torch

from usfm.pretrain.degradations.contract import Degradation
from usfm.pretrain.settings import Degrade

PROTECTED, FIRST_WIDTH, GROWTH, MOST_WIDTH = 4, 4, 0.3, 16
"""Radii in cycles an image of 224 px: the published constants are not public, and these are ours."""
REFERENCE_PX = 224


def edges(side: int) -> list[float]:
    """Radii at which rings begin and end, up to half the spectrum, in cycles an image.

    They lie as in USFM's code (its rule, not its numbers, which are not public): the middle is protected, and each ring
    is as wide as a share of its inner radius, up to a limit.

    >>> [round(edge, 1) for edge in edges(224)[:5]], edges(224)[-1]
    ([4.0, 8.0, 10.4, 13.5, 17.6], 112.0)
    """
    scale = side / REFERENCE_PX
    found = [PROTECTED * scale, (PROTECTED + FIRST_WIDTH) * scale]
    while found[-1] < side / 2:
        found.append(found[-1] + min(found[-1] * GROWTH, MOST_WIDTH * scale))
    return [*found[:-1], side / 2]


def stopped(chosen: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """The frequencies that are taken out.

    Args:
        chosen: (B, rings) bool.
        rows: of the image.
        columns: of the image.

    Returns:
        (B, rows, columns // 2 + 1) bool, in the order of `torch.fft.rfft2`.
    """
    side = min(rows, columns)
    down = torch.fft.fftfreq(rows, device=chosen.device).view(-1, 1) * side
    across = torch.fft.rfftfreq(columns, device=chosen.device).view(1, -1) * side
    radius = torch.hypot(down, across)
    limits = torch.tensor(edges(side), device=chosen.device)
    ring = torch.bucketize(radius, limits, right=True) - 1  # -1 in the protected middle
    known = (ring >= 0) & (ring < chosen.shape[1])
    return chosen[:, ring.clamp(0, chosen.shape[1] - 1)] & known


def _rings(images: torch.Tensor, uniform: torch.Tensor, settings: Degrade) -> torch.Tensor:
    count = uniform.shape[1] - 1
    taken = max(1, int(settings.rings * count))
    rank = uniform[:, 1:].argsort(1).argsort(1)
    chosen = (rank < taken) & (uniform[:, :1] < settings.probability)
    out = stopped(chosen, *images.shape[2:]).unsqueeze(1)
    spectrum = torch.fft.rfft2(images.float()).masked_fill(out, 0)
    worse = torch.fft.irfft2(spectrum, s=images.shape[2:]).abs().clamp(max=255).to(images.dtype)
    return torch.where(chosen.any(1).view(-1, 1, 1, 1), worse, images)


RINGS = Degradation(_rings, lambda rows, columns: len(edges(min(rows, columns))))
