"""A measure beside the constant answers to it: the harder one, and whether it is beaten."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from usfm.evaluate import bootstrap
from usfm.tasks.contract import Answer

NOTHING = dict.fromkeys(("answer", "value", "difference", "low", "high", "beaten"))
"""The comparison of a measure that no constant answer means anything for."""


@dataclass(frozen=True)
class Measured:
    """A measure of a run.

    Attributes:
        point: on the cases.
        drawn: (B,) on the resamples.
        left: (m,) without each patient.
        patients: how many there are.
        low, high: its interval, None where it has none.
    """

    point: float
    drawn: np.ndarray
    left: np.ndarray
    patients: int
    low: float | None = None
    high: float | None = None


def beside(
    run: Measured,
    constant: Mapping[str, Answer],
    constant_left: Mapping[str, Answer],
    confidence: float,
    *,
    higher: bool = True,
) -> dict:
    """Judge a measure against the harder constant answer.

    The harder one has the better value on the cases; of equal ones it is one that is not beaten, else the one whose
    difference reaches furthest to the bad side, so that the verdict does not depend on the order of answers or classes.
    The run beats it when the whole interval of the difference, the same patients drawn for both, lies on the good side
    of zero.

    Args:
        run: the measure of the run.
        constant: name -> constant answer on the resamples; empty: the measure has none.
        constant_left: the same without each patient.
        confidence: of the interval.
        higher: whether a higher value is better.

    Returns:
        JSON values: answer (in words), value, difference, low, high, beaten (None without an interval or an answer),
        and references (name -> the same of each answer).
    """
    rows = {}
    for name, (words, value, resampled) in constant.items():
        if run.low is not None and run.high is not None and (resampled == value).all():
            low, high = run.low - value, run.high - value  # so that both intervals say the same
        else:
            df = bootstrap.freedom(run.left - constant_left[name][2], run.patients)
            low, high = bootstrap.interval(run.drawn - resampled, confidence, run.patients, df)
        row = {"value": value, "difference": run.point - value, "low": low, "high": high}
        rows[name] = {"answer": words, **{key: bootstrap.plain(number) for key, number in row.items()}}
    if not rows:
        return {**NOTHING, "references": {}}
    sign, worst = (1, "low") if higher else (-1, "high")

    def hardness(row: dict) -> tuple[float, float]:
        value = np.inf if row["value"] is None else -sign * row["value"]
        return value, max(0.0, sign * _or(row[worst], 0.0))

    harder = min(rows.values(), key=hardness)
    beaten = None if harder[worst] is None else sign * harder[worst] > 0
    return {**harder, "beaten": beaten, "references": rows}


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
