import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.screening.groups import group_frames
from usfm.tasks import folds


def _cohort(seed, groups=30, classes=3):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 20, groups)
    group = np.repeat(np.arange(groups), sizes)
    kind = rng.integers(0, classes, groups)
    kind[:classes] = np.arange(classes)
    return kind[group], group, rng


def test_a_patient_is_one_group_and_a_clip_without_patient_is_its_own():
    groups = group_frames(np.array(["p", "p", "", "", "q"]), np.array(["1", "2", "3", "3", "4"]))
    assert groups.names == ["clip:3", "p", "q"]
    assert groups.code.tolist() == [1, 1, 0, 0, 2]
    assert groups.without_patient == 2
    assert groups.joined == []


def test_patients_with_identical_content_are_one_group():
    patient, clip = np.array(["a", "b", "c", "d", "e"]), np.array(list("12345"))
    files = np.array(["x", "x", "y", "", ""])
    frames = np.array(["1", "2", "2", "3", "4"])
    groups = group_frames(patient, clip, [files, frames])
    assert groups.joined == [("a", "b", "c")]
    assert groups.code.tolist() == [0, 0, 0, 1, 2]
    assert groups.names == ["a+b+c", "d", "e"]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(2, 6), groups=st.integers(6, 40))
def test_folds_keep_groups_whole_and_hold_every_class(seed, k, groups):
    target, group, rng = _cohort(seed, groups)
    fold = folds.stratified(target, group, k, rng)
    for g in np.unique(group):
        assert len(np.unique(fold[group == g])) == 1
    holders = folds.groups_per_class(target, group, 3)
    for c in range(3):
        counts = [len(np.unique(group[(target == c) & (fold == f)])) for f in range(k)]
        assert sum(n > 0 for n in counts) == min(k, holders[c])
        assert max(counts) - min(counts) <= 1


def test_a_patient_with_two_classes_counts_for_the_rarer():
    target = np.array([0, 1, 0, 1, 0, 0])
    group = np.array([0, 0, 1, 1, 2, 3])
    fold = folds.stratified(target, group, 2, np.random.default_rng(0))
    assert fold[0] != fold[2]
    assert fold[4] != fold[5]


def test_folds_follow_the_seed():
    target, group, _ = _cohort(1)
    deal = lambda s: folds.stratified(target, group, 5, np.random.default_rng(s))  # noqa: E731
    assert np.array_equal(deal(0), deal(0))
    assert not np.array_equal(deal(0), deal(1))


@pytest.mark.parametrize("seed", range(5))
def test_a_smaller_fraction_lies_inside_a_larger_and_holds_every_class(seed):
    target, group, _ = _cohort(seed)
    previous = np.zeros(len(group), bool)
    for fraction in (0.01, 0.1, 0.3, 0.6, 1.0):
        chosen = folds.fraction_of(target, group, fraction, np.random.default_rng(7))
        assert (chosen | ~previous).all()
        assert set(target[chosen]) == {0, 1, 2}
        for g in np.unique(group):
            assert len(np.unique(chosen[group == g])) == 1
        previous = chosen
    assert previous.all()
