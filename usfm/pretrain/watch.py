"""Figures that say whether features are any good, while the run goes on."""

import torch


def rank_me(features: torch.Tensor) -> float:
    """How many dimensions the features use: the exponential of the entropy of their singular values.

    Args:
        features: (n, D).

    Returns:
        1 (collapsed) to min(n, D).

    Source: Garrido et al., RankMe, ICML 2023, eq. 1, without centring.

    >>> round(rank_me(torch.eye(8)), 3)
    8.0
    """
    values = torch.linalg.svdvals(features.double())
    p = values / values.sum().clamp(min=1e-12) + 1e-7
    return float(torch.exp(-(p * p.log()).sum()).clamp(max=min(features.shape)))
