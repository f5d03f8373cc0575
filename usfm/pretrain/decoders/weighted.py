"""CrossMAE's decoder: each block looks at its own mixture of what all blocks of the encoder gave."""

from collections.abc import Callable

import torch
from torch import nn

from usfm.model.vit import Shape
from usfm.pretrain.decoders.cross import DirectDecoder
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.settings import Decoder as Settings


class WeightedDecoder(DirectDecoder):
    """Block j looks at LN_j(sum over k of W[j, k] f_k), where f_0 is the encoder's input and f_k what block k gave.

    A row of DECODERS. The sums are made one block at a time, so that no stack of all of them is kept. Parameters
    `wfm.linear.weight` (blocks of the decoder, 1 + blocks of the encoder) and `dec_norms.j` have CrossMAE's names.

    Source: Fu et al., Rethinking Patch Dependence for Masked Autoencoders, TMLR 2025, with its inter-block attention.
    """

    def __init__(self, settings: Settings, shape: Shape, length: Callable[[int], int]):
        super().__init__(settings, shape, length)
        self.taps = tuple(range(-1, shape.depth))
        self.wfm = Mixtures(len(self.taps), settings.depth)
        norms = (nn.LayerNorm(shape.embed_dim, eps=1e-6) for _ in range(settings.depth))
        self.dec_norms = nn.ModuleList(norms)

    def memory(self, outputs: list[torch.Tensor], block: int) -> torch.Tensor:
        """The mixture of a block.

        Args:
            outputs: of the encoder, (B, 1 + V, D) each, one a tap.
            block: of this decoder, from 0.

        Returns:
            (B, 1 + V, D).
        """
        weights = self.wfm.linear.weight[block]
        mixed = sum(weight * output for weight, output in zip(weights.unbind(), outputs, strict=True))
        return self.dec_norms[block](mixed)

    def flops(self, counts: Counts) -> float:
        """As without mixtures, and the sums."""
        seen = counts.visible + 1
        return super().flops(counts) + 2 * len(self.decoder_blocks) * len(self.taps) * seen * self.sizes[0]


class Mixtures(nn.Module):
    """The weights W, under CrossMAE's name; at the start N(0, 1 / outputs)."""

    def __init__(self, outputs: int, blocks: int):
        super().__init__()
        self.linear = nn.Linear(outputs, blocks, bias=False)
        nn.init.normal_(self.linear.weight, std=outputs**-0.5)
