"""Endless orders of rows: what each promises, and that a place says all."""

import numpy as np
import pytest

from usfm.engine.order import Mixed, Shuffled, Weighted, balanced

ROWS = np.arange(40) + 7
WEIGHTS = np.repeat([8.0, 1.0], [10, 30])


def kinds():
    new, old = Shuffled(ROWS, 3), Weighted(np.arange(100, 130), np.arange(1, 31), 3, "old")
    return [new, Weighted(ROWS, WEIGHTS, 3), Mixed(new, old, 0.3)]


@pytest.mark.parametrize("order", kinds(), ids=lambda order: type(order).__name__)
def test_places_say_all_and_times_tell_apart(order):
    """The same at a place however it is reached; a row never comes twice with the same number, so crops differ."""
    rows, times = order.at(np.arange(600))
    assert set(rows) <= set(order.rows)
    for some in (np.array([311]), np.arange(290, 520)):
        again = order.at(some)
        assert np.array_equal(again[0], rows[some])
        assert np.array_equal(again[1], times[some])
    assert len({*zip(rows.tolist(), times.tolist(), strict=True)}) == 600


def test_a_shuffled_pass_has_every_row_once():
    rows, epochs = Shuffled(ROWS, 0).at(np.arange(80))
    assert sorted(rows[:40]) == sorted(rows[40:]) == ROWS.tolist()
    assert epochs.tolist() == [0] * 40 + [1] * 40


def test_weights_are_kept_within_one_in_every_pass():
    order = Weighted(ROWS, WEIGHTS, 1)
    wanted = 40 * WEIGHTS / WEIGHTS.sum()
    for k in range(5):
        counts = np.bincount(order.at(np.arange(40 * k, 40 * (k + 1)))[0] - 7, minlength=40)
        assert (np.abs(counts - wanted) < 1).all()
    many = np.bincount(order.at(np.arange(4000))[0] - 7, minlength=40)
    assert np.abs(many / 100 - wanted).max() < 0.2


@pytest.mark.parametrize("share", [0.05, 0.25, 0.9])
def test_a_mix_keeps_its_share_in_every_stretch(share):
    order = Mixed(Shuffled(ROWS, 0), Shuffled(np.arange(100, 120), 0, "old"), share)
    old = order.at(np.arange(5000))[0] >= 100
    for start in range(0, 5000, 100):
        assert abs(old[start : start + 100].sum() - 100 * share) <= 1
    assert order.places == pytest.approx(40 / (1 - share))
    seen = order.at(np.arange(round(order.places) + 1))[0]
    assert set(ROWS) <= set(seen)


def test_balance_gives_groups_what_it_says():
    group = np.repeat(["a", "b", "c"], [100, 25, 4])
    for power, cap, wanted in (
        (0.0, 0, [1, 1, 1]),
        (0.5, 0, [10, 5, 2]),
        (1.0, 0, [100, 25, 4]),
        (1.0, 20, [20, 20, 4]),
    ):
        weights = balanced(group, power, cap)
        sums = np.array([weights[group == name].sum() for name in "abc"])
        assert np.allclose(sums / sums.sum(), np.array(wanted) / sum(wanted))
