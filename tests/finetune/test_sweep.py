"""Several runs by one command: products, seeds, fractions; the best by validation; wrong keys."""

import csv
import re

import pytest

from usfm.config import Request, resolve
from usfm.errors import RequestError
from usfm.finetune.asked import fold_count, share
from usfm.finetune.config import Config
from usfm.finetune.run import _content, run

NANO = "random:vit_nano_patch16_64"


def _request(store, out, **more):
    return Request(inputs=tuple(store.paths), out=str(out), workers=1, device="cpu", **more)


def test_seeds_and_fractions_of_a_probe_make_runs_that_stay(make_store, cohort, tmp_path):
    store, out = make_store(cohort), tmp_path / "s"
    config = Config("classify", NANO, protocol="knn", folds=2, fraction="0.5,1", seeds=2)
    summary = run(config, _request(store, out))
    assert summary["trials"] == 2
    names = {f"fraction={f}+seed={k}" for f in ("0.5", "1") for k in (0, 1)}
    assert {each.name for each in out.iterdir() if each.is_dir() and not each.name.startswith(".")} == names
    rows = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))
    assert [(row["fraction"], row["seed"]) for row in rows] == [("0.5", "0"), ("0.5", "1"), ("1", "0"), ("1", "1")]
    assert all(float(row["seconds"]) > 0 for row in rows)
    before = {name: (out / name / "card.json").stat().st_mtime_ns for name in names}
    run(config, _request(store, out))
    assert before == {name: (out / name / "card.json").stat().st_mtime_ns for name in names}


@pytest.mark.slow
def test_the_best_trial_is_that_of_the_validation_patients(make_store, cohort, tmp_path):
    store, out = make_store(cohort), tmp_path / "s"
    config = Config("classify", NANO, protocol="full", folds=2, epochs=2, image_size=32, augment="none",
                    sweep=("lr=1e-9,3e-3", "batch_size=16"))  # fmt: skip
    summary = run(config, _request(store, out))
    rows = {
        row["run"]: float(row["validation_score"])
        for row in csv.DictReader((out / "sweep.csv").read_text().splitlines())
    }
    assert summary["best_trial"] == min(rows, key=rows.get) == "lr=3e-3+batch_size=16"


@pytest.mark.parametrize("more, says", [
    ({"sweep": ("lrr=1,2",)}, "'lrr' is no setting of a training.*did you mean 'lr'"),
    ({"sweep": ("drop_path=0.1,3",)}, "drop_path"),
    ({"sweep": ("fraction=0,1",)}, "shares from 0.01 to 1"),
    ({"sweep": ("lr=1e-3,1e-4",), "lr": 1e-3}, "given elsewhere"),
    ({"sweep": ("lr=1e-3,1e-4",), "protocol": "linear"}, "trains no network"),
    ({"fraction": "0.1,1", "sweep": ("fraction=0.5,1",)}, "'fraction' is swept twice"),
    ({"fraction": "0.1,2"}, "--fraction 0.1,2: write shares from 0.01 to 1"),
    ({"fraction": "half"}, "--fraction half: write shares"),
    ({"fraction": "nan"}, "--fraction nan: write shares"),
    ({"folds": "1"}, "--folds 1: give a whole number from 2 on, or a column"),
    ({"folds": "2.5"}, "--folds 2.5: give a whole number"),
    ({"folds": "patien"}, "--splits patien: is neither a file nor a column.*did you mean 'patient'"),
    ({"folds": "patient", "splits": ("s.csv",)}, "both give the folds"),
])  # fmt: skip
def test_a_wrong_sweep_is_one_sentence_and_writes_nothing(make_store, cohort, tmp_path, more, says):
    config = Config(**{"task": "classify", "encoder": NANO, "protocol": "full", "folds": 2, **more})
    with pytest.raises(RequestError, match=says):
        run(config, _request(make_store(cohort), tmp_path / "o"))
    assert not (tmp_path / "o").exists()


def test_a_column_makes_a_fold_of_each_value_and_a_number_in_a_file_is_one(make_store, cohort, tmp_path):
    store = make_store(cohort)
    summary = run(Config("classify", NANO, protocol="knn", folds="patient"), _request(store, tmp_path / "o"))
    assert summary["folds"] == 12
    (tmp_path / "c.toml").write_text("[finetune]\nfolds = 5\nfraction = 0.2\n")
    got = resolve(Config, "finetune", tmp_path / "c.toml", {})
    assert (fold_count(got), share(got)) == (5, 0.2)


def test_what_makes_a_run_is_not_how_its_numbers_are_spelled():
    assert _content(Config(folds=5, fraction=0.5)) == _content(Config(folds="5", fraction="0.50"))
    assert _content(Config(folds="5"))["folds"] == 5
    assert "classes" not in _content(Config())


def test_kept_vectors_say_what_they_cost_and_that_they_are_there(make_store, cohort, tmp_path, capsys):
    store = make_store(cohort)
    for k, says in enumerate((r"are kept in \S+ \(\d.* kB, .* s\)", r"are there from before \(\S+, made in .* s\)")):
        run(Config("classify", NANO, protocol="knn", folds=2), _request(store, tmp_path / str(k)))
        said = " ".join(capsys.readouterr().err.split())
        assert re.search(says, said)
        assert "the vectors of 96 frames" in said
