"""Cases of a classification: what is counted once, a frame, a clip or a patient."""

from dataclasses import dataclass

import numpy as np

from usfm.tasks.predictions import Predictions


@dataclass(frozen=True)
class Cases:
    """n cases in G groups (patients).

    Attributes:
        key: (n,) str, the same for the same case in another run.
        group: (n,) str, the patient (or the clip, where none is known) that is resampled as a whole.
        fold: (n,) str.
        target: (n,) int.
        scores: (n, C) float, mean over the frames of the case.
        majority: (n,) int, most frequent class in the training of the case's fold.
        frames: (n,) int, frames of the case.
        class_names: C names.
    """

    key: np.ndarray
    group: np.ndarray
    fold: np.ndarray
    target: np.ndarray
    scores: np.ndarray
    majority: np.ndarray
    frames: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.key)

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
    if aggregate == "frame":
        keys = held.frame_id.astype(str)
    else:
        who = (
            held.group
            if aggregate == "patient"
            else [f"{g}\t{s}" for g, s in zip(held.group, held.source, strict=True)]
        )
        keys = np.array([f"{w}\t{held.class_names[t]}" for w, t in zip(who, truth, strict=True)], dtype=str)
    key, first, place, frames = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    scores = np.zeros((len(key), scores_of.shape[1]))
    np.add.at(scores, place, scores_of)
    return Cases(
        key=key,
        group=held.group[first],
        fold=held.fold[first],
        target=truth[first].astype(int),
        scores=scores / frames[:, None],
        majority=held.arrays["majority"][first].astype(int),
        frames=frames,
        class_names=held.class_names,
    )
