"""The blocked search equals the full matrix, and the cover keeps its promises."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from usfm.curate.dedup.groups import neighbour_counts
from usfm.imaging.neighbours import TOLERANCE, cosine_pairs, cosines, cover, star_cover
from usfm.screening.leaks import leaks_between, unlike_pairs


def points(seed, n, dimensions=3):
    values = np.random.default_rng(seed).normal(size=(n, dimensions)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.mark.parametrize("block", [1, 7, 64])
def test_pairs_equal_the_full_matrix(block):
    features = points(0, 50)
    full = np.triu(features @ features.T, 1)
    i, j, similarity = cosine_pairs(features, 0.8, block=block)
    assert list(zip(i, j, strict=True)) == list(zip(*np.nonzero(full >= 0.8), strict=True))
    np.testing.assert_allclose(similarity, full[i, j], atol=1e-6)


def test_pairs_between_two_sets_see_both_directions():
    a, b = points(1, 30), points(2, 20)
    forward = cosine_pairs(a, 0.7, b, block=8)
    backward = cosine_pairs(b, 0.7, a, block=8)
    assert set(zip(forward[0], forward[1], strict=True)) == set(zip(backward[1], backward[0], strict=True))
    assert len(forward[0]) == ((a @ b.T) >= 0.7).sum()


def test_no_rows_no_pairs():
    assert [len(part) for part in cosine_pairs(np.empty((0, 4), np.float32), 0.5)] == [0, 0, 0]
    assert cover(np.empty((0, 4), np.float32), 0.5, np.empty(0))[0].size == 0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(1, 60), threshold=st.floats(0.3, 0.99), block=st.sampled_from([1, 5, 64])
)
def test_cover_keeps_its_promises(seed, n, threshold, block):
    features = points(seed, n)
    priority = np.random.default_rng(seed).integers(0, 5, n)
    kept_by, similarity = cover(features, threshold, priority, block=block)
    full = features @ features.T
    kept = np.flatnonzero(kept_by == np.arange(n))
    dropped = np.flatnonzero(kept_by != np.arange(n))
    assert (kept_by[kept_by] == kept_by).all(), "every keeper is kept"
    assert (full[dropped, kept_by[dropped]] >= threshold - 2 * TOLERANCE).all(), "every drop is near its keeper"
    assert (np.triu(full[np.ix_(kept, kept)], 1) < threshold + TOLERANCE).all(), "kept frames are unlike"
    np.testing.assert_allclose(similarity[dropped], full[dropped, kept_by[dropped]], atol=1e-6)
    again, _ = cover(features[kept], threshold, priority[kept], block=block)
    assert (again == np.arange(len(kept))).all(), "a second pass drops nothing"


@pytest.mark.parametrize("block", [4, 1000])
def test_cover_equals_the_cover_of_the_pairs(block):
    features = points(5, 200)
    priority = np.random.default_rng(5).permutation(200)
    kept_by, similarity = cover(features, 0.9, priority, block=block)
    slow_kept_by, slow_similarity = star_cover(200, cosine_pairs(features, 0.9), priority)
    np.testing.assert_array_equal(kept_by == np.arange(200), slow_kept_by == np.arange(200))
    np.testing.assert_array_equal(kept_by, slow_kept_by)
    np.testing.assert_allclose(similarity, slow_similarity, atol=1e-6)


def test_a_chain_does_not_run_on():
    angle = np.deg2rad([0.0, 20.0, 40.0])
    features = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    kept_by, _ = cover(features, np.cos(np.deg2rad(25)), np.arange(3))
    assert kept_by.tolist() == [0, 0, 2]


def test_priority_decides_who_stays():
    features = np.ones((3, 1), np.float32)
    assert cover(features, 0.9, np.array([2, 0, 1]))[0].tolist() == [1, 1, 1]


def test_pairs_that_are_not_allowed_do_not_count():
    features = np.ones((4, 1), np.float32)
    near = lambda i, j: np.abs(i[:, None] - j[None]) <= 1  # noqa: E731
    assert cover(features, 0.9, np.arange(4), allowed=near)[0].tolist() == [0, 0, 2, 2]
    assert len(cosine_pairs(features, 0.9, allowed=near)[0]) == 3


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), dimensions=st.sampled_from([3, 64, 256, 1024]), positive=st.booleans())
def test_similarities_lie_within_one_and_equal_rows_have_exactly_one(seed, dimensions, positive):
    features = np.random.default_rng(seed).normal(size=(40, dimensions)).astype(np.float32)
    features = np.abs(features) + 3 if positive else features
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    features[20:] = features[:20]
    tile = cosines(features, -features)
    assert tile.min() >= -1
    tile = cosines(features, features)
    assume((tile[:20, :20] == 1).sum() == 20)  # in three dimensions two rows may be as good as equal
    assert tile.max() <= 1
    assert (np.diag(tile) == 1).all()
    assert (tile[np.arange(20), np.arange(20, 40)] == 1).all()
    kept_by, similarity = cover(features, 1.0, np.arange(40), block=7)
    assert kept_by[20:].tolist() == list(range(20))
    assert (similarity == 1).all()


@pytest.mark.parametrize("below, found", [(0.5, True), (2.0, False)])
def test_a_threshold_means_the_same_in_every_search(below, found):
    """A pair half a tolerance under the threshold reaches it everywhere, one two tolerances under it nowhere."""
    angle = np.float64(0.4)
    pair = np.array([[1, 0], [np.cos(angle), np.sin(angle)]], np.float32)
    threshold = float(cosines(pair[:1], pair[1:])[0, 0]) + below * TOLERANCE
    assert (len(cosine_pairs(pair, threshold)[0]) == 1) == found
    assert (cover(pair, threshold, np.arange(2))[0].tolist() == [0, 0]) == found
    assert (neighbour_counts(pair, threshold).tolist() == [1, 1]) == found
    assert (len(leaks_between(pair[:1], pair[1:], threshold)) == 1) == found
    assert (len(unlike_pairs(pair, ["a", "b"], threshold)) == 1) == found
