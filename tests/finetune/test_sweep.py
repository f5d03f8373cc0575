"""Several runs by one command: products, seeds, fractions; the best by validation; wrong keys."""

import csv

import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.finetune.config import Config
from usfm.finetune.run import run

NANO = "random:vit_nano_patch16_64"


def _request(store, out, **more):
    return Request(inputs=tuple(store.paths), out=str(out), workers=1, device="cpu", **more)


def test_seeds_and_fractions_of_a_probe_make_runs_that_stay(make_store, cohort, tmp_path):
    store, out = make_store(cohort), tmp_path / "s"
    config = Config("classify", NANO, protocol="knn", folds=2, sweep=("fraction=0.5,1",), seeds=2)
    summary = run(config, _request(store, out))
    assert summary["trials"] == 2
    names = {f"fraction={f}+seed={k}" for f in ("0.5", "1") for k in (0, 1)}
    assert {each.name for each in out.iterdir() if each.is_dir() and not each.name.startswith(".")} == names
    rows = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))
    assert [(row["fraction"], row["seed"]) for row in rows] == [("0.5", "0"), ("0.5", "1"), ("1", "0"), ("1", "1")]
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
])  # fmt: skip
def test_a_wrong_sweep_is_one_sentence_and_writes_nothing(make_store, cohort, tmp_path, more, says):
    config = Config(**{"task": "classify", "encoder": NANO, "protocol": "full", "folds": 2, **more})
    with pytest.raises(RequestError, match=says):
        run(config, _request(make_store(cohort), tmp_path / "o"))
    assert not (tmp_path / "o").exists()
