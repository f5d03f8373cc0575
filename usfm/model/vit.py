"""The vision transformer that every recipe and task shares: timm's key names, visible tokens only where asked.

Written here rather than imported: `import timm` takes seven seconds, and every command that trains would pay them.
A test holds it to timm's features to 1e-5.
"""

import re
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from usfm.errors import RequestError
from usfm.model.positions import sincos_2d

# width, depth, heads, as in timm; "nano" is ours, for tests and trials on a CPU
SIZES: dict[str, tuple[int, int, int]] = {
    "nano": (64, 4, 2),
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}
# What our encoders expect of a frame / 255; a single channel is the mean of ImageNet's three.
NORMALISATION: dict[int, tuple[tuple[float, ...], tuple[float, ...]]] = {
    1: ((0.449,), (0.226,)),
    3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


@dataclass(frozen=True)
class Shape:
    """Everything that fixes the parameters of an encoder, as written into a run's card."""

    name: str
    image_size: tuple[int, int]
    patch: int
    in_chans: int
    embed_dim: int
    depth: int
    num_heads: int

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self.image_size[0] // self.patch, self.image_size[1] // self.patch

    def as_dict(self) -> dict:
        """Plain values, for JSON."""
        return {**asdict(self), "image_size": list(self.image_size)}


class Attention(nn.Module):
    """Multi-head self-attention through PyTorch's fused kernel; parameters `qkv` and `proj` as in timm."""

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, N, D) -> (B, N, D)."""
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.num_heads, d // self.num_heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))


class Mlp(nn.Module):
    """Two linear layers with a GELU between; parameters `fc1` and `fc2` as in timm."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, N, D) -> (B, N, D)."""
        return self.fc2(F.gelu(self.fc1(x)))


class DropPath(nn.Module):
    """Leave a residual branch out for some images of the batch while training (stochastic depth)."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, N, D) -> (B, N, D), zero with probability `rate`, scaled by 1 / (1 - rate) otherwise."""
        if not self.training or not self.rate:
            return x
        keep = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) >= self.rate
        return x * keep.to(x.dtype) / (1 - self.rate)


