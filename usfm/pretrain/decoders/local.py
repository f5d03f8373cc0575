"""LocalMIM's decoders: four small ones, each after another block of the encoder and for another size of cell."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from usfm.errors import RequestError
from usfm.model.positions import sincos_2d
from usfm.model.vit import Block, Shape, initialise, take
from usfm.pretrain.decoders.contract import block_flops
from usfm.pretrain.decoders.self_attention import fill
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.settings import Decoder as Settings

SCALES = (4.0, 2.0, 1.0, 0.5)  # cells along a patch's side, from the lowest tap to the highest


class LocalDecoder(nn.Module):
    """Fine cells are predicted from low blocks, coarse ones from high blocks; a row of DECODERS.

    For ViT-B the taps are blocks 1, 3, 9 and 11 (0-based), each with its own norm (the last one is the encoder's), and
    the cells have 4, 8, 16 and 32 px.

    Source: Wang et al., Masked Image Modeling with Local Multi-Scale Reconstruction, CVPR 2023, public code.
    """

    layout = ""

    def __init__(self, settings: Settings, shape: Shape, length: Callable[[int], int]):
        super().__init__()
        if shape.patch % 4 or shape.grid[0] % 2 or shape.grid[1] % 2:
            raise RequestError(
                f"decoder.kind = local needs a patch that 4 divides and an even grid, and {shape.name} has patches of "
                f"{shape.patch} px in a grid of {shape.grid[0]}x{shape.grid[1]}; choose another image size"
            )
        depth = shape.depth
        self.taps = (1, 3, depth - 3, depth) if depth >= 8 else (0, depth // 2 - 1, 3 * depth // 4 - 1, depth)
        self.cells = tuple(round(shape.patch / scale) for scale in SCALES)
        self.norms = nn.ModuleList(nn.LayerNorm(shape.embed_dim, eps=1e-6) for _ in SCALES[:-1])
        parts = [
            ScaleDecoder(settings, shape, scale, length(cell)) for scale, cell in zip(SCALES, self.cells, strict=True)
        ]
        self.decoder = nn.ModuleList(parts)
        self._parts = parts

    def forward(
        self, outputs: list[torch.Tensor], ids_visible: torch.Tensor, ids_target: torch.Tensor
    ) -> list[torch.Tensor]:
        """See `contract.Decoder`."""
        normed = [norm(output) for norm, output in zip(self.norms, outputs[:-1], strict=True)] + outputs[-1:]
        return [part(x, ids_visible, ids_target) for part, x in zip(self.decoder, normed, strict=True)]

    def blocks(self) -> list[nn.Module]:
        """The blocks of all four."""
        return [block for part in self._parts for block in part.blocks]

    def flops(self, counts: Counts) -> float:
        """Of all four."""
        return sum(part.flops(counts) for part in self._parts)

    def tokens(self, counts: Counts) -> int:
        """All tokens, in each block of each of the four."""
        return sum(len(part.blocks) * (part.total + 1) for part in self._parts)


class ScaleDecoder(nn.Module):
    """One of the four: self-attention over all tokens, then a map of finer or coarser cells."""

    def __init__(self, settings: Settings, shape: Shape, scale: float, out: int):
        super().__init__()
        self.grid, self.scale, width = shape.grid, scale, settings.width
        self.total = shape.grid[0] * shape.grid[1]
        self.embed = nn.Linear(shape.embed_dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(sincos_2d(width, shape.grid).unsqueeze(0), requires_grad=False)
        self.blocks = nn.ModuleList(Block(width, settings.heads) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        steps: list[nn.Module] = []
        if scale == 0.5:
            steps.append(nn.AvgPool2d(2))
        while scale > 1:
            steps.append(nn.ConvTranspose2d(width, width // 2, 2, 2))
            width, scale = width // 2, scale / 2
            if scale > 1:
                steps += [ChannelNorm(width), nn.GELU()]
        self.pred = nn.Sequential(*steps, nn.Conv2d(width, out, 1))
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, x: torch.Tensor, ids_visible: torch.Tensor, ids_target: torch.Tensor) -> torch.Tensor:
        """(B, 1 + V, D) -> (B, M, numbers), or (B, cells, numbers) where a cell is larger than a patch.

        Args:
            x: (B, 1 + V, D), output of one block of the encoder.
            ids_visible: (B, V) grid index of each visible token.
            ids_target: (B, M) grid index of each target.

        Returns:
            The predictions: one row a target where a cell is at most a patch, its cells one after another.
        """
        x = fill(self.embed(x), self.mask_token, ids_visible, self.total) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        found = self.pred(self.norm(x)[:, 1:].transpose(1, 2).unflatten(2, self.grid))
        if self.scale < 1:
            return found.flatten(2).transpose(1, 2)
        side = int(self.scale)
        cells = found.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # (B, P, rows, side, columns, side)
        return take(cells.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2), ids_target)

    def flops(self, counts: Counts) -> float:
        """Embedding, blocks over all tokens, and the map (an upper bound: every layer of it at its finest)."""
        width, seen = self.embed.out_features, counts.visible + 1
        convolutions = sum(p.numel() for p in self.pred.parameters() if p.ndim == 4)
        map_flops = 2 * convolutions * self.total * max(1.0, self.scale**2) / 4 ** (self.scale > 1)
        blocks = len(self.blocks) * block_flops(self.total + 1, self.total + 1, width)
        return 2 * seen * self.embed.in_features * width + blocks + map_flops


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of a map."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> the same."""
        normed = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return normed.permute(0, 3, 1, 2)
