"""One run's measures with their intervals, beside the harder constant answer."""

import numpy as np

from usfm.evaluate import bootstrap, constants
from usfm.evaluate.bootstrap import plain
from usfm.tasks.contract import Scored
from usfm.tasks.draws import Draws


def summarise(cases: Scored, draws: Draws, confidence: float) -> dict:
    """Measure one run.

    Args:
        cases: of the run.
        draws: resamples of their patients (possibly none).
        confidence: of the intervals.

    Returns:
        JSON values: ``n``, ``metrics`` (name -> value, low, high, undefined, and ``majority``, the constant answer, see
        `constants.beside`), ``beats_majority`` (or another constant answer, in the first measure), ``per_class``,
        ``folds``, ``titles``, and what the task adds.
    """
    point, drawn = cases.measure(None), cases.measure(draws)
    patients, constant = len(draws.names), cases.answers(draws)
    measured = {}
    for name in (measure.name for measure in cases.measures):
        measured[name] = estimate(point[name], drawn[name], confidence, patients)
        measured[name]["majority"] = constants.beside(
            float(point[name]), drawn[name], constant.get(name, {}), confidence, patients
        )
    counts = [int(cases.has_class(c).sum()) for c in range(len(cases.class_names))]
    return {
        "n": {
            "cases": len(cases),
            "frames": int(cases.frames.sum()),
            "patients": patients,
            "cases_per_class": dict(zip(cases.class_names, counts, strict=True)),
        },
        "metrics": measured,
        beats(cases.reference): bool(measured[cases.measures[0].name]["majority"]["beaten"]),
        "per_class": [_of_class(cases, c, point, drawn, confidence) for c in range(len(cases.class_names))],
        **cases.details(),
        "folds": _folds(cases),
        "titles": titles(cases),
    }


def beats(reference: str) -> str:
    """Key of the verdict on a constant answer.

    >>> beats("mean mask")
    'beats_mean_mask'
    """
    return f"beats_{reference.replace(' ', '_')}"


def titles(cases: Scored) -> dict:
    """What the tables of a run need to know of its measures; JSON values."""
    return {
        "measures": {measure.name: measure.title for measure in cases.measures},
        "short": {measure.name: measure.short for measure in cases.measures if measure.short},
        "per_class": {measure.name: measure.title for measure in cases.of_class},
        "reference": cases.reference,
    }


def estimate(point: np.ndarray, drawn: np.ndarray, confidence: float, patients: int) -> dict:
    """A value with its interval, and in how many resamples it was not defined.

    Args:
        point: the value.
        drawn: its value in each resample; NaN where it is not defined.
        confidence: of the interval, 0 to 1.
        patients: how many there are.

    Returns:
        value, low, high and undefined.
    """
    low, high = bootstrap.interval(drawn, confidence, patients)
    return {
        "value": plain(point),
        "low": plain(low),
        "high": plain(high),
        "undefined": int((~np.isfinite(drawn)).sum()),
    }


def _of_class(cases: Scored, c: int, point: dict, drawn: dict, confidence: float) -> dict:
    mine = cases.has_class(c)
    row: dict = {"class": cases.class_names[c], "cases": int(mine.sum())}
    row["patients"] = len(set(cases.group[mine].tolist()))
    for name in (measure.name for measure in cases.of_class):
        row[name] = estimate(point[name][c], drawn[name][:, c], confidence, len(set(cases.group.tolist())))
    return row


def _folds(cases: Scored) -> list[dict]:
    rows = []
    for fold in sorted(set(cases.fold.tolist()), key=lambda name: (len(name), name)):
        part = cases.part(cases.fold == fold)
        point, first = part.measure(None), part.measures[0].name
        row = {"fold": fold, "cases": len(part), "patients": len(set(part.group.tolist()))}
        row |= {first: plain(point[first]), f"{part.reference.replace(' ', '_')}_{first}": plain(part.baseline())}
        rows.append(row | {measure.name: plain(point[measure.name]) for measure in part.measures[1:]})
    return rows
