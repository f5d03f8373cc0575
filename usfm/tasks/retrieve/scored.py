"""Queries of a retrieval, ready to be measured under any weights of their patients."""

from dataclasses import dataclass

import numpy as np

from usfm.tasks.contract import Answer, Measure
from usfm.tasks.draws import Draws, each
from usfm.tasks.grouped import Grouped, grouped
from usfm.tasks.predictions import Predictions
from usfm.tasks.retrieve.probe import DEPTHS

NAMES = ("map", *(f"recall_at_{depth}" for depth in DEPTHS))
MEASURES = (
    Measure("map", "mAP", "mAP"),
    *(Measure(f"recall_at_{depth}", f"recall@{depth}", f"R@{depth}") for depth in DEPTHS),
)
PER_CLASS = tuple(Measure(f"class_{name}", one.title) for name, one in zip(NAMES, MEASURES, strict=True))


def means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means of figures, those that are not defined left out.

    Args:
        values: (n, M), NaN where a figure is not defined.
        weights: (B, n).

    Returns:
        (B, M), NaN where no case has the figure.
    """
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return weights @ np.where(known, values, 0) / (weights @ known)


@dataclass(frozen=True)
class Queried(Grouped):
    """n queries (or the mean of those of a clip or patient, a class) with their figures; see `contract.Scored`.

    Attributes:
        key, group, fold, frames, class_names: see `contract.Scored`.
        target: (n,) int class.
        values: (n, 4) figures by `NAMES`; NaN where the gallery lacks the class.
        chance: (n, 4) the same of a gallery in random order.
    """

    target: np.ndarray
    values: np.ndarray
    chance: np.ndarray
    class_names: tuple[str, ...] = ()

    measures = MEASURES
    of_class = PER_CLASS
    reference = "random order"

    def measure(self, draws: Draws | None) -> dict[str, np.ndarray]:
        """See `contract.Scored`: the mean over queries, and over those of each class."""

        def of(weights: np.ndarray) -> dict[str, np.ndarray]:
            whole = means(self.values, weights)
            mine = [means(self.values, weights * (self.target == c)) for c in range(len(self.class_names))]
            by_class = np.stack(mine, axis=1)
            return {name: whole[:, k] for k, name in enumerate(NAMES)} | {
                f"class_{name}": by_class[..., k] for k, name in enumerate(NAMES)
            }

        return each(self.group, draws, of)

    def answers(self, draws: Draws) -> dict[str, dict[str, Answer]]:
        """A gallery in random order, of each measure."""
        plain, drawn = (each(self.group, one, lambda w: {"all": means(self.chance, w)})["all"] for one in (None, draws))
        words = "the gallery in random order"
        return {name: {"chance": (words, float(plain[k]), drawn[:, k])} for k, name in enumerate(NAMES)}

    def baseline(self) -> float:
        """MAP of a gallery in random order."""
        return float(means(self.chance, np.ones((1, len(self))))[0, 0])

    def has_class(self, c: int) -> np.ndarray:
        """Which queries are of a class: (n,) bool."""
        return self.target == c

    def details(self) -> dict:
        """How many queries have no frame of their class in the gallery."""
        return {"queries_without_class": int(np.isnan(self.values[:, 0]).sum())}

    def pictures(self, run: dict) -> dict:
        """None; the sheet shows queries and what was found."""
        return {}


def scored(held: Predictions, aggregate: str) -> Queried:
    """Cases out of predicted frames.

    Args:
        held: predictions of held-out frames.
        aggregate: frame; clip or patient: the mean over its queries, of each class apart.

    Returns:
        The cases, in the order of their keys.
    """
    truth = held.arrays["target"]
    place, columns = grouped(held, aggregate, truth)
    count = len(columns["key"])
    values, chance = (_by(place, count, held.arrays[name].astype(float)) for name in ("found", "chance"))
    target = np.zeros(count, int)
    target[place] = truth  # a case has one class
    return Queried(**columns, target=target, values=values, chance=chance, class_names=held.class_names)


def _by(place: np.ndarray, count: int, values: np.ndarray) -> np.ndarray:
    """Means of the rows (n, M) that share a case (n,), those that are not defined left out: (count, M)."""
    known = np.isfinite(values)
    total, often = np.zeros((count, values.shape[1])), np.zeros((count, values.shape[1]))
    np.add.at(total, place, np.where(known, values, 0))
    np.add.at(often, place, known)
    return np.where(often > 0, total / np.maximum(often, 1), np.nan)
