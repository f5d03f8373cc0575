"""Smooth patches are likelier: textured ones stay hidden, to be reconstructed."""

import torch

from usfm.pretrain.selection.contract import View, normalise
from usfm.pretrain.selection.texture import texture_scores
from usfm.pretrain.settings import Selection


def smooth(view: View, settings: Selection) -> torch.Tensor:
    """In proportion to (largest - own + smallest) texture of the image, over its inside.

    Source: UltraFedFM (Jiang et al., npj Digital Medicine 2025), public code: the texture there is the mean of the
    absolute Laplacian (`texture = laplacian`).

    Args:
        view: the batch.
        settings: of the selection.

    Returns:
        (B, L) probabilities; each image's sum to 1.
    """
    inside = view.inside(settings.tau)
    scores = texture_scores(view, settings.texture)
    high = torch.where(inside, scores, torch.full_like(scores, -torch.inf)).amax(1, keepdim=True)
    low = torch.where(inside, scores, torch.full_like(scores, torch.inf)).amin(1, keepdim=True)
    return normalise((high - scores + low).clamp(min=0) * inside, inside)
