"""Measures of a classifier, in plain NumPy; all take case weights, so that one pass scores many resamples at once.

Weights have shape (..., N): leading axes are resamples (how often each case was drawn), and come back as leading axes
of the result. What is not defined (a class without cases) is NaN, never a silent 0 or 1.
"""

import numpy as np


def confusion(target: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count cases by true and predicted class.

    Args:
        target: (N,) int in 0..classes-1.
        predicted: (N,) int in 0..classes-1.
        classes: C.

    Returns:
        (C, C) int64; row = true class, column = predicted class.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(target * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of cases that are right: (..., C, C) counts -> (...), 0..1."""
    return ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that have cases: (..., C, C) counts -> (...), 0..1; chance is 1 / C."""
    return mean_defined(recall(matrix))


def constant_accuracy(target: np.ndarray, majority: np.ndarray) -> float:
    """Accuracy of the harder of two constant answers: what a classifier has to beat.

    Args:
        target: (N,) int.
        majority: (N,) int, the most frequent class in the training behind each case.

    Returns:
        The larger of two shares, 0..1: cases of their training's majority, and cases of the class that is most frequent
        among the cases themselves; NaN without cases.

    >>> constant_accuracy(np.array([0, 0, 1]), np.array([1, 1, 1]))
    0.6666666666666666
    """
    if not len(target):
        return float("nan")
    return float(max(np.mean(majority == target), np.bincount(target).max() / len(target)))


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur, as truth or as prediction: (..., C, C) counts -> (...), 0..1."""
    return mean_defined(f1(matrix))


def recall(matrix: np.ndarray) -> np.ndarray:
    """Share of a class that is found (sensitivity): (..., C, C) -> (..., C); NaN for a class without cases."""
    return ratio(_diagonal(matrix), matrix.sum(axis=-1))


def precision(matrix: np.ndarray) -> np.ndarray:
    """Share of the predictions of a class that are right: (..., C, C) -> (..., C); NaN if it is never predicted."""
    return ratio(_diagonal(matrix), matrix.sum(axis=-2))


def specificity(matrix: np.ndarray) -> np.ndarray:
    """Share of the other classes' cases not called this class: (..., C, C) -> (..., C)."""
    right, true, called = _diagonal(matrix), matrix.sum(axis=-1), matrix.sum(axis=-2)
    others = matrix.sum(axis=(-2, -1))[..., None] - true
    return ratio(others - (called - right), others)


def f1(matrix: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall: (..., C, C) -> (..., C); NaN for a class that occurs nowhere."""
    return ratio(2 * _diagonal(matrix), matrix.sum(axis=-1) + matrix.sum(axis=-2))


def auroc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Chance that a positive case scores above a negative one, ties counting half (Mann-Whitney).

    Args:
        positive: (N,) bool.
        score: (N,) float, higher = more positive.
        weights: (..., N) case weights; one each by default.

    Returns:
        (...) in 0..1; NaN where positives or negatives are missing.
    """
    below, ties, positives, negatives = _ranked(positive, score, weights)
    return ratio((positives * (below + 0.5 * ties)).sum(-1), positives.sum(-1) * negatives)


def macro_auroc(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve: of class 1 with two classes, the mean over one-against-rest with more.

    Args:
        target: (N,) int in 0..C-1.
        scores: (N, C) float.
        weights: (..., N) case weights; one each by default.

    Returns:
        (...) in 0..1; with more than two classes the mean over those that have positives and negatives.
    """
    if scores.shape[1] == 2:
        return auroc(target == 1, scores[:, 1], weights)
    each = [auroc(target == c, scores[:, c], weights) for c in range(scores.shape[1])]
    return mean_defined(np.stack(each, axis=-1))


def roc(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ROC curve, one point per distinct score.

    Args:
        positive: (N,) bool, whether the case has the class.
        score: (N,) float, higher means more likely.

    Returns:
        (false positive rate, true positive rate), both rising from 0 to 1; empty without positives or negatives.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(positive[order])[last]
    false = np.cumsum(~positive[order])[last]
    if not len(hits) or not hits[-1] or not false[-1]:
        return np.zeros(0), np.zeros(0)
    return np.append(0, false / false[-1]), np.append(0, hits / hits[-1])


def average_precision(positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the precision-recall curve by steps: the sum of precision times gain in recall.

    Args:
        positive: (N,) bool.
        score: (N,) float, higher = more positive.
        weights: (..., N) case weights; one each by default.

    Returns:
        (...) in 0..1; NaN without positives.
    """
    weights = np.ones(len(score)) if weights is None else weights
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)[: len(order)]
    hits = np.cumsum(weights[..., order] * positive[order], axis=-1)[..., last]
    called = np.cumsum(weights[..., order], axis=-1)[..., last]
    gain = np.diff(hits, axis=-1, prepend=0)
    precision = np.divide(hits, called, out=np.zeros_like(hits, float), where=called > 0)
    return ratio((gain * precision).sum(-1), hits[..., -1] if hits.shape[-1] else np.zeros(hits.shape[:-1]))


def log_loss(target: np.ndarray, scores: np.ndarray, floor: float = 1e-15) -> np.ndarray:
    """Negative log of the probability given to the truth, per case: (N,), (N, C) -> (N,) in nats.

    Args:
        target: (N,) int class.
        scores: (N, C) probabilities.
        floor: smaller probabilities count as this one.

    Returns:
        (N,) float, nats.
    """
    return -np.log(np.clip(scores[np.arange(len(target)), target], floor, 1.0))


def brier(target: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Squared distance between probabilities and truth, summed over classes, per case: (N,), (N, C) -> (N,) in 0..2.

    Args:
        target: (N,) int class.
        scores: (N, C) probabilities.

    Returns:
        (N,) float, 0 to 2.
    """
    truth = np.eye(scores.shape[1])[target]
    return ((scores - truth) ** 2).sum(axis=1)


def reliability(target: np.ndarray, scores: np.ndarray, bins: int = 10) -> dict[str, np.ndarray]:
    """Compare how sure the classifier was with how often it was right.

    Args:
        target: (N,) int.
        scores: (N, C) probabilities.
        bins: bins of equal width over the highest probability of a case.

    Returns:
        ``confidence`` and ``accuracy`` (bins,) means in a bin, NaN where it is empty; ``cases`` (bins,) counts.
    """
    top = scores.max(axis=1)
    right = scores.argmax(axis=1) == target
    place = np.minimum((top * bins).astype(int), bins - 1)
    cases = np.bincount(place, minlength=bins)
    return {
        "confidence": ratio(np.bincount(place, top, minlength=bins), cases),
        "accuracy": ratio(np.bincount(place, right, minlength=bins), cases),
        "cases": cases,
    }


def calibration_error(target: np.ndarray, scores: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean over cases of |confidence - accuracy| of their bin, 0..1.

    Args:
        target: (N,) int class.
        scores: (N, C) probabilities.
        bins: number of bins of equal width.

    Returns:
        The error, 0 to 1.
    """
    table = reliability(target, scores, bins)
    gap = np.nan_to_num(np.abs(table["confidence"] - table["accuracy"]))
    return float((gap * table["cases"]).sum() / max(1, len(target)))


def _ranked(positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Per distinct score, rising: weight of negatives below, of negatives at it, of positives; total of negatives."""
    weights = np.ones(len(score)) if weights is None else weights
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(score[order]) != 0))[: len(order)]
    sorted_ = weights[..., order]
    if not len(order):
        empty = np.zeros((*weights.shape[:-1], 0))
        return empty, empty, empty, empty.sum(-1)
    positives = np.add.reduceat(sorted_ * positive[order], starts, axis=-1).astype(float)
    negatives = np.add.reduceat(sorted_ * ~positive[order], starts, axis=-1).astype(float)
    return np.cumsum(negatives, axis=-1) - negatives, negatives, positives, negatives.sum(-1)


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def mean_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is finite: (..., K) -> (...); NaN where nothing is."""
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; NaN where the whole is 0.

    Args:
        part: any shape.
        whole: broadcast against it.

    Returns:
        float64.
    """
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
