"""Patches near the middle of the region are likelier: the prior that PolarMAE's ablation sets against its own."""

import torch

from usfm.pretrain.selection.contract import View, normalise
from usfm.pretrain.settings import Selection


def gaussian(view: View, settings: Selection) -> torch.Tensor:
    """An isotropic Gaussian on the centroid of the coverage, sigma a share of the grid's longer side.

    Source: named in PolarMAE, table 2, without a formula or code; the form and the width are ours.

    Args:
        view: the batch.
        settings: of the selection.

    Returns:
        (B, L) probabilities; each image's sum to 1.
    """
    rows, columns = view.grid
    inside = view.inside(settings.tau)
    weight = view.coverage * inside
    weight = torch.where(weight.sum(1, keepdim=True) > 0, weight, inside.float())
    place = torch.arange(rows * columns, device=weight.device)
    m, n = (place // columns).float(), (place % columns).float()
    total = weight.sum(1, keepdim=True)
    m0, n0 = (weight * m).sum(1, keepdim=True) / total, (weight * n).sum(1, keepdim=True) / total
    sigma = settings.gaussian_width * max(rows, columns)
    return normalise(torch.exp(-((m - m0) ** 2 + (n - n0) ** 2) / (2 * sigma**2)) * inside, inside)
