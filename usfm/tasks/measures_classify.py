"""Every measure of a classifier from weighted cases, for many weightings (resamples) in one pass.

A weighting says how often each case counts; weights 2, 0, 1 give what the cases (first, first, third) give. What a
weighting leaves undefined (a class without cases) is NaN, never a silent 0 or 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from usfm.tasks.metrics import mean_defined, ratio

BINS = 10
"""Bins of equal width over the highest probability, of the expected calibration error."""

OF_CLASS = ("precision", "recall", "specificity", "f1", "class_auroc", "average_precision")
"""Measures that have one value a class."""

_BLOCK = 1_000_000  # weights held at once
_NEAR = 1e-9  # a rate that rounding has moved still counts as reached


@dataclass(frozen=True)
class Steps:
    """Weighted counts at every threshold of one class, from "none is called" to "all are".

    Attributes:
        hits: (B, K + 1) weight of positives at or above each of K distinct scores, falling; 0 first.
        false: (B, K + 1) the same of negatives.
    """

    hits: np.ndarray
    false: np.ndarray

    @property
    def rates(self) -> tuple[np.ndarray, np.ndarray]:
        """(true positive rate, false positive rate), each (B, K + 1); NaN without positives or without negatives."""
        return ratio(self.hits, self.hits[:, -1:]), ratio(self.false, self.false[:, -1:])


def measures(
    target: np.ndarray, scores: np.ndarray, weights: np.ndarray, at: Sequence[float] = ()
) -> dict[str, np.ndarray]:
    """Compute every measure for every weighting.

    Args:
        target: (n,) int true class.
        scores: (n, C) probabilities; the predicted class is the highest (the first of equals).
        weights: (B, n) not negative.
        at: specificities (0..1) at which the sensitivity is asked, and sensitivities at which the specificity is.

    Returns:
        name -> (B,), or (B, C) for those of ``OF_CLASS`` and ``sensitivity_at_0.9``, ``specificity_at_0.9``, ...:
        accuracy, balanced_accuracy (macro recall), macro_precision, macro_f1, weighted_precision, weighted_f1 (micro
        precision, recall and F1 and weighted recall equal accuracy where each case has one class), auroc (of class 1
        with two classes, else the mean of one against the rest), macro_average_precision, brier, log_loss,
        calibration_error.
    """
    target, scores = np.asarray(target, int), np.asarray(scores, float)
    weights = np.atleast_2d(np.asarray(weights, float))
    step = max(1, _BLOCK // max(1, len(target)))
    blocks = [_block(target, scores, weights[k : k + step], at) for k in range(0, max(1, len(weights)), step)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _block(target: np.ndarray, scores: np.ndarray, weights: np.ndarray, at: Sequence[float]) -> dict[str, np.ndarray]:
    classes = scores.shape[1]
    found = of_matrix(confusion(target, scores.argmax(axis=1) if len(scores) else target, weights, classes))
    each: dict[str, list[np.ndarray]] = {}
    for c in range(classes):
        for name, values in of_steps(steps(target == c, scores[:, c], weights), at).items():
            each.setdefault(name, []).append(values)
    found |= {name: np.stack(values, axis=-1) for name, values in each.items()}
    found["auroc"] = found["class_auroc"][:, 1] if classes == 2 else mean_defined(found["class_auroc"])
    found["macro_average_precision"] = mean_defined(found["average_precision"])
    return found | _calibration(target, scores, weights)


def confusion(target: np.ndarray, predicted: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """Weighted counts by true and predicted class.

    Args:
        target: (n,) int.
        predicted: (n,) int.
        weights: (B, n).
        classes: C.

    Returns:
        (B, C, C); row = true class, column = predicted class.

    >>> confusion(np.array([0, 1]), np.array([1, 1]), np.array([[2.0, 3.0]]), 2).tolist()
    [[[0.0, 2.0], [0.0, 3.0]]]
    """
    cells, place = np.unique(target * classes + predicted, return_inverse=True)
    whole = np.zeros((len(weights), classes * classes))
    whole[:, cells] = weights @ np.eye(len(cells))[place]
    return whole.reshape(-1, classes, classes)


def of_matrix(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Measures that need only the predicted class.

    A class that occurs, but is never predicted, has no precision; it counts as 0 in the macro and weighted mean, as
    scikit-learn counts it, since otherwise never naming a hard class would pay.

    Args:
        matrix: (B, C, C) counts.

    Returns:
        name -> (B,) or (B, C).
    """
    right, true, called = np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(axis=2), matrix.sum(axis=1)
    total = matrix.sum(axis=(1, 2))
    others = total[:, None] - true
    precision, recall, f1 = ratio(right, called), ratio(right, true), ratio(2 * right, true + called)
    occurs = (true + called) > 0
    counted = np.where(occurs, np.nan_to_num(precision), np.nan)
    return {
        "accuracy": ratio(right.sum(axis=1), total),
        "balanced_accuracy": mean_defined(recall),
        "macro_precision": mean_defined(counted),
        "macro_f1": mean_defined(f1),
        "weighted_precision": ratio((np.nan_to_num(precision) * true).sum(axis=1), total),
        "weighted_f1": ratio((np.nan_to_num(f1) * true).sum(axis=1), total),
        "precision": precision,
        "recall": recall,
        "specificity": ratio(others - (called - right), others),
        "f1": f1,
    }