class Block(nn.Module):
    """Pre-norm transformer block: x + attention(LN x), then x + MLP(LN x); key names as in timm."""

    def __init__(self, dim: int, num_heads: int, *, mlp_ratio: float = 4.0, drop_path: float = 0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, N, D) -> (B, N, D)."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PatchProjection(nn.Module):
    """The patch embedding, as one matrix product over patches cut beforehand; its weight has timm's shape and name."""

    def __init__(self, patch: int, in_chans: int, dim: int):
        super().__init__()
        self.proj = nn.Conv2d(in_chans, dim, kernel_size=patch, stride=patch)
        self.proj.weight.register_hook(torch.Tensor.contiguous)  # or distributed training copies it at every step

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(B, N, p*p*C) with the channel fastest -> (B, N, D)."""
        weight = self.proj.weight
        weight = weight if weight.shape[1] == 1 else weight.permute(0, 2, 3, 1)
        return F.linear(patches, weight.flatten(1), self.proj.bias)


def patchify(images: torch.Tensor, patch: int) -> torch.Tensor:
    """Cut images into patches: (B, C, H, W) -> (B, rows * columns, p * p * C), row-major, the channel fastest.

    Args:
        images: (B, C, H, W); H and W are multiples of `patch`.
        patch: side of a patch, px.

    Returns:
        (B, rows * columns, p * p * C).
    """
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // patch, patch, w // patch, patch)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(b, (h // patch) * (w // patch), patch * patch * c)


def unpatchify(patches: torch.Tensor, patch: int, grid: tuple[int, int]) -> torch.Tensor:
    """Put patches together again: the inverse of `patchify`, (B, L, p * p * C) -> (B, C, H, W).

    Args:
        patches: (B, L, p * p * C).
        patch: side of a patch, px.
        grid: (rows, columns) of patches, L in all.

    Returns:
        (B, C, H, W).
    """
    b, _, length = patches.shape
    c = length // (patch * patch)
    x = patches.reshape(b, grid[0], grid[1], patch, patch, c)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(b, c, grid[0] * patch, grid[1] * patch)


def luminance(images: torch.Tensor) -> torch.Tensor:
    """Gray of RGB images by BT.601: (B, 3, H, W) -> (B, 1, H, W) float."""
    red, green, blue = images.float().split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def take(tokens: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Gather tokens by index: (B, L, D), (B, n) int64 -> (B, n, D).

    Args:
        tokens: (B, L, D).
        ids: (B, n) int64, each below L.

    Returns:
        (B, n, D).
    """
    return tokens.gather(1, ids.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


class Encoder(nn.Module):
    """A ViT with a class token and fixed sine-cosine positions, able to run on some of its tokens only.

    `state_dict()` has the key names and shapes of timm's VisionTransformer without a head (and of MAE's encoder), so
    either reads the other's weights. Images are normalised floats (B, C, H, W); `normalise` makes them from uint8.
    """

    def __init__(self, shape: Shape, *, drop_path: float = 0.0):
        super().__init__()
        self.shape = shape
        self.patch_embed = PatchProjection(shape.patch, shape.in_chans, shape.embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.embed_dim))
        self.pos_embed = nn.Parameter(sincos_2d(shape.embed_dim, shape.grid).unsqueeze(0), requires_grad=False)
        rates = torch.linspace(0, drop_path, shape.depth).tolist()
        self.blocks = nn.ModuleList(Block(shape.embed_dim, shape.num_heads, drop_path=rate) for rate in rates)
        self.norm = nn.LayerNorm(shape.embed_dim, eps=1e-6)
        mean, std = NORMALISATION[shape.in_chans]
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        initialise(self)
        nn.init.normal_(self.cls_token, std=0.02)

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """(B, H, W), (B, 1, H, W) or (B, 3, H, W) uint8 (or float 0-255) -> (B, in_chans, H, W) float, normalised."""
        if images.ndim == 3:
            images = images.unsqueeze(1)
        x = images.to(self.mean.dtype) / 255
        if x.shape[1] == 3 and self.shape.in_chans == 1:
            x = luminance(x)
        return (x - self.mean) / self.std

    def embed(self, patches: torch.Tensor, ids: torch.Tensor | None = None) -> torch.Tensor:
        """Tokens with positions, of all patches or of those in `ids`: (B, L, p*p*C) -> (B, L or V, D).

        Args:
            patches: (B, L, p * p * C), from `patchify`.
            ids: (B, V) int64, None for all patches.

        Returns:
            (B, L or V, D), without the class token.
        """
        positions = self.pos_embed[:, 1:]
        if ids is None:
            return self.patch_embed(patches) + positions
        return self.patch_embed(take(patches, ids)) + positions[0][ids]

    def encode(self, tokens: torch.Tensor, *, taps: tuple[int, ...] = ()) -> torch.Tensor | list[torch.Tensor]:
        """Run the blocks on (B, V, D) tokens with the class token in front.

        Args:
            tokens: from `embed`, in any order.
            taps: blocks (0-based) whose outputs are wanted instead, ascending; -1 stands for the embedded input, and
                the number of blocks for the output after the final norm.

        Returns:
            (B, 1 + V, D) after the final norm, or one (B, 1 + V, D) per tap, un-normed but for the last kind.
        """
        cls = self.cls_token + self.pos_embed[:, :1]
        x = torch.cat([cls.expand(tokens.shape[0], -1, -1).to(tokens.dtype), tokens], dim=1)
        outputs = [x] if -1 in taps else []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in taps:
                outputs.append(x)
        if len(self.blocks) in taps:
            outputs.append(self.norm(x))
        return outputs if taps else self.norm(x)

    def forward(self, images: torch.Tensor, ids_visible: torch.Tensor | None = None) -> torch.Tensor:
        """(B, C, H, W) normalised -> (B, 1 + L, D); with ids_visible (B, V) int64 only those tokens: (B, 1 + V, D).

        Args:
            images: (B, C, H, W), normalised.
            ids_visible: (B, V) int64, None for all patches.

        Returns:
            (B, 1 + L or 1 + V, D), the class token first, after the final norm.
        """
        tokens = self.embed(patchify(images, self.shape.patch), ids_visible)
        return self.encode(tokens)  # pyright: ignore[reportReturnType]  without taps it is one tensor

    def features(self, images: torch.Tensor, pool: str = "mean") -> torch.Tensor:
        """One vector an image: the mean of the patch tokens ("mean") or the class token ("cls"); (B, D).

        Args:
            images: (B, C, H, W), normalised.
            pool: "mean" or "cls".

        Returns:
            (B, D).
        """
        tokens = self(images)
        return tokens[:, 0] if pool == "cls" else tokens[:, 1:].mean(1)

    def feature_maps(self, images: torch.Tensor, layers: tuple[int, ...] = ()) -> list[torch.Tensor]:
        """Outputs of some blocks (0-based; default the last) as maps: a list of (B, D, rows, columns).

        Args:
            images: (B, C, H, W), normalised.
            layers: blocks, from 0; negative ones count from the last.

        Returns:
            A map (B, D, rows, columns) for each of these blocks, in the order of the blocks.
        """
        layers = tuple(layer % len(self.blocks) for layer in layers) or (len(self.blocks) - 1,)
        outputs = self.encode(self.embed(patchify(images, self.shape.patch)), taps=layers)
        return [x[:, 1:].transpose(1, 2).unflatten(2, self.shape.grid).contiguous() for x in outputs]


