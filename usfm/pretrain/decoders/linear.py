"""SimMIM's head: every token of the encoder is mapped to its own patch, and to nothing else."""

from collections.abc import Callable

import torch
from torch import nn

from usfm.model.vit import Shape, initialise, take
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.settings import Decoder as Settings


class LinearDecoder(nn.Module):
    """One linear layer from each token to its patch; a row of DECODERS.

    It can predict only what the encoder had a token for, so it goes with `selection.hide = mean`. Width, depth and
    heads of the settings have no meaning here.

    Source: Xie et al., SimMIM, CVPR 2022.
    """

    layout = ""

    def __init__(self, settings: Settings, shape: Shape, length: Callable[[int], int]):
        super().__init__()
        self.taps, self.cells = (shape.depth,), (shape.patch,)
        self.total, self.pred = shape.grid[0] * shape.grid[1], nn.Linear(shape.embed_dim, length(shape.patch))
        initialise(self)

    def forward(
        self, outputs: list[torch.Tensor], ids_visible: torch.Tensor, ids_target: torch.Tensor
    ) -> list[torch.Tensor]:
        """See `contract.Decoder`. A token that the encoder did not have counts as 0."""
        places = ids_visible.unsqueeze(-1).expand(-1, -1, outputs[0].shape[-1])
        full = outputs[0].new_zeros(len(places), self.total, outputs[0].shape[-1]).scatter(1, places, outputs[0][:, 1:])
        return [self.pred(take(full, ids_target))]

    def blocks(self) -> list[nn.Module]:
        """None."""
        return []

    def flops(self, counts: Counts) -> float:
        """One product a target."""
        return 2 * counts.targets * self.pred.in_features * self.pred.out_features

    def tokens(self, counts: Counts) -> int:
        """None pass a block."""
        return 0
