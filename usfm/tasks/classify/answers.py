"""What a classification has to beat: the harder of the constant answers, for the measures where one means something.

| measure | constant answers |
|---|---|
| accuracy | the most frequent class in the training of each fold; the most frequent class among the measured cases |
| balanced accuracy | the most frequent class in the training of each fold; chance, 1 / classes that have cases |
| AUROC | chance, 0.5 |
| macro F1 | none: a constant answer scores 0 on all classes but one, so that guessing beats it |
"""

import numpy as np

from usfm.tasks import metrics
from usfm.tasks.classify.cases import Cases
from usfm.tasks.contract import Answer
from usfm.tasks.draws import Draws


def answers(cases: Cases, draws: Draws) -> dict[str, dict[str, Answer]]:
    """The constant answers of each measure.

    Args:
        cases: the cases.
        draws: resamples of their patients.

    Returns:
        measure -> "training", "overall" or "chance" -> the answer; where several classes are most frequent, the further
        ones are "overall NAME".
    """
    said = cases.majority
    trained = counted(cases, said, None), counted(cases, said, draws)
    shares = _class_shares(cases, None)[0], _class_shares(cases, draws)
    most = np.flatnonzero(np.isclose(shares[0], shares[0].max(), atol=1e-12))
    frequent = {
        "overall" if place == 0 else f"overall {cases.class_names[c]}": (
            f"always '{cases.class_names[c]}'", float(shares[0][c]), shares[1][:, c]
        )
        for place, c in enumerate(most)
    }  # fmt: skip
    present = (shares[0] > 0).sum(), (shares[1] > 0).sum(axis=1)
    chance = "chance", 1 / float(present[0]), 1 / present[1]

    def training(measure: str) -> Answer:
        return "the most frequent class of the training", float(trained[0][measure]), trained[1][measure]

    return {
        "accuracy": {"training": training("accuracy"), **frequent},
        "balanced_accuracy": {"training": training("balanced_accuracy"), "chance": chance},
        "auroc": {"chance": ("chance", 0.5, np.full(len(draws.counts), 0.5))},
    }


def counted(cases: Cases, predicted: np.ndarray, draws: Draws | None) -> dict[str, np.ndarray]:
    """Compute the measures that need no scores, once or for every resample; shapes as in `measure`.

    Args:
        cases: the cases.
        predicted: (N,) int class.
        draws: the resamples, or None for the cases themselves.

    Returns:
        Measure -> its values.
    """
    classes = len(cases.class_names)
    if draws is None:
        counts = metrics.confusion(cases.target, predicted, classes)
    else:
        per_patient = np.zeros((draws.counts.shape[1], classes * classes))
        np.add.at(per_patient, (draws.place(cases.group), cases.target * classes + predicted), 1)
        counts = (draws.counts @ per_patient).reshape(-1, classes, classes)
    return {
        "accuracy": metrics.accuracy(counts),
        "balanced_accuracy": metrics.balanced_accuracy(counts),
        "macro_f1": metrics.macro_f1(counts),
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
        "specificity": metrics.specificity(counts),
        "f1": metrics.f1(counts),
    }


def _class_shares(cases: Cases, draws: Draws | None) -> np.ndarray:
    """Share of each class among the cases: (1, C), or (B, C) for resamples."""
    classes = len(cases.class_names)
    if draws is None:
        counts = np.bincount(cases.target, minlength=classes)[None].astype(float)
    else:
        per_patient = np.zeros((draws.counts.shape[1], classes))
        np.add.at(per_patient, (draws.place(cases.group), cases.target), 1)
        counts = draws.counts @ per_patient
    return counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
