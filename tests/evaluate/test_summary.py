import numpy as np
import pytest

from usfm.evaluate import summary
from usfm.seeding import stream
from usfm.tasks import metrics
from usfm.tasks.classify.scored import scored
from usfm.tasks.draws import draw


def _summarise(held, aggregate="frame", resamples=300):
    cases = scored(held, aggregate)
    return summary.summarise(cases, draw(cases.group, resamples, stream(0, "t")), 0.95)


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
    held = held.with_arrays(majority=(1 - held.arrays["target"]).astype(np.int32))
    row = _summarise(held)["metrics"]["accuracy"]["majority"]
    assert row["references"]["training"]["value"] == 0
    assert row["references"]["training"]["low"] > 0
    assert row["value"] == 0.5
    assert not row["beaten"]


def test_always_saying_the_majority_is_not_better_than_it(make_run):
    held = make_run()
    scores = np.zeros_like(held.arrays["scores"])
    scores[:, 0] = 1
    row = _summarise(held.with_arrays(scores=scores))["metrics"]["accuracy"]["majority"]
    assert (row["difference"], row["low"], row["high"], row["beaten"]) == (0, 0, 0, False)


@pytest.mark.parametrize("flip", [False, True])
def test_of_equal_constant_answers_the_one_that_is_not_beaten_is_shown_and_decides(make_run, flip):
    """Two classes of equal size, and a run that nearly always says one: the order of classes does not matter."""
    held = make_run(patients=16, skill=0)
    said = np.where((held.arrays["target"] == 0) | (np.arange(len(held)) % 8 > 0), 0, 1)
    if flip:
        said, held = 1 - said, held.with_arrays(target=1 - held.arrays["target"], majority=1 - held.arrays["majority"])
    row = _summarise(held.with_arrays(scores=np.eye(2, dtype=np.float32)[said]))["metrics"]["accuracy"]["majority"]
    assert {each["value"] for each in row["references"].values()} == {0.5}
    assert any(each["low"] > 0 for each in row["references"].values())
    assert (row["low"] > 0, row["beaten"]) == (False, False)


def test_what_is_shown_is_what_decides_for_every_measure(make_run):
    for seed, skill, patients in [(1, 0.3, 8), (2, 0.5, 12), (3, 0.7, 30), (4, 2.0, 20), (5, 0.0, 15)]:
        measured = _summarise(make_run(seed, skill=skill, patients=patients))["metrics"]
        for name in ("accuracy", "balanced_accuracy", "auroc"):
            row = measured[name]["majority"]
            assert row["value"] == max(each["value"] for each in row["references"].values())
            assert row["beaten"] == (row["low"] > 0)
        assert measured["auroc"]["majority"]["beaten"] == (measured["auroc"]["low"] > 0.5)
        assert measured["macro_f1"]["majority"]["beaten"] is None


def test_the_constant_of_finetune_is_that_of_eval(make_run):
    held = make_run()
    for majority in (held.arrays["target"], 1 - held.arrays["target"], np.zeros(len(held), np.int32)):
        made = _summarise(held.with_arrays(majority=majority.astype(np.int32)))
        assert made["metrics"]["accuracy"]["majority"]["value"] == metrics.constant_accuracy(
            held.arrays["target"], majority
        )


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