def steps(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> Steps:
    """Count hits and false alarms at every threshold.

    Args:
        positive: (n,) bool.
        score: (n,) float, higher = more positive.
        weights: (B, n).

    Returns:
        The counts; equal scores are one threshold.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)[: len(order)]
    sorted_ = weights[:, order]
    called, hits = _grown(sorted_, last), _grown(sorted_ * positive[order], last)
    return Steps(hits, np.subtract(called, hits, out=called))


def _grown(weights: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sums along the cases at the last of each threshold, from 0: (B, n) and (n,) bool -> (B, K + 1)."""
    grown = np.zeros((len(weights), last.sum() + 1))
    if last.all():  # no two scores are equal; nothing is copied
        np.cumsum(weights, axis=1, out=grown[:, 1:])
    else:
        grown[:, 1:] = np.cumsum(weights, axis=1)[:, last]
    return grown


def of_steps(counts: Steps, at: Sequence[float] = ()) -> dict[str, np.ndarray]:
    """Measures of one class over all thresholds.

    Args:
        counts: of `steps`.
        at: rates at which the other rate is asked.

    Returns:
        name -> (B,): class_auroc (by trapezoids, ties half), average_precision (by steps), and for each rate r of `at`
        sensitivity_at_r, the highest sensitivity of a threshold whose specificity is at least r, and specificity_at_r,
        the reverse; no threshold is made up between two scores.
    """
    hits, false = counts.hits, counts.false
    positives, negatives = hits[:, -1], false[:, -1]
    area = np.einsum("bk,bk->b", np.diff(false, axis=1), hits[:, 1:] + hits[:, :-1])
    called = hits[:, 1:] + false[:, 1:]
    precision = np.divide(hits[:, 1:], called, out=np.zeros_like(called), where=called > 0)
    found = {
        "class_auroc": ratio(area, 2 * positives * negatives),
        "average_precision": ratio(np.einsum("bk,bk->b", np.diff(hits, axis=1), precision), positives),
    }
    defined, rows = (positives > 0) & (negatives > 0), np.arange(len(hits))
    for rate in at:  # both counts only grow along the thresholds, so that the best one is the last or the first allowed
        last = (false <= ((1 - rate + _NEAR) * negatives)[:, None]).sum(axis=1) - 1
        first = np.minimum((hits < ((rate - _NEAR) * positives)[:, None]).sum(axis=1), hits.shape[1] - 1)
        sensitivity, missed = ratio(hits[rows, last], positives), ratio(false[rows, first], negatives)
        found[f"sensitivity_at_{rate:g}"] = np.where(defined, sensitivity, np.nan)
        found[f"specificity_at_{rate:g}"] = np.where(defined, 1 - missed, np.nan)
    return found


def _calibration(target: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Brier score (0..2, summed over classes), log loss (nats) and expected calibration error, each (B,)."""
    total, rows = weights.sum(axis=1), np.arange(len(target))
    if not len(target):
        return {name: np.full(len(weights), np.nan) for name in ("brier", "log_loss", "calibration_error")}
    brier = ((scores - np.eye(scores.shape[1])[target]) ** 2).sum(axis=1)
    loss = -np.log(np.clip(scores[rows, target], 1e-15, 1.0))
    top = scores.max(axis=1)
    inside = np.eye(BINS)[np.minimum((top * BINS).astype(int), BINS - 1)]
    gap = weights @ (inside * (top - (scores.argmax(axis=1) == target))[:, None])
    return {
        "brier": ratio(weights @ brier, total),
        "log_loss": ratio(weights @ loss, total),
        "calibration_error": ratio(np.abs(gap).sum(axis=1), total),
    }


@dataclass(frozen=True)
class Bin:
    """Cases that are about as sure: their mean highest probability, the share of them that is right, how many."""

    confidence: float
    accuracy: float
    cases: int


def reliability(target: np.ndarray, scores: np.ndarray, least: int = 10, most: int = BINS) -> list[Bin]:
    """Compare how sure a classifier is with how often it is right, over bins that hold enough cases.

    Args:
        target: (n,) int.
        scores: (n, C) probabilities.
        least: cases in a bin; with fewer cases in all there is no bin.
        most: number of bins.

    Returns:
        Bins of about equal numbers of cases, surer ones last; cases of equal probability are never parted.

    >>> [each.cases for each in reliability(np.zeros(25, int), np.tile([0.8, 0.2], (25, 1)))]
    [25]
    """
    top = scores.max(axis=1) if len(scores) else np.zeros(0)
    count = min(most, len(top) // least)
    if not count:
        return []
    order = np.argsort(top, kind="stable")
    right, found, start = scores.argmax(axis=1) == target, [], 0
    for k in range(1, count + 1):
        stop = round(len(top) * k / count)
        stop = int(np.searchsorted(top[order], top[order[stop - 1]], side="right"))
        if stop - start < least:
            continue
        rest = len(top) - stop
        stop = len(top) if rest < least else stop
        rows = order[start:stop]
        found.append(Bin(float(top[rows].mean()), float(right[rows].mean()), len(rows)))
        start = stop
    return found
