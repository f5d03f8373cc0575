"""Groups are dealt whole, into parts of the asked size, with the classes of the whole where the groups allow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.tasks.deal import deal

PARTS = {"three": (0.7, 0.15, 0.15), "two": (0.8, 0.2), "folds": (0.2,) * 5}


def shares(stratum, rows, classes):
    return np.bincount(stratum[rows], minlength=classes) / rows.sum()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), groups=st.integers(100, 400), classes=st.integers(1, 5),
       most=st.integers(4, 12), fractions=st.sampled_from(list(PARTS.values())))  # fmt: skip
def test_shares_are_within_two_points_where_no_group_weighs_much(seed, groups, classes, most, fractions):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rng.integers(1, most + 1, groups))
    main = rng.integers(0, classes, groups)[group]
    stratum = np.where(rng.random(len(group)) < 0.2, rng.integers(0, classes, len(group)), main)
    part = deal(group, stratum, fractions, rng)
    whole = shares(stratum, np.ones(len(group), bool), classes)
    for k, wanted in enumerate(fractions):
        mine = part[group] == k
        assert abs(shares(stratum, mine, classes) - whole).max() <= 0.02
        assert abs(mine.mean() - wanted) <= 0.02


def test_sixty_stills_make_parts_whose_classes_divide():
    label = np.repeat([0, 1], [36, 24])
    for seed in range(5):
        part = deal(np.arange(60), label, PARTS["three"], np.random.default_rng(seed))
        for k, wanted in enumerate(PARTS["three"]):
            assert abs((label[part == k] == 0).mean() - 0.6) <= 0.02
            assert abs((part == k).mean() - wanted) <= 0.035


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), groups=st.integers(3, 30), fractions=st.sampled_from(list(PARTS.values())))
def test_no_part_is_empty_and_a_class_that_enough_groups_hold_is_in_each(seed, groups, fractions):
    rng = np.random.default_rng(seed)
    groups = max(groups, len(fractions))
    group = np.repeat(np.arange(groups), rng.integers(1, 30, groups))
    stratum = (np.arange(groups) % 2)[group]
    part = deal(group, stratum, fractions, rng)
    assert sorted(set(part.tolist())) == list(range(len(fractions)))
    for label in range(2):
        holders = np.unique(group[stratum == label])
        if len(holders) >= len(fractions) + 2:
            assert set(part[holders].tolist()) == set(range(len(fractions)))


def test_the_lot_follows_the_seed_and_a_part_of_no_share_gets_nothing():
    group = np.repeat(np.arange(50), 4)
    first, same, other = (deal(group, group % 2, (0.7, 0.3, 0.0), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()
    assert set(first.tolist()) == {0, 1}


@pytest.mark.parametrize("parts", [100, 1000])
def test_as_many_folds_as_groups_leave_one_out(parts):
    part = deal(np.arange(parts), np.arange(parts) % 3, [1 / parts] * parts, np.random.default_rng(0))
    assert sorted(part.tolist()) == list(range(parts))
