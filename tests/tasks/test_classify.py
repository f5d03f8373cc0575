"""The rules of every protocol, and the linear probe against scikit-learn by hand."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from usfm.seeding import stream
from usfm.tasks import TASKS
from usfm.tasks.classify import probes as classify
from usfm.tasks.folds import stratified

PROTOCOLS = [("classify", name) for name in TASKS["classify"].protocols]


def _problem(seed=0, patients=24, frames=6, classes=2, signal=1.5, dim=8):
    rng = np.random.default_rng(seed)
    kind = np.arange(patients) % classes
    centre = rng.normal(0, 1, (classes, dim)) * signal
    features = (
        centre[kind][:, None] + rng.normal(0, 1, (patients, 1, dim)) + rng.normal(0, 0.3, (patients, frames, dim))
    )
    groups = np.repeat(np.arange(patients), frames)
    return features.reshape(-1, dim).astype(np.float32) + 5, np.repeat(kind, frames), groups


@pytest.mark.parametrize("task, protocol", PROTOCOLS)
@pytest.mark.parametrize("classes", [2, 4])
def test_every_protocol_gives_probabilities_and_learns(task, protocol, classes):
    x, y, g = _problem(classes=classes, signal=3)
    train = g < 16
    fitted = TASKS[task].protocols[protocol](x[train], y[train], g[train], classes, 0, {})
    scores = fitted.scores(x[~train])
    assert scores.shape == ((~train).sum(), classes)
    assert np.allclose(scores.sum(1), 1)
    assert (scores >= 0).all()
    assert (scores.argmax(1) == y[~train]).mean() > 0.8
    again = TASKS[task].protocols[protocol](x[train], y[train], g[train], classes, 0, {})
    assert np.array_equal(again.scores(x[~train]), scores)


@pytest.mark.parametrize("task, protocol", PROTOCOLS)
def test_no_protocol_sees_scale_or_offset_of_all_features(task, protocol):
    x, y, g = _problem()
    fit = TASKS[task].protocols[protocol]
    plain = fit(x, y, g, 2, 0, {}).scores(x)
    moved = fit(10 * x + 3, y, g, 2, 0, {}).scores(10 * x + 3)
    assert np.allclose(plain, moved, atol=2e-3)


@pytest.mark.parametrize("task, protocol", PROTOCOLS)
def test_a_class_that_training_lacks_scores_zero(task, protocol):
    x, y, g = _problem()
    scores = TASKS[task].protocols[protocol](x, y, g, 3, 0, {}).scores(x[:4])
    assert (scores[:, 2] == 0).all()
    one = y == 0
    scores = TASKS[task].protocols[protocol](x[one], y[one], g[one], 3, 0, {}).scores(x[:4])
    assert np.allclose(scores, [1, 0, 0])


def test_the_linear_probe_is_logistic_regression_on_standardised_features():
    x, y, g = _problem()
    fitted = classify.linear(x, y, g, 2, 0, {})
    z = (x - x.mean(0)) / x.std(0)
    expected = LogisticRegression(C=fitted.chosen["C"], max_iter=2000, tol=1e-8).fit(z, y).predict_proba(z)
    assert np.allclose(fitted.scores(x), expected, atol=1e-3)
    assert fitted.chosen["C"] in classify.C_GRID
    losses = fitted.chosen["inner_log_loss"]
    assert min(losses, key=losses.get) == f"{fitted.chosen['C']:g}"
    a = fitted.arrays
    logit = (x - a["mean"]) / a["std"] @ a["weight"][0] + a["bias"][0]
    assert np.allclose(1 / (1 + np.exp(-logit)), fitted.scores(x)[:, 1], atol=1e-6)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_kept_probe_scores_as_it_did(classes):
    x, y, g = _problem(classes=classes)
    fitted = classify.linear(x, y, g, classes + 1, 0, {})
    assert np.allclose(classify.scores_of(fitted.arrays, x, classes + 1), fitted.scores(x), atol=1e-6)


def test_the_strength_is_chosen_across_patients_not_frames():
    """Features that name the patient but say nothing of the class: only the strongest regularisation is right."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 8)
    x = (np.eye(30)[groups] * 4 + rng.normal(0, 0.05, (240, 30))).astype(np.float32)
    y = (np.arange(30) % 2)[groups]
    assert classify.linear(x, y, groups, 2, 0, {}).chosen["C"] == classify.C_GRID[0]
    by_frame = classify.linear(x, y, np.arange(240), 2, 0, {}).chosen["C"]
    assert by_frame > 0.01


