"""Every measure against scikit-learn, and weights against repetition."""

import numpy as np
import pytest
from sklearn import metrics as reference

from usfm.tasks import metrics


def _cases(seed, n=200, classes=3, ties=True):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, n)
    scores = rng.dirichlet(np.ones(classes), n) + 0.5 * np.eye(classes)[target] * rng.random((n, 1))
    scores /= scores.sum(1, keepdims=True)
    return target, np.round(scores, 2) if ties else scores


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_counts_agree_with_scikit_learn(seed, classes):
    target, scores = _cases(seed, classes=classes)
    predicted = scores.argmax(1)
    matrix = metrics.confusion(target, predicted, classes)
    assert np.array_equal(matrix, reference.confusion_matrix(target, predicted, labels=range(classes)))
    assert metrics.accuracy(matrix) == pytest.approx(reference.accuracy_score(target, predicted))
    assert metrics.balanced_accuracy(matrix) == pytest.approx(reference.balanced_accuracy_score(target, predicted))
    assert metrics.macro_f1(matrix) == pytest.approx(reference.f1_score(target, predicted, average="macro"))
    p, r, f, _ = reference.precision_recall_fscore_support(target, predicted, zero_division=np.nan)
    assert np.allclose(metrics.precision(matrix), p, equal_nan=True)
    assert np.allclose(metrics.recall(matrix), r)
    assert np.allclose(metrics.f1(matrix), f)
    for c in range(classes):
        expected = reference.recall_score(target != c, predicted != c)
        assert metrics.specificity(matrix)[c] == pytest.approx(expected)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_ranks_agree_with_scikit_learn(seed, ties):
    target, scores = _cases(seed, ties=ties)
    positive, score = target == 1, scores[:, 1]
    assert metrics.auroc(positive, score) == pytest.approx(reference.roc_auc_score(positive, score))
    assert metrics.average_precision(positive, score) == pytest.approx(
        reference.average_precision_score(positive, score)
    )
    x, y = metrics.roc(positive, score)
    fpr, tpr, _ = reference.roc_curve(positive, score, drop_intermediate=False)
    assert np.allclose(x, fpr)
    assert np.allclose(y, tpr)
    one_against_rest = [reference.roc_auc_score(target == c, scores[:, c]) for c in range(3)]
    assert metrics.macro_auroc(target, scores) == pytest.approx(np.mean(one_against_rest))


def test_two_classes_score_class_one():
    target, scores = _cases(0, classes=2)
    assert metrics.macro_auroc(target, scores) == pytest.approx(reference.roc_auc_score(target, scores[:, 1]))


def test_probabilities_agree_with_scikit_learn():
    target, scores = _cases(3, ties=False)
    assert metrics.log_loss(target, scores).mean() == pytest.approx(reference.log_loss(target, scores))
    two, pair = _cases(3, classes=2, ties=False)
    assert metrics.brier(two, pair).mean() == pytest.approx(2 * reference.brier_score_loss(two, pair[:, 1]))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_weight_is_a_repetition(classes):
    target, scores = _cases(5, n=60, classes=classes)
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 4, (3, 2, 60))
    value = metrics.macro_auroc(target, scores, weights)
    assert value.shape == (3, 2)
    for index in np.ndindex(3, 2):
        rows = np.repeat(np.arange(60), weights[index])
        assert value[index] == pytest.approx(float(metrics.macro_auroc(target[rows], scores[rows])))
    precision = metrics.average_precision(target == 1, scores[:, 1], weights)
    for index in np.ndindex(3, 2):
        rows = np.repeat(np.arange(60), weights[index])
        assert precision[index] == pytest.approx(reference.average_precision_score(target[rows] == 1, scores[rows, 1]))


def test_a_stack_of_matrices_is_scored_one_by_one():
    stack = np.random.default_rng(1).integers(0, 9, (4, 3, 3))
    for score in (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1, metrics.recall, metrics.specificity):
        assert np.allclose(score(stack), np.stack([score(matrix) for matrix in stack]), equal_nan=True)


def test_what_is_not_defined_is_nan():
    empty = np.zeros((2, 2), int)
    assert np.isnan(metrics.accuracy(empty))
    assert np.isnan(metrics.macro_f1(empty))
    assert np.isnan(metrics.auroc(np.ones(3, bool), np.arange(3.0)))
    assert np.isnan(metrics.auroc(np.zeros(0, bool), np.zeros(0)))
    assert np.isnan(metrics.average_precision(np.zeros(3, bool), np.arange(3.0)))
    assert metrics.roc(np.ones(3, bool), np.arange(3.0))[0].size == 0


def test_a_class_without_cases_does_not_count_in_balanced_accuracy():
    assert metrics.balanced_accuracy(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])) == pytest.approx((0.75 + 1) / 2)


def test_a_constant_score_is_chance():
    positive = np.arange(10) < 4
    assert metrics.auroc(positive, np.full(10, 0.3)) == 0.5


def test_calibration_of_an_honest_and_a_boasting_classifier():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 20000)
    target = (rng.random(20000) < sure).astype(int)
    honest = np.stack([1 - sure, sure], axis=1)
    boast = np.stack([np.zeros(20000), np.ones(20000)], axis=1)
    assert metrics.calibration_error(target, honest) < 0.02
    assert metrics.calibration_error(target, boast) == pytest.approx(1 - target.mean())
    assert metrics.reliability(target, honest)["cases"].sum() == 20000
