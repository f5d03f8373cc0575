"""The console: results on stdout and nothing else, everything for people on stderr."""

import io
import itertools
import json
import re

import numpy as np

from usfm import console


def test_stdout_carries_only_the_result(capsys):
    console.say("working")
    console.table("t", ["a", "b"], [["x", 1]])
    with console.progress("reading", 10) as bar:
        bar.advance(10)
    console.result({"out": "raw.h5", "frames_in": 3})
    out, err = capsys.readouterr()
    assert out == "raw.h5\n"
    assert "working" in err


def test_json_is_one_object_also_with_numpy_in_it(capsys):
    console.configure(as_json=True)
    console.result({"out": "a.h5", "n": np.int64(3), "x": np.float32(0.5), "list": np.arange(2)})
    assert json.loads(capsys.readouterr().out) == {"out": "a.h5", "n": 3, "x": 0.5, "list": [0, 1]}


def test_quiet_silences_all_but_warnings_and_errors(capsys):
    console.configure(quiet=True)
    console.say("hello")
    console.warn("odd")
    console.warn("odd")
    console.error("bad")
    assert capsys.readouterr().err == "warning: odd\nusfm: bad\n"


def test_detail_needs_verbose(capsys):
    console.detail("more")
    console.configure(verbose=True)
    console.detail("even more")
    assert capsys.readouterr().err == "even more\n"


def test_a_dry_run_names_no_path_that_is_not_there(capsys):
    console.result({"out": "a.h5", "dry_run": True})
    assert capsys.readouterr().out == ""


def test_what_was_there_before_does_not_make_the_work_look_faster(monkeypatch, capsys):
    clock = itertools.chain([0.0, 10.0], itertools.repeat(20.0))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    bar = console.Progress("clean", 1000, "frames")
    bar.skip(900)
    bar.advance(50)
    assert "clean: 950 of 1000 frames, 2.5/s" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_a_bar_with_rate_and_total(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(console.sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    with console.progress("take", 12, "frames") as bar:
        bar.skip(4)
        bar.advance(8)
    seen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert re.search(r"12/12 frames [\d,.]+/s", seen)


def test_a_log_of_a_day_has_few_lines_that_say_how_long_it_will_last(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    with console.progress("train", 86_400, "steps") as bar:
        for _ in range(8_640):
            now[0] += 10
            bar.advance(10)
    lines = capsys.readouterr().err.splitlines()
    assert 20 < len(lines) < 250
    assert lines[0].endswith("10 of 86400 steps, 1.0/s, 24 h left")
    assert lines[-1].endswith("min left") or lines[-1].endswith("s left")
