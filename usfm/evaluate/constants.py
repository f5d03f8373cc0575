"""What a run has to beat: the harder of the constant answers, for the measures where a constant answer means something.

| measure | constant answers |
|---|---|
| accuracy | the most frequent class in the training of each fold; the most frequent class among the measured cases |
| balanced accuracy | the most frequent class in the training of each fold; chance, 1 / classes that have cases |
| AUROC | chance, 0.5 |
| macro F1 | none: a constant answer scores 0 on all classes but one, so that guessing beats it |
"""

import numpy as np

from usfm.evaluate import bootstrap
from usfm.evaluate.bootstrap import Draws
from usfm.evaluate.units import Units

Answer = tuple[str, float, np.ndarray]
"""A constant answer in words, its value on the cases, and on every resample (B,)."""

NOTHING = dict.fromkeys(("answer", "value", "difference", "low", "high", "beaten"))
"""The comparison of a measure that no constant answer means anything for."""


def answers(units: Units, draws: Draws) -> dict[str, dict[str, Answer]]:
    """The constant answers of each measure.

    Args:
        units: the cases.
        draws: resamples of their patients.

    Returns:
        measure -> "training", "overall" or "chance" -> the answer; where several classes are most frequent, the further
        ones are "overall NAME".
    """
    said = units.majority
    trained = bootstrap.counted(units, said, None), bootstrap.counted(units, said, draws)
    shares = _class_shares(units, None)[0], _class_shares(units, draws)
    most = np.flatnonzero(np.isclose(shares[0], shares[0].max(), atol=1e-12))
    frequent = {
        "overall" if place == 0 else f"overall {units.class_names[c]}": (
            f"always '{units.class_names[c]}'", float(shares[0][c]), shares[1][:, c]
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


def beside(point: float, drawn: np.ndarray, constant: dict[str, Answer], confidence: float, patients: int) -> dict:
    """Judge a measure against the harder constant answer.

    The harder one has the higher value on the cases; of equal ones it is one that is not beaten, else the one whose
    difference reaches lowest, so that the verdict does not depend on the order of answers or classes. The run beats it
    when the whole interval of the difference, the same patients drawn for both, lies above zero.

    Args:
        point: the run's value on the cases.
        drawn: (B,) the run's values on the resamples.
        constant: name -> constant answer; empty: the measure has none.
        confidence: of the interval.
        patients: how many were resampled.

    Returns:
        JSON values: answer (in words), value, difference, low, high, beaten (None without an interval or an answer),
        and references (name -> the same of each answer).
    """
    rows = {}
    for name, (words, value, resampled) in constant.items():
        low, high = bootstrap.interval(drawn - resampled, confidence, patients)
        row = {"value": value, "difference": point - value, "low": low, "high": high}
        rows[name] = {"answer": words, **{key: bootstrap.plain(number) for key, number in row.items()}}
    if not rows:
        return {**NOTHING, "references": {}}
    harder = min(rows.values(), key=lambda row: (-_or(row["value"], -np.inf), max(0.0, _or(row["low"], 0.0))))
    return {**harder, "beaten": None if harder["low"] is None else harder["low"] > 0, "references": rows}


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _class_shares(units: Units, draws: Draws | None) -> np.ndarray:
    """Share of each class among the cases: (1, C), or (B, C) for resamples."""
    classes = len(units.class_names)
    if draws is None:
        counts = np.bincount(units.target, minlength=classes)[None].astype(float)
    else:
        per_patient = np.zeros((draws.counts.shape[1], classes))
        np.add.at(per_patient, (draws.of_cases(units), units.target), 1)
        counts = draws.counts @ per_patient
    return counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
