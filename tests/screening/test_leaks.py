"""Near-duplicates across tags and stores are all found, and nothing else."""

import numpy as np
import pytest

from usfm.screening.features import visual_features
from usfm.screening.leaks import pairs_between, split_leaks, unlike_pairs
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
    features = points(2, 80)
    everything = pairs_between(features, features, 0.5)
    few = pairs_between(features, features, 0.5, limit=10, block=16)
    assert few.total == everything.total
    np.testing.assert_allclose(few.similarity, everything.similarity[:10])


def test_both_directions_agree():
    a, b = points(3, 30), points(4, 20)
    forward, backward = pairs_between(a, b, 0.8), pairs_between(b, a, 0.8)
    assert set(zip(forward.i, forward.j, strict=True)) == set(zip(backward.j, backward.i, strict=True))


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
