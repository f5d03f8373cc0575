"""One run's measures with their intervals, beside the harder constant answer."""

import numpy as np

from usfm.evaluate import bootstrap, constants
from usfm.evaluate.bootstrap import plain
from usfm.tasks.contract import Scored
from usfm.tasks.draws import Draws
from usfm.tasks.proportions import wilson


def summarise(cases: Scored, draws: Draws, confidence: float) -> dict:
    """Measure one run; see `with_draws`.

    Args:
        cases: of the run.
        draws: resamples of their patients (possibly none).
        confidence: of the intervals.

    Returns:
        JSON values.
    """
    return with_draws(cases, draws, confidence)[0]


def with_draws(cases: Scored, draws: Draws, confidence: float) -> tuple[dict, dict[str, np.ndarray]]:
    """Measure one run.

    Args:
        cases: of the run.
        draws: resamples of their patients (possibly none).
        confidence: of the intervals.

    Returns:
        JSON values: ``n``, ``metrics`` (name -> value, low, high, undefined, and ``majority``, the constant answer, see
        `constants.beside`), ``beats_majority`` (or another constant answer, in the first measure), ``per_class``,
        ``folds``, ``titles``, and what the task adds; and measure -> (B,) values on the resamples.
    """
    point, drawn = cases.measure(None), cases.measure(draws)
    patients, constant = len(draws.names), cases.answers(draws)
    measured = {}
    for measure in cases.measures:
        name = measure.name
        measured[name] = estimate(point[name], drawn[name], confidence, patients, patients if measure.share else 0)
        measured[name]["majority"] = constants.beside(
            float(point[name]), drawn[name], constant.get(name, {}), confidence, patients, higher=measure.higher
        )
    counts = [int(cases.has_class(c).sum()) for c in range(len(cases.class_names))]
    entry = {
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
    return entry, {measure.name: drawn[measure.name] for measure in cases.measures}


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
        "further": [measure.name for measure in cases.measures if measure.further],
        "short": {measure.name: measure.short for measure in cases.measures if measure.short},
        "per_class": {measure.name: measure.title for measure in cases.of_class},
        "reference": cases.reference,
    }


def estimate(point: np.ndarray, drawn: np.ndarray, confidence: float, patients: int, share_of: int = 0) -> dict:
    """A value with its interval, and in how many resamples it was not defined.

    Args:
        point: the value.
        drawn: its value in each resample; NaN where it is not defined.
        confidence: of the interval, 0 to 1.
        patients: how many there are.
        share_of: independent cases behind a share (patients), 0 for what is none. All right in every resample is no
            proof of an interval of length 0: Wilson's is taken then, or none for other measures.

    Returns:
        value, low, high, undefined, and method ("wilson", "none") where the interval is not that of the resamples.
    """
    low, high = bootstrap.interval(drawn, confidence, patients)
    more = {}
    if low == high and float(point) in (0.0, 1.0):
        low, high = wilson(float(point) * share_of, share_of, confidence)  # NaN where it is no share
        more = {"method": "wilson" if share_of else "none"}
    return {
        "value": plain(point),
        "low": plain(low),
        "high": plain(high),
        "undefined": int((~np.isfinite(drawn)).sum()),
        **more,
    }


def _of_class(cases: Scored, c: int, point: dict, drawn: dict, confidence: float) -> dict:
    mine = cases.has_class(c)
    row: dict = {"class": cases.class_names[c], "cases": int(mine.sum())}
    row["patients"] = len(set(cases.group[mine].tolist()))
    patients = len(set(cases.group.tolist()))
    others = len(set(cases.group[~mine].tolist()))
    for measure in cases.of_class:
        name, behind = measure.name, others if measure.name == "specificity" else row["patients"]
        behind = behind if measure.share else 0
        row[name] = estimate(point[name][c], drawn[name][:, c], confidence, patients, behind)
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
