"""Several classes a frame as a network learns them: a linear head on one vector, one binary cross entropy a class."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from usfm.engine.truth import Truth
from usfm.model.network import Network
from usfm.tasks.classify.learner import Linear
from usfm.tasks.learner import Labels, mixed_labels


class LabelsLearner:
    """Any number of classes a frame; see `usfm.tasks.learner.Learner`.

    Args:
        target: (N, C) 0 or 1 of each row of the store.
        groups: (N,) int patient of each row; a patient counts once in the validation score.
        smoothing: how far 0 and 1 are moved towards a half, in that distance.
    """

    higher = False

    def __init__(self, target: np.ndarray, groups: np.ndarray, *, smoothing: float = 0.0):
        self.target, self.groups, self.smoothing = target, groups, smoothing

    def head(self, network: Network) -> nn.Module:
        """One linear layer on the network's vector."""
        return Linear(network.dim, self.target.shape[1])

    def truth(self, rows: np.ndarray) -> Truth:
        """The classes of each row, (n, C) of 0 to 1."""
        known = self.target[rows].astype(np.float32)
        return Truth(labels=known * (1 - self.smoothing) + self.smoothing / 2)

    def mixed(self, truth: Truth, share: float) -> Truth:
        """See `learner.Learner`: classes mixed as the frames are."""
        return mixed_labels(truth, share)

    def loss(self, outputs: torch.Tensor, truth: Truth) -> torch.Tensor:
        """Binary cross entropy.

        Args:
            outputs: (B, C) logits.
            truth: its labels.

        Returns:
            The mean over frames and classes.
        """
        labels = torch.as_tensor(truth.labels, device=outputs.device)
        return F.binary_cross_entropy_with_logits(outputs.float(), labels.float())

    def decode(self, outputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Probabilities, (B, C)."""
        return {"scores": outputs.float().sigmoid()}

    def score(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
        """Binary cross entropy, each patient counting once.

        Args:
            decoded: of the rows.
            rows: validation rows of the store.

        Returns:
            `score`, which is that loss.
        """
        known, said = self.target[rows], np.clip(decoded["scores"].astype(np.float64), 1e-7, 1 - 1e-7)
        each = -np.where(known > 0, np.log(said), np.log1p(-said)).mean(axis=1)
        _, place = np.unique(self.groups[rows], return_inverse=True)
        value = float((np.bincount(place, each) / np.bincount(place)).mean())
        return {"score": value, "val_log_loss": value}

    def raw(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        """See `learner.Learner`: the probabilities, (n, C)."""
        return decoded["scores"]

    def afterwards(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict:
        """See `learner.Learner`: nothing is fitted."""
        return {}


class LabelsTeller:
    """The class scores of new frames; see `usfm.tasks.learner.Teller`.

    Args:
        names: of the classes.
    """

    classes: tuple[str, ...] = ()
    mask_names: tuple[str, ...] = ()
    mask_kind = "index"
    box_names: tuple[str, ...] = ()

    def __init__(self, names: tuple[str, ...]):
        self.columns = names
        self._learner = LabelsLearner(np.zeros((0, len(names)), np.uint8), np.zeros(0, np.int64))

    def of_fold(self, fold: str) -> LabelsLearner:
        """See `Teller`: the head of all folds is the same."""
        return self._learner

    def labels(self, row: int, each: Mapping[str, Mapping[str, np.ndarray]]) -> Labels:
        """See `learner.Teller`: the mean of the folds' probabilities."""
        return Labels(tuple(np.mean([one["scores"][0].astype(np.float64) for one in each.values()], axis=0).tolist()))
