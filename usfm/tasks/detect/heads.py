"""Faster R-CNN on the maps of an encoder: torchvision's parts behind a feature pyramid."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from usfm.errors import RequestError
from usfm.model.network import Network
from usfm.tasks.detect.measures import MOST
from usfm.tasks.segment.heads import GRID_PX, Pyramid, regrid

WIDTH = 256
"""Channels of the feature pyramid. An encoder of fewer channels gets a pyramid of its own width, and fewer proposals,
so that it can be trained without a graphics card."""

LEAST_WIDTH = 64
TAPS = (4, 6, 8, 12)
"""Twelfths of the depth after which maps are taken. Source: PolarMAE's blocks 3, 5, 7 and 11 of 12, from 0."""

ANCHOR = 32 / 800
"""Side of the smallest anchor in the longer side of the frame; each of five levels doubles it."""

ASPECTS = (0.5, 1.0, 2.0)
FIELDS = ("left", "top", "right", "bottom", "score", "class")


def taps_of(depth: int) -> tuple[int, ...]:
    """Blocks whose outputs are taken.

    Args:
        depth: blocks of the encoder.

    Returns:
        0-based, ascending; fewer than four where the encoder is shallow.

    Examples:
        >>> taps_of(12), taps_of(24), taps_of(4), taps_of(2)
        ((3, 5, 7, 11), (7, 11, 15, 23), (0, 1, 2, 3), (0, 1))
    """
    return tuple(sorted({max(0, round(depth * k / 12) - 1) for k in TAPS}))


