"""Going on from a run on other frames: what is taken, what is replayed, what is forgotten; and balanced batches."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from usfm.config import Request
from usfm.engine import loop
from usfm.engine.data import hold_out
from usfm.errors import RequestError
from usfm.model import checkpoint, progress
from usfm.pretrain.config import Config
from usfm.pretrain.run import run
from usfm.store.reader import Store


def pretrain(store, out, tiny, *changes, recipe="mae", seed=0, workers=1, **config):
    stores = (store,) if isinstance(store, str) else tuple(store)
    request = Request(inputs=stores, out=str(out), device="cpu", seed=seed, workers=workers)
    return run(Config(recipe=recipe, set=(*tiny, *changes), **config), request)


def card(out):
    return json.loads((out / "card.json").read_text())


def lines(out, name):
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if name in row]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
    monkeypatch.setattr("usfm.pictures.curves.curves", lambda path, *arguments, **more: path.touch())


@pytest.fixture(scope="module")
def stores(store_path, make_store, tmp_path_factory):
    """The old store, and a new one of other patients."""
    new = make_store(tmp_path_factory.mktemp("new") / "new.h5", seed=1, patients="q", frames=[9, 3, 3, 3, 3, 3])
    return store_path, new


@pytest.fixture(scope="module")
def old_run(stores, tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("old") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
        pretrain(stores[0], out, tiny, seed=5)
    return out


@pytest.fixture(scope="module")
def continued(stores, old_run, tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("continued") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
        return out, pretrain(stores[1], out, tiny, "share=0.5", init=str(old_run), replay=stores[0])


def test_forgetting_is_measured_on_what_the_old_run_held_out(continued, old_run, stores):
    """The loss before the first step is the old run's own last one: same frames, same masks' rule, same weights."""
    out, summary = continued
    held = hold_out(Store.open(stores[0]), 0.02, 5)[1]
    counts = card(out)
    assert summary["frames_replayed"] == counts["frames_replayed"] == 36 - len(held)
    assert summary["forgetting"] == pytest.approx(
        summary["old_held_out_loss"] - summary["old_held_out_loss_start"], abs=1e-9
    )
    assert lines(out, "old_held_out_loss")[-1] == summary["old_held_out_loss"]
    assert summary["old_held_out_loss_start"] == pytest.approx(lines(old_run, "held_out_loss")[-1], rel=0.05)
    assert counts["result"]["forgetting"] == summary["forgetting"]
    assert all(progress.of(out).saw(Store.open(store)) for store in stores)
    assert not progress.of(old_run).saw(Store.open(stores[1]))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_share_of_each_batch_is_old(stores, old_run, tiny, tmp_path, monkeypatch, share):
    seen = []
    from usfm.pretrain.job import PretrainJob

    plain = PretrainJob.loss
    monkeypatch.setattr(PretrainJob, "loss", lambda *a: seen.append(a[2].plan.rows.copy()) or plain(*a))
    pretrain(stores[1], tmp_path / "run", tiny, f"share={share}", "steps=3", init=str(old_run), replay=stores[0])
    assert [int((rows >= 24).sum()) for rows in seen] == [round(8 * share)] * 3
    old = set((np.concatenate(seen) - 24).tolist())
    assert not old & set(hold_out(Store.open(stores[0]), 0.02, 5)[1].tolist())


def test_decoder_and_moments_are_taken_where_they_fit(stores, old_run, tiny, tmp_path, capsys):
    """With no rate to speak of the weights are the old ones; the moments go on from the old count of steps."""
    pretrain(stores[1], tmp_path / "run", tiny, "lr=1e-12", "steps=1", "checks=1", init=str(old_run))
    assert "the encoder, the decoder and the optimiser's moments are taken" in capsys.readouterr().err
    ours, theirs = (load_file(one / "last" / "model.safetensors") for one in (tmp_path / "run", old_run))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in theirs)
    counts = {
        float(one["step"]) for one in checkpoint.load_state(tmp_path / "run" / "last")[1]["optimizer"]["state"].values()
    }
    assert counts == {9.0}


@pytest.mark.parametrize(
    ("changes", "recipe", "said"),
    [
        (("keep_decoder=false",), "mae", "only the encoder is taken, as asked"),
        (("keep_moments=false",), "mae", "the optimiser starts anew, as asked"),
        (("kind=hog",), "mae", "its target.kind was normalised and is hog here"),
        ((), "crossmae", "its decoder.kind was self and is weighted here"),
    ],
)
def test_what_is_not_taken_is_said(stores, old_run, tiny, tmp_path, capsys, changes, recipe, said):
    changes = tuple(change.replace("kind", "target.kind") for change in changes)
    out = tmp_path / "run"
    result = pretrain(
        stores[1], out, tiny, *changes, "steps=1", "checks=1", recipe=recipe, init=str(old_run), replay=stores[0]
    )
    assert said in " ".join(capsys.readouterr().err.split())
    assert ("forgetting" in result) == ("moments" in said or "optimiser" in said)
    assert "old_held_out_loss" in result


def test_the_model_is_the_old_runs_unless_another_is_asked_for(stores, old_run, tmp_path):
    out = tmp_path / "run"
    small = ("run.steps=1", "run.batch_size=8", "run.checks=1")
    run(
        Config(recipe="mae", set=small, init=str(old_run)),
        Request(inputs=(stores[1],), out=str(out), device="cpu"),
    )
    assert card(out)["encoder"]["name"] == "vit_nano_patch16_64"
    with pytest.raises(RequestError, match="--model"):
        run(
            Config(recipe="mae", set=small, init=str(old_run), model="vit_tiny_patch16_64"),
            Request(inputs=(stores[1],), out=str(tmp_path / "other"), device="cpu"),
        )


def test_resume_is_exact_and_workers_change_nothing(continued, stores, old_run, tiny, tmp_path, monkeypatch):
    out, advance = tmp_path / "killed", loop.Loop.advance

    class Killed(BaseException):
        """Nothing in the loop expects this."""

    def dying(self, parts, clock):
        if self.step == 5:
            raise Killed
        return advance(self, parts, clock)

    arguments = (stores[1], out, tiny, "share=0.5")
    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "advance", dying)
        with pytest.raises(Killed):
            pretrain(*arguments, init=str(old_run), replay=stores[0])
    again = pretrain(*arguments, init=str(old_run), replay=stores[0], workers=3)
    assert lines(out, "loss") == lines(continued[0], "loss")
    assert again["forgetting"] == continued[1]["forgetting"]
    ours, theirs = (load_file(one / "last" / "model.safetensors") for one in (out, continued[0]))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    with pytest.raises(RequestError, match=r"replay: was .*, is None"):
        pretrain(*arguments, init=str(old_run))


@pytest.mark.slow
def test_a_patient_of_both_stores_stands_on_one_side(store_path, make_store, tiny, tmp_path, old_run, capsys):
    """The old run held a patient out; its new frames are not trained on either."""
    new = make_store(tmp_path / "new.h5", seed=2)
    pretrain(new, tmp_path / "run", tiny, "steps=1", "checks=1", init=str(old_run), replay=store_path)
    said = capsys.readouterr().err
    held = len(hold_out(Store.open(store_path), 0.02, 5)[1])
    own = hold_out(Store.open(new), 0.02, 0)[1]
    both = np.intersect1d(own, hold_out(Store.open(store_path), 0.02, 5)[1])
    assert not len(both)
    assert f"{held} new frames are of patients held out" in " ".join(said.split())


@pytest.mark.parametrize("what", ["size", "alone", "missing", "same"])
def test_a_replay_that_does_not_serve_is_one_sentence(stores, old_run, make_store, tiny, tmp_path, what):
    init, replay = str(old_run), stores[0]
    if what == "size":
        replay, said = (
            make_store(tmp_path / "large.h5", side=96, seed=3, clips=2),
            "96 x 96 and those of .* are 64 x 64",
        )
    elif what == "alone":
        init, said = None, "give --init RUN too"
    elif what == "missing":
        replay, said = str(tmp_path / "no.h5"), "no.h5"
    else:
        replay, said = stores[1], "given twice"
    with pytest.raises(RequestError, match=said):
        pretrain(stores[1], tmp_path / "run", tiny, init=init, replay=replay)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_balance_evens_groups_out(stores, make_store, tiny, tmp_path, monkeypatch, capsys):
    from usfm.pretrain.job import PretrainJob

    stores = [make_store(tmp_path / "a.h5", dataset="a"), make_store(tmp_path / "b.h5", dataset="b", seed=1, clips=2)]
    plain = PretrainJob.loss
    for by, power, wanted in (("none", 0, 36 / 48), ("dataset", 0, 1 / 2), ("dataset", 0.5, 3**0.5 / (1 + 3**0.5))):
        seen = []
        monkeypatch.setattr(PretrainJob, "loss", lambda *a, seen=seen: seen.append(a[2].plan.rows) or plain(*a))
        more = (f"power={power}", "held_out=0", "steps=12", "checks=1", "saves=1")
        pretrain(stores, tmp_path / f"{by}{power}", tiny, *more, balance=by)
        assert (np.concatenate(seen) < 36).mean() == pytest.approx(wanted, abs=0.03)
    pretrain(stores[0], tmp_path / "one", tiny, "steps=1", "checks=1", balance="dataset")
    assert "changes nothing" in " ".join(capsys.readouterr().err.split())
