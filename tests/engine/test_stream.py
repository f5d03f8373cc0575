"""Which frames make which batch."""

import numpy as np
import pytest

from usfm.engine.crops import AreaTables
from usfm.engine.stream import Stream
from usfm.errors import RequestError


def regions(n):
    """A half-covered layout for most frames, a nearly empty one for three."""
    masks = np.zeros((2, 64, 64), bool)
    masks[0, :, 8:56] = True
    masks[1, :12, :12] = True
    rows = np.zeros(n, int)
    rows[:3] = 1
    return AreaTables.of(masks), rows


def make(n=50, batch=8, seed=0, **kw):
    areas, rows = regions(n)
    return Stream(np.arange(n), batch, (64, 64), (8, 8), seed, areas=areas, region_rows=rows, **kw)


def test_every_frame_once_an_epoch_whatever_its_bucket():
    """10 of the checks: a bucket smaller than the batch still gets trained."""
    stream, n = make(), 50
    steps = stream.window * 25  # whole windows and whole epochs
    rows = np.concatenate([stream.plan(step).rows for step in range(steps)])
    epochs = np.concatenate([stream.plan(step).epochs for step in range(steps)])
    for epoch in range(3):
        assert sorted(rows[epochs == epoch]) == list(range(n))
    counts = np.bincount(rows, minlength=n)
    assert counts.min() == counts.max()


def test_epochs_and_crops_and_candidates_differ_from_epoch_to_epoch():
    stream = make(n=8)
    first, second = stream.plan(0), stream.plan(1)
    assert not np.array_equal(first.rows, second.rows)
    at = {row: i for i, row in enumerate(first.rows)}
    moved = [first.crops.top[at[row]] != second.crops.top[i] for i, row in enumerate(second.rows)]
    assert any(moved)


def test_a_step_is_the_same_however_it_is_reached():
    walked, jumped = make(), make()
    for step in range(70):
        walked.plan(step)
    a, b = walked.plan(70), jumped.plan(70)
    assert np.array_equal(a.rows, b.rows)
    assert np.array_equal(a.crops.stacked(), b.crops.stacked())
    assert a.candidates == b.candidates
    assert not np.array_equal(make(seed=1).plan(70).rows, a.rows)


def test_candidates_follow_the_valid_patches():
    stream = make(n=200, crop={"area": (0.2, 1.0)})
    plans = [stream.plan(step) for step in range(stream.window)]
    for plan in plans:
        assert plan.candidates % stream.quantum == 0 or plan.candidates == 64
        assert 4 * stream.quantum <= plan.candidates <= 64
        assert (plan.valid >= plan.candidates).mean() >= 0.75 or plan.candidates == 4 * stream.quantum
    assert len({plan.candidates for plan in plans}) > 1


def test_samples_with_too_few_valid_patches_are_cropped_again():
    """Those that had enough keep their crop; a region that is too small for any crop (rows under 3) stays short."""
    few = {"n": 60, "batch": 50, "crop": {"area": (0.05, 1.0)}}
    once, often = make(**few), make(**few, retries=9)
    short = [0, 0]
    for step in range(20):
        a, b = once.plan(step), often.plan(step)
        assert np.array_equal(a.rows, b.rows)
        assert a.candidates == b.candidates
        enough = a.valid >= a.candidates
        same = (b.crops.stacked() == a.crops.stacked()).all(1)
        assert np.array_equal(same, enough)
        short = [
            short[0] + (~enough & (a.rows >= 3)).sum(),
            short[1] + ((b.valid < b.candidates) & (b.rows >= 3)).sum(),
        ]
    assert short[0] > 30
    assert short[1] < short[0] / 10
    again = make(**few, retries=9).plan(7)
    assert np.array_equal(often.plan(7).crops.stacked(), again.crops.stacked())


def test_without_regions_all_tokens_are_candidates():
    stream = Stream(np.arange(10), 4, (64, 64), (8, 8), 0)
    assert stream.plan(0).candidates == 64


def test_a_batch_larger_than_the_store_is_one_sentence():
    with pytest.raises(RequestError, match="larger than the 5 frames"):
        Stream(np.arange(5), 8, (64, 64), (8, 8), 0)
