"""Patches with more texture are likelier."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from usfm.pretrain.selection.contract import View
from usfm.pretrain.settings import Selection


def _gradients(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sobel slopes per pixel, across and down, as sums of shifted images (a fifth of a convolution's time on a CPU)."""
    x = F.pad(images, (1, 1, 1, 1), mode="reflect")
    tall = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    wide = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    return (tall[..., 2:] - tall[..., :-2]) / 8, (wide[..., 2:, :] - wide[..., :-2, :]) / 8


Pool = Callable[[torch.Tensor], torch.Tensor]  # (B, 1, H, W) -> its mean over the inside of each patch, (B, L)


def _gradient(images: torch.Tensor, pool: Pool) -> torch.Tensor:
    x, y = _gradients(images)
    return pool((x * x + y * y + 1e-12).sqrt())


def _hog(images: torch.Tensor, pool: Pool) -> torch.Tensor:
    """Length of the un-normalised histogram of oriented gradients (9 unsigned bins) of each patch."""
    x, y = _gradients(images)
    size = (x * x + y * y + 1e-12).sqrt()
    bins = (torch.atan2(x, y) / torch.pi * 9).floor().remainder(9)
    squares = (pool(size * (bins == k)).square() for k in range(9))
    return sum(squares, start=torch.zeros((), device=images.device)).sqrt()


def _std(images: torch.Tensor, pool: Pool) -> torch.Tensor:
    mean = pool(images)
    return (pool(images * images) - mean * mean).clamp(min=0).sqrt()


def _laplacian(images: torch.Tensor, pool: Pool) -> torch.Tensor:
    x = F.pad(images, (1, 1, 1, 1), mode="reflect")
    around = x[..., :-2, 1:-1] + x[..., 2:, 1:-1] + x[..., 1:-1, :-2] + x[..., 1:-1, 2:]
    return pool((around - 4 * images).abs())


SCORES = {"gradient": _gradient, "hog": _hog, "std": _std, "laplacian": _laplacian}


def texture_scores(view: View, kind: str) -> torch.Tensor:
    """Texture of each patch times its coverage: (B, L) float; gray levels (per pixel, for a gradient).

    The step from tissue to the black outside is no texture: with a region, only cells (quarters of a patch's side)
    count that lie inside with all their neighbours. A patch without such a cell has no texture.

    Args:
        view: the batch.
        kind: a key of `SCORES`.

    Returns:
        (B, L).
    """
    patch = (view.images.shape[2] // view.grid[0], view.images.shape[3] // view.grid[1])
    if view.fine is None:
        return SCORES[kind](view.images, lambda x: F.avg_pool2d(x, patch).flatten(1)) * view.coverage
    cells = view.fine.shape[2] // view.grid[0]
    deep = (F.max_pool2d(1 - view.fine, 3, stride=1, padding=1) < 0.01).float()
    share = F.avg_pool2d(deep, cells).clamp(min=1e-6)

    def pool(x: torch.Tensor) -> torch.Tensor:
        cell = F.avg_pool2d(x, (patch[0] // cells, patch[1] // cells))
        return (F.avg_pool2d(cell * deep, cells) / share).flatten(1)

    return SCORES[kind](view.images, pool) * view.coverage


def texture(view: View, settings: Selection) -> torch.Tensor:
    """Softmax of the texture score, standardised over the inside of each image and clipped to +-3.

    Source: PolarMAE eq. 13. There the score is a HOG response that the public code averages after standardising,
    which makes it zero for every patch; here it is the mean gradient magnitude (or HOG length, standard deviation,
    |Laplacian|), and `texture = "uniform"` gives the published behaviour. Standardising makes the sharpness of the
    softmax the same for bright and dim images.

    Args:
        view: the batch.
        settings: of the selection.

    Returns:
        (B, L) probabilities; each image's sum to 1.
    """
    inside = view.inside(settings.tau)
    if settings.texture == "uniform":
        return torch.ones_like(view.coverage) / view.coverage.shape[1]
    scores = texture_scores(view, settings.texture)
    count = inside.sum(1, keepdim=True)
    mean = (scores * inside).sum(1, keepdim=True) / count
    deviation = (((scores - mean) ** 2 * inside).sum(1, keepdim=True) / count).sqrt()
    standard = ((scores - mean) / (deviation + 1e-6)).clamp(-3, 3)
    return (standard / settings.temperature).masked_fill(~inside, -torch.inf).softmax(1)
