import numpy as np
import pytest

from usfm.tasks.classify import cases as units


@pytest.mark.parametrize("aggregate, cases", [("frame", 200), ("clip", 40), ("patient", 20)])
def test_scores_are_means_over_the_frames_of_a_case(make_run, aggregate, cases):
    held = make_run()
    made = units.of(held, aggregate)
    assert len(made) == cases
    assert made.frames.sum() == len(held)
    assert len(set(made.group.tolist())) == 20
    assert np.allclose(made.scores.sum(1), 1, atol=1e-6)
    assert np.allclose((made.scores * made.frames[:, None]).sum(0), held.arrays["scores"].sum(0), rtol=1e-5)


def test_frames_of_two_classes_are_never_averaged(make_run):
    held = make_run()
    target = held.arrays["target"].copy()
    target[:3] = 1 - target[:3]
    made = units.of(held.with_arrays(target=target), "patient")
    assert len(made) == 21
    assert len(set(made.group.tolist())) == 20
    assert sorted(made.frames[made.group == "p000"]) == [3, 7]


def test_the_order_of_frames_does_not_matter(make_run):
    held = make_run()
    shuffled = held.take(np.random.default_rng(0).permutation(len(held)))
    a, b = units.of(held, "clip"), units.of(shuffled, "clip")
    assert list(a.key) == list(b.key)
    assert np.allclose(a.scores, b.scores)
