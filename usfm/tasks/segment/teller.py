"""Masks of frames whose truth nobody knows, from the networks of a run's folds."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from usfm.engine.prepared import Prepared
from usfm.tasks.learner import Labels
from usfm.tasks.segment.learner import SAID, MaskLearner
from usfm.tasks.segment.moving import blended, decided

ENTROPY = "entropy"


class MaskTeller:
    """See `usfm.tasks.learner.Teller`.

    Args:
        frames: as the networks take them.
        names: of the classes, the background first for `index`.
        kind: index or bits.
        options: settings of the run; its head, width and taps.
    """

    columns = (ENTROPY,)
    classes: tuple[str, ...] = ()
    box_names: tuple[str, ...] = ()

    def __init__(self, frames: Prepared, names: tuple[str, ...], kind: str, options: Mapping[str, Any]):
        self.mask_names, self.mask_kind = names[1:] if kind == "index" else names, kind
        self._frames = frames
        self._learner = MaskLearner(
            frames, names, kind, np.zeros(0, np.int64), head=str(options.get("head") or ""),
            width=options.get("width", 0), taps=tuple(options.get("taps", ())),
        )  # fmt: skip
        self._height, self._width = frames.store.column("height"), frames.store.column("width")

    def of_fold(self, fold: str) -> MaskLearner:
        """See `Teller`: the head of all folds is the same."""
        return self._learner

    def labels(self, row: int, each: Mapping[str, Mapping[str, np.ndarray]]) -> Labels:
        """The likeliest class of each pixel of the frame itself, and how unsure the pixels are.

        Args:
            row: of the store.
            each: fold -> probabilities of the prepared frame in steps of 1 / 255.

        Returns:
            The mask, and the mean entropy of its pixels.
        """
        shape = int(self._height[row]), int(self._width[row])
        framings = [self._frames.part(int(sample)) for sample in self._frames.samples(np.array([row]))]
        folds = [blended(one[SAID], framings, shape) for one in each.values()]
        moved = folds[0] if len(folds) == 1 else np.mean(folds, axis=0)
        return Labels((entropy(moved, self.mask_kind),), decided(moved, self.mask_kind))


def entropy(odds: np.ndarray, kind: str) -> float:
    """How unsure the pixels of a frame are, their mean: 0 where all are sure, 1 where nothing is known.

    Args:
        odds: (K, H, W) probabilities.
        kind: index, where those of a pixel are shares of one; bits, where each class is a question of its own.

    Returns:
        0 to 1.

    Examples:
        >>> entropy(np.full((2, 4, 4), 0.5), "index"), entropy(np.zeros((3, 4, 4)), "bits")
        (1.0, 0.0)
    """
    if kind == "index":
        shares = odds / np.maximum(odds.sum(0, keepdims=True), 1e-12)
        return float(_bits(shares).sum(0).mean() / np.log(len(odds)))
    return float((_bits(odds) + _bits(1 - odds)).mean() / np.log(2))


def _bits(shares: np.ndarray) -> np.ndarray:
    return -shares * np.log(np.clip(shares, 1e-12, 1))
