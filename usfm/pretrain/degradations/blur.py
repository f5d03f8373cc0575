"""A Gaussian blur of every image: the encoder learns to sharpen."""

import torch

from usfm.model.blur import gaussian
from usfm.pretrain.degradations.contract import Degradation
from usfm.pretrain.settings import Degrade


def _blur(images: torch.Tensor, uniform: torch.Tensor, settings: Degrade) -> torch.Tensor:
    chosen = uniform[:, 0].view(-1, 1, 1, 1) < settings.probability
    return torch.where(chosen, gaussian(images, settings.sigma_px), images)


BLUR = Degradation(_blur, lambda rows, columns: 1, downstream=True)
