"""What a target is given, what it owes, and what it says about itself, so that a new one touches no other file."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from usfm.model.vit import patchify, take


def same(images: torch.Tensor) -> torch.Tensor:
    """The images as they are."""
    return images


@dataclass(frozen=True)
class Target:
    """One kind of target.

    Attributes:
        cells: (B, n, s * s * C) cells of a prepared image, the channel fastest, and their side s, px -> (B, n, length).
        length: numbers a cell has, from its side and the channels of the image.
        form: the sentence of a sheet that says how truth and prediction are drawn.
        picture: how to draw: values (B, M, length) of patches, the normalised pixels of the same patches (B, M, p * p),
            and the patch's side -> (B, M, p * p) and whether these are normalised pixels (else 0 to about 255).
        prepare: (B, C, H, W) normalised images -> (B, C', H, W), whole, before cells are cut.
        unit: of predictions that MAE's own class can read: "pixels" or "normalised"; else "".
    """

    cells: Callable[[torch.Tensor, int], torch.Tensor]
    length: Callable[[int, int], int]
    form: str
    picture: Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, bool]]
    prepare: Callable[[torch.Tensor], torch.Tensor] = same
    unit: str = ""


def aim(
    target: Target, images: torch.Tensor, ids_target: torch.Tensor, patch: int, cell: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The truth of one scale.

    Args:
        target: its kind.
        images: (B, C, H, W), prepared.
        ids_target: (B, M) patches that are targets.
        patch: side of a patch, px.
        cell: side of a cell, px: the patch's, a part of it, or twice it.

    Returns:
        (B, M, numbers) and None: every cell of the target patches counts alike. Where a cell is larger than a patch,
        (B, cells of the image, numbers) and (B, cells) how much of each cell is target, 0 to 1.
    """
    if cell > patch:
        b, rows, columns = len(images), images.shape[2] // cell, images.shape[3] // cell
        chosen = torch.zeros(b, (images.shape[2] // patch) * (images.shape[3] // patch), device=images.device)
        chosen = chosen.scatter(1, ids_target, 1.0).view(b, rows, cell // patch, columns, cell // patch)
        return target.cells(patchify(images, cell), cell), chosen.mean((2, 4)).flatten(1)
    patches = take(patchify(images, patch), ids_target)
    if cell == patch:
        return target.cells(patches, patch), None
    side, (b, m, _) = patch // cell, patches.shape
    parts = patches.view(b, m, side, cell, side, cell, -1).transpose(3, 4).reshape(b, m * side * side, -1)
    return target.cells(parts, cell).view(b, m, -1), None
