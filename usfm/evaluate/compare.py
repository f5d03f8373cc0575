"""Pairs of runs on the cases they share, the same patients drawn for both."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from usfm.errors import RequestError
from usfm.evaluate import bootstrap
from usfm.evaluate.bootstrap import plain
from usfm.provenance import digest
from usfm.tasks.contract import Scored, Task
from usfm.tasks.draws import Draws, draw
from usfm.tasks.predictions import Predictions

Values = Mapping[str, np.ndarray]
"""Measure -> values."""


def compare(
    task: Task,
    runs: dict[str, Predictions],
    aggregate: str,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    measured: Mapping[str, tuple[Scored, Draws, Values, Values]] | None = None,
) -> list[dict]:
    """Test every pair of runs.

    Both runs are cut to the frames that both predicted, turned into cases, and measured on the same resamples of
    patients; the interval is of the difference, so what both find hard does not widen it.

    Args:
        task: of all of them.
        runs: name -> predictions.
        aggregate: frame, clip or patient.
        resamples: B.
        confidence: of the intervals.
        rng: draws the patients.
        measured: run -> its cases, resamples of their patients, measure -> (B,) on them, and measure -> (m,) without
            each patient, where these are known: a pair of runs on the same cases is not measured again.

    Returns:
        One row a pair and measure: first, second, measure, title, further, difference (first - second), low, high, p,
        p_holm (over the pairs of that measure), frames, cases, patients.

    Raises:
        RequestError: two runs share no frame, or disagree about classes or truth.
    """
    known: dict = {}
    for name, (cases, draws, drawn, left) in (measured or {}).items():
        key = _key(cases)
        known.setdefault(key, draws)
        if known[key] is draws or np.array_equal(known[key].counts, draws.counts):
            known[key, name] = drawn, left
    rows = []
    for pair in combinations(runs.items(), 2):
        rows += _pair(task, *pair, aggregate, resamples, confidence, rng, known)
    for measure in dict.fromkeys(row["measure"] for row in rows):
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


def shared(
    task: Task, first: tuple[str, Predictions], second: tuple[str, Predictions]
) -> tuple[Predictions, Predictions]:
    """Cut two runs to the frames that both predicted, in the same order.

    Args:
        task: of both.
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
    if not task.same_truth(a, b) or (a.patient != b.patient).any():
        raise RequestError(f"{name_a} and {name_b} disagree about the truth or patient of the same frames")
    return a, replace(b, group=a.group)


def _key(cases: Scored) -> str:
    return digest([cases.key.tolist(), cases.group.tolist()])


def _pair(task, first, second, aggregate: str, resamples: int, confidence: float, rng, known: dict) -> list[dict]:
    """Compare two runs; `known` holds the draws of each set of cases and what was measured on them, for other pairs."""
    a, b = (task.scored(held, aggregate) for held in shared(task, first, second))
    key = _key(a)
    if key not in known:
        known[key] = draw(a.group, resamples, rng)
    draws, names = known[key], [measure.name for measure in a.measures]
    for run, cases in ((first[0], a), (second[0], b)):
        if (key, run) not in known:
            found = cases.measure(draws), cases.measure(bootstrap.left_out(cases.group))
            known[key, run] = tuple({name: each[name] for name in names} for each in found)
    point_a, point_b = a.measure(None), b.measure(None)
    (drawn_a, left_a), (drawn_b, left_b) = known[key, first[0]], known[key, second[0]]
    rows, patients = [], len(draws.names)
    for one in a.measures:
        measure, title = one.name, one.title
        differences = drawn_a[measure] - drawn_b[measure]
        df = bootstrap.freedom(left_a[measure] - left_b[measure], patients)
        low, high = bootstrap.interval(differences, confidence, patients, df)
        row = {"first": first[0], "second": second[0], "measure": measure, "title": title,
               "further": one.further}  # fmt: skip
        row |= {"difference": plain(point_a[measure] - point_b[measure]), "low": plain(low), "high": plain(high)}
        row |= {"p": plain(bootstrap.p_value(differences, patients, df)), "p_holm": None}
        row |= {"frames": int(a.frames.sum()), "cases": len(a), "patients": patients}
        rows.append(row)
    return rows
