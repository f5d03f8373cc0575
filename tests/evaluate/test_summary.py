from dataclasses import replace

import numpy as np
import pytest

from usfm.evaluate import bootstrap, summary, units
from usfm.seeding import stream


def _summarise(held, aggregate="frame", resamples=300):
    cases = units.of(held, aggregate)
    return summary.summarise(cases, bootstrap.draw(cases.group, resamples, stream(0, "t")), 0.95)


def test_a_good_probe_beats_the_majority_and_chance_does_not(make_run):
    good, chance = _summarise(make_run(skill=3)), _summarise(make_run(skill=0))
    assert good["beats_majority"]
    assert not chance["beats_majority"]
    for name, e in good["metrics"].items():
        assert e["low"] <= e["value"] <= e["high"], name
    assert good["metrics"]["auroc"]["majority"]["value"] == 0.5
    assert good["metrics"]["balanced_accuracy"]["majority"]["value"] == 0.5
    assert good["n"] == {"cases": 200, "frames": 200, "patients": 20, "cases_per_class": {"class0": 100, "class1": 100}}


def test_the_training_majority_alone_is_not_enough(make_run):
    """Held-out folds where the training majority is always wrong: the constant answer of the measured cases counts."""
    held = make_run(skill=0)
    held = replace(held, majority=(1 - held.target).astype(np.int32))
    row = _summarise(held)["metrics"]["accuracy"]["majority"]
    assert row["references"]["training"]["value"] == 0
    assert row["references"]["training"]["low"] > 0
    assert row["value"] == 0.5
    assert not row["beaten"]


def test_always_saying_the_majority_is_not_better_than_it(make_run):
    held = make_run()
    scores = np.zeros_like(held.scores)
    scores[:, 0] = 1
    row = _summarise(replace(held, scores=scores))["metrics"]["accuracy"]["majority"]
    assert (row["difference"], row["low"], row["high"], row["beaten"]) == (0, 0, 0, False)


def test_folds_and_classes_add_up(make_run):
    made = _summarise(make_run(classes=3, patients=21), "patient")
    assert sum(fold["cases"] for fold in made["folds"]) == made["n"]["cases"] == 21
    assert [row["class"] for row in made["per_class"]] == ["class0", "class1", "class2"]
    assert np.sum(made["confusion"]) == 21
    assert made["calibration"]["brier"] < 1


def test_without_resamples_there_are_values_and_no_intervals(make_run):
    made = _summarise(make_run(skill=4), resamples=0)
    assert made["metrics"]["accuracy"]["low"] is None
    assert not made["beats_majority"]


@pytest.mark.parametrize("value, expected", [(np.nan, None), (np.float64(0.12345678), 0.123457)])
def test_plain_values_are_json(value, expected):
    assert summary.plain(value) == expected
