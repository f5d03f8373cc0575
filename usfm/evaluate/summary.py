"""One run's measures with their intervals, beside the majority class."""

import numpy as np

from usfm.evaluate import bootstrap
from usfm.evaluate.bootstrap import MEASURES, PER_CLASS, Draws
from usfm.evaluate.units import Units
from usfm.tasks import metrics


def summarise(units: Units, draws: Draws, confidence: float) -> dict:
    """Measure one run.

    Args:
        units: the cases.
        draws: resamples of their patients (possibly none).
        confidence: of the intervals.

    Returns:
        JSON values: ``n``, ``metrics`` (name -> value, low, high, undefined, majority), ``beats_majority``,
        ``per_class``, ``confusion``, ``calibration``, ``folds``.
    """
    classes = len(units.class_names)
    point = bootstrap.measure(units, units.predicted, units.scores, None)
    drawn = bootstrap.measure(units, units.predicted, units.scores, draws)
    against = _references(units, draws)
    measured = {}
    for name in MEASURES:
        measured[name] = estimate(point[name], drawn[name], confidence, units.patients)
        measured[name]["majority"] = _beside(name, point, drawn, against, confidence, units.patients)
    counts = metrics.confusion(units.target, units.predicted, classes)
    return {
        "n": {
            "cases": len(units),
            "frames": int(units.frames.sum()),
            "patients": units.patients,
            "cases_per_class": dict(
                zip(units.class_names, np.bincount(units.target, minlength=classes).tolist(), strict=True)
            ),
        },
        "metrics": measured,
        "beats_majority": measured["accuracy"]["majority"]["beaten"],
        "per_class": [_of_class(units, c, point, drawn, confidence) for c in range(classes)],
        "confusion": counts.tolist(),
        "calibration": {
            "log_loss": plain(metrics.log_loss(units.target, units.scores).mean()),
            "brier": plain(metrics.brier(units.target, units.scores).mean()),
            "expected_calibration_error": plain(metrics.calibration_error(units.target, units.scores)),
        },
        "folds": _folds(units),
    }


def estimate(point: np.ndarray, drawn: np.ndarray, confidence: float, patients: int) -> dict:
    """A value with its interval, and in how many resamples it was not defined."""
    low, high = bootstrap.interval(drawn, confidence, patients)
    return {
        "value": plain(point),
        "low": plain(low),
        "high": plain(high),
        "undefined": int((~np.isfinite(drawn)).sum()),
    }


def plain(value: float | np.ndarray) -> float | None:
    """A float that JSON can hold: six decimals, None for NaN."""
    return round(float(value), 6) if np.isfinite(value) else None


def _references(units: Units, draws: Draws) -> dict[str, tuple[dict, dict]]:
    """Two constant classifiers: the training majority of each fold, and the majority of the measured cases themselves.

    In cross-validation of balanced classes the training majority is the minority of the held-out fold, so it alone
    would be too easy to beat.
    """
    overall = np.bincount(units.target, minlength=len(units.class_names)).argmax()
    flat = np.zeros_like(units.scores)
    constants = {"training": units.majority, "overall": np.full(len(units), overall)}
    return {
        name: (bootstrap.measure(units, said, flat, None), bootstrap.measure(units, said, flat, draws))
        for name, said in constants.items()
    }


def _beside(name: str, point: dict, drawn: dict, against: dict, confidence: float, patients: int) -> dict:
    rows = {}
    for reference, (value, resampled) in against.items():
        low, high = bootstrap.interval(drawn[name] - resampled[name], confidence, patients)
        rows[reference] = {
            "value": plain(value[name]),
            "difference": plain(point[name] - value[name]),
            "low": plain(low),
            "high": plain(high),
        }
    harder = max(rows.values(), key=lambda row: -1.0 if row["value"] is None else row["value"])
    return {**harder, "beaten": all((row["low"] or 0) > 0 for row in rows.values()), "references": rows}


def _of_class(units: Units, c: int, point: dict, drawn: dict, confidence: float) -> dict:
    row: dict = {"class": units.class_names[c], "cases": int((units.target == c).sum())}
    row["patients"] = len(set(units.group[units.target == c].tolist()))
    for name in PER_CLASS:
        row[name] = estimate(point[name][c], drawn[name][:, c], confidence, units.patients)
    return row


def _folds(units: Units) -> list[dict]:
    rows = []
    for fold in sorted(set(units.fold.tolist()), key=lambda name: (len(name), name)):
        mine = units.fold == fold
        counts = metrics.confusion(units.target[mine], units.predicted[mine], len(units.class_names))
        rows.append(
            {
                "fold": fold,
                "cases": int(mine.sum()),
                "patients": len(set(units.group[mine].tolist())),
                "accuracy": plain(metrics.accuracy(counts)),
                "majority_accuracy": plain((units.majority[mine] == units.target[mine]).mean()),
                "balanced_accuracy": plain(metrics.balanced_accuracy(counts)),
                "macro_f1": plain(metrics.macro_f1(counts)),
                "auroc": plain(metrics.macro_auroc(units.target[mine], units.scores[mine])),
            }
        )
    return rows
