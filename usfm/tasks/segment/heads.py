"""Decoders on the maps of an encoder: segmentation-models-pytorch's, behind one pyramid, and a linear one.

A transformer gives maps of one size. Each is brought to a grid of 16 px first, whatever the patch is, so that small
patches get no finer decoder than large ones: without this, its score would be that of the grid. No head
sees the picture itself, for the same reason. What a finer patch knows still reaches the head, in its channels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from usfm.errors import RequestError

GRID_PX = 16
"""Pixels of the frame to one cell, to which the maps of every transformer are brought."""

WIDEST = 256
"""Channels inside a decoder on an encoder of 768 or more, as DPT and UPerNet have them; fewer on smaller ones."""

TAPS = 4
HEADS = ("dpt", "upernet", "unet", "fpn", "linear")


def default_head(strides: Sequence[int]) -> str:
    """The head for maps of these strides: `dpt` where all are alike (transformers), `unet` otherwise.

    Examples:
        >>> default_head([16, 16, 16, 16]), default_head([2, 4, 8, 16, 32])
        ('dpt', 'unet')
    """
    return "dpt" if len(set(strides)) == 1 else "unet"


def width_of(channels: int) -> int:
    """Channels inside a decoder: a third of the encoder's, so that a small encoder has no decoder far above its size.

    Examples:
        >>> [width_of(n) for n in (64, 192, 384, 768, 1024)]
        [32, 64, 128, 256, 256]
    """
    return min(WIDEST, max(32, round(channels / 96) * 32))


class Pyramid(nn.Module):
    """Four maps of one grid -> maps of strides 4, 8, 16 and 32: two transposed convolutions, one, none, pooling.

    As in the published head. Each step of a transposed convolution is followed by a norm and a GELU but the last.
    """

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        up = [nn.ConvTranspose2d(n, n, 2, stride=2) for n in channels[:2]]
        first = nn.Sequential(up[0], nn.GroupNorm(1, channels[0]), nn.GELU(),
                              nn.ConvTranspose2d(channels[0], channels[0], 2, stride=2))  # fmt: skip
        self.levels = nn.ModuleList([first, up[1], nn.Identity(), nn.MaxPool2d(2, ceil_mode=True)])

    def forward(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Four maps (B, D, h, w) -> the same at 4, 2, 1 and 1/2 times their size."""
        return [level(one) for level, one in zip(self.levels, maps, strict=True)]


class Linear(nn.Module):
    """A batch norm without parameters and one 1 x 1 convolution on the last map, as in linear probing of patches."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], classes: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels[-1], affine=False)
        self.classify = nn.Conv2d(channels[-1], classes, 1)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Maps (B, D, h, w) -> logits (B, classes, h, w) of the last one."""
        return self.classify(self.norm(maps[-1]))


class Dpt(nn.Module):
    """smp's DPT decoder, without readout tokens: not every family has a class token."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], classes: int, width: int = WIDEST):
        super().__init__()
        from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder, DPTSegmentationHead

        between = [min(width * times, max(width, n)) for times, n in zip((1, 2, 4, 4), channels, strict=True)]
        self.decoder = DPTDecoder(
            encoder_out_channels=list(channels), encoder_output_strides=list(strides), encoder_has_prefix_tokens=False,
            readout="ignore", intermediate_channels=between, fusion_channels=width,
        )  # fmt: skip
        self.head = DPTSegmentationHead(width, classes)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Four maps -> logits (B, classes, H, W) of the frame's size."""
        return self.head(self.decoder(list(maps), [None] * len(maps)))


