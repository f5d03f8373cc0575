"""The report beyond the comparison table: tables of predictions, subgroups, published numbers, words, notes."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate import config
from usfm.evaluate.run import run
from usfm.tasks import predictions

Config = partial(config.Config, format="json", bootstrap=60)


def table(path, models=("A", "B"), patients=16, rows=4, site=lambda p: "x"):
    lines = ["model,id,patient,target,score_no,score_yes,site"]
    for m, name in enumerate(models):
        rng = np.random.default_rng(m)
        for k in range(patients * rows):
            who = k // rows
            score = round(float(np.clip(0.5 + (0.3 if who % 2 else -0.3) * (m == 0) + rng.normal(0, 0.2), 0, 1)), 4)
            lines.append(f"{name},f{k},p{who},{('no', 'yes')[who % 2]},{1 - score:.4f},{score},{site(who)}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def made(tmp_path, asked, inputs=()):
    summary = run(asked, Request(inputs=inputs, out=str(tmp_path / "report")))
    return summary, json.loads((tmp_path / "report" / "report.json").read_text())


def test_a_table_is_evaluated_like_runs(tmp_path, make_run):
    (tmp_path / "mine").mkdir()
    predictions.write(tmp_path / "mine" / predictions.FILE, make_run())
    asked = Config(predictions=(table(tmp_path / "t.csv"),), compare=False)
    summary, report = made(tmp_path, asked, (str(tmp_path / "mine"),))
    assert [each["name"] for each in summary["runs"]] == ["mine", "A", "B"]
    assert report["runs"][1]["metrics"]["auroc"]["value"] > 0.8
    assert not any(report["runs"][1]["how"].values())
    assert {row["measure"] for row in report["comparisons"]} == set()


def test_tables_of_models_are_compared_and_said_in_words(tmp_path):
    _, report = made(tmp_path, Config(predictions=(table(tmp_path / "t.csv", patients=60),), compare=True))
    assert report["summary"][0].startswith("A: balanced accuracy 0.")
    assert "better than a constant answer" in report["summary"][0]
    assert "not shown to be better" in report["summary"][1]
    assert "In balanced accuracy, A is above B by" in report["summary"][2]


@pytest.mark.parametrize(("site", "told"), [(lambda p: f"s{p % 2}", True), (lambda p: f"s{p // 8}", False)])
def test_subgroups_and_a_column_that_tells_the_label(tmp_path, site, told):
    _, report = made(tmp_path, Config(predictions=(table(tmp_path / "t.csv", site=site),), by=("site",)))
    rows = report["runs"][0]["by"]["site"]["rows"]
    assert [(row["value"], row["cases"]) for row in rows] == [("s0", 32), ("s1", 32)]
    assert any("'site' alone guesses the label" in note for note in report["notes"]) == told


def test_unknown_columns_names_and_models_are_refused(tmp_path):
    mine = table(tmp_path / "t.csv")
    for asked, said in (
        (Config(predictions=(mine,), by=("sit",)), "did you mean 'site'"),
        (Config(predictions=(mine,), perturb="depth"), "give their store with --in"),
        (Config(predictions=(mine,), benchmark="fi"), "did you mean 'fis'"),
        (Config(predictions=(mine,), benchmark="fis"), "of the task detect"),
        (Config(predictions=(mine, table(tmp_path / "u.csv"))), "has the name of another run"),
        (Config(predictions=(mine, mine)), "given twice"),
    ):
        with pytest.raises(RequestError, match=said):
            run(asked, Request(inputs=(), out=str(tmp_path / "report")))
    assert not (tmp_path / "report").exists()


def test_one_patient_has_values_and_no_intervals(tmp_path):
    path = Path(table(tmp_path / "t.csv", models=("A",), patients=2))
    path.write_text("\n".join(line.replace(",p1,", ",p0,") for line in path.read_text().splitlines()) + "\n")
    _, report = made(tmp_path, Config(predictions=(str(path),)))
    measured = report["runs"][0]["metrics"]["accuracy"]
    assert measured["value"] is not None
    assert measured["low"] is measured["high"] is None
    assert [note for note in report["notes"] if "patient" in note] == [
        "A: one patient; without a second one there are no intervals"
    ]
    assert "of 1 patient;" in report["summary"][0] or "of 1 patient." in report["summary"][0]


def test_runs_of_two_tasks_are_not_compared_and_it_is_said(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text("id,patient,target,value\n" + "\n".join(f"{k},p{k},{k},{k + k % 3}" for k in range(12)) + "\n")
    both = str(path), table(tmp_path / "t.csv", models=("A",))
    _, report = made(tmp_path, Config(predictions=both, compare=True))
    assert not report["comparisons"]
    assert any("only runs of one task" in note and "A (classify)" in note for note in report["notes"])


def test_rows_without_test_or_val_are_refused(tmp_path):
    path = Path(table(tmp_path / "t.csv"))
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([head + ",split", *(line + ",train" for line in lines)]) + "\n")
    with pytest.raises(RequestError, match="holds no row of the split 'test' or 'val'"):
        run(Config(predictions=(str(path),)), Request(inputs=(), out=str(tmp_path / "report")))


def test_all_right_has_wilsons_interval(tmp_path, make_run):
    (tmp_path / "sure").mkdir()
    predictions.write(tmp_path / "sure" / predictions.FILE, make_run(skill=30))
    _, report = made(tmp_path, Config(), (str(tmp_path / "sure"),))
    found = report["runs"][0]["metrics"]["accuracy"]
    assert (found["value"], found["high"], found["method"]) == (1, 1, "wilson")
    assert found["low"] == pytest.approx(0.839, abs=0.001)  # 20 of 20 patients
    assert report["runs"][0]["per_class"][0]["recall"]["low"] == pytest.approx(0.722, abs=0.001)  # 10 of 10


def test_published_numbers_stand_beside_with_their_caveats(tmp_path):
    asked = Config(predictions=(table(tmp_path / "t.csv", models=("A",)),), benchmark="fetal-planes", format="html")
    _, report = made(tmp_path, asked)
    page = (tmp_path / "report" / "report.html").read_text()
    assert report["benchmark"]["published"][0]["model"] == "MAE"
    assert "96.06" in page
    assert "Published numbers, not measured here" in page
    assert "Brier" in page


def test_every_patient_has_a_row_the_worst_first_and_wrong_cases_are_listed(tmp_path):
    _, report = made(tmp_path, Config(predictions=(table(tmp_path / "t.csv", models=("x", "B")),)))
    mine = report["runs"][1]
    values = [row["values"]["accuracy"] for row in mine["patients"]]
    assert values == sorted(values)
    assert sum(row["cases"] for row in mine["patients"]) == mine["n"]["cases"]
    shares = [each["share"] for each in mine["worst"]]
    assert shares == sorted(shares)
    assert len({each["patient"] for each in mine["worst"]}) == len(shares)
    assert all(each["true"] != each["said"] for each in mine["worst"])


def test_the_rate_that_is_asked_for_is_a_measure_of_each_class(tmp_path):
    _, report = made(tmp_path, Config(predictions=(table(tmp_path / "t.csv"),), at_specificity=0.8))
    row = report["runs"][0]["per_class"][1]
    assert 0 <= row["sensitivity_at_0.8"]["value"] <= 1
    assert report["runs"][0]["titles"]["per_class"]["specificity_at_0.8"] == "specificity at sensitivity 0.8"


def test_a_table_of_numbers_has_its_own_section_and_its_worst_cases(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["id,patient,target,value"]
    for k in range(60):
        true = rng.normal(5, 2)
        lines.append(f"f{k},p{k // 3},{true:.4f},{true + rng.normal(0, 0.3) + 4 * (k in (7, 31)):.4f}")
    (tmp_path / "n.csv").write_text("\n".join(lines) + "\n")
    asked = Config(predictions=(str(tmp_path / "n.csv"), table(tmp_path / "t.csv", models=("A",))))
    _, report = made(tmp_path, asked)
    numbers, classes = report["runs"]
    assert (numbers["task"], classes["task"]) == ("regress", "classify")
    assert not any("different frames" in note for note in report["notes"])
    worst = numbers["worst"]
    assert {each["frame_id"] for each in worst[:2]} == {"f7", "f31"}
    assert [each["value"] for each in worst] == sorted((each["value"] for each in worst), reverse=True)
    assert len({each["patient"] for each in worst}) == len(worst)
    assert abs(float(worst[0]["true"]) - float(worst[0]["said"])) == pytest.approx(worst[0]["value"], abs=0.01)
