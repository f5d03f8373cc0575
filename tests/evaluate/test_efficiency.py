"""Curves over fractions: which runs belong together, and the mean over seeds."""

import numpy as np
import pytest

from usfm.evaluate import efficiency


def entry(name, fraction, seed, value, encoder="polar", frames=100, **settings):
    return {
        "name": name,
        "n": {"frames": frames, "patients": 20, "cases": frames},
        "about": {
            "task": "classify",
            "protocol": "linear",
            "seed": seed,
            "encoder": {"name": encoder},
            "settings": {"fraction": fraction, "folds": 5, **settings},
            "inputs": {"store": "s"},
        },
        "metrics": {"auroc": {"value": value}},
    }


def test_seeds_are_averaged_and_fractions_are_in_order():
    runs = [entry("c", 1.0, 0, 0.9), entry("a", 0.1, 0, 0.5), entry("b", 0.1, 1, 0.7), entry("x", 1.0, 0, 0.6, "other")]
    rng = np.random.default_rng(0)
    drawn = {run["name"]: {"auroc": rng.normal(run["metrics"]["auroc"]["value"], 0.1, 500)} for run in runs}
    (found,) = efficiency.series(runs, drawn, drawn, ["auroc"], 0.95)
    assert found["name"] == "polar, linear"
    assert [(p["fraction"], p["seeds"], p["runs"]) for p in found["points"]] == [(0.1, 2, ["a", "b"]), (1.0, 1, ["c"])]
    first = found["points"][0]["metrics"]["auroc"]
    assert first["value"] == pytest.approx(0.6)
    assert first["seeds"] == [0.5, 0.7]
    assert first["low"] < 0.6 < first["high"]
    # The mean of two independent seeds varies less than one alone.
    assert first["high"] - first["low"] < 0.9 * (found["points"][1]["metrics"]["auroc"]["high"] - found["points"][1]["metrics"]["auroc"]["low"])  # fmt: skip # noqa: E501


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [entry("a", 0.1, 0, 0.5)],
        [entry("a", 0.1, 0, 0.5), entry("b", 0.1, 1, 0.5)],
        [entry("a", 0.1, 0, 0.5), entry("b", 1.0, 0, 0.5, folds=3)],
        [entry("a", 0.1, 0, 0.5), entry("b", 1.0, 0, 0.5, frames=99)],
        [{**entry("a", 0.1, 0, 0.5), "about": {}}, {**entry("b", 1.0, 0, 0.5), "about": {}}],
    ],
    ids=["none", "one", "one fraction", "other folds", "other frames", "no card"],
)
def test_no_curve_of_runs_that_differ_in_more(runs):
    assert efficiency.series(runs, {}, {}, ["auroc"], 0.95) == []


def test_undefined_values_do_not_spread():
    runs = [entry("a", 0.1, 0, None), entry("b", 0.1, 1, 0.7), entry("c", 1.0, 0, 0.8)]
    (found,) = efficiency.series(runs, {}, {}, ["auroc"], 0.95)
    assert found["points"][0]["metrics"]["auroc"] == {"value": 0.7, "low": None, "high": None, "seeds": [None, 0.7]}