class Hierarchical(nn.Module):
    """smp's UPerNet, U-Net or FPN decoder on maps whose sizes halve; a pyramid makes them of a transformer's maps."""

    def __init__(self, kind: str, channels: Sequence[int], strides: Sequence[int], classes: int, width: int = WIDEST):
        super().__init__()
        from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
        from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder

        alike = len(set(strides)) == 1
        self.pyramid = Pyramid(channels) if alike else None
        self.kind, levels = kind, list(channels) if alike else list(channels)[-4:]
        if kind == "unet":
            skips = list(channels)
            widths = [max(16, width >> k) for k in range(len(skips))]
            self.decoder = UnetDecoder([0, *skips], widths, n_blocks=len(widths))
            out = widths[-1]
        elif kind == "fpn":
            out = max(32, width // 2 // 32 * 32)  # its norms have 32 groups
            self.decoder = FPNDecoder([0, 0, *levels], pyramid_channels=width, segmentation_channels=out)
        else:
            self.decoder = UPerNetDecoder([0, 0, *levels], decoder_channels=width)
            out = width
        self.classify = nn.Conv2d(out, classes, 1)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Maps -> logits (B, classes, h, w), finer than the coarsest map."""
        levels = list(maps) if self.pyramid is None else self.pyramid(maps)
        if self.kind == "fpn" and levels[-1].shape[:1] + levels[-1].shape[2:] == (1, 1, 1):
            # PyTorch refuses to norm one value; its norms go by frame, so that beside another one it is the same
            return self.classify(self.decoder([one.expand(2, -1, -1, -1) for one in levels]))[:1]
        if self.kind == "unet":
            first = levels[0]
            shape = [2 * side for side in first.shape[-2:]]
            levels = [first.new_zeros(first.shape[0], 0, *shape), *levels]
        elif self.kind == "upernet":
            levels = [levels[0], levels[0], *levels[-4:]]
        return self.classify(self.decoder(levels))


class Head(nn.Module):
    """A decoder between an encoder's maps and the logits of each pixel of the frame.

    Args:
        kind: of `HEADS`.
        channels: of each map, from the finest or first on.
        strides: pixels of the frame to one cell, of each map.
        classes: logits of a pixel.
        width: channels inside the decoder.

    Raises:
        RequestError: the encoder gives too few maps for this head.
    """

    def __init__(self, kind: str, channels: Sequence[int], strides: Sequence[int], classes: int, width: int = WIDEST):
        super().__init__()
        if kind != "linear" and len(channels) < TAPS:
            raise RequestError(
                f"--head {kind} takes {TAPS} maps and this encoder has {len(channels)}; use --head linear"
            )
        self.alike = len(set(strides)) == 1
        strides = [GRID_PX] * len(strides) if self.alike else list(strides)
        if kind == "linear":
            self.decoder: nn.Module = Linear(channels, strides, classes)
        elif kind == "dpt":
            self.decoder = Dpt(channels[-TAPS:], strides[-TAPS:], classes, width)
        else:
            self.decoder = Hierarchical(kind, channels, strides, classes, width)
        self.kind = kind

    def forward(self, maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        """Logits of a frame.

        Args:
            maps: (B, D, h, w) each; for `dpt` on a convolutional encoder its last four are used.
            size: (rows, columns) of the frame, px.

        Returns:
            (B, classes, rows, columns).
        """
        maps = list(maps)
        if self.alike:
            grid = (-(-size[0] // GRID_PX), -(-size[1] // GRID_PX))
            maps = [regrid(one, grid) for one in maps]
        maps = maps[-TAPS:] if self.kind == "dpt" else maps
        return F.interpolate(self.decoder(maps), size=size, mode="bilinear", align_corners=False)


def regrid(one: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """A map on another grid: means of cells where it shrinks, bilinear where it grows.

    Args:
        one: (B, D, h, w).
        grid: (rows, columns) wanted.

    Returns:
        (B, D, rows, columns).
    """
    if one.shape[-2:] == grid:
        return one
    if one.shape[-2] >= grid[0] and one.shape[-1] >= grid[1]:
        return F.adaptive_avg_pool2d(one, grid)
    return F.interpolate(one, size=grid, mode="bilinear", align_corners=False)
