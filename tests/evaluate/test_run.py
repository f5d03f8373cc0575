import csv
import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate import config
from usfm.evaluate.run import run
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.writer import PartWriter
from usfm.tasks import TASKS, predictions
from usfm.tasks.classify.scored import MEASURES, PER_CLASS

Config = partial(config.Config, format="json")


@pytest.fixture
def runs(make_run, tmp_path):
    paths = []
    for name, skill in (("probe", 3), ("random", 0)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        predictions.write(tmp_path / "runs" / name / predictions.FILE, make_run(skill=skill))
        card = {"task": "classify", "protocol": "linear", "encoder": {"name": name, "kind": "run"}}
        (tmp_path / "runs" / name / "card.json").write_text(json.dumps(card))
        paths.append(str(tmp_path / "runs" / name))
    return tuple(paths)


@pytest.fixture
def store(make_run, tmp_path):
    held, part = make_run(), PartWriter()
    for k, name in enumerate(held.frame_id):
        source = part.source(path=str(held.source[k]), sha256=f"{k // 5:064x}", kind="video")
        part.frame(np.full((12, 16), k, np.uint8), frame_id=str(name), source=source, index=k % 5, time_s=0.0)
    (tmp_path / "part").write_bytes(part.to_bytes())
    assemble(tmp_path / "s.h5", [("part", tmp_path / "part")], step={"command": "test"})
    return tmp_path / "s.h5"


def test_the_card_of_the_data_says_what_the_frames_are_like(runs, make_run, tmp_path):
    held, part = make_run(), PartWriter()
    for k, name in enumerate(held.frame_id):
        source = part.source(path=str(held.source[k]), sha256=f"{k // 5:064x}", kind="video", fps=25.0)
        pixels = np.full((12, 16), 40 if k % 2 else 60, np.uint8)
        part.frame(pixels, frame_id=str(name), source=source, index=k % 5, time_s=0.0)
    for k in range(3):
        part.reject(source=f"bad{k}.mp4", frame_id="", stage="extract", reason="cannot be read" if k else "too small")
    (tmp_path / "part").write_bytes(part.to_bytes())
    assemble(tmp_path / "s.h5", [("part", tmp_path / "part")], step={"command": "test"})
    run(Config(store=(str(tmp_path / "s.h5"),), bootstrap=20), Request(inputs=runs[:1], out=str(tmp_path / "r")))
    facts = json.loads((tmp_path / "r" / "report.json").read_text())["data"][0]["facts"]
    assert facts["brightness"] == "50 of 255, deviation over frames 10"
    assert facts["frames a second of the clips"] == "25 (median), 25 to 25"
    assert facts["odd frames"] == "of one gray value: 200"
    assert facts["rejected on the way"] == "3 (cannot be read: 2; too small: 1)"


def test_a_report_holds_everything_in_every_format(runs, store, tmp_path, capsys):
    out = tmp_path / "report"
    asked = Config(store=(str(store),), bootstrap=200, compare=True, format="html,json,csv,md,latex")
    summary = run(asked, Request(inputs=runs, out=str(out)))
    assert summary["frames_in"] == summary["frames_out"] + summary["dropped"] + summary["rejected"]
    assert [(r["name"], r["beats_majority"]) for r in summary["runs"]] == [("probe", True), ("random", False)]
    assert {p.suffix for p in out.iterdir()} == {"", ".html", ".json", ".csv", ".md", ".tex"}
    text = (out / "report.html").read_text()
    assert text.count("data:image/png;base64,") == 2 * (5 + 2 * 4)  # light and dark
    assert text.count("data:image/jpeg;base64,") >= 2
    assert "http" not in text.replace("https://", "")
    assert str(tmp_path) not in text + (out / "report.json").read_text()
    report = json.loads((out / "report.json").read_text())
    assert len(report["comparisons"]) == len(MEASURES)
    rows = list(csv.DictReader(io.StringIO((out / "report.csv").read_text())))
    assert len(rows) == 2 * (len(MEASURES) + 2 * (len(PER_CLASS) + 2))
    accuracy = next(row for row in rows if row["run"] == "probe" and row["measure"] == "accuracy")
    assert float(accuracy["value"]) == report["runs"][0]["metrics"]["accuracy"]["value"]
    assert "| probe | 200 | 20 |" in (out / "report.md").read_text()
    assert "beats majority" in capsys.readouterr().err
    assert {p.name for p in (out / "figures").iterdir()} >= {"accuracy.png", "probe.roc.png", "probe.surest.jpg"}


def test_a_run_that_left_each_dataset_out_says_so(runs, tmp_path):
    card = Path(runs[0]) / "card.json"
    more = {"settings": {"folds": None, "splits": ["dataset"]}, "folds": [{"fold": name} for name in "012"]}
    card.write_text(json.dumps({**json.loads(card.read_text()), **more}))
    out = tmp_path / "report"
    run(Config(bootstrap=10, format="html,json"), Request(inputs=runs[:1], out=str(out)))
    words = "each dataset left out in turn"
    assert json.loads((out / "report.json").read_text())["runs"][0]["how"]["held"] == words
    text = (out / "report.html").read_text()
    assert text.count(words) == 3  # the result in words, above the run's own figures, and how the runs were made
    assert f"protocol linear, {words}" in text


def test_the_same_seed_gives_the_same_report_and_the_same_request_is_up_to_date(runs, tmp_path, capsys):
    for name in ("a", "b"):
        run(Config(bootstrap=50), Request(inputs=runs, out=str(tmp_path / name)))
    a, b = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("a", "b"))
    assert a["runs"] == b["runs"]
    again = run(Config(bootstrap=50), Request(inputs=runs, out=str(tmp_path / "a")))
    assert again["up_to_date"]
    assert again["runs"][0]["beats_majority"]
    assert "up to date" in capsys.readouterr().err
    with pytest.raises(RequestError, match="--overwrite"):
        run(Config(bootstrap=51), Request(inputs=runs, out=str(tmp_path / "a")))


