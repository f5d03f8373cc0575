"""One run's measures with their intervals, beside the harder constant answer."""

import numpy as np

from usfm.evaluate import bootstrap, constants
from usfm.evaluate.bootstrap import MEASURES, PER_CLASS, Draws, plain
from usfm.evaluate.units import Units
from usfm.tasks import metrics


def summarise(units: Units, draws: Draws, confidence: float) -> dict:
    """Measure one run.

    Args:
        units: the cases.
        draws: resamples of their patients (possibly none).
        confidence: of the intervals.

    Returns:
        JSON values: ``n``, ``metrics`` (name -> value, low, high, undefined, and ``majority``, see
        `constants.beside`), ``beats_majority`` (in accuracy), ``per_class``, ``confusion``, ``calibration``, ``folds``.
    """
    classes = len(units.class_names)
    point = bootstrap.measure(units, units.predicted, units.scores, None)
    drawn = bootstrap.measure(units, units.predicted, units.scores, draws)
    constant = constants.answers(units, draws)
    measured = {}
    for name in MEASURES:
        measured[name] = estimate(point[name], drawn[name], confidence, units.patients)
        measured[name]["majority"] = constants.beside(
            float(point[name]), drawn[name], constant.get(name, {}), confidence, units.patients
        )
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
        "beats_majority": bool(measured["accuracy"]["majority"]["beaten"]),
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
                "majority_accuracy": plain(metrics.constant_accuracy(units.target[mine], units.majority[mine])),
                "balanced_accuracy": plain(metrics.balanced_accuracy(counts)),
                "macro_f1": plain(metrics.macro_f1(counts)),
                "auroc": plain(metrics.macro_auroc(units.target[mine], units.scores[mine])),
            }
        )
    return rows
