"""How the targets are predicted from what the encoder saw: self-attention over all tokens, or cross-attention."""

import torch
import torch.nn.functional as F
from torch import nn

from usfm.model.positions import sincos_2d
from usfm.model.vit import Block, Mlp, initialise, take


class SelfDecoder(nn.Module):
    """MAE's decoder: mask tokens at every place that was not seen, blocks of self-attention over all of them.

    Parameter names are MAE's (`decoder_embed`, `mask_token`, `decoder_pos_embed`, `decoder_blocks`, ...).
    Source: He et al. 2022.
    """

    def __init__(
        self,
        encoder_dim: int,
        grid: tuple[int, int],
        out_dim: int,
        *,
        width: int,
        depth: int,
        heads: int,
        positions: str = "grid",
    ):
        super().__init__()
        self.decoder_embed = nn.Linear(encoder_dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed = nn.Parameter(sincos_2d(width, grid).unsqueeze(0), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, out_dim)
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, memory: torch.Tensor, ids_visible: torch.Tensor, ids_target: torch.Tensor) -> torch.Tensor:
        """Predict the targets.

        Args:
            memory: (B, 1 + V, D) encoder output, the class token first.
            ids_visible: (B, V) grid index of each visible token.
            ids_target: (B, M) grid index of each target.

        Returns:
            (B, M, out_dim).
        """
        x = self.decoder_embed(memory)
        total = self.decoder_pos_embed.shape[1] - 1
        places = ids_visible.unsqueeze(-1).expand(-1, -1, x.shape[-1])
        full = self.mask_token.to(x.dtype).expand(len(x), total, -1).scatter(1, places, x[:, 1:])
        x = torch.cat([x[:, :1], full], dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_pred(self.decoder_norm(take(x[:, 1:], ids_target)))


class CrossAttention(nn.Module):
    """Queries look at a memory; parameters `q`, `kv`, `proj`."""

    def __init__(self, dim: int, memory_dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(memory_dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(B, M, D), (B, N, D') -> (B, M, D)."""
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
        """(B, M, D), (B, N, D') -> (B, M, D)."""
        x = x + self.cross_attn(self.norm1(x), memory)
        return x + self.mlp(self.norm2(x))


class CrossDecoder(nn.Module):
    """Only the targets are decoded: each, a mask token with its position, looks at the encoded visible tokens.

    Args:
        encoder_dim: D.
        grid: (rows, columns) of patches.
        out_dim: values a patch has.
        width: of the decoder.
        depth: blocks.
        heads: attention heads.
        positions: position added to a visible token in the memory: its "grid" index, its "order" in the drawn
            sequence (what PolarMAE's public code does, so that the decoder cannot know where a token was), or "none"
            (SelectiveMAE: the encoder has put the position in already).

    Source: PolarMAE and SelectiveMAE's public code, CrossMAE (Fu et al. 2025).
    """

    def __init__(
        self,
        encoder_dim: int,
        grid: tuple[int, int],
        out_dim: int,
        *,
        width: int,
        depth: int,
        heads: int,
        positions: str = "grid",
    ):
        super().__init__()
        self.positions = positions
        self.decoder_embed = nn.Linear(encoder_dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed = nn.Parameter(sincos_2d(width, grid).unsqueeze(0), requires_grad=False)
        self.decoder_blocks = nn.ModuleList(CrossBlock(width, width, heads) for _ in range(depth))
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_pred = nn.Linear(width, out_dim)
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, memory: torch.Tensor, ids_visible: torch.Tensor, ids_target: torch.Tensor) -> torch.Tensor:
        """Predict the targets; arguments and result as in `SelfDecoder.forward`."""
        table = self.decoder_pos_embed[0]
        memory = self.decoder_embed(memory)
        if self.positions == "grid":
            memory = memory + torch.cat([table[:1].expand(len(memory), 1, -1), table[1 + ids_visible]], dim=1)
        elif self.positions == "order":
            memory = memory + table[: memory.shape[1]]
        x = self.mask_token + table[1 + ids_target]
        for block in self.decoder_blocks:
            x = block(x, memory)
        return self.decoder_pred(self.decoder_norm(x))


DECODERS = {"self": SelfDecoder, "cross": CrossDecoder}
