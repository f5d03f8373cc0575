"""What a decoder is given, what it owes, and what it says about itself, so that a new one touches no other file."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import nn

from usfm.model.vit import Shape
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.settings import Decoder as Settings


class Decoder(Protocol):
    """A built decoder, a torch module.

    Attributes:
        taps: which outputs of the encoder it wants, as `Encoder.encode` counts them (the number of blocks stands for
            the output after the final norm; where it is not among them, the final norm is not trained).
        cells: sides of the cells that it predicts, px, one a scale of the loss; the patch's side is among them.
        layout: "mae" where MAE's own class reads its parameters, else "".
    """

    taps: tuple[int, ...]
    cells: tuple[int, ...]
    layout: str

    def __call__(
        self, outputs: list[torch.Tensor], ids_visible: torch.Tensor, ids_target: torch.Tensor
    ) -> list[torch.Tensor]:
        """Predict the targets.

        Args:
            outputs: one (B, 1 + V, D) a tap, the class token first.
            ids_visible: (B, V) grid index of each visible token.
            ids_target: (B, M) grid index of each target.

        Returns:
            One tensor a scale: (B, M, numbers) for cells up to a patch, those of a patch's cells one after another,
            row by row; (B, cells of the image, numbers) for larger cells.
        """
        ...

    def blocks(self) -> list[nn.Module]:
        """Its transformer blocks, to be compiled."""
        ...

    def flops(self, counts: Counts) -> float:
        """Floating-point operations (a multiply-add is two) of one image, forward."""
        ...

    def tokens(self, counts: Counts) -> int:
        """Tokens of its width that pass its blocks, over all of them, for the memory."""
        ...


class Kind(Protocol):
    """A row of DECODERS: builds a decoder; a class does."""

    def __call__(self, settings: Settings, shape: Shape, length: Callable[[int], int]) -> Decoder:
        """Build one for an encoder of this shape; `length` says how many numbers a cell of some side, px, has."""
        ...


def block_flops(queries: int, keys: int, width: int, memory: int | None = None) -> float:
    """Operations of one transformer block, forward, one image: self-attention, or cross-attention to `memory` wide.

    Args:
        queries: tokens that look.
        keys: tokens that are looked at.
        width: of a query's token.
        memory: width of the tokens that are looked at; None for self-attention.

    Returns:
        Operations, a multiplication and an addition counted as two.
    """
    if memory is None:  # self-attention: qkv, scores and mix, projection, MLP
        return 2 * (4 * queries * width**2 + 2 * queries * keys * width + 8 * queries * width**2)
    project = 2 * queries * width**2 + 2 * keys * memory * width
    return 2 * (project + 2 * queries * keys * width + 8 * queries * width**2)
