"""Every patch inside the region is as likely as any other."""

import torch

from usfm.pretrain.selection.contract import View, normalise
from usfm.pretrain.settings import Selection


def random(view: View, settings: Selection) -> torch.Tensor:
    """Uniform over the inside: MAE's masking when the inside is the whole grid. Source: He et al. 2022.

    Args:
        view: the batch.
        settings: of the selection.

    Returns:
        (B, L) probabilities; each image's sum to 1.
    """
    inside = view.inside(settings.tau)
    return normalise(inside.float(), inside)
