"""Cases of a classification: what is counted once, a frame, a clip or a patient."""

from dataclasses import dataclass

import numpy as np

from usfm.tasks.grouped import Grouped, grouped
from usfm.tasks.predictions import Predictions


@dataclass(frozen=True)
class Cases(Grouped):
    """n cases in G groups (patients).

    Attributes:
        key, group, fold, frames: see `Grouped`.
        target: (n,) int.
        scores: (n, C) float, mean over the frames of the case.
        majority: (n,) int, most frequent class in the training of the case's fold.
        class_names: C names.
    """

    target: np.ndarray
    scores: np.ndarray
    majority: np.ndarray
    class_names: tuple[str, ...]

    @property
    def predicted(self) -> np.ndarray:
        """(n,) int, the class with the highest score (the first of equals)."""
        return self.scores.argmax(axis=1)


def of(held: Predictions, aggregate: str) -> Cases:
    """Make cases out of predicted frames.

    Args:
        held: predictions of held-out frames.
        aggregate: "frame"; "clip": the frames of one source; "patient": those of one patient. Frames of different true
            classes are never averaged: such a clip or patient is one case per class.

    Returns:
        Cases in the order of their keys.
    """
    scores_of, truth = held.arrays["scores"], held.arrays["target"]
    place, columns = grouped(held, aggregate, truth)
    first = np.unique(place, return_index=True)[1]
    scores = np.zeros((len(first), scores_of.shape[1]))
    np.add.at(scores, place, scores_of)
    return Cases(
        **columns,
        target=truth[first].astype(int),
        scores=scores / columns["frames"][:, None],
        majority=held.arrays["majority"][first].astype(int),
        class_names=held.class_names,
    )
