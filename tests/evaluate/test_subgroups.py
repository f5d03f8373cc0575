"""Parts of the cases, and columns that give the label away."""

import numpy as np

from usfm.evaluate import subgroups
from usfm.tasks.classify.scored import scored


def table(held, values, **more):
    return subgroups.table(held, "site", values, lambda part: scored(part, "frame"), more.pop("resamples", 50), 0.95, 0)


def test_each_part_is_what_measuring_it_alone_gives(make_run):
    held = make_run(patients=20)
    values = np.array(["b" if int(name[1:]) < 8 else "a" for name in held.patient], object)
    rows = table(held, values)
    assert [(row["value"], row["cases"], row["patients"]) for row in rows] == [("a", 120, 12), ("b", 80, 8)]
    for row in rows:
        alone = scored(held.take(values == row["value"]), "frame").measure(None)
        for name, found in row["metrics"].items():
            assert abs(found["value"] - float(alone[name])) < 1e-6
            assert found["low"] <= found["value"] <= found["high"]


def test_a_part_that_is_too_small_says_why(make_run):
    held = make_run(patients=6)
    values = np.full(len(held), "many", object)
    values[:3] = "three"
    values[held.patient == "p005"] = "one patient"
    reasons = {row["value"]: (row["reason"], bool(row["metrics"])) for row in table(held, values)}
    assert reasons["three"] == ("fewer than 10 cases", False)
    assert reasons["one patient"] == ("one patient", False)
    assert reasons["many"] == ("", True)


def test_a_part_of_one_class_says_that_its_curves_say_nothing(make_run):
    held = make_run(patients=20)
    values = np.where(held.arrays["target"] == 1, "all of one", "")
    values[held.patient == "p003"] = ""
    found = {row["value"]: row for row in table(held, values)}
    assert "'class1'" in found["all of one"]["note"]
    assert found["all of one"]["metrics"]["auroc"]["value"] is None
    assert found["all of one"]["metrics"]["macro_average_precision"]["value"] == 1
    assert found[""]["note"] == ""


def test_the_order_of_values_and_other_parts_do_not_matter(make_run):
    held = make_run(patients=20)
    values = np.array(["b" if int(name[1:]) < 8 else "a" for name in held.patient], object)
    alone = table(held.take(values == "a"), values[values == "a"])
    assert table(held, values)[0] == alone[0]


def test_ranges_stand_in_the_order_of_their_numbers(make_run):
    held = make_run(patients=20)
    which = np.array([int(name[1:]) for name in held.patient])
    values = np.where(which < 4, "2 to 9.5", np.where(which < 9, "9.5 to 20", np.where(which < 12, "", "20 to 120")))
    assert [row["value"] for row in table(held, values)] == ["2 to 9.5", "9.5 to 20", "20 to 120", ""]


def test_a_column_that_tells_the_label_is_found_and_noise_is_not():
    rng = np.random.default_rng(0)
    false_alarms = 0
    for trial in range(20):
        kind = np.arange(30) % 2
        frames = np.repeat(np.arange(30), 5)
        device = np.where(rng.random(30) < 0.9, kind, 1 - kind)
        noise, groups = rng.integers(0, 3, 30), frames.astype(str)
        told = subgroups.tells(kind[frames], device[frames].astype(str), groups, np.random.default_rng(trial))
        assert told is not None
        assert told > 0.7
        false_alarms += subgroups.tells(kind[frames], noise[frames].astype(str), groups, rng) is not None
        assert subgroups.tells(kind[frames], groups, groups, rng) is None  # a value a patient predicts nothing new
    assert false_alarms <= 3
    assert subgroups.tells(np.zeros(9, int), np.arange(9).astype(str), np.arange(9).astype(str), rng) is None
