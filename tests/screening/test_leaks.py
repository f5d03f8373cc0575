"""Near-duplicates across tags and stores are all found, and nothing else."""

import tracemalloc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.imaging.neighbours import TOLERANCE
from usfm.screening.features import BATCH, visual_features
from usfm.screening.leaks import disagreements, leaks_between, split_leaks, unlike_pairs
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter


def points(seed, n):
    values = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.mark.parametrize("block", [7, 500])
def test_unlike_pairs_equal_the_slow_loop(block):
    features, tags = points(0, 60), np.random.default_rng(1).choice(["train", "test", ""], 60)
    slow = {
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if features[i] @ features[j] >= 0.9 and tags[i] and tags[j] and tags[i] != tags[j]
    }
    pairs = unlike_pairs(features, tags, 0.9, block=block)
    assert set(zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)) == slow
    assert pairs.total == len(pairs) == len(slow)
    assert (np.diff(pairs.similarity) <= 0).all()


def test_the_limit_keeps_the_most_similar_and_counts_all():
    features, tags = points(2, 80), np.arange(80)
    everything = unlike_pairs(features, tags, 0.5)
    few = unlike_pairs(features, tags, 0.5, limit=10, block=16)
    assert few.total == everything.total
    np.testing.assert_allclose(few.similarity, everything.similarity[:10])


def test_several_kinds_of_tags_are_judged_in_one_pass():
    features, random = points(5, 70), np.random.default_rng(6)
    tags = {"label": random.integers(-1, 3, 70), "patient": random.choice(["", "p1", "p2"], 70)}
    both = disagreements(features, tags, 0.6, block=16)
    for kind, values in tags.items():
        alone = unlike_pairs(features, values, 0.6)
        assert (both[kind].i.tolist(), both[kind].j.tolist()) == (alone.i.tolist(), alone.j.tolist())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(0, 40), m=st.integers(0, 40), threshold=st.floats(-0.5, 1.0),
    block=st.sampled_from([1, 7, 64]), gated=st.booleans(),
)  # fmt: skip
def test_leaks_equal_the_slow_loop(seed, n, m, threshold, block, gated):
    """One entry a row that has any allowed pair, the most similar one; copies of rows among them."""
    random = np.random.default_rng(seed)
    theirs = points(seed, m)
    copies = random.integers(0, 3, n) == 0 if m else np.zeros(n, bool)
    mine = points(seed + 1, n)
    mine[copies] = theirs[random.integers(0, max(1, m), copies.sum())]
    first, second = random.integers(0, 4, n), random.integers(0, 4, m)
    gate = (lambda i, j: np.abs(first[i][:, None] - second[j][None]) <= 1) if gated else None
    found = leaks_between(mine, theirs, threshold, allowed=gate, block=block)
    slow = {}
    for i in range(n):
        pairs = [j for j in range(m) if not gated or abs(first[i] - second[j]) <= 1]
        best = max(((mine[i].astype(float) @ theirs[j].astype(float), -j) for j in pairs), default=None)
        if best is not None and abs(best[0] - threshold) < 3 * TOLERANCE:
            return  # as near to the threshold as rounding
        if best is not None and best[0] >= threshold:
            slow[i] = best[0]
    assert found.row.tolist() == sorted(slow)
    np.testing.assert_allclose(found.similarity, [slow[i] for i in sorted(slow)], atol=3 * TOLERANCE)
    assert (found.similarity <= 1).all()
    if not gated and threshold < 0.999:
        assert (found.similarity[np.isin(found.row, np.flatnonzero(copies))] == 1).all()


def test_leaks_have_no_limit_and_little_memory():
    """Ten thousand frames that all look like all of five hundred: five million pairs, all rows found."""
    features = np.repeat(points(7, 1), 10_000, axis=0)
    others = np.concatenate([points(8, 1), features[:500]])
    tracemalloc.start()
    found = leaks_between(features, others, 0.99)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.row.tolist() == list(range(10_000))
    assert (found.like == 1).all()
    assert (found.similarity == 1).all()
    assert most < 40e6


def test_frames_of_the_same_pixels_are_alike_whatever_their_features():
    found = leaks_between(points(1, 3), points(2, 2), 0.9999, same=(["a", "", "b"], ["b", ""]))
    assert (found.row.tolist(), found.like.tolist(), found.similarity.tolist()) == ([2], [0], [1.0])


def test_no_more_masks_are_held_than_a_batch_needs():
    """A collection of many clips has a mask for each; those of two batches are alive at most."""
    alive, most = weakref.WeakSet(), []

    class Mask(np.ndarray):
        __hash__ = object.__hash__

    class Many:
        def column(self, name):
            return np.arange(400) // 2

        def region(self, row):
            mask = np.ones((8, 8), bool).view(Mask)
            alive.add(mask)
            most.append(len(alive))
            return SimpleNamespace(mask=mask)

        def frames(self, rows):
            return [np.full((8, 8), row % 256, np.uint8) for row in rows]

    assert visual_features(Many(), range(400)).shape == (400, 256)
    assert len(most) == 200
    assert max(most) <= BATCH


def test_leaks_across_the_splits_of_a_store(tmp_path):
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (40, 40), dtype=np.uint8) for _ in range(3)]
    part = PartWriter()
    for k, (picture, split) in enumerate(zip([0, 1, 0, 2, 2], ["train", "train", "test", "test", ""], strict=True)):
        source = part.source(path=f"{k}.png", sha256=f"{k}".ljust(64, "0"), kind="image")
        part.frame(pictures[picture], frame_id=f"{k:016d}:0", source=source, index=0, time_s=0.0, split=split)
    write_store(tmp_path / "s.h5", part)
    store = Store.open(str(tmp_path / "s.h5"))
    pairs = split_leaks(store)
    assert (pairs.i.tolist(), pairs.j.tolist()) == ([0], [2])
    assert len(split_leaks(store, ["train"] * 5)) == 0
    assert visual_features(store, []).shape == (0, 256)
