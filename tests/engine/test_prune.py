"""Passes without frames that are learnt well: what is left out, what counts for it, and that no thread matters."""

import numpy as np
import pytest

from usfm.engine.order import Shuffled
from usfm.engine.prune import LAG, Pruned

ROWS, BATCH = np.arange(40) * 2 + 5, 4
EASY = ROWS[:24]


def loss_of(rows, step):
    return np.where(np.isin(rows, EASY), 0.1, 1.0) + 0.001 * step


def trained(order, steps, *, ahead=1, first=0):
    """Take steps, planning `ahead` of them in advance, as the feeding thread does."""
    taken, seen = [], []
    for step in range(first, steps):
        last = min(steps, step + ahead)
        order.at(np.arange(step * BATCH, last * BATCH))
        rows, times = order.at(np.arange(step * BATCH, (step + 1) * BATCH))
        seen.append(order.weights(rows, times))
        taken.append(rows)
        half = BATCH // 2
        for part in (slice(half, BATCH), slice(0, half)):  # the parts of other processes come in any order
            order.record(step, part.start, rows[part], loss_of(rows[part], step))
    return np.stack(taken), np.stack(seen)


def make(share=0.5, until=10_000):
    return Pruned(ROWS, BATCH, 3, share, until)


def test_before_anything_is_known_it_is_a_shuffled_order():
    index = np.arange(BATCH * LAG)
    for ours, theirs in zip(make().at(index), Shuffled(ROWS, 3).at(index), strict=True):
        assert np.array_equal(ours, theirs)


def test_half_of_what_is_learnt_well_is_left_out_and_the_rest_of_it_counts_twice():
    rows, weights = trained(make(), 400)
    late, counts = rows[100:].ravel(), weights[100:].ravel()
    easy = np.isin(late, EASY)
    assert set(counts[easy]) == {2.0}
    assert set(counts[~easy]) == {1.0}
    assert easy.mean() == pytest.approx(12 / 28, abs=0.02)
    each = np.bincount(late, minlength=ROWS[-1] + 1)[ROWS]
    assert each.min() > 0
    share = counts[easy].sum() / counts.sum()
    assert share == pytest.approx(24 / 40, abs=0.02)  # the sum of a pass stays


@pytest.mark.parametrize("ahead", [2, 37])
def test_how_far_ahead_is_planned_changes_nothing(ahead):
    for ours, theirs in zip(trained(make(), 300, ahead=ahead), trained(make(), 300), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("stop", [3, 57, 131, 290])
def test_a_saved_state_goes_on_exactly(stop):
    whole, weights = trained(make(), 320, ahead=36)
    first = make()
    trained(first, stop, ahead=1)
    first.at(np.arange(stop * BATCH, (stop + 36) * BATCH))  # planned, not taken
    second = make()
    second.go_on(first.state(stop))
    again = trained(second, 320, ahead=36, first=stop)
    assert np.array_equal(again[0], whole[stop:])
    assert np.array_equal(again[1], weights[stop:])


def test_the_end_of_a_run_is_whole():
    rows, weights = trained(make(until=200), 300)
    assert (weights[220:] == 1).all()
    assert np.isin(rows[220:], EASY).mean() == pytest.approx(24 / 40, abs=0.02)
    with pytest.raises(ValueError, match="another number"):
        make().go_on(Pruned(ROWS[:-1], BATCH, 3, 0.5, 9).state(0))
