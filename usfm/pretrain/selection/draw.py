"""Drawing tokens without replacement, candidates first, then visible ones, then targets; all counts known before."""

from dataclasses import dataclass

import torch

from usfm.pretrain.selection import GEOMETRIC, SELECTIONS
from usfm.pretrain.selection.blocks import draw_blocks
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.progressive import fractions, grow, tiers
from usfm.pretrain.settings import Selection

NOISES = 4  # uniform numbers a token needs: candidate, first visible, random growth, target


@dataclass(frozen=True)
class Counts:
    """How many tokens each image of a batch gets; the same for all of them, and known on the host.

    Attributes:
        candidates: K, tokens that may be drawn.
        first: visible tokens drawn by the prior.
        grown: visible tokens added by similarity.
        targets: tokens to reconstruct.
    """

    candidates: int
    first: int
    grown: int
    targets: int

    @property
    def visible(self) -> int:
        """Tokens that the encoder sees."""
        return self.first + self.grown

    @classmethod
    def of(cls, candidates: int, settings: Selection) -> "Counts":
        """Counts for K candidates.

        Blocks of b x b patches are visible or not as a whole.

        Without expansion V = int(K v), as MAE; with it the first max(1, V' // 2) are drawn, V' = max(2, round(K v)),
        and int(K v) - int(K v / 2) are grown, as PolarMAE. Targets are round(K k), at most what is left.

        Args:
            candidates: K, tokens that may be drawn.
            settings: shares, blocks and expansion.

        Returns:
            The counts.

        Examples:
            >>> from usfm.pretrain import recipe
            >>> Counts.of(64, recipe.load("polarmae").selection)
            Counts(candidates=64, first=8, grown=8, targets=16)
            >>> Counts.of(192, recipe.load("polarmae").selection)
            Counts(candidates=192, first=24, grown=24, targets=48)
            >>> Counts.of(196, recipe.load("mae").selection)
            Counts(candidates=196, first=49, grown=0, targets=147)
        """
        share = settings.visible
        if settings.block > 1:
            first, grown = max(1, int(candidates // settings.block**2 * share + 1e-6)) * settings.block**2, 0
        elif settings.expansion == "none":
            first, grown = max(1, int(candidates * share + 1e-6)), 0
        else:
            first = max(1, max(2, round(candidates * share)) // 2)
            grown = int(candidates * share + 1e-6) - int(candidates * share / 2 + 1e-6)
        left = candidates if settings.targets_from == "all" else candidates - first - grown
        targets = min(left, max(1, round(candidates * settings.targets)), settings.max_targets or left)
        return cls(candidates, first, grown, targets)


def _mean(priors: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(priors).sum(0) / len(priors)


def prior(view: View, settings: Selection) -> torch.Tensor:
    """The joint probability of each patch, eq. 14: (1 - lambda) texture + lambda geometric; (B, L), sums to 1.

    Args:
        view: the batch.
        settings: which priors, and their weights.

    Returns:
        (B, L) float32.
    """
    names = [name.strip() for name in settings.prior.split("+")]
    parts = {name: SELECTIONS[name](view, settings) for name in names}
    geometric = [name for name in names if name in GEOMETRIC]
    plain = [name for name in names if name not in GEOMETRIC]
    if not geometric or not plain:
        return _mean(list(parts.values()))
    weight = settings.geometric_weight
    return (1 - weight) * _mean([parts[n] for n in plain]) + weight * _mean([parts[n] for n in geometric])


def choose_candidates(
    inside: torch.Tensor, count: int, uniform: torch.Tensor, *, short: str = "outside"
) -> torch.Tensor:
    """K tokens to draw from: random ones inside the region; when they are too few, others too.

    Args:
        inside: (B, L) bool.
        count: K.
        uniform: (B, L) in [0, 1).
        short: "outside" fills up with patches from outside, never one twice; "repeat" repeats inside ones, as the
            public code does (a patch can then be visible and target at once).

    Returns:
        (B, K) int64.
    """
    if short == "repeat":
        order = tiers(uniform, inside.float()).argsort(1, descending=True)
        slot = torch.arange(count, device=inside.device).expand(len(inside), count)
        return order.gather(1, torch.remainder(slot, inside.sum(1, keepdim=True).clamp(max=count)))
    return tiers(uniform, inside.float()).topk(count, dim=1).indices


def draw(
    probabilities: torch.Tensor,
    inside: torch.Tensor,
    counts: Counts,
    uniform: torch.Tensor,
    settings: Selection,
    *,
    tokens: torch.Tensor | None = None,
    progress: float = 0.0,
    grid: tuple[int, int] = (0, 0),
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose the visible tokens and the targets.

    Drawing without replacement in proportion to p is taking the largest log p + Gumbel noise (Efraimidis and
    Spirakis 2006; Kool et al. 2019): no loop, no host.

    Args:
        probabilities: (B, L), from `prior`.
        inside: (B, L) bool.
        counts: how many.
        uniform: (NOISES, B, L) in [0, 1); the only randomness.
        settings: the recipe's.
        tokens: (B, L, D) embeddings, for progressive growth.
        progress: 0 to 1, how far the run is.
        grid: (rows, columns) of patches, for blocks.

    Returns:
        ids_visible (B, V) and ids_target (B, M), int64, disjoint unless targets are taken from all tokens. An outside
        patch is drawn only when no inside candidate is left.

    Raises:
        ValueError: the settings grow the visible set, and `tokens` is None.
    """
    if settings.block > 1:
        return draw_blocks(probabilities, counts.first, counts.targets, uniform, settings, grid)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-7, 1 - 1e-7)))
    everything = counts.candidates == probabilities.shape[1]
    if everything:
        ids = torch.arange(counts.candidates, device=inside.device).expand(len(inside), -1)
    else:
        ids = choose_candidates(inside, counts.candidates, uniform[0], short=settings.short)
    log_p = probabilities.clamp(min=1e-30).log().gather(1, ids)
    preference = inside.float().gather(1, ids)
    if settings.short == "repeat":  # a patch that is there twice is drawn twice, as in the public code: noise by slot
        first, random, last = (noise[:, : counts.candidates] for noise in gumbel[1:])
    else:
        first, random, last = (noise.gather(1, ids) for noise in gumbel[1:])
    if settings.order == "inverse":
        ranks = tiers(log_p + first, preference).argsort(1, descending=True).argsort(1)
        seen, rest = ranks.split([counts.first, counts.candidates - counts.first], dim=1)
        return ids.gather(1, seen), ids.gather(1, rest[:, : counts.targets])
    visible = tiers(log_p + first, preference).topk(counts.first, dim=1).indices
    if counts.grown:
        if tokens is None:
            raise ValueError("growing the visible set needs the tokens")
        near, near_far, far, far_random = (float(part) for part in settings.stages.split(","))
        shares = fractions(progress, (near, near_far, far, far_random))
        shown = tokens.gather(1, ids.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
        visible = grow(shown, visible, counts.grown, shares, random, preference)
    taken = torch.zeros_like(log_p)
    if settings.targets_from == "hidden":
        taken = taken.scatter(1, visible, -torch.inf)
    target = (tiers(log_p + last, preference) + taken).topk(counts.targets, dim=1).indices
    return ids.gather(1, visible), ids.gather(1, target)
