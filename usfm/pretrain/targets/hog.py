"""Orientations of gradients as targets: of the quarters of each patch by itself, or of cells of the whole image."""

import torch
import torch.nn.functional as F

from usfm.pretrain.targets.contract import Target

BINS = 9
GLYPH_LEVELS = 200
FORM = (
    "Truth and prediction: orientations of the gradients in {where} target patch. Strokes run along edges, and "
    "brighter ones are more frequent."
)


def hog(patches: torch.Tensor, patch: int) -> torch.Tensor:
    """Orientations of the gradients in the four quarters of each patch: (B, M, P) -> (B, M, 36).

    Nine unsigned orientations, hard bins weighted by magnitude, each quarter's nine brought to length 1 (flat ones to
    0). Gradients do not look over the patch's edge, and of several channels the mean is taken.

    Source: histograms of oriented gradients as the target of MaskFeat (Wei et al., CVPR 2022) and LocalMIM (Wang et
    al., CVPR 2023), here at one scale.

    Args:
        patches: (B, M, p * p * C), the channel fastest.
        patch: side p of a patch, px.

    Returns:
        (B, M, 36), orientation by orientation, each with its four quarters.
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


def orientations(images: torch.Tensor) -> torch.Tensor:
    """How strong the gradient is at each pixel, by its orientation: (B, C, H, W) -> (B, 9 C, H, W).

    Sobel slopes with the border reflected; nine unsigned orientations, hard bins; channels by themselves.
    Source: LocalMIM's public code.
    """
    x = F.pad(images.float(), (1, 1, 1, 1), mode="reflect")
    tall = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    wide = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    across, down = tall[..., :-2] - tall[..., 2:], wide[..., :-2, :] - wide[..., 2:, :]
    bins = (torch.atan2(across, down) / torch.pi * BINS).floor().remainder(BINS)
    size = torch.hypot(across, down)
    return torch.stack([size * (bins == k) for k in range(BINS)], dim=2).flatten(1, 2)


def cell_histograms(cells: torch.Tensor, side: int) -> torch.Tensor:
    """Mean strength of each orientation, a channel's nine brought to length 1: (B, n, s * s * 9 C) -> (B, n, 9 C).

    Args:
        cells: (B, n, s * s * 9 C), strengths of orientations, pixel by pixel.
        side: s of a cell, px.

    Returns:
        (B, n, 9 C).
    """
    means = cells.unflatten(2, (side * side, -1)).mean(2)
    return F.normalize(means.unflatten(2, (-1, BINS)), dim=-1).flatten(2)


def hog_glyphs(values: torch.Tensor, patch: int) -> torch.Tensor:
    """Draw orientations as strokes, for looking at: (..., 36) or (..., 9) -> (..., patch * patch), 0 to about 1.

    Args:
        values: (..., 36) or (..., 9), as the targets are.
        patch: side of a patch, px.

    Returns:
        (..., patch * patch).
    """
    side = round((values.shape[-1] / BINS) ** 0.5)
    half = patch // side
    place = torch.arange(half, device=values.device, dtype=torch.float32) - (half - 1) / 2
    y, x = place[:, None], place[None, :]
    angles = (torch.arange(BINS, device=values.device) + 0.5) * torch.pi / BINS
    # the gradient points along (sin a, cos a) in (x, y); the stroke runs across it
    strokes = torch.stack([torch.exp(-((x * a.sin() + y * a.cos()) ** 2)) for a in angles])
    cells = values.unflatten(-1, (BINS, side, side)).clamp(min=0)
    drawn = torch.einsum("...kij,kyx->...iyjx", cells, strokes)
    return drawn.flatten(-4)


def _strokes(values: torch.Tensor, truth: torch.Tensor, side: int) -> tuple[torch.Tensor, bool]:
    return hog_glyphs(values, side) * GLYPH_LEVELS, False


def _strokes_of_cells(values: torch.Tensor, truth: torch.Tensor, side: int) -> tuple[torch.Tensor, bool]:
    return hog_glyphs(values.unflatten(-1, (-1, BINS)).mean(-2), side) * GLYPH_LEVELS, False


HOG = Target(hog, lambda side, channels: 4 * BINS, FORM.format(where="the quarters of each"), _strokes)
HOG_CELLS = Target(
    cell_histograms,
    lambda side, channels: BINS * channels,
    FORM.format(where="each"),
    _strokes_of_cells,
    prepare=orientations,
)