def initialise(module: nn.Module) -> None:
    """MAE's start: Xavier-uniform weights (the patch projection seen as a matrix), zero biases, LayerNorm 1 and 0.

    The patch projection's bias keeps the start of a convolution, uniform in +-1 / sqrt(its inputs): MAE's code sets
    the biases of linear layers only.
    """
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(part.weight.view(part.weight.shape[0], -1))
        if isinstance(part, nn.Conv2d) and part.bias is not None:
            bound = part.weight[0].numel() ** -0.5
            nn.init.uniform_(part.bias, -bound, bound)
        elif isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)


def encoder_shape(
    name: str,
    *,
    image_size: int | tuple[int, int] | None = None,
    in_chans: int = 1,
    embed_dim: int | None = None,
    depth: int | None = None,
    num_heads: int | None = None,
) -> Shape:
    """Read a timm-style name ("vit_base_patch16_224") into a Shape; keywords override parts of it.

    Args:
        name: such as "vit_base_patch16_224".
        image_size: px, a number or (rows, columns); None for the name's.
        in_chans: channels of a frame.
        embed_dim: width of a token; None for the name's.
        depth: blocks; None for the name's.
        num_heads: attention heads; None for the name's.

    Returns:
        The shape.

    Raises:
        RequestError: the name is not one of ours, or the image size is no multiple of the patch.
    """
    match = re.fullmatch(r"vit_([a-z]+)_patch(\d+)_(\d+)(\..+)?", name)
    if not match or match[1] not in SIZES:
        raise RequestError(f"unknown model {name!r}: write vit_SIZE_patchP_PIXELS with SIZE one of {', '.join(SIZES)}")
    width, blocks, heads = SIZES[match[1]]
    patch = int(match[2])
    size = image_size if image_size is not None else int(match[3])
    size = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    if patch < 1 or size[0] < patch or size[1] < patch or size[0] % patch or size[1] % patch:
        raise RequestError(f"image size {size[0]}x{size[1]} is not a multiple of the patch of {name} ({patch} pixels)")
    return Shape(name, size, patch, in_chans, embed_dim or width, depth or blocks, num_heads or heads)


def build_encoder(name: str = "vit_base_patch16_224", *, drop_path: float = 0.0, **shape) -> Encoder:
    """An untrained encoder by its timm-style name; keywords as in `encoder_shape` (image_size, in_chans, ...).

    Args:
        name: such as "vit_base_patch16_224".
        drop_path: rate at which the last block's branches are left out in training; it grows from 0 at the first.
        shape: keywords of `encoder_shape`.

    Returns:
        The encoder.

    Examples:
        >>> build_encoder("vit_tiny_patch16_224", image_size=64, depth=1).shape.grid
        (4, 4)
    """
    return Encoder(encoder_shape(name, **shape), drop_path=drop_path)
