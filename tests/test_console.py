"""The console: results on stdout and nothing else, everything for people on stderr."""

import json

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