def test_runs_of_one_name_are_told_apart(make_run, tmp_path):
    paths = []
    for parent in ("a", "b"):
        (tmp_path / parent / "probe").mkdir(parents=True)
        predictions.write(tmp_path / parent / "probe" / predictions.FILE, make_run())
        paths.append(str(tmp_path / parent / "probe"))
    summary = run(Config(bootstrap=20), Request(inputs=tuple(paths), out=str(tmp_path / "report")))
    assert [r["name"] for r in summary["runs"]] == ["a/probe", "b/probe"]


def test_the_folder_of_a_search_stands_for_its_runs(runs, tmp_path):
    folder = Path(runs[0]).parent
    (folder / "sweep.csv").write_text("fraction,seed\n")
    for given in ([folder], sorted(folder.iterdir())):
        asked = Request(inputs=tuple(map(str, given)), out=str(tmp_path / "report"))
        assert [each["name"] for each in run(Config(bootstrap=20), asked)["runs"]] == ["probe", "random"]
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "sweep.csv").write_text("")
    with pytest.raises(RequestError, match="no finished run"):
        run(Config(), Request(inputs=(str(tmp_path / "none"),), out=str(tmp_path / "other")))


def test_a_dry_run_and_wrong_requests_touch_nothing(runs, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    out = str(tmp_path / "report")
    assert run(Config(), Request(inputs=runs, out=out, dry_run=True))["dry_run"]
    for asked, inputs, says in (
        (Config(), (), "at least one run"),
        (Config(), (str(tmp_path / "none"),), "no such run"),
        (Config(), (str(tmp_path / "runs"),), "'usfm finetune'"),
        (Config(), (runs[0], runs[0]), "given twice"),
        (Config(format="pdf"), runs, "there are html"),
        (Config(compare=True), runs[:1], "two runs or more"),
        (Config(store=("none.h5",)), runs, "none.h5"),
    ):
        with pytest.raises(RequestError, match=says):
            run(asked, Request(inputs=inputs, out=out))
    assert sorted(tmp_path.rglob("*")) == before


def _card(path, **more):
    card = {"task": "classify", "protocol": "linear", "encoder": {"name": "x", "kind": "run"}, "leaks": 0}
    (Path(path) / "card.json").write_text(json.dumps({**card, **more}))


def test_the_report_names_an_unfinished_encoder_and_strict_refuses_it(runs, tmp_path, capsys):
    trained = {"run": "runs/tm", "step": 37, "steps": 1000, "status": "stopped", "store": "abc", "same_store": True}
    _card(runs[0], pretraining=trained)
    _card(runs[1], pretraining={**trained, "status": "complete", "step": 1000, "same_store": False})
    out = tmp_path / "report"
    with pytest.raises(RequestError, match=r"probe: its encoder runs/tm: step 37 of 1,000 \(stopped\)"):
        run(Config(bootstrap=20), Request(inputs=runs, out=str(out), strict=True))
    run(Config(bootstrap=20, format="html,csv"), Request(inputs=runs, out=str(out)))
    err = capsys.readouterr().err
    assert "probe: encoder runs/tm: step 37 of 1,000 (stopped)" in err
    assert "probe: its encoder was pretrained on the same store" in err
    assert "random: encoder" not in err
    assert "random: its encoder" not in err
    assert "step 37 of 1,000 (stopped)" in (out / "report.html").read_text()
    rows = list(csv.DictReader(io.StringIO((out / "report.csv").read_text())))
    assert {(row["run"], row["encoder_step"], row["encoder_status"]) for row in rows} == {
        ("probe", "37", "stopped"), ("random", "1000", "complete"),
    }  # fmt: skip
    assert json.loads((out / "report.json").read_text())["runs"][0]["about"]["pretraining"] == trained


def test_encoders_of_other_shapes_and_leaks_are_told(runs, tmp_path, capsys):
    shape = {"name": "x", "kind": "run", "model": "vit_nano_patch16_128", "image_size": [128, 128], "in_chans": 1}
    other = {**shape, "model": "vit_tiny_patch16_224", "image_size": [224, 224]}
    _card(runs[0], encoder=shape)
    _card(runs[1], encoder=shape, leaks=36)
    assert run(Config(bootstrap=20), Request(inputs=runs, out=str(tmp_path / "a")))["leaks"] == 36
    err = capsys.readouterr().err
    assert "differ in shape" not in err
    assert "random: too optimistic: 36 held-out frames look like a training frame" in err
    assert "list in random/leaks.csv" in err
    _card(runs[1], encoder=other)
    run(Config(bootstrap=20), Request(inputs=runs, out=str(tmp_path / "b")))
    err = capsys.readouterr().err
    assert "differ in shape (probe: vit_nano_patch16_128, 128x128 px; random: vit_tiny_patch16_224, 224x224 px)" in err
    assert "random:RUN" in err


def test_the_report_that_is_named_is_one_that_was_written(runs, tmp_path):
    for number, (given, named) in enumerate(
        [("html,json", "report.html"), ("csv", "report.csv"), ("latex", "report.tex"), ("json", "report.json")]
    ):
        out, written = tmp_path / str(number), given == "csv"
        summary = run(Config(bootstrap=5, format=given), Request(inputs=runs[:1], out=str(out), dry_run=not written))
        assert summary["report"] == str(out / named)
        assert (out / named).is_file() == written


def test_few_patients_are_said(make_run, tmp_path, capsys):
    (tmp_path / "r").mkdir()
    predictions.write(tmp_path / "r" / predictions.FILE, make_run(patients=6))
    run(Config(bootstrap=50), Request(inputs=(str(tmp_path / "r"),), out=str(tmp_path / "report")))
    err = capsys.readouterr().err
    assert "6 patients; too narrow intervals: " in err


def test_the_surest_frames_are_one_a_patient(make_run, store):
    held = make_run(skill=1)
    image, known = TASKS["classify"].sheet(held, Store.open(store), 4)
    assert known == 200
    assert image.ndim == 3
    half = held.take(np.arange(3))
    assert TASKS["classify"].sheet(half, Store.open(store), 4)[1] == 3
