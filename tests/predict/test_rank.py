"""The order in which people should label frames."""

import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.predict import rank
from usfm.predict.rank import by_diversity, by_uncertainty, entropy, uncertainty


def test_no_second_frame_of_a_patient_comes_before_the_first_of_another():
    rng = np.random.default_rng(0)
    values, group, free = rng.random(60), rng.integers(0, 12, 60), rng.random(60) < 0.8
    ranks = by_uncertainty(values, group, free)
    assert np.isnan(ranks[~free]).all()
    assert sorted(ranks[free]) == list(range(1, free.sum() + 1))
    order = np.flatnonzero(free)[np.argsort(ranks[free])]
    turns = [sum(group[k] == group[row] for k in order[:at]) for at, row in enumerate(order)]
    assert turns == sorted(turns)
    first = order[: len(set(group[free]))]
    assert (np.diff(values[first]) <= 0).all()


def test_the_next_frame_is_the_furthest_from_all_before_it():
    rng = np.random.default_rng(1)
    vectors, free = rng.normal(size=(40, 8)), np.arange(40) >= 10
    ranks = by_diversity(vectors, free, np.arange(40))
    assert np.array_equal(by_diversity(vectors[10:], free[10:], np.arange(30), vectors[:10]), ranks[10:])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near, order = list(range(10)), np.flatnonzero(free)[np.argsort(ranks[free])]
    for row in order:
        far = 1 - (unit @ unit[near].T).max(1)
        left = [k for k in order if k not in near]
        assert far[row] == pytest.approx(far[left].max(), abs=1e-5)
        near.append(row)


@pytest.mark.parametrize("most", [5, 1000])
def test_diversity_takes_no_second_frame_of_a_patient_before_the_first_of_another(monkeypatch, most):
    monkeypatch.setattr(rank, "GREEDY", most)
    rng = np.random.default_rng(2)
    vectors, group, free = rng.normal(size=(50, 4)), rng.integers(0, 9, 50), rng.random(50) < 0.9
    ranks = by_diversity(vectors, free, group)
    assert sorted(ranks[free]) == list(range(1, free.sum() + 1))
    order = np.flatnonzero(free)[np.argsort(ranks[free])]
    turns = [sum(group[k] == group[row] for k in order[:at]) for at, row in enumerate(order)]
    assert turns == sorted(turns)


@pytest.mark.parametrize("free", [np.zeros(5, bool), np.ones(5, bool)])
def test_all_or_nothing_labelled(free):
    ranks = by_diversity(np.eye(5), free, np.zeros(5, int))
    assert sorted(ranks[free]) == list(range(1, free.sum() + 1))
    assert np.isnan(ranks[~free]).all()


def test_how_unsure_each_kind_of_answer_is():
    shares = np.array([[0.2, 0.8], [0.5, 0.5]])
    assert uncertainty(shares, ("a", "b"), 2, False) == pytest.approx(entropy(shares))
    assert uncertainty(shares, ("a", "b"), 0, True) == pytest.approx([entropy(np.array([[0.2, 0.8]]))[0], 1])
    assert uncertainty(shares[:, :1], ("highest",), 0, False) == pytest.approx([0.4, 1])
    assert uncertainty(shares, ("side", "spread:side"), 0, False) == pytest.approx([0.8, 0.5])
    with pytest.raises(RequestError, match="does not say how sure it is of a number"):
        uncertainty(shares[:, :1], ("side",), 0, False)
