"""Sampling against the definition: at each instant, the frame on screen."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.errors import RequestError
from usfm.extract.sampling import ROUNDING_S, Clock, Sampling, choose, parse


def on_screen(stamps, lasts, fps, tick):
    """The definition, slowly: walk the instants, and for each look for the last frame that began."""
    slack = min(Fraction(1, 2), ROUNDING_S / tick)
    end = stamps[-1] - stamps[0] + lasts - slack
    chosen, k = set(), 0
    while (instant := k / (fps * tick)) < end:
        chosen.add(sum(stamp - stamps[0] - slack <= instant for stamp in stamps) - 1)
        k += 1
    return sorted(chosen)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 400), max_size=20),
    start=st.integers(-5000, 5000),
    fps=st.fractions(Fraction(1, 4), 40, max_denominator=7),
    tick=st.sampled_from([Fraction(1, 1000), Fraction(1, 600), Fraction(1, 90000), Fraction(1, 25)]),
)
def test_the_frame_on_screen_is_taken_whatever_the_rate_does(gaps, start, fps, tick):
    if tick == Fraction(1, 25):
        gaps = [gap // 40 + 1 for gap in gaps]
    stamps = [start, *(start + sum(gaps[: k + 1]) for k in range(len(gaps)))]
    chosen = list(choose([(s, 40, s) for s in stamps], Sampling(fps), tick))
    assert [index for index, _, _ in chosen] == on_screen(stamps, 40, fps, tick)
    assert all(time == (stamp - start) * tick and stamp == stamps[index] for index, time, stamp in chosen)


def test_milliseconds_do_not_cost_frames():
    stamps = [round(k * 1000 / 30) for k in range(90)]  # 30 frames/s as Matroska writes them
    chosen = [i for i, _, _ in choose([(s, 33, None) for s in stamps], Sampling(Fraction(30)), Fraction(1, 1000))]
    assert chosen == list(range(90))
    assert [i for i, _, _ in choose([(s, 33, None) for s in stamps], Sampling(Fraction(3)), Fraction(1, 1000))] == [
        0, 10, 20, 30, 40, 50, 60, 70, 80,
    ]  # fmt: skip


def test_a_coarse_clock_is_taken_at_its_word():
    chosen = [i for i, _, _ in choose([(s, 1, None) for s in range(50)], Sampling(Fraction(3)), Fraction(1, 25))]
    assert chosen == [0, 8, 16, 25, 33, 41]


def test_a_freeze_gives_its_frame_once_and_a_slow_source_all():
    stamps = [0, 40, 5000, 5040]
    assert [i for i, _, _ in choose([(s, 40, None) for s in stamps], Sampling(Fraction(3)), Fraction(1, 1000))] == [
        0, 1, 2,
    ]  # fmt: skip
    slow = [(s * 2000, 2000, None) for s in range(5)]
    assert [i for i, _, _ in choose(slow, Sampling(Fraction(3)), Fraction(1, 1000))] == [0, 1, 2, 3, 4]


def test_all_every_and_limit():
    frames = [(s, 1, None) for s in range(20)]
    tick = Fraction(1, 25)
    assert len(list(choose(frames, Sampling(None), tick))) == 20
    assert [i for i, _, _ in choose(frames, Sampling(None, every=6), tick)] == [0, 6, 12, 18]
    assert [i for i, _, _ in choose(frames, Sampling(None, limit=3), tick)] == [0, 1, 2]
    assert list(choose([], Sampling(), tick)) == []


@given(st.lists(st.one_of(st.none(), st.integers(-1000, 1000)), max_size=40), st.integers(1, 50))
def test_the_clock_only_goes_forward(stamps, nominal):
    clock = Clock(nominal)
    times = [clock.ticks(stamp) for stamp in stamps]
    assert all(a < b for a, b in pairwise(times))
    good = [s for s in stamps if s is not None]
    if good == stamps and all(a < b for a, b in pairwise(good)):
        assert times == stamps
        assert clock.repaired == 0


@pytest.mark.parametrize("fps", ["0", "-3", "nan", "inf", "three", "", "1/0"])
def test_a_rate_that_is_none_is_refused(fps):
    with pytest.raises(RequestError, match="--fps"):
        parse(fps, None, None)


def test_rate_and_every_exclude_each_other():
    with pytest.raises(RequestError, match="exclude"):
        parse("5", 2, None)


@given(frames=st.integers(1, 500), fps=st.integers(1, 40))
def test_the_guess_is_never_too_few(frames, fps):
    tick = Fraction(1, 25)
    due = list(choose([(s, 1, None) for s in range(frames)], Sampling(Fraction(fps)), tick))
    assert len(due) <= Sampling(Fraction(fps)).about(frames, frames / 25)


def test_a_settings_file_may_write_the_rate_as_a_number(tmp_path):
    from usfm.config import resolve
    from usfm.extract.config import Config

    (tmp_path / "c.toml").write_text("[extract]\nfps = 7.5\n")
    assert parse(resolve(Config, "extract", tmp_path / "c.toml", {}).fps, None, None).fps == Fraction(15, 2)
