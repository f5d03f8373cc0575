"""Trials of a pretraining: the product of what is swept, folds by patient, resumed by trial, the best named."""

import csv
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from usfm.config import Request
from usfm.engine import loop
from usfm.engine.data import fold_out, groups_of
from usfm.errors import RequestError, WorkError
from usfm.pretrain.config import Config, check
from usfm.pretrain.run import run
from usfm.store.reader import Store


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
    monkeypatch.setattr("usfm.pictures.curves.curves", lambda path, *arguments, **more: path.touch())


def swept(store, out, tiny, *changes, request=None, **config):
    """Two rates, so that the second is far better."""
    config = {"sweep": ("lr=1e-7,1e-2",), "recipe": "mae", "set": (*tiny, "steps=4", "checks=1", *changes), **config}
    return run(Config(**config), Request(inputs=(store,), out=str(out), device="cpu", **(request or {})))


def table(out):
    return json.loads((out / "sweep.json").read_text())


def test_every_trial_is_a_run_and_the_lowest_loss_is_named(store_path, tiny, tmp_path):
    out = tmp_path / "sweep"
    summary = swept(store_path, out, tiny, folds=2)
    assert summary["best_trial"] == table(out)["best"] == "lr=1e-2"
    assert summary["best_changes"] == ["lr=1e-2"]
    for row in table(out)["trials"]:
        assert len(row["runs"]) == 2
        ends = []
        for fold, folder in enumerate(row["runs"]):
            card = json.loads((out / row["trial"] / f"fold-{fold}" / "card.json").read_text())
            assert card["status"] == "complete"
            assert folder.endswith(f"{row['trial']}/fold-{fold}")
            ends.append(card["result"]["held_out_loss"])
        assert row["held_out_loss"] == pytest.approx(np.mean(ends))
        assert row["std"] == pytest.approx(np.std(ends, ddof=1))
    lines = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))
    assert [line["lr"] for line in lines] == ["1e-7", "1e-2"]


def test_a_sweep_goes_on_where_it_was_stopped_and_may_grow(store_path, tiny, tmp_path, monkeypatch):
    """Finished trials are not trained again; the one that was stopped goes on from its last checkpoint."""
    out, advance, steps = tmp_path / "sweep", loop.Loop.advance, []

    class Killed(BaseException):
        """Nothing in the loop expects this."""

    def dying(self, parts, clock):
        if len(steps) == 6:
            raise Killed
        steps.append(self.step)
        return advance(self, parts, clock)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "advance", dying)
        with pytest.raises(Killed):
            swept(store_path, out, tiny)
    assert [row["trial"] for row in table(out)["trials"]] == ["lr=1e-7"]
    assert table(out)["status"] == "running"
    more = []
    monkeypatch.setattr(loop.Loop, "advance", lambda self, *a: more.append(self.step) or advance(self, *a))
    again = swept(store_path, out, tiny)
    assert more == [2, 3]
    assert again["best_loss"] == swept(store_path, tmp_path / "straight", tiny)["best_loss"]
    more.clear()
    grown = swept(store_path, out, tiny, sweep=("lr=1e-7,1e-2,1e-3",))
    assert more == [0, 1, 2, 3]
    assert len(grown["trials"]) == 3


@pytest.mark.slow
def test_a_trial_that_fails_lets_the_others_go_on(store_path, tiny, tmp_path, monkeypatch):
    from usfm.pretrain.job import PretrainJob

    plain = PretrainJob.loss

    def broken(self, net, batch, step):
        loss, more = plain(self, net, batch, step)
        return loss * (float("nan") if self.recipe.optim.lr == 1e-2 or everything else 1), more

    everything = False
    monkeypatch.setattr(PretrainJob, "loss", broken)
    summary = swept(store_path, tmp_path / "sweep", tiny)
    assert summary["best_trial"] == "lr=1e-7"
    assert "not finite" in summary["trials"][1]["reason"]
    everything = True
    with pytest.raises(WorkError, match="every trial failed"):
        swept(store_path, tmp_path / "other", tiny)


def test_folds_are_by_patient_and_cover_all(store_path):
    store = Store.open(store_path)
    group = groups_of(store)
    parts = [fold_out(store, 3, k, 0) for k in range(3)]
    assert sorted(np.concatenate([out for _, out in parts])) == list(range(len(store)))
    for rows, out in parts:
        assert not set(group[rows]) & set(group[out])
        assert len(out) == 12
    with pytest.raises(RequestError, match="fewer --folds"):
        fold_out(store, 7, 0, 0)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"sweep": ("lr",)}, "key=a,b"),
        ({"sweep": ("lr=1e-3,1e-3",)}, "stands twice"),
        ({"sweep": ("lr=1e-3", "optim.lr=1e-4")}, "swept twice"),
        ({"sweep": ("lr=1e-3,1e-4",), "lr": 1e-3}, "given elsewhere"),
        ({"sweep": ("fold=1,2",)}, "given elsewhere"),
        ({"sweep": ("lrr=1e-3,1e-4",)}, "did you mean 'lr'"),
        ({"sweep": ("clip=-1,1",)}, "at least 0"),
        ({"sweep": tuple(f"{k}={','.join(map(str, range(11)))}" for k in ("steps", "keep", "warmup"))}, "trials"),
    ],
)
def test_bad_sweeps_are_refused_before_anything_is_loaded(config, said):
    with pytest.raises(RequestError, match=said):
        check(Config(**config))


def test_folders_of_others_and_losses_of_nothing_are_refused(store_path, tiny, tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(RequestError, match="is no sweep"):
        swept(store_path, tmp_path, tiny)
    with pytest.raises(RequestError, match="held_out is 0"):
        swept(store_path, tmp_path / "run", tiny, "held_out=0")


def test_a_dry_run_counts_and_touches_nothing(store_path, tiny, tmp_path):
    summary = swept(store_path, tmp_path / "sweep", tiny, folds=3, request={"dry_run": True})
    assert (summary["trials"], summary["runs"]) == (2, 6)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
def test_losses_of_other_tasks_are_said_to_be_no_scale(store_path, tiny, tmp_path, capsys):
    swept(store_path, tmp_path / "sweep", tiny, sweep=("visible=0.25,0.5",))
    assert "compare the trials by a task" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_two_processes_sweep_as_one(store_path, tiny, tmp_path):
    """The trials share one group of processes, and the first one alone writes the table."""
    words = ["pretrain", store_path, "--recipe", "mae", "--device", "cpu", "--sweep", "lr=1e-7,1e-2"]
    words += [word for change in (*tiny, "steps=3", "checks=1") for word in ("--set", change)]

    def started(out, **environment):
        command = [sys.executable, "-m", "usfm", *words, "--out", str(out)]
        return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", **environment})

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
    both = [started(tmp_path / "two", RANK=str(k), LOCAL_RANK=str(k), **common) for k in range(2)]
    assert [process.wait(170) for process in both] == [0, 0]
    assert started(tmp_path / "one").wait(170) == 0
    two, one = ([row["held_out_loss"] for row in table(tmp_path / name)["trials"]] for name in ("two", "one"))
    assert two == pytest.approx(one, rel=1e-3)
