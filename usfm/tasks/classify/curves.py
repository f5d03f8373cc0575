"""Figures of a classification for a report: confusion, ROC and precision over recall with bands, calibration."""

import numpy as np

from usfm.pictures import evidence, matrix
from usfm.pictures.evidence import Estimate, Line
from usfm.pictures.theme import WIDTH_PX, Pair, both
from usfm.seeding import stream
from usfm.tasks import measures_classify, metrics
from usfm.tasks.classify.cases import Cases
from usfm.tasks.draws import draw, weights
from usfm.tasks.proportions import wilson

_GRID = np.linspace(0, 1, 101)
_BAND_DRAWS = 200
_BAND = 0.95
_MOST_CURVES = 8
_NONE = np.zeros(0)


def of_run(run: dict, cases: Cases) -> dict[str, tuple[Pair, str]]:
    """Figures of one run: "confusion", "roc", "precision-recall", "calibration".

    Args:
        run: its entry in the report.
        cases: its cases.

    Returns:
        Name -> figure, and the words below it.
    """
    names, counts = list(cases.class_names), np.array(run["confusion"])
    width = max(WIDTH_PX, 130 + 40 * len(names))
    roc, recall = _curves(run, cases)
    bins = [_bin(each) for each in measures_classify.reliability(cases.target, cases.scores)]
    return {
        "confusion": (
            both(lambda theme: matrix.confusion(None, counts, names, theme=theme), width),
            "Cases, and share of the true class.",
        ),
        "roc": (
            both(lambda theme: evidence.lines(roc, "1 - specificity", "sensitivity", diagonal=True, theme=theme)),
            "ROC; the bands hold each point in 95 of 100 resamples.",
        ),
        "precision-recall": (
            both(lambda theme: evidence.lines(recall, "recall (sensitivity)", "precision", theme=theme)),
            "Highest precision at a recall or beyond; the bands hold each point in 95 of 100 resamples.",
        ),
        "calibration": (
            both(lambda theme: evidence.reliability(bins, theme)),
            "A well-calibrated run lies on the diagonal. Numbers: cases of a bin, 10 or more; the intervals take cases "
            "as independent.",
        ),
    }


def _bin(each: measures_classify.Bin) -> tuple[float, Estimate, int]:
    low, high = wilson(each.accuracy * each.cases, each.cases, _BAND)
    return each.confidence, Estimate("", each.accuracy, low, high), each.cases


def _curves(run: dict, cases: Cases) -> tuple[list[Line], list[Line]]:
    """ROC and precision-recall curves of each class (of two: the second), with bands from resamples of patients."""
    classes = range(len(cases.class_names)) if len(cases.class_names) != 2 else [1]
    some = draw(cases.group, _BAND_DRAWS, stream(0, "bands"))
    counted = np.vstack([np.ones((1, len(cases))), *weights(cases.group, some)])
    roc, recall = [], []
    for c in sorted(classes, key=lambda c: -(cases.target == c).sum())[:_MOST_CURVES]:
        counts = measures_classify.steps(cases.target == c, cases.scores[:, c], counted)
        row, name = run["per_class"][c], cases.class_names[c]
        for lines, (x, y), measure in (
            (roc, _roc(counts), "class_auroc"), (recall, _recall(counts), "average_precision")
        ):  # fmt: skip
            if row[measure]["value"] is None or not np.isfinite(y[0]).any():
                continue
            bands = _bands(y[1:], len(some.names))
            what = "AUROC" if measure == "class_auroc" else "AUPRC"
            lines.append(Line(f"{name} ({what} {row[measure]['value']:.2f})", x, y[0], *bands))
    return roc, recall


def _roc(counts: measures_classify.Steps) -> tuple[np.ndarray, np.ndarray]:
    """The sensitivity at each false positive rate of a grid, (1 + B, 101)."""
    tpr, fpr = counts.rates
    rows = [np.interp(_GRID, f, t) if np.isfinite(f + t).all() else np.full(len(_GRID), np.nan)
            for f, t in zip(fpr, tpr, strict=True)]  # fmt: skip
    return np.concatenate([[0.0], _GRID]), np.hstack([np.zeros((len(rows), 1)), np.array(rows)])


def _recall(counts: measures_classify.Steps) -> tuple[np.ndarray, np.ndarray]:
    """The highest precision at each recall of a grid or beyond it, (1 + B, 100)."""
    hits, called = counts.hits[:, 1:], counts.hits[:, 1:] + counts.false[:, 1:]
    precision = np.nan_to_num(metrics.ratio(hits, called))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    rows = []
    for k, recall in enumerate(counts.rates[0][:, 1:]):
        at = np.searchsorted(recall, _GRID[1:] - 1e-9)
        rows.append(best[k][np.minimum(at, best.shape[1] - 1)] if np.isfinite(recall).all() else np.full(100, np.nan))
    return _GRID[1:], np.array(rows)


def _bands(drawn: np.ndarray, patients: int) -> tuple[np.ndarray, np.ndarray]:
    known = drawn[np.isfinite(drawn).all(axis=1)]
    if len(known) < _BAND_DRAWS // 4 or patients < 2:
        return _NONE, _NONE
    low, high = np.quantile(known, [(1 - _BAND) / 2, (1 + _BAND) / 2], axis=0)
    return low, high
