"""Only the targets are decoded: each, a mask token with its position, looks at the encoded visible tokens."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from usfm.model.positions import sincos_2d
from usfm.model.vit import Mlp, Shape, initialise
from usfm.pretrain.decoders.contract import block_flops
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.settings import Decoder as Settings


class CrossAttention(nn.Module):
    """Queries look at a memory; parameters `q`, `kv`, `proj`."""

    def __init__(self, dim: int, memory_dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(memory_dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(B, M, D), (B, N, D') -> (B, M, D).

        Args:
            x: (B, M, D), tokens that look.
            memory: (B, N, D'), tokens that are looked at.

        Returns:
            (B, M, D).
        """
        b, m, d = x.shape
        q = self.q(x).view(b, m, self.heads, -1).transpose(1, 2)
        k, v = self.kv(memory).view(b, memory.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, m, d))


class CrossBlock(nn.Module):
    """x + cross-attention(LN x, memory), then x + MLP(LN x); no self-attention among the targets."""

    def __init__(self, dim: int, memory_dim: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.cross_attn = CrossAttention(dim, memory_dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, 4 * dim)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(B, M, D), (B, N, D') -> (B, M, D).

        Args:
            x: (B, M, D), tokens that look.
            memory: (B, N, D'), tokens that are looked at.

        Returns:
            (B, M, D).
        """
        x = x + self.cross_attn(self.norm1(x), memory)
        return x + self.mlp(self.norm2(x))


class CrossDecoder(nn.Module):
    """Cross-attention to visible tokens that are brought to the decoder's width and place first; a row of DECODERS.

    `settings.positions` is the position added to a visible token in the memory: its "grid" index, its "order" in the
    drawn sequence (what PolarMAE's public code does, so that the decoder cannot know where a token was), or "none" (the
    encoder has put the position in already).

    Source: PolarMAE's public code, after CrossMAE (Fu et al. 2025).
    """

    layout = ""

    def __init__(self, settings: Settings, shape: Shape, length: Callable[[int], int]):
        super().__init__()
        self.taps, self.cells = (shape.depth,), (shape.patch,)
        self.sizes = (shape.embed_dim, length(shape.patch))
        self.positions, width = settings.positions, settings.width
        self.decoder_embed = nn.Linear(shape.embed_dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed = nn.Parameter(sincos_2d(width, shape.grid).unsqueeze(0), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(CrossBlock(width, width, settings.heads) for _ in range(settings.depth))
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, length(shape.patch))
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(
        self, outputs: list[torch.Tensor], ids_visible: torch.Tensor, ids_target: torch.Tensor
    ) -> list[torch.Tensor]:
        """See `contract.Decoder`."""
        table = self.decoder_pos_embed[0]
        memory = self.decoder_embed(outputs[0])
        if self.positions == "grid":
            memory = memory + torch.cat([table[:1].expand(len(memory), 1, -1), table[1 + ids_visible]], dim=1)
        elif self.positions == "order":
            memory = memory + table[: memory.shape[1]]
        x = self.mask_token + table[1 + ids_target]
        for block in self.decoder_blocks:
            x = block(x, memory)
        return [self.decoder_pred(self.decoder_norm(x))]

    def blocks(self) -> list[nn.Module]:
        """Its blocks."""
        return list(self.decoder_blocks)

    def flops(self, counts: Counts) -> float:
        """Embedding of the memory, blocks and prediction of the targets."""
        (dim, out), width, seen = self.sizes, self.decoder_embed.out_features, counts.visible + 1
        blocks = len(self.decoder_blocks) * block_flops(counts.targets, seen, width, width)
        return 2 * seen * dim * width + blocks + 2 * counts.targets * width * out

    def tokens(self, counts: Counts) -> int:
        """The targets, in each block."""
        return len(self.decoder_blocks) * counts.targets


class DirectDecoder(nn.Module):
    """Cross-attention straight to an encoder's output: keys and values are made of it, without a position.

    A row of DECODERS. Source: SelectiveMAE (Wang et al., ICCV 2025), public code.
    """

    layout = ""

    def __init__(self, settings: Settings, shape: Shape, length: Callable[[int], int]):
        super().__init__()
        self.taps, self.cells = (shape.depth,), (shape.patch,)
        self.sizes = (shape.embed_dim, length(shape.patch))
        width, dim = settings.width, shape.embed_dim
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed = nn.Parameter(sincos_2d(width, shape.grid).unsqueeze(0), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(CrossBlock(width, dim, settings.heads) for _ in range(settings.depth))
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, length(shape.patch))
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)

    def memory(self, outputs: list[torch.Tensor], block: int) -> torch.Tensor:
        """What a block looks at: the encoder's output.

        Args:
            outputs: of the encoder, one a tap.
            block: of this decoder, from 0.

        Returns:
            (B, 1 + V, D).
        """
        return outputs[0]

    def forward(
        self, outputs: list[torch.Tensor], ids_visible: torch.Tensor, ids_target: torch.Tensor
    ) -> list[torch.Tensor]:
        """See `contract.Decoder`."""
        x = self.mask_token + self.decoder_pos_embed[0][1 + ids_target]
        for i, block in enumerate(self.decoder_blocks):
            x = block(x, self.memory(outputs, i))
        return [self.decoder_pred(self.decoder_norm(x))]

    def blocks(self) -> list[nn.Module]:
        """Its blocks."""
        return list(self.decoder_blocks)

    def flops(self, counts: Counts) -> float:
        """Blocks and prediction of the targets."""
        (dim, out), width, seen = self.sizes, self.mask_token.shape[-1], counts.visible + 1
        blocks = len(self.decoder_blocks) * block_flops(counts.targets, seen, width, dim)
        return blocks + 2 * counts.targets * width * out

    def tokens(self, counts: Counts) -> int:
        """The targets, in each block."""
        return len(self.decoder_blocks) * counts.targets
