from dataclasses import replace

import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.evaluate import compare
from usfm.evaluate.bootstrap import left_out
from usfm.seeding import stream
from usfm.tasks import TASKS
from usfm.tasks.classify.scored import MEASURES
from usfm.tasks.draws import draw


def _compare(runs, aggregate="frame", resamples=400):
    return compare.compare(TASKS["classify"], runs, aggregate, resamples, 0.95, stream(0, "t"))


def _accuracy(rows):
    return next(row for row in rows if row["measure"] == "accuracy")


def test_a_run_compared_with_itself_does_not_differ(make_run):
    row = _accuracy(_compare({"a": make_run(), "b": make_run()}))
    assert (row["difference"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)


def test_a_better_run_is_found_and_the_sign_is_first_minus_second(make_run):
    row = _accuracy(_compare({"good": make_run(skill=3), "bad": make_run(1, skill=0)}))
    assert row["low"] > 0
    assert row["p"] < 0.02
    back = _accuracy(_compare({"bad": make_run(1, skill=0), "good": make_run(skill=3)}))
    assert back["difference"] == -row["difference"]


def test_pairing_narrows_the_interval(make_run):
    """Both runs find the same patients hard; drawing the same patients for both takes that out."""
    a, b = make_run(0, skill=1, noise=0.05), make_run(1, skill=1, noise=0.05)
    paired = _accuracy(_compare({"a": a, "b": b}))
    stranger = b.take(np.arange(len(b)))
    stranger = stranger.with_arrays(scores=np.roll(stranger.arrays["scores"], 2 * 10, axis=0))
    loose = _accuracy(_compare({"a": a, "b": stranger}))
    assert paired["high"] - paired["low"] < 0.5 * (loose["high"] - loose["low"])


def test_only_shared_frames_count_in_any_order(make_run):
    a = make_run(skill=1)
    b = make_run(1, skill=1).take(np.random.default_rng(0).permutation(200)[:120])
    rows = _compare({"a": a, "b": b}, "clip")
    assert rows[0]["frames"] == 120
    assert rows[0]["patients"] <= 20


def test_p_is_adjusted_over_the_pairs_of_a_measure(make_run):
    rows = _compare({k: make_run(n, skill=n) for n, k in enumerate("abc")})
    assert len(rows) == 3 * len(MEASURES)
    for row in rows:
        assert row["p"] <= row["p_holm"] <= 1


@pytest.mark.parametrize(
    "change, says",
    [
        (
            lambda b: replace(b, frame_id=np.array([f"x{k}" for k in range(len(b))], object)),
            "no held-out frame in common",
        ),
        (lambda b: replace(b, class_names=("x", "y")), "other classes"),
        (lambda b: b.with_arrays(target=1 - b.arrays["target"]), "disagree about the truth"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(make_run, change, says):
    with pytest.raises(RequestError, match=says):
        _compare({"a": make_run(), "b": change(make_run())})


def test_what_is_measured_already_is_not_measured_again_and_gives_the_same(make_run):
    runs = {"a": make_run(skill=2), "b": make_run(1, skill=1)}
    fresh = _compare(runs)
    measured = {}
    for name, held in runs.items():
        cases = TASKS["classify"].scored(held, "frame")
        draws = draw(cases.group, 400, stream(0, "t"))
        found = cases.measure(draws)
        left = cases.measure(left_out(cases.group))
        measured[name] = cases, draws, *({one.name: each[one.name] for one in MEASURES} for each in (found, left))
    again = compare.compare(TASKS["classify"], runs, "frame", 400, 0.95, stream(5, "other"), measured)
    assert again == fresh