@dataclass(frozen=True)
class Taken:
    """Four maps of an encoder, strides 4, 8, 16 and 32 once a pyramid has brought those of a transformer there.

    Attributes:
        alike: whether the encoder's own maps are of one size.
        taps: blocks that give them; () for the last four stages of a convolutional network.
        times: which of the taken maps each level is made of.
        channels: of each level.
    """

    alike: bool
    taps: tuple[int, ...]
    times: tuple[int, ...]
    channels: tuple[int, ...]

    def maps(self, network: Network, frames: torch.Tensor, pyramid: Pyramid | None) -> list[torch.Tensor]:
        """The levels of a batch, finest first.

        Args:
            network: gives the maps.
            frames: (B, C, H, W) of 0 to 255.
            pyramid: where the maps are alike.

        Returns:
            Four of (B, channels, rows, columns).
        """
        maps = network.maps(frames, self.taps)
        if pyramid is None:
            return maps
        grid = (-(-int(frames.shape[-2]) // GRID_PX), -(-int(frames.shape[-1]) // GRID_PX))
        return pyramid([regrid(maps[k], grid) for k in self.times])


def taken_of(network: Network, head: str = "faster-rcnn") -> Taken:
    """Which maps of an encoder a detector takes.

    Args:
        network: the encoder.
        head: as typed, for the refusal.

    Returns:
        The maps.

    Raises:
        RequestError: the encoder gives too few.
    """
    alike = len({round(one[1]) for one in network.map_shapes()}) == 1
    taps = taps_of(network.usual_taps[-1] + 1) if alike else ()
    channels = [one[0] for one in network.map_shapes(taps)]
    if len(channels) < 4 and not alike:
        raise RequestError(f"--head {head} takes 4 maps and this encoder has {len(channels)}")
    times = _times(len(channels)) if alike else tuple(range(len(channels)))
    return Taken(alike, taps, times, tuple(channels[k] for k in times))


def width_of(channels: Sequence[int]) -> int:
    """Channels of the feature pyramid behind maps of these channels.

    Examples:
        >>> width_of([48] * 4), width_of([384] * 4)
        (64, 256)
    """
    return max(LEAST_WIDTH, min(WIDTH, max(channels)))


@dataclass(frozen=True)
class Seen:
    """What the head knows of a training batch before the truth is shown to it.

    Attributes:
        head: that made it.
        maps: of the feature pyramid.
        size: (rows, columns) of the frames.
    """

    head: "FasterRCNN"
    maps: list[torch.Tensor]
    size: tuple[int, int]


class FasterRCNN(nn.Module):
    """Torchvision's Faster R-CNN without its own backbone and resizing: its RPN, its heads, its losses.

    Args:
        network: whose maps it takes.
        classes: C, without the background.

    Raises:
        RequestError: the encoder gives too few maps.
    """

    def __init__(self, network: Network, classes: int):
        super().__init__()
        from torchvision.models.detection import faster_rcnn, roi_heads, rpn
        from torchvision.models.detection.anchor_utils import AnchorGenerator
        from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
        from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

        taken = taken_of(network)
        self.taken, channels, width = taken, taken.channels, width_of(taken.channels)
        self.pyramid = Pyramid(channels) if taken.alike else None
        self.fpn = FeaturePyramidNetwork(list(channels), width, LastLevelMaxPool())
        kept, drawn = (1000, 512) if width == WIDTH else (100, 32)
        names, side = [str(k) for k in range(len(channels))], max(network.entry.image_size)
        sizes = tuple((max(4, round(side * ANCHOR * 2**k)),) for k in range(len(channels) + 1))
        anchors = AnchorGenerator(sizes, (ASPECTS,) * len(sizes))
        self.rpn = rpn.RegionProposalNetwork(
            anchors, rpn.RPNHead(width, len(ASPECTS)), 0.7, 0.3, 256, 0.5,
            {"training": 2 * kept, "testing": kept}, {"training": kept, "testing": kept}, 0.7,
        )  # fmt: skip
        self.roi = roi_heads.RoIHeads(
            MultiScaleRoIAlign(names, 7, 2),
            faster_rcnn.TwoMLPHead(width * 49, width * 4),
            faster_rcnn.FastRCNNPredictor(width * 4, classes + 1),
            0.5, 0.5, drawn, 0.25, None, 0.05, 0.5, MOST,
        )  # fmt: skip

    def forward(self, network: Network, frames: torch.Tensor):
        """Frames -> what `loss` takes while training, else the boxes.

        Args:
            network: gives the maps.
            frames: (B, C, H, W) of 0 to 255.

        Returns:
            `Seen` while training; else (B, 100, 6), `FIELDS` of each box in px of the frames, surest first, NaN where
            there are fewer.
        """
        maps = self.taken.maps(network, frames, self.pyramid)
        levels = self.fpn({str(k): one for k, one in enumerate(maps)})
        seen = Seen(self, list(levels.values()), (int(frames.shape[-2]), int(frames.shape[-1])))
        return seen if self.training else self._found(seen)

    def loss(self, seen: Seen, targets: Sequence[dict[str, torch.Tensor]]) -> torch.Tensor:
        """The sum of the four losses of Faster R-CNN.

        Args:
            seen: of the batch.
            targets: boxes (k, 4) left, top, right, bottom and labels (k,) from 1, of each frame.

        Returns:
            The scalar.
        """
        with torch.autocast(seen.maps[0].device.type, enabled=False):
            images, maps = self._entered(seen)
            proposals, first = self.rpn(images, maps, list(targets))
            _, second = self.roi(maps, proposals, images.image_sizes, list(targets))
        return torch.stack([*first.values(), *second.values()]).sum()

    def _found(self, seen: Seen) -> torch.Tensor:
        with torch.autocast(seen.maps[0].device.type, enabled=False):
            images, maps = self._entered(seen)
            proposals, _ = self.rpn(images, maps)
            found, _ = self.roi(maps, proposals, images.image_sizes)
        out = maps["0"].new_full((len(found), MOST, len(FIELDS)), torch.nan)
        for k, one in enumerate(found):
            columns = one["boxes"], one["scores"][:, None], one["labels"][:, None] - 1
            out[k, : len(one["boxes"])] = torch.cat(columns, dim=1).detach()
        return out

    def _entered(self, seen: Seen):
        """The maps in fp32 by name, and frames of which torchvision's parts read only the size."""
        from torchvision.models.detection.image_list import ImageList

        maps = {str(k): one.float() for k, one in enumerate(seen.maps)}
        blank = seen.maps[0].new_zeros(1).expand(len(seen.maps[0]), 1, *seen.size)
        return ImageList(blank, [seen.size] * len(blank)), maps


def _times(count: int) -> tuple[int, ...]:
    """Which map each of four levels takes where there are fewer: the last ones again."""
    return tuple(min(k, count - 1) for k in range(4))