def test_the_inner_losses_are_those_of_the_slow_loop_over_patients():
    """Whole patients are held out, and each counts once, however many frames it has."""
    x, y, g = _problem(patients=18, classes=2, signal=0.4)
    keep = np.concatenate([np.flatnonzero(g == p)[: 1 + 5 * (p % 3 == 0)] for p in range(18)])  # 6 frames, or 1
    x, y, g = x[keep], y[keep], g[keep]
    fitted = classify.linear(x, y, g, 2, 3, {"class_weights": "balanced"})
    fold = stratified(y, g, 3, stream(3, "inner folds"))
    z = ((x - x.mean(0)) / x.std(0)).astype(np.float64)
    share = np.array([len(y) / (y == c).sum() for c in (0, 1)])
    for c, loss in list(fitted.chosen["inner_log_loss"].items())[2:4]:
        of_patient = {}
        for f in range(3):
            train = ~np.isin(g, g[fold == f])
            model = LogisticRegression(C=float(c), class_weight="balanced", tol=1e-6).fit(z[train], y[train])
            each = -np.log(model.predict_proba(z)[np.arange(len(y)), y])
            for p in set(g[~train].tolist()):
                of_patient[p] = np.average(each[g == p], weights=share[y[g == p]])
        assert len(of_patient) == 18
        assert loss == pytest.approx(np.mean(list(of_patient.values())), abs=2e-3)
    assert fitted.chosen["C"] == float(min(fitted.chosen["inner_log_loss"].items(), key=lambda item: item[1])[0])


def test_a_class_with_one_patient_leaves_no_inner_folds():
    x, y, g = _problem(patients=5)
    y = np.where(g == 0, 1, 0)
    chosen = classify.linear(x, y, g, 2, 0, {}).chosen
    assert chosen == {"C": classify.C_DEFAULT, "inner_folds": 0}


def test_balanced_weights_find_the_rare_class():
    rng = np.random.default_rng(0)
    y = (np.arange(400) % 10 == 0).astype(int)
    x = (rng.normal(0, 1, (400, 4)) + y[:, None] * 0.6).astype(np.float32)
    groups = np.arange(400)
    plain, balanced = (
        classify.linear(x, y, groups, 2, 0, {"class_weights": w}).scores(x) for w in ("none", "balanced")
    )
    assert balanced[y == 1].argmax(1).mean() > plain[y == 1].argmax(1).mean() + 0.2


def test_a_constant_feature_does_no_harm():
    x, y, g = _problem()
    x[:, 0] = 7
    assert np.isfinite(classify.linear(x, y, g, 2, 0, {}).scores(x)).all()


def test_one_neighbour_is_the_nearest_by_angle_from_the_mean():
    x, y, g = _problem()
    scores = classify.knn(x, y, g, 2, 0, {"neighbours": 1}).scores(x)
    assert np.array_equal(scores.argmax(1), y)
    assert np.array_equal(np.unique(scores), [0, 1])


def test_neighbours_vote_by_the_formula():
    x, y, g = _problem(classes=3)
    new = x[:5] + 0.1
    unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)  # noqa: E731
    similarity = unit(new - x.mean(0)) @ unit(x - x.mean(0)).T
    expected = np.zeros((5, 3))
    for row in range(5):
        for k in np.argsort(-similarity[row])[:7]:
            expected[row, y[k]] += np.exp(similarity[row, k] / 0.07)
    expected /= expected.sum(1, keepdims=True)
    assert np.allclose(classify.knn(x, y, g, 3, 0, {"neighbours": 7}).scores(new), expected, atol=1e-5)


def test_simpleshot_is_the_nearest_mean_of_centred_directions():
    from sklearn.neighbors import NearestCentroid

    from usfm.tasks.classify.probes import simpleshot

    rng = np.random.default_rng(0)
    target = np.array([0, 2] * 20)
    features = rng.normal(0, 1, (40, 8)) + 2 * np.eye(8)[target]
    new = rng.normal(0, 1, (30, 8))
    scores = simpleshot(features, target, np.arange(40), 3, 0, {}).scores(new)

    def unit(x):
        x = x - features.mean(0)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    assert (scores.argmax(1) == NearestCentroid().fit(unit(features), target).predict(unit(new))).all()
    assert np.allclose(scores.sum(1), 1)
    assert (scores[:, 1] == 0).all(), "a class that was not there is never said"
