"""Measures from weights: scikit-learn's sample weights, repetition of cases, and what is undefined."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from usfm.tasks import measures_classify as measures
from usfm.tasks import metrics

AT = (0.8, 0.9)


def random_case(seed):
    """Targets, probabilities with ties, and weights; sometimes a class is absent or only one class is there."""
    rng = np.random.default_rng(seed)
    classes, n = int(rng.integers(2, 6)), int(rng.integers(5, 60))
    present = rng.permutation(classes)[: int(rng.integers(1, classes + 1))]
    target = rng.choice(present, n)
    # Tenths and twentieths, so that many scores are equal, and exact in every sum.
    whole = rng.multinomial(16, np.full(classes, 1 / classes), n) + 4 * np.eye(classes)[target] * rng.integers(0, 2)
    scores = whole / whole.sum(axis=1, keepdims=True)
    weights = rng.integers(0, 4, (4, n)).astype(float)
    weights[0] = 1
    return target, scores, weights


@pytest.mark.parametrize("seed", range(40))
def test_equals_scikit_learn(seed):
    target, scores, weights = random_case(seed)
    classes, said = scores.shape[1], scores.argmax(axis=1)
    found = measures.measures(target, scores, weights, AT)
    for b, w in enumerate(weights):
        if not w.sum():
            assert np.isnan(found["accuracy"][b])
            continue
        there = sorted(set(target[w > 0]) | set(said[w > 0]))
        averages = {}
        for average in ("macro", "weighted", "micro"):
            averages[average] = reference.precision_recall_fscore_support(
                target, said, labels=there, average=average, sample_weight=w, zero_division=0
            )
        wanted = {
            "accuracy": reference.accuracy_score(target, said, sample_weight=w),
            "macro_precision": averages["macro"][0],
            "macro_f1": averages["macro"][2],
            "weighted_precision": averages["weighted"][0],
            "weighted_f1": averages["weighted"][2],
            "brier": (w * ((scores - np.eye(classes)[target]) ** 2).sum(1)).sum() / w.sum(),
        }
        with warnings.catch_warnings():  # of a class that is predicted, yet has no case
            warnings.simplefilter("ignore", UserWarning)
            wanted["balanced_accuracy"] = reference.balanced_accuracy_score(target[w > 0], said[w > 0],
                                                                            sample_weight=w[w > 0])  # fmt: skip
        for name, value in wanted.items():
            assert found[name][b] == pytest.approx(value, abs=1e-6), name
        for value in (averages["micro"][0], averages["micro"][1], averages["micro"][2], averages["weighted"][1]):
            assert value == pytest.approx(found["accuracy"][b], abs=1e-6)  # why they are not measures of their own
        loss = -(w * np.log(np.clip(scores[np.arange(len(target)), target], 1e-15, 1))).sum() / w.sum()
        assert found["log_loss"][b] == pytest.approx(loss, abs=1e-6)
        for c in range(classes):
            _of_class(found, b, c, target == c, said == c, scores[:, c], w)


def _of_class(found, b, c, positive, called, score, w):
    kept = w > 0
    positive, called, score, w = positive[kept], called[kept], score[kept], w[kept]
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        positive, called, average="binary", sample_weight=w, zero_division=np.nan
    )
    for name, value in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert found[name][b, c] == pytest.approx(value, abs=1e-6, nan_ok=True), name
    specificity = reference.recall_score(~positive, ~called, sample_weight=w, zero_division=np.nan)
    assert found["specificity"][b, c] == pytest.approx(specificity, abs=1e-6, nan_ok=True)
    if positive.any() and not positive.all():
        assert found["class_auroc"][b, c] == pytest.approx(reference.roc_auc_score(positive, score, sample_weight=w))
        fpr, tpr, _ = reference.roc_curve(positive, score, sample_weight=w, drop_intermediate=False)
        for rate in AT:
            assert found[f"sensitivity_at_{rate}"][b, c] == pytest.approx(tpr[fpr <= 1 - rate + 1e-9].max(), abs=1e-6)
            reverse = (1 - fpr)[tpr >= rate - 1e-9].max()
            assert found[f"specificity_at_{rate}"][b, c] == pytest.approx(reverse, abs=1e-6)
    else:
        assert np.isnan(found["class_auroc"][b, c])
        assert np.isnan(found["sensitivity_at_0.8"][b, c])
    if positive.any():
        average = reference.average_precision_score(positive, score, sample_weight=w)
        assert found["average_precision"][b, c] == pytest.approx(average, abs=1e-6)
    else:
        assert np.isnan(found["average_precision"][b, c])


@pytest.mark.parametrize("seed", range(40, 60))
def test_a_weight_is_a_repetition(seed):
    target, scores, weights = random_case(seed)
    weighted = measures.measures(target, scores, weights, AT)
    for b, w in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(len(target)), w)
        repeated = measures.measures(target[rows], scores[rows], np.ones((1, len(rows))), AT)
        for name, values in weighted.items():
            assert np.allclose(values[b], repeated[name][0], equal_nan=True), name


@pytest.mark.parametrize("seed", range(60, 70))
def test_agrees_with_the_plain_measures(seed):
    target, scores, _ = random_case(seed)
    found = {name: values[0] for name, values in measures.measures(target, scores, np.ones((1, len(target)))).items()}
    assert found["calibration_error"] == pytest.approx(metrics.calibration_error(target, scores))
    assert found["auroc"] == pytest.approx(float(metrics.macro_auroc(target, scores)), nan_ok=True)
    assert found["brier"] == pytest.approx(metrics.brier(target, scores).mean())


def test_a_block_of_weightings_changes_nothing(monkeypatch):
    target, scores, weights = random_case(3)
    whole = measures.measures(target, scores, weights, AT)
    monkeypatch.setattr(measures, "_BLOCK", len(target))
    assert all(np.allclose(values, whole[name], rtol=1e-12, equal_nan=True)
               for name, values in measures.measures(target, scores, weights, AT).items())  # fmt: skip


def test_no_cases_are_undefined():
    found = measures.measures(np.zeros(0, int), np.zeros((0, 3)), np.ones((2, 0)), AT)
    assert all(np.isnan(values).all() for values in found.values())


@pytest.mark.parametrize("n", [0, 9, 10, 19, 20, 55, 1000])
@pytest.mark.parametrize("tied", [False, True])
def test_bins_hold_ten_cases_and_lose_none(n, tied):
    rng = np.random.default_rng(n)
    top = rng.integers(50, 53, n) / 100 if tied else rng.uniform(0.5, 1, n)
    bins = measures.reliability(rng.integers(0, 2, n), np.stack([top, 1 - top], 1))
    assert sum(each.cases for each in bins) == (n if n >= 10 else 0)
    assert all(each.cases >= 10 for each in bins)
    assert len(bins) <= 10
    assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)
