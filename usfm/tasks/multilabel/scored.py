"""Cases with several classes each, ready to be measured under any weights of their patients."""

from dataclasses import dataclass

import numpy as np

from usfm.tasks.contract import Answer, Measure
from usfm.tasks.draws import Draws, each
from usfm.tasks.grouped import Grouped, grouped
from usfm.tasks.measures_classify import of_steps, steps
from usfm.tasks.metrics import mean_defined, ratio
from usfm.tasks.predictions import Predictions

MEASURES = (
    Measure("macro_auroc", "macro AUROC", "AUROC"),
    Measure("macro_average_precision", "macro AUPRC", "AUPRC"),
    Measure("macro_f1", "macro F1", "F1"),
    Measure("micro_f1", "micro F1", further=True),
)
PER_CLASS = (
    Measure("class_auroc", "AUROC"),
    Measure("average_precision", "AUPRC"),
    Measure("f1", "F1"),
)


def measures(target: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every measure under many weightings of the cases.

    Args:
        target: (n, C) 0 or 1.
        scores: (n, C) probabilities; 0.5 and above says yes.
        weights: (B, n).

    Returns:
        Name -> (B,), or (B, C) for those of each class; NaN where a class has no positive or no negative case.
    """
    known, said = target > 0, scores >= 0.5
    curves = [of_steps(steps(known[:, c], scores[:, c], weights)) for c in range(target.shape[1])]
    found = {
        name: np.stack([curve[name] for curve in curves], axis=-1) for name in ("class_auroc", "average_precision")
    }
    hits, counted = weights @ (known & said), weights @ known + weights @ said
    return found | {
        "f1": ratio(2 * hits, counted),
        "macro_auroc": mean_defined(found["class_auroc"]),
        "macro_average_precision": mean_defined(found["average_precision"]),
        "macro_f1": mean_defined(ratio(2 * hits, counted)),
        "micro_f1": ratio(2 * hits.sum(1), counted.sum(1)),
    }


@dataclass(frozen=True)
class Labelled(Grouped):
    """n cases with any number of C classes; see `contract.Scored`.

    Attributes:
        key, group, fold, frames, class_names: see `contract.Scored`.
        target: (n, C) 0 or 1, whether any frame of the case has the class.
        scores: (n, C), the mean over its frames.
    """

    target: np.ndarray
    scores: np.ndarray
    class_names: tuple[str, ...] = ()

    measures = MEASURES
    of_class = PER_CLASS
    reference = "chance"

    def measure(self, draws: Draws | None) -> dict[str, np.ndarray]:
        """See `contract.Scored`."""
        return each(self.group, draws, lambda w: measures(self.target, self.scores, w))

    def answers(self, draws: Draws) -> dict[str, dict[str, Answer]]:
        """The same score for every case: AUROC 0.5, AUPRC the share of each class."""
        same = lambda w: measures(self.target, np.zeros(self.target.shape), w)  # noqa: E731
        plain, drawn = (each(self.group, one, same) for one in (None, draws))
        return {
            name: {"chance": ("the same score for every case", float(plain[name]), drawn[name])}
            for name in ("macro_auroc", "macro_average_precision")
        }

    def baseline(self) -> float:
        """Macro AUROC of the same score for every case."""
        return 0.5

    def has_class(self, c: int) -> np.ndarray:
        """Which cases have a class: (n,) bool."""
        return self.target[:, c] > 0

    def details(self) -> dict:
        """How many classes a case has on average."""
        return {"classes_per_case": round(float(self.target.sum(1).mean()), 4) if len(self) else None}

    def pictures(self, run: dict) -> dict:
        """None."""
        return {}


def scored(held: Predictions, aggregate: str) -> Labelled:
    """Cases out of predicted frames.

    Args:
        held: predictions of held-out frames.
        aggregate: frame; clip: the frames of one source; patient: those of one patient.

    Returns:
        The cases, in the order of their keys.
    """
    place, columns = grouped(held, aggregate)
    frames = columns["frames"]
    target = np.zeros((len(frames), len(held.class_names)), int)
    scores = np.zeros(target.shape)
    np.maximum.at(target, place, held.arrays["target"].astype(int))
    np.add.at(scores, place, held.arrays["scores"].astype(float))
    return Labelled(**columns, target=target, scores=scores / frames[:, None], class_names=held.class_names)
