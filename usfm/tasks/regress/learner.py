"""Regression as a network learns it: one number on its vector, standardised by the training, squared errors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from usfm.engine.truth import Truth
from usfm.model.network import Network
from usfm.tasks.classify.learner import Linear
from usfm.tasks.learner import Labels, mixed_labels


@dataclass(frozen=True)
class Scale:
    """One linear layer whose output becomes a number of the target's unit; see `Head`.

    Attributes:
        mean: of the training, which is the output 0.
        std: of the training, which is one step of the output.
    """

    mean: float
    std: float

    def head(self, network: Network) -> nn.Module:
        """One linear layer on the network's vector."""
        return Linear(network.dim, 1)

    def decode(self, outputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Numbers in their own unit, (B,)."""
        return {"said": outputs.float()[:, 0] * self.std + self.mean}


class NumberTeller:
    """The number of new frames; see `usfm.tasks.learner.Teller`.

    Args:
        name: of the number.
        scales: by fold.
    """

    classes: tuple[str, ...] = ()
    mask_names: tuple[str, ...] = ()
    mask_kind = "index"
    box_names: tuple[str, ...] = ()

    def __init__(self, name: str, scales: Mapping[str, Scale]):
        self._scales = scales
        self.columns = (name, f"spread:{name}") if len(scales) > 1 else (name,)

    def of_fold(self, fold: str) -> Scale:
        """See `Teller`."""
        return self._scales[fold]

    def labels(self, row: int, each: Mapping[str, Mapping[str, np.ndarray]]) -> Labels:
        """The mean over the folds, and in a run of several their standard deviation, NaN where one was asked.

        Args:
            row: unused.
            each: fold -> what its head decoded.

        Returns:
            The labels.
        """
        said = np.array([float(one["said"][0]) for one in each.values()])
        spread = float(said.std()) if len(said) > 1 else float("nan")
        return Labels((float(said.mean()), spread)[: len(self.columns)])


class NumberLearner:
    """One number a frame.

    Args:
        target: (N,) float of each row of the store; NaN where none is known.
        groups: (N,) int patient of each row; a patient counts once in the validation score.
        train: rows to train on, whose mean and deviation become 0 and 1.
    """

    higher = False

    def __init__(self, target: np.ndarray, groups: np.ndarray, train: np.ndarray):
        self.target, self.groups = target, groups
        self.scale = Scale(float(target[train].mean()), float(max(target[train].std(), 1e-12)))

    def head(self, network: Network) -> nn.Module:
        """One linear layer on the network's vector."""
        return self.scale.head(network)

    def truth(self, rows: np.ndarray) -> Truth:
        """Each row's number, standardised, (n, 1)."""
        return Truth(labels=((self.target[rows] - self.scale.mean) / self.scale.std).astype(np.float32)[:, None])

    def mixed(self, truth: Truth, share: float) -> Truth:
        """See `learner.Learner`: numbers mixed as the frames are."""
        return mixed_labels(truth, share)

    def loss(self, outputs: torch.Tensor, truth: Truth) -> torch.Tensor:
        """Mean squared error of standardised numbers.

        Args:
            outputs: (B, 1).
            truth: its labels are (B, 1).

        Returns:
            Their mean.
        """
        return F.mse_loss(outputs.float(), torch.as_tensor(truth.labels, device=outputs.device))

    def decode(self, outputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Numbers in their own unit, (B,)."""
        return self.scale.decode(outputs)

    def raw(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        """See `learner.Learner`: the numbers, (n,)."""
        return decoded["said"]

    def afterwards(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict:
        """See `learner.Learner`: the scale, without which the outputs are no numbers of the target's unit."""
        return {"target_mean": self.scale.mean, "target_std": self.scale.std}

    def score(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
        """Mean absolute error, each patient counting once.

        Args:
            decoded: of the rows.
            rows: validation rows of the store.

        Returns:
            `score`.
        """
        _, place = np.unique(self.groups[rows], return_inverse=True)
        error = np.bincount(place, np.abs(decoded["said"] - self.target[rows])) / np.bincount(place)
        return {"score": float(error.mean()), "val_mae": float(error.mean())}
