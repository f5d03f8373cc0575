"""Intervals of shares: statsmodels' values, symmetry, and coverage where a bootstrap has none."""

import math

import numpy as np
import pytest

from usfm.tasks.proportions import rule_of_three, wilson


@pytest.mark.parametrize(("right", "n"), [(0, 1), (0, 20), (3, 20), (10, 20), (20, 20), (499, 500)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_solves_its_equation(right, n, confidence):
    # The ends are the shares p whose score test just keeps right / n: |right / n - p| = z sqrt(p (1 - p) / n).
    from scipy import stats

    z = stats.norm.ppf(0.5 + confidence / 2)
    for end in wilson(right, n, confidence):
        if 0 < end < 1:
            assert abs(right / n - end) == pytest.approx(z * math.sqrt(end * (1 - end) / n), abs=1e-9)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (0, 20), (3, 20), (20, 20), (499, 500)])
def test_wilson_equals_scipy(right, n):
    from scipy import stats

    theirs = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_wilson_is_symmetric_and_defined():
    for right in range(11):
        low, high = wilson(right, 10)
        assert (low, high) == pytest.approx(tuple(1 - x for x in wilson(10 - right, 10))[::-1])
        assert 0 <= low < high <= 1
    assert all(math.isnan(x) for x in wilson(0, 0))


def test_rule_of_three():
    for n in (1, 10, 200):
        assert (1 - rule_of_three(n)) ** n == pytest.approx(0.05)
    assert rule_of_three(300) == pytest.approx(3 / 300, rel=0.01)
    assert math.isnan(rule_of_three(0))


def test_covers_where_a_bootstrap_collapses():
    # A share of 0.98 and 40 patients: 45 of 100 samples are all right, and their resamples have no spread at all.
    rng = np.random.default_rng(0)
    seen = rng.binomial(40, 0.98, 4000)
    held = np.mean([wilson(right, 40)[0] <= 0.98 <= wilson(right, 40)[1] for right in seen])
    assert (seen == 40).mean() > 0.4
    assert 0.93 < held < 1
