"""Patients drawn anew: how often each one comes, and the weights that this gives to the cases."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_BLOCK = 4_000_000  # weights held at once


@dataclass(frozen=True)
class Draws:
    """How often each patient was drawn.

    Attributes:
        names: (G,) patients.
        counts: (B, G) int; each row sums to G.
    """

    names: np.ndarray
    counts: np.ndarray

    def place(self, group: np.ndarray) -> np.ndarray:
        """Patient (column of `counts`) of each case, by the (n,) str group of the cases: (n,) int."""
        return np.searchsorted(self.names, group.astype(str))


def draw(groups: np.ndarray, resamples: int, rng: np.random.Generator) -> Draws:
    """Draw the patients that occur in `groups` anew, `resamples` times.

    Args:
        groups: (N,) group of each case.
        resamples: how many times to draw.
        rng: of the draws.

    Returns:
        How often each patient was drawn in each resample.
    """
    names = np.unique(np.asarray(groups).astype(str))
    return Draws(names, rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples))


def weights(group: np.ndarray, draws: Draws | None) -> Iterator[np.ndarray]:
    """Weights of the cases, block by block, so that memory stays bounded.

    Args:
        group: (n,) str, the patient of each case.
        draws: the resamples; None for every case once.

    Returns:
        (b, n) float each; the rows of all blocks together are the resamples.
    """
    if draws is None:
        yield np.ones((1, len(group)))
        return
    place, step = draws.place(group), max(1, _BLOCK // max(1, len(group)))
    for at in range(0, max(1, len(draws.counts)), step):
        yield draws.counts[at : at + step][:, place].astype(float)


def each(group: np.ndarray, draws: Draws | None, of) -> dict[str, np.ndarray]:
    """Measures of all resamples from a function of weights.

    Args:
        group: (n,) str, the patient of each case.
        draws: the resamples; None for the cases as they are.
        of: weights (b, n) -> name -> (b, ...).

    Returns:
        Name -> (B, ...), or (...) without draws.
    """
    blocks = [of(block) for block in weights(group, draws)]
    whole = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return {name: values[0] for name, values in whole.items()} if draws is None else whole
