"""What a degradation is given, what it owes, and what it says about itself."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from usfm.pretrain.settings import Degrade


@dataclass(frozen=True)
class Degradation:
    """One kind of degradation.

    Every row keeps these rules (one test runs them over the table): the same shape and range, nothing asked back from
    the device, and no randomness but what is given.

    Attributes:
        worse: (B, C, H, W) float images, 0 to 255; (B, draws) uniform numbers in [0, 1); settings -> the same, worse.
        draws: how many numbers an image needs, from its rows and columns.
        downstream: whether frames have to be degraded in the same way wherever the encoder is used afterwards.
    """

    worse: Callable[[torch.Tensor, torch.Tensor, Degrade], torch.Tensor]
    draws: Callable[[int, int], int]
    downstream: bool = False


NONE = Degradation(lambda images, uniform, settings: images, lambda rows, columns: 0)
