"""One run's measures with their intervals, beside the harder constant answer."""

import numpy as np

from usfm.evaluate import bootstrap, constants
from usfm.evaluate.bootstrap import plain
from usfm.tasks.contract import Measure, Scored
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


def with_draws(
    cases: Scored, draws: Draws, confidence: float
) -> tuple[dict, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Measure one run.

    Args:
        cases: of the run.
        draws: resamples of their patients (possibly none).
        confidence: of the intervals.

    Returns:
        JSON values: ``n``, ``metrics`` (name -> value, low, high, undefined, and ``majority``, the constant answer, see
        `constants.beside`), ``beats_majority`` (or another constant answer, in the first measure), ``per_class``,
        ``folds``, ``titles``, and what the task adds; measure -> (B,) values on the resamples; and measure -> (m,)
        values without each patient.
    """
    point, drawn, without = cases.measure(None), cases.measure(draws), bootstrap.left_out(cases.group)
    left, patients = cases.measure(without), len(draws.names)
    constant, constant_left = cases.answers(draws), cases.answers(without)
    measured = {}
    for measure in cases.measures:
        name = measure.name
        measured[name] = estimate(measure, point[name], drawn[name], left[name], confidence, patients)
        ends = measured[name]["low"], measured[name]["high"]
        run = constants.Measured(float(point[name]), drawn[name], left[name], patients, *ends)
        measured[name]["majority"] = constants.beside(
            run, constant.get(name, {}), constant_left.get(name, {}), confidence, higher=measure.higher
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
        "per_class": [_of_class(cases, c, (point, drawn, left), confidence) for c in range(len(cases.class_names))],
        **cases.details(),
        "folds": _folds(cases),
        "titles": titles(cases),
    }
    names = [measure.name for measure in cases.measures]
    return entry, {name: drawn[name] for name in names}, {name: left[name] for name in names}


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


def estimate(
    measure: Measure, point: np.ndarray, drawn: np.ndarray, left: np.ndarray, confidence: float, patients: int,
    behind: int | None = None,
) -> dict:  # fmt: skip
    """A value with its interval, and in how many resamples it was not defined.

    Args:
        measure: which one.
        point: the value.
        drawn: (B,) its value in each resample; NaN where it is not defined.
        left: (m,) its value without each patient.
        confidence: of the interval, 0 to 1.
        patients: how many there are.
        behind: independent cases behind a share; None: the patients. All right in every resample is no proof of an
            interval of length 0: Wilson's is taken then, or none for measures that are no share.

    Returns:
        value, low, high, undefined, and method ("wilson", "none") where the interval is not that of the resamples.
    """
    df = bootstrap.freedom(left, patients)
    low, high = bootstrap.bounded(float(point), drawn, confidence, patients, df, measure.within)
    more, share_of = {}, (patients if behind is None else behind) if measure.share else 0
    if measure.inflated:
        low, high = _deflated(float(point), drawn, low, high, bootstrap.interval(drawn, confidence, patients, df))
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


def _deflated(
    point: float, drawn: np.ndarray, low: float, high: float, percentiles: tuple[float, float]
) -> tuple[float, float]:
    """An interval that reaches down by what chance adds: by twice what resampling adds, since the value has it too."""
    drawn = drawn[np.isfinite(drawn)]
    added = max(0.0, float(drawn.mean()) - point) if len(drawn) else 0.0
    return max(0.0, min(low, percentiles[0] - 2 * added)), max(high, percentiles[1])


def _of_class(cases: Scored, c: int, found: tuple[dict, dict, dict], confidence: float) -> dict:
    point, drawn, left = found
    mine = cases.has_class(c)
    row: dict = {"class": cases.class_names[c], "cases": int(mine.sum())}
    row["patients"] = len(set(cases.group[mine].tolist()))
    patients = len(set(cases.group.tolist()))
    others = len(set(cases.group[~mine].tolist()))
    for measure in cases.of_class:
        name, behind = measure.name, others if measure.name == "specificity" else row["patients"]
        each = point[name][c], drawn[name][:, c], left[name][:, c]
        row[name] = estimate(measure, *each, confidence, patients, behind)
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
