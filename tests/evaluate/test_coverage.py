"""Intervals against what is known of them, and what the page says where they are too narrow."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from usfm.evaluate import bootstrap, coverage
from usfm.evaluate.summary import estimate
from usfm.tasks.contract import Measure

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "evaluation.md"
SHARE, ERROR = Measure("a", "a"), Measure("e", "e", higher=False, within=(0.0, math.inf))


def test_the_docs_have_the_table_of_the_code():
    text = DOCS.read_text(encoding="utf-8")
    for rows in coverage.HELD.values():
        for name, shares in rows.items():
            assert f"| `{name}` | " + " | ".join(f"{share:.3f}" for share in shares) + " |" in text
    assert all(len(row) == len(coverage.SIZES) for rows in coverage.HELD.values() for row in rows.values())


def entry(patients, classes, measures, name="r"):
    rows = [{"class": str(k), "cases": n, "patients": n} for k, n in enumerate(classes)]
    return {
        "name": name, "n": {"patients": patients}, "per_class": rows,
        "titles": {"measures": {each: each for each in measures}, "per_class": {}},
    }  # fmt: skip


def test_the_note_names_measure_share_and_cohort():
    for kind, classes in (("rare", lambda n: (n - n // 5, n // 5)), ("equal", lambda n: (n // 2, n - n // 2))):
        for size, at in zip(coverage.SIZES, range(6), strict=True):
            known = coverage.HELD[kind]
            said = coverage.note(entry(size, classes(size), known))
            named = dict(re.findall(r"(\w[\w.]*) \((0\.\d{3})\)", said))
            assert set(named) == {name for name, shares in known.items() if shares[at] < 0.93}, (kind, size)
            assert not named or f"cohorts of {size} patients" in said
    assert "mae" in coverage.note(entry(20, (), ("mae", "r2")))
    assert "not simulated" in coverage.note(entry(20, (9, 11), ("dice",)))
    assert coverage.note(entry(60, (29, 31), ("dice",))) == ""


@pytest.mark.parametrize("within", [(0.0, 1.0), (0.0, 2.0), (0.0, math.inf), (-math.inf, 1.0)])
def test_an_interval_keeps_its_bounds_and_holds_the_value(within):
    rng = np.random.default_rng(0)
    for point in (0.02, 0.4, 0.97):
        for spread in (1e-4, 0.02, 0.5):
            low, high = bootstrap.bounded(point, rng.normal(point, spread, 300), 0.95, 12, 4.0, within)
            assert within[0] <= low < point < high <= within[1]
            if spread < 1e-3:  # far from the bounds in its own measure: the plain Student interval
                reach = stats.t.ppf(0.975, 4) * spread * np.sqrt(12 / 11)
                assert (point - low, high - point) == pytest.approx((reach, reach), rel=0.15)


def test_a_logit_interval_is_that_of_the_formula():
    values = np.random.default_rng(1).normal(0.9, 0.03, 500)
    low, high = bootstrap.bounded(0.9, values, 0.9, 30, 11.0, (0.0, 1.0))
    reach = stats.t.ppf(0.95, 11) * values.std(ddof=1) * np.sqrt(30 / 29) / (0.9 * 0.1)
    ends = 1 / (1 + np.exp(-(np.log(9) + np.array([-reach, reach]))))
    assert (low, high) == pytest.approx(tuple(ends))


def test_freedom_is_that_of_the_patients_that_decide():
    rng = np.random.default_rng(2)
    normal = [bootstrap.freedom(rng.normal(size=200), 200) for _ in range(50)]
    assert np.median(normal) == pytest.approx(199, rel=0.1)
    few = [bootstrap.freedom(np.where(np.arange(200) < 10, rng.normal(size=200), 0), 200) for _ in range(50)]
    assert np.median(few) < 10
    for nothing in (np.zeros(9), np.full(9, 0.3), np.full(9, np.nan), np.zeros(0), np.ones(2)):
        assert bootstrap.freedom(nothing, 9) == 8
    assert bootstrap.freedom(np.append(np.zeros(400), 1.0), 401) == 2


def test_each_patient_is_left_out_once_and_of_many_500():
    few = bootstrap.left_out(np.array(["b", "a", "a", "c"], object))
    assert few.counts.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert bootstrap.left_out(np.array(["a", "a"], object)).counts.shape == (0, 1)
    many = bootstrap.left_out(np.arange(1200).astype(str))
    assert many.counts.shape == (500, 1200)
    assert (many.counts.sum(axis=1) == 1199).all()
    assert len(set(many.counts.argmin(axis=1).tolist())) == 500


def test_chance_is_taken_off_below_and_nothing_else_changes():
    drawn, left = np.random.default_rng(3).normal(0.14, 0.02, 400), np.linspace(0.09, 0.11, 30)
    plain = estimate(SHARE, np.float64(0.1), drawn, left, 0.95, 30)
    less = estimate(Measure("a", "a", inflated=True), np.float64(0.1), drawn, left, 0.95, 30)
    assert less["low"] < plain["low"] - 0.03
    assert less["low"] >= 0
    assert less["high"] >= plain["high"]
    assert estimate(ERROR, np.float64(9.0), drawn * 90, left, 0.95, 30)["high"] > 9


@pytest.mark.slow
def test_intervals_of_a_rare_class_hold_the_truth():
    """150 cohorts of 40 patients, 8 of them of one class: the AUROC's interval holds the truth as often as it says."""
    from usfm.tasks.draws import draw
    from usfm.tasks.metrics import auroc

    rng, held, trials = np.random.default_rng(4), 0, 150
    truth = stats.norm.cdf(1.2 / np.sqrt(2))
    for _ in range(trials):
        target, group = (np.arange(40) < 8).astype(int), np.arange(40).astype(str)
        score = rng.normal(1.2 * target, 1)

        def of(counts, target=target, score=score):
            return np.array([auroc(np.repeat(target, n), np.repeat(score, n)) for n in counts])

        draws = draw(group, 150, rng)
        order = draws.place(group)
        ones = np.ones((1, 40), int)
        parts = (of(ones)[0], of(draws.counts[:, order]), of(bootstrap.left_out(group).counts[:, order]))
        made = estimate(SHARE, *parts, 0.95, 40)
        held += made["low"] <= truth <= made["high"]
    assert held / trials > 0.91
