"""Growing the visible set by similarity: near tokens early in the run, far ones later."""

import torch
import torch.nn.functional as F

from usfm.model.vit import take


def fractions(progress: float, stages: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """How much of the growth is near, far and random at a point of the run.

    Args:
        progress: 0 at the start of the run, 1 at its end.
        stages: ends of the stages "near", "near to far", "far" and "far to random"; random after the last.

    Returns:
        (near, far, random), sums to 1.

    Source: SelectiveMAE's progressive semantic token selection; there the ends are epochs 280, 300, 580, 600 whatever
    the length of the run, here they are shares of it.
    """
    near_end, far_start, far_end, random_start = stages
    if progress <= near_end:
        return 1.0, 0.0, 0.0
    if progress < far_start:
        share = (progress - near_end) / (far_start - near_end)
        return 1.0 - share, share, 0.0
    if progress <= far_end:
        return 0.0, 1.0, 0.0
    if progress < random_start:
        share = (progress - far_end) / (random_start - far_end)
        return 0.0, 1.0 - share, share
    return 0.0, 0.0, 1.0


def rounds(count: int) -> tuple[int, int]:
    """The growth comes in two rounds, the second against the grown set: 15 -> (7, 8)."""
    return count // 2, count - count // 2


def grow(
    tokens: torch.Tensor,
    slots: torch.Tensor,
    count: int,
    shares: tuple[float, float, float],
    noise: torch.Tensor,
    preference: torch.Tensor,
) -> torch.Tensor:
    """Add tokens to a visible set by their largest cosine similarity to it.

    Args:
        tokens: (B, K, D) patch embeddings with positions, of the candidates; no gradient flows.
        slots: (B, V) which candidates are visible already.
        count: how many to add.
        shares: (near, far, random) from `fractions`.
        noise: (B, K) numbers in any distribution, for the random share.
        preference: (B, K) larger comes first whatever the similarity (inside before outside).

    Returns:
        (B, V + count), no candidate twice.
    """
    unit = F.normalize(tokens.detach().float(), dim=-1)
    for number in rounds(count):
        if not number:
            continue
        nearness = (unit @ take(unit, slots).transpose(1, 2)).amax(-1)
        near = round(number * shares[0])
        far = min(number - near, round(number * shares[1]))
        for want, score in ((near, nearness), (far, -nearness), (number - near - far, noise)):
            if want:
                taken = torch.zeros_like(nearness).scatter(1, slots, -torch.inf)
                slots = torch.cat([slots, (tiers(score, preference) + taken).topk(want, dim=1).indices], dim=1)
    return slots


def tiers(score: torch.Tensor, preference: torch.Tensor) -> torch.Tensor:
    """Scores that compare by preference (0 to 1) first and by themselves second: (B, K) each.

    What is preferred keeps its score to the last bit; the offset that costs precision goes to the rest.

    Args:
        score: (B, K), bounded to 1,000 either way.
        preference: (B, K), 0 to 1.

    Returns:
        (B, K), to be sorted by.
    """
    return score.clamp(-1e3, 1e3) - 1e4 * (1 - preference)
