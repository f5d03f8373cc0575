"""The fast resampling against the slow one that copies cases, and intervals against what is known of them."""

import numpy as np
import pytest
from scipy import stats

from usfm.evaluate import bootstrap
from usfm.seeding import stream
from usfm.tasks import draws as drawing
from usfm.tasks import metrics
from usfm.tasks.classify.scored import scored
from usfm.tasks.draws import Draws, draw


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("aggregate", ["frame", "patient"])
def test_counting_patients_equals_copying_their_cases(make_run, classes, aggregate):
    cases = scored(make_run(classes=classes, skill=0.7), aggregate)
    draws = draw(cases.group, 25, stream(0, "t"))
    fast = cases.measure(draws)
    for b, counts in enumerate(draws.counts):
        rows = np.concatenate(
            [np.tile(np.flatnonzero(cases.group == name), n) for name, n in zip(draws.names, counts, strict=True)]
        ).astype(int)
        target, predicted, scores = cases.target[rows], cases.predicted[rows], cases.scores[rows]
        matrix = metrics.confusion(target, predicted, classes)
        for name in ("accuracy", "balanced_accuracy", "macro_f1"):
            assert fast[name][b] == pytest.approx(float(getattr(metrics, name)(matrix)))
        assert fast["auroc"][b] == pytest.approx(float(metrics.macro_auroc(target, scores)))
        assert np.allclose(fast["recall"][b], metrics.recall(matrix), equal_nan=True)


def test_no_draw_means_the_cases_as_they_are_and_blocks_change_nothing(make_run, monkeypatch):
    cases = scored(make_run(), "frame")
    once = Draws(np.unique(cases.group.astype(str)), np.ones((3, 20), int))
    point = cases.measure(None)
    same = cases.measure(once)
    for name in (measure.name for measure in cases.measures):
        assert np.allclose(same[name], point[name])
    draws = draw(cases.group, 40, stream(1, "t"))
    whole = cases.measure(draws)
    monkeypatch.setattr(drawing, "_BLOCK", 1000)
    blocks = cases.measure(draws)
    assert np.array_equal(whole["auroc"], blocks["auroc"])
    none = draw(cases.group, 0, stream(1, "t"))
    assert cases.measure(none)["accuracy"].shape == (0,)


def test_patients_not_frames_make_the_interval_wide(make_run):
    """Many frames of few patients: drawing frames would promise far too much."""
    cases = scored(make_run(patients=20, frames=40, skill=0.5, noise=0.1), "frame")
    by_patient = draw(cases.group, 400, stream(0, "t"))
    wide = cases.measure(by_patient)["accuracy"]
    p = float(cases.measure(None)["accuracy"])
    assert wide.std() > 3 * np.sqrt(p * (1 - p) / len(cases))
    assert wide.std() == pytest.approx(np.sqrt(p * (1 - p) / 20), rel=0.5)


def test_the_interval_is_of_the_percentiles_and_leaves_out_what_is_undefined():
    values = np.append(np.linspace(0, 1, 1001), np.full(50, np.nan))
    assert bootstrap.interval(values, 0.95, 10**6) == pytest.approx((0.025, 0.975), abs=1e-4)
    assert np.isnan(bootstrap.interval(np.zeros(0), 0.95, 9)).all()
    assert np.isnan(bootstrap.interval(values, 0.95, 1)).all()


def test_few_patients_widen_the_interval_like_student():
    """For a mean, the resampled values are normal with the divisor n: the interval must be the t interval."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, 8)
    means = rng.normal(x.mean(), x.std() / np.sqrt(8), 200_000)
    low, high = bootstrap.interval(means, 0.95, 8)
    expected = stats.t.interval(0.95, 7, x.mean(), x.std(ddof=1) / np.sqrt(8))
    assert (low, high) == pytest.approx(expected, abs=0.03)


def test_p_is_two_sided_never_zero_and_agrees_with_the_interval():
    assert bootstrap.p_value(np.ones(999), 10**6) == pytest.approx(0.002, rel=1e-3)
    assert bootstrap.p_value(np.ones(999), 8) > 0.01
    assert bootstrap.p_value(np.zeros(999), 20) == 1
    assert bootstrap.p_value(np.linspace(-1, 1, 999), 20) > 0.9
    assert np.isnan(bootstrap.p_value(np.full(3, np.nan), 20))
    rng = np.random.default_rng(1)
    for patients in (5, 12, 60):
        for shift in np.linspace(-4, 4, 33):
            values = rng.normal(shift, 1, 4000)
            low, high = bootstrap.interval(values, 0.95, patients)
            p = bootstrap.p_value(values, patients)
            assert (p < 0.05) == (low > 0 or high < 0) or p == pytest.approx(0.05, abs=0.005)
