"""The table on a terminal of 80 columns."""

import io
import os

from usfm import console
from usfm.evaluate import tables
from usfm.tasks.classify.scored import MEASURES


class Terminal(io.StringIO):
    def isatty(self):
        return True


def a_run(name):
    estimate = {"value": 0.7891, "low": 0.698, "high": 0.87, "majority": {"value": 0.5, "beaten": True}}
    titles = {
        "measures": {one.name: one.title for one in MEASURES},
        "short": {one.name: one.short for one in MEASURES if one.short},
    }
    return {"name": name, "n": {"cases": 12_345, "patients": 1_234}, "titles": {**titles, "reference": "majority"},
            "metrics": {one.name: estimate for one in MEASURES}}  # fmt: skip


def test_a_run_is_one_line_of_80_columns(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((80, 24)))
    assert console.narrow()
    heads, lines = tables.short([a_run("runs/a-very-long-name-of-a-run"), a_run("b")])
    console.table("held-out cases", heads, lines)
    shown = [line for line in console.sys.stderr.getvalue().splitlines() if "0.79±0.09" in line]
    assert len(shown) == 2
    assert all(len(line) <= 80 and line.rstrip().endswith("yes") for line in shown)


def test_a_wide_terminal_and_a_log_see_whole_intervals(monkeypatch):
    assert not console.narrow()
    assert "0.789 [0.698, 0.870]" in tables.rows([a_run("a")])[0]
