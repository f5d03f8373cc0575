"""Pairs of runs on the cases they share, the same patients drawn for both."""

from dataclasses import replace
from itertools import combinations

import numpy as np

from usfm.errors import RequestError
from usfm.evaluate import bootstrap
from usfm.evaluate.bootstrap import MEASURES, plain
from usfm.evaluate.units import Units, of
from usfm.tasks.predictions import Predictions


def compare(
    runs: dict[str, Predictions], aggregate: str, resamples: int, confidence: float, rng: np.random.Generator
) -> list[dict]:
    """Test every pair of runs.

    Both runs are cut to the frames that both predicted, turned into cases, and measured on the same resamples of
    patients; the interval is of the difference, so what both find hard does not widen it.

    Args:
        runs: name -> predictions.
        aggregate: frame, clip or patient.
        resamples: B.
        confidence: of the intervals.
        rng: draws the patients.

    Returns:
        One row a pair and measure: first, second, measure, difference (first - second), low, high, p, p_holm (over the
        pairs of that measure), frames, cases, patients.

    Raises:
        RequestError: two runs share no frame, or disagree about classes or truth.
    """
    rows = [
        row for pair in combinations(runs.items(), 2) for row in _pair(*pair, aggregate, resamples, confidence, rng)
    ]
    for measure in MEASURES:
        mine = [row for row in rows if row["measure"] == measure and row["p"] is not None]
        for row, adjusted in zip(mine, holm([row["p"] for row in mine]), strict=True):
            row["p_holm"] = plain(adjusted)
    return rows


def holm(p: list[float]) -> list[float]:
    """Adjust p values for their number (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order, adjusted, highest = np.argsort(p, kind="stable"), [0.0] * len(p), 0.0
    for rank, k in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[k]))
        adjusted[k] = highest
    return adjusted


def shared(first: tuple[str, Predictions], second: tuple[str, Predictions]) -> tuple[Predictions, Predictions]:
    """Cut two runs to the frames that both predicted, in the same order.

    Args:
        first: name and predictions of a run.
        second: name and predictions of another run.

    Returns:
        Both, cut to the same frames in the same order.

    Raises:
        RequestError: there are none, or the runs disagree about classes, truth or patients.
    """
    (name_a, a), (name_b, b) = first, second
    both, in_a, in_b = np.intersect1d(a.frame_id.astype(str), b.frame_id.astype(str), return_indices=True)
    if not len(both):
        raise RequestError(f"{name_a} and {name_b} have no held-out frame in common; compare runs on one store")
    if a.class_names != b.class_names:
        raise RequestError(
            f"{name_a} and {name_b} have other classes ({', '.join(a.class_names)} and {', '.join(b.class_names)}); "
            "they cannot be compared"
        )
    a, b = a.take(in_a), b.take(in_b)
    if (a.target != b.target).any() or (a.patient != b.patient).any():
        raise RequestError(f"{name_a} and {name_b} disagree about the class or patient of the same frames")
    return a, replace(b, group=a.group)


def _pair(first, second, aggregate: str, resamples: int, confidence: float, rng: np.random.Generator) -> list[dict]:
    a, b = (of(held, aggregate) for held in shared(first, second))
    draws = bootstrap.draw(a.group, resamples, rng)
    (point_a, drawn_a), (point_b, drawn_b) = (_measured(units, draws) for units in (a, b))
    rows = []
    for measure in MEASURES:
        differences = drawn_a[measure] - drawn_b[measure]
        low, high = bootstrap.interval(differences, confidence, a.patients)
        row = {"first": first[0], "second": second[0], "measure": measure}
        row |= {"difference": plain(point_a[measure] - point_b[measure]), "low": plain(low), "high": plain(high)}
        row |= {"p": plain(bootstrap.p_value(differences, a.patients)), "p_holm": None}
        row |= {"frames": int(a.frames.sum()), "cases": len(a), "patients": a.patients}
        rows.append(row)
    return rows


def _measured(units: Units, draws: bootstrap.Draws) -> tuple[dict, dict]:
    said, scores = units.predicted, units.scores
    return bootstrap.measure(units, said, scores, None), bootstrap.measure(units, said, scores, draws)
