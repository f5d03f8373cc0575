"""Classification as a network learns it: a linear head on one vector, cross entropy, class weights, soft labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from usfm.engine.truth import Truth
from usfm.model.network import Network
from usfm.tasks.learner import Labels, mixed_labels
from usfm.tasks.metrics import log_loss

CALIBRATED = "calibrated:"
"""What the column of a score begins with that the temperature of its fold was applied to."""


class Linear(nn.Module):
    """The network's vector, a norm of its own, one linear layer that starts near zero.

    Source: MAE's fine-tuning: LayerNorm, then weights from a normal distribution of deviation 2e-5.
    """

    def __init__(self, dim: int, classes: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.linear = nn.Linear(dim, classes)
        nn.init.trunc_normal_(self.linear.weight, std=2e-5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, network: Network, frames: torch.Tensor) -> torch.Tensor:
        """Logits of frames.

        Args:
            network: gives a vector a frame.
            frames: (B, C, H, W) of 0 to 255.

        Returns:
            (B, classes).
        """
        return self.linear(self.norm(network(frames).float()))


class ClassLearner:
    """One class a frame.

    Args:
        target: (N,) int class of each row of the store; -1 where none is known.
        groups: (N,) int patient of each row; a patient counts once in the validation score.
        classes: how many classes there are.
        train: rows to train on, for the class weights.
        weights: "none", or "balanced" for the inverse of each class's frequency among the training rows.
        smoothing: share of the truth that is spread over all classes.
    """

    higher = False

    def __init__(
        self,
        target: np.ndarray,
        groups: np.ndarray,
        classes: int,
        train: np.ndarray,
        *,
        weights: str = "none",
        smoothing: float = 0.0,
    ):
        self.target, self.groups, self.classes, self.smoothing = target, groups, classes, smoothing
        counts = np.bincount(target[train], minlength=classes)
        balanced = len(train) / (np.maximum(counts, 1) * max(1, (counts > 0).sum()))
        self.weights = torch.from_numpy(balanced if weights == "balanced" else np.ones(classes)).float()

    def head(self, network: Network) -> nn.Module:
        """One linear layer on the network's vector."""
        return Linear(network.dim, self.classes)

    def truth(self, rows: np.ndarray) -> Truth:
        """Each row's class as shares of all, (n, classes)."""
        shares = np.eye(self.classes, dtype=np.float32)[self.target[rows]]
        return Truth(labels=shares * (1 - self.smoothing) + self.smoothing / self.classes)

    def mixed(self, truth: Truth, share: float) -> Truth:
        """See `learner.Learner`: classes mixed as the frames are."""
        return mixed_labels(truth, share)

    def loss(self, outputs: torch.Tensor, truth: Truth) -> torch.Tensor:
        """Weighted cross entropy with shares of classes.

        Args:
            outputs: (B, classes) logits.
            truth: its labels are (B, classes) shares.

        Returns:
            Their mean.
        """
        labels = torch.as_tensor(truth.labels, device=outputs.device)
        return F.cross_entropy(outputs.float(), labels, weight=self.weights.to(outputs.device))

    def decode(self, outputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits and probabilities, (B, classes) each."""
        return {"logits": outputs.float(), "scores": outputs.float().softmax(1)}

    def raw(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        """See `learner.Learner`: the probabilities, (n, classes)."""
        return decoded["scores"]

    def afterwards(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict:
        """See `learner.Learner`: the `temperature`, where there are validation frames."""
        return {"temperature": round(temperature(decoded["logits"], self.target[rows]), 4)} if len(rows) else {}

    def score(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
        """Log loss, each patient counting once.

        Args:
            decoded: of the rows.
            rows: validation rows of the store.

        Returns:
            `score`, and the accuracy over frames.
        """
        target, scores = self.target[rows], decoded["scores"]
        each = log_loss(target, scores.astype(np.float64), floor=1e-7)
        _, place = np.unique(self.groups[rows], return_inverse=True)
        patients = np.bincount(place, each) / np.bincount(place)
        hit = float((scores.argmax(1) == target).mean())
        return {"score": float(patients.mean()), "val_log_loss": float(patients.mean()), "val_accuracy": hit}


class ClassTeller:
    """The class scores of new frames; see `usfm.tasks.learner.Teller`.

    Args:
        names: of the classes.
        temperatures: by fold; none where the run has none for some fold.
    """

    mask_names: tuple[str, ...] = ()
    mask_kind = "index"
    box_names: tuple[str, ...] = ()

    def __init__(self, names: tuple[str, ...], temperatures: Mapping[str, float]):
        self._temperatures, self.classes = temperatures, names
        nothing = np.zeros(0, np.int64)
        self._learner = ClassLearner(nothing, nothing, len(names), nothing)
        self.columns = (*names, *(f"{CALIBRATED}{name}" for name in names if temperatures))

    def of_fold(self, fold: str) -> ClassLearner:
        """See `Teller`: the head of all folds is the same."""
        return self._learner

    def labels(self, row: int, each: Mapping[str, Mapping[str, np.ndarray]]) -> Labels:
        """The mean of the folds' probabilities, and the same by each fold's temperature.

        Args:
            row: unused.
            each: fold -> what its head decoded.

        Returns:
            The labels.
        """
        from scipy.special import softmax

        scores = np.mean([one["scores"][0].astype(np.float64) for one in each.values()], axis=0)
        if not self._temperatures:
            return Labels(tuple(scores.tolist()))
        warm = [softmax(one["logits"][0].astype(np.float64) / self._temperatures[fold]) for fold, one in each.items()]
        return Labels((*scores.tolist(), *np.mean(warm, axis=0).tolist()))


def temperature(logits: np.ndarray, target: np.ndarray) -> float:
    """The number that logits are divided by so that the log loss of these frames is least.

    Args:
        logits: (n, classes) of frames that were not trained on.
        target: (n,) int class.

    Returns:
        0.05 to 20. Source: Guo et al. 2017, temperature scaling.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(power: float) -> float:
        return -float(log_softmax(logits / np.exp(power), axis=1)[np.arange(len(target)), target].mean())

    found: Any = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))
