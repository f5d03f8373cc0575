"""Cases of a classification, ready to be measured under any weights of their patients."""

from dataclasses import fields, replace

import numpy as np

from usfm.tasks import metrics
from usfm.tasks.classify import answers, drawn
from usfm.tasks.classify.cases import Cases, of
from usfm.tasks.contract import Answer, Measure
from usfm.tasks.draws import Draws, each
from usfm.tasks.predictions import Predictions

MEASURES = (
    Measure("accuracy", "accuracy", "acc."),
    Measure("balanced_accuracy", "balanced accuracy", "bal."),
    Measure("macro_f1", "macro F1", "F1"),
    Measure("auroc", "AUROC", "AUROC"),
)
PER_CLASS = (
    Measure("precision", "precision"),
    Measure("recall", "recall"),
    Measure("specificity", "specificity"),
    Measure("f1", "F1"),
    Measure("class_auroc", "AUROC"),
    Measure("average_precision", "average precision"),
)


class Classified(Cases):
    """The cases with their measures, constant answers and figures; see `contract.Scored`."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Of the comparison table."""
        return MEASURES

    @property
    def of_class(self) -> tuple[Measure, ...]:
        """Of each class."""
        return PER_CLASS

    @property
    def reference(self) -> str:
        """Name of the constant answer."""
        return "majority"

    def measure(self, draws: Draws | None) -> dict[str, np.ndarray]:
        """Every measure, once or for every resample; see `contract.Scored`."""
        classes = len(self.class_names)

        def areas(weights: np.ndarray) -> dict[str, np.ndarray]:
            of = {"class_auroc": metrics.auroc, "average_precision": metrics.average_precision}
            return {
                name: np.stack([area(self.target == c, self.scores[:, c], weights) for c in range(classes)], axis=-1)
                for name, area in of.items()
            }

        curves = each(self.group, draws, areas)
        area = curves["class_auroc"]
        whole = area[..., 1] if classes == 2 else metrics.mean_defined(area)
        return {**answers.counted(self, self.predicted, draws), "auroc": whole, **curves}

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

    def pictures(self, run: dict) -> dict[str, tuple[bytes, str]]:
        """Confusion, ROC and calibration."""
        return drawn.of_run(run, self)

    def part(self, rows: np.ndarray) -> "Classified":
        """Some of the cases."""
        names = [item.name for item in fields(self) if item.name != "class_names"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def scored(held: Predictions, aggregate: str) -> Classified:
    """Cases out of predicted frames.

    Args:
        held: predictions of held-out frames.
        aggregate: frame, clip or patient.

    Returns:
        The cases, in the order of their keys.
    """
    return Classified(**vars(of(held, aggregate)))
