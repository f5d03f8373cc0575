"""Batches from a store: the same whoever makes them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.engine.data import Feed, Pixels, hold_out, spread
from usfm.engine.stream import Stream


class Frames:
    """As much of a store as batches need."""

    def __init__(self, n=24, patients=True):
        self.images = np.random.default_rng(0).integers(0, 256, (n, 32, 32), np.uint8)
        self.fixed_shape = (32, 32)
        self.source = np.arange(n) // 4
        self.patients = patients

    def __len__(self):
        return len(self.images)

    def pixels(self, rows):
        return self.images[rows]

    def column(self, name):
        return self.source

    def of_frames(self, name):
        return np.array([f"p{s // 2}" if self.patients else "" for s in self.source], object)


def feed(cache="none", **kw):
    store = Frames()
    stream = Stream(np.arange(24), 8, (32, 32), (2, 2), 0)
    return Feed(stream, Pixels(store, torch.device("cpu"), cache), **kw)


def test_ranks_and_parts_share_one_batch():
    whole = [parts[0].frames for parts in feed().batches(0, 3)]
    for step in range(3):
        pieces = [p for rank in range(2) for p in feed(rank=rank, world=2, accumulate=2).make(step)]
        assert torch.equal(torch.cat([p.frames for p in pieces]), whole[step])
        assert [p.part for p in pieces] == [slice(i, i + 2) for i in range(0, 8, 2)]


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_the_cache_changes_nothing(cache):
    assert torch.equal(feed(cache).make(1)[0].frames, feed().make(1)[0].frames)


def test_starting_in_the_middle():
    later = next(iter(feed().batches(5, 6)))[0]
    assert torch.equal(later.frames, feed().make(5)[0].frames)
    assert torch.equal(later.crops, feed().make(5)[0].crops)


def test_an_error_in_the_thread_comes_out():
    broken = feed()
    broken.pixels.store.pixels = lambda rows: 1 / 0
    with pytest.raises(ZeroDivisionError):
        list(broken.batches(0, 2))


def test_stopping_early_ends_the_thread():
    import threading

    batches = feed().batches(0, 1000)
    next(batches)
    batches.close()
    assert not [t for t in threading.enumerate() if t.name == "usfm-feed"]


def test_hold_out_keeps_patients_together_and_one_source_at_least():
    train, held = hold_out(Frames(), 0.02, 0)
    assert sorted([*train, *held]) == list(range(24))
    assert len(held) == 8  # one patient, two sources
    assert not set(Frames().of_frames("patient")[train]) & set(Frames().of_frames("patient")[held])
    assert np.array_equal(hold_out(Frames(), 0.02, 0)[1], held)
    assert len(hold_out(Frames(patients=False), 0.02, 0)[1]) == 4


def test_one_group_holds_nothing_out():
    train, held = hold_out(Frames(4), 0.02, 0)
    assert len(train) == 4
    assert len(held) == 0


class Clips:
    """Patients of unequal clips: as much of a store as the choice of held-out rows needs."""

    def __init__(self, lengths):
        clips = [(patient, n) for patient, clips in enumerate(lengths) for n in clips]
        self.source = np.repeat(np.arange(len(clips)), [n for _, n in clips])
        self.patient = np.array([f"p{patient}" for patient, n in clips for _ in range(n)], object)

    def __len__(self):
        return len(self.source)

    def column(self, name):
        return self.source

    def of_frames(self, name):
        return self.patient


@pytest.mark.parametrize("patients, least", [(2, 1), (11, 1), (12, 2), (17, 2), (18, 3), (200, 3)])
def test_a_small_store_holds_several_patients_out(patients, least):
    store = Clips([(5, 3)] * patients)
    held = hold_out(store, 0.001, 3)[1]
    assert len(set(store.patient[held])) == least


@given(
    st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=4), min_size=1, max_size=8),
    st.integers(1, 120),
)
@settings(max_examples=60, deadline=None)
def test_watched_rows_are_spread_over_patients_and_their_sources(lengths, limit):
    store = Clips(lengths)
    rows = np.arange(len(store))
    got = spread(store, rows, limit)
    assert len(got) == min(limit, len(rows))
    assert (np.diff(got) > 0).all()
    for by in (store.patient, store.source):  # nobody gives two more than another who still has some
        if by is store.source and len(lengths) > 1:
            continue
        counts = {name: ((by[got] == name).sum(), (by == name).sum()) for name in set(by)}
        most = max(taken for taken, _ in counts.values())
        assert all(taken >= min(there, most - 1) for taken, there in counts.values())


def test_rows_of_one_clip_are_spread_over_its_length():
    store = Clips([(300,)])
    for limit in (2, 5, 30):
        gaps = np.diff(spread(store, np.arange(300), limit))
        assert gaps.max() <= 3 * 300 / limit


@pytest.mark.parametrize("n, kept", [(1, 1), (50, 2)])
def test_the_head_of_a_part_never_reaches_into_the_next_one(n, kept):
    for part in feed(accumulate=4).make(0):
        head = part.head(n)
        assert len(head.plan.rows[head.part]) == len(head.frames) == len(head.crops) == kept
        assert torch.equal(head.frames, part.frames[:kept])
