"""Cases of a classification, ready to be measured under any weights of their patients."""

import math
from dataclasses import dataclass

import numpy as np

from usfm.pictures.theme import Pair
from usfm.tasks import measures_classify, metrics
from usfm.tasks.classify import answers, curves
from usfm.tasks.classify.cases import Cases, of
from usfm.tasks.contract import Answer, Measure
from usfm.tasks.draws import Draws, each
from usfm.tasks.predictions import Predictions

MEASURES = (
    Measure("accuracy", "accuracy", "acc.", share=True),
    Measure("balanced_accuracy", "balanced accuracy", "bal."),
    Measure("macro_f1", "macro F1", "F1"),
    Measure("auroc", "AUROC", "AUROC"),
    Measure("macro_average_precision", "macro AUPRC"),
    Measure("weighted_f1", "weighted F1", further=True),
    Measure("macro_precision", "macro precision", further=True),
    Measure("weighted_precision", "weighted precision", further=True),
    Measure("brier", "Brier score", higher=False, further=True, within=(0.0, 2.0)),
    Measure("log_loss", "log loss", higher=False, further=True, within=(0.0, math.inf)),
    Measure("calibration_error", "calibration error", higher=False, further=True, inflated=True),
)
PER_CLASS = (
    Measure("precision", "precision", share=True),
    Measure("recall", "recall", share=True),
    Measure("specificity", "specificity", share=True),
    Measure("f1", "F1"),
    Measure("class_auroc", "AUROC"),
    Measure("average_precision", "AUPRC"),
)

AT = "at_specificity"
"""Fact of predictions: the specificity at which the sensitivity is asked, and the reverse; `eval` sets it."""


@dataclass(frozen=True)
class Classified(Cases):
    """The cases with their measures, constant answers and figures; see `contract.Scored`.

    Attributes:
        at: rates at which the other rate is asked.
    """

    at: tuple[float, ...] = ()

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Of the comparison table."""
        return MEASURES

    @property
    def of_class(self) -> tuple[Measure, ...]:
        """Of each class."""
        rates = []
        for rate in self.at:
            for one, other in (("sensitivity", "specificity"), ("specificity", "sensitivity")):
                rates.append(Measure(f"{one}_at_{rate:g}", f"{one} at {other} {rate:g}"))
        return (*PER_CLASS, *rates)

    @property
    def reference(self) -> str:
        """Name of the constant answer."""
        return "majority"

    def measure(self, draws: Draws | None) -> dict[str, np.ndarray]:
        """Every measure, once or for every resample; see `contract.Scored`."""
        found = each(self.group, draws, lambda w: measures_classify.measures(self.target, self.scores, w, self.at))
        return {**found, **answers.counted(self, self.predicted, draws)}

    def answers(self, draws: Draws) -> dict[str, dict[str, Answer]]:
        """The constant answers of each measure that has one."""
        return answers.answers(self, draws)

    def baseline(self) -> float:
        """Accuracy of always saying the most frequent class of each fold's training."""
        return metrics.constant_accuracy(self.target, self.majority)

    def has_class(self, c: int) -> np.ndarray:
        """Which cases are of a class: (n,) bool."""
        return self.target == c

    def details(self) -> dict:
        """The confusion matrix and how well the scores are calibrated."""
        plain = lambda value: round(float(value), 6)  # noqa: E731
        return {
            "confusion": metrics.confusion(self.target, self.predicted, len(self.class_names)).tolist(),
            "calibration": {
                "log_loss": plain(metrics.log_loss(self.target, self.scores).mean()),
                "brier": plain(metrics.brier(self.target, self.scores).mean()),
                "expected_calibration_error": plain(metrics.calibration_error(self.target, self.scores)),
            },
        }

    def pictures(self, run: dict) -> dict[str, tuple[Pair, str]]:
        """Confusion, ROC, precision over recall, and calibration."""
        return curves.of_run(run, self)


def scored(held: Predictions, aggregate: str) -> Classified:
    """Cases out of predicted frames.

    Args:
        held: predictions of held-out frames.
        aggregate: frame, clip or patient.

    Returns:
        The cases, in the order of their keys.
    """
    rate = held.facts.get(AT)
    return Classified(**vars(of(held, aggregate)), at=(rate,) if isinstance(rate, float) else ())
