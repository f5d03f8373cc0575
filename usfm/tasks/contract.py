"""What a task and a probe promise, so that finetune and eval treat all alike."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Fitted:
    """A probe after training.

    Attributes:
        scores: features (m, D) -> probabilities (m, C); rows sum to 1.
        chosen: settings that training chose, and how (JSON values), e.g. the regularisation and its inner scores.
        arrays: what is needed to score new features without training again.
    """

    scores: Callable[[np.ndarray], np.ndarray]
    chosen: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Probe(Protocol):
    """Train on the features of a frozen encoder.

    Args:
        features: (n, D) float32, training frames only.
        target: (n,) int in 0..classes-1; every class need not occur.
        groups: (n,) int; frames of one group (patient) never stand on both sides of an inner split.
        classes: C.
        seed: of anything drawn.
        options: the settings of the protocol (class_weights, neighbours, ...).
    """

    def __call__(
        self, features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict
    ) -> Fitted: ...


class Task(Protocol):
    """A downstream task.

    Attributes:
        name: as typed after ``usfm finetune``.
        protocols: name -> how the frozen encoder is asked.
    """

    name: str
    protocols: dict[str, Probe]
