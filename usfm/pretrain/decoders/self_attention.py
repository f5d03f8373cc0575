"""MAE's decoder: mask tokens at every place that was not seen, and self-attention over all of them."""

from collections.abc import Callable

import torch
from torch import nn

from usfm.model.positions import sincos_2d
from usfm.model.vit import Block, Shape, initialise, take
from usfm.pretrain.decoders.contract import block_flops
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.settings import Decoder as Settings


class SelfDecoder(nn.Module):
    """Blocks of self-attention over all tokens; a row of DECODERS.

    Parameter names are MAE's (`decoder_embed`, `mask_token`, `decoder_pos_embed`, `decoder_blocks`, ...).
    Source: He et al. 2022.
    """

    layout = "mae"

    def __init__(self, settings: Settings, shape: Shape, length: Callable[[int], int]):
        super().__init__()
        self.taps, self.cells = (shape.depth,), (shape.patch,)
        self.sizes = (shape.embed_dim, shape.grid[0] * shape.grid[1], length(shape.patch))
        width = settings.width
        self.decoder_embed = nn.Linear(shape.embed_dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed = nn.Parameter(sincos_2d(width, shape.grid).unsqueeze(0), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(Block(width, settings.heads) for _ in range(settings.depth))
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, length(shape.patch))
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(
        self, outputs: list[torch.Tensor], ids_visible: torch.Tensor, ids_target: torch.Tensor
    ) -> list[torch.Tensor]:
        """See `contract.Decoder`."""
        x = fill(self.decoder_embed(outputs[0]), self.mask_token, ids_visible, self.sizes[1]) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            x = block(x)
        return [self.decoder_pred(self.decoder_norm(take(x[:, 1:], ids_target)))]

    def blocks(self) -> list[nn.Module]:
        """Its blocks."""
        return list(self.decoder_blocks)

    def flops(self, counts: Counts) -> float:
        """Embedding, blocks over all tokens, prediction of the targets."""
        dim, total, out = self.sizes
        width, seen = self.decoder_embed.out_features, counts.visible + 1
        blocks = len(self.decoder_blocks) * block_flops(total + 1, total + 1, width)
        return 2 * seen * dim * width + blocks + 2 * counts.targets * width * out

    def tokens(self, counts: Counts) -> int:
        """All tokens, in each block."""
        return len(self.decoder_blocks) * (self.sizes[1] + 1)


def fill(seen: torch.Tensor, mask_token: torch.Tensor, ids_visible: torch.Tensor, total: int) -> torch.Tensor:
    """Put visible tokens where they belong and mask tokens elsewhere: (B, 1 + V, D) -> (B, 1 + total, D).

    Args:
        seen: (B, 1 + V, D), the class token first.
        mask_token: (1, 1, D).
        ids_visible: (B, V) grid index of each visible token.
        total: patches of the grid.

    Returns:
        (B, 1 + total, D), the class token first.
    """
    places = ids_visible.unsqueeze(-1).expand(-1, -1, seen.shape[-1])
    full = mask_token.to(seen.dtype).expand(len(seen), total, -1).scatter(1, places, seen[:, 1:])
    return torch.cat([seen[:, :1], full], dim=1)
