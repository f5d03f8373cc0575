"""Runs from a store to a run directory: complete, resumed to the last bit, refused in one sentence."""

import fcntl
import json
import os
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file

from usfm.config import Request
from usfm.engine import loop
from usfm.errors import Interrupted, RequestError, WorkError
from usfm.model import checkpoint
from usfm.model.card import sealed
from usfm.pretrain.config import Config
from usfm.pretrain.run import run


def pretrain(store, out, tiny, *changes, recipe="polarmae", request=None, **config):
    config = {"recipe": recipe, "set": (*tiny, *changes), "device": "cpu", **config}
    device = config.pop("device")
    return run(Config(**config), Request(inputs=(store,), out=str(out), device=device, **(request or {})))


def losses(out):
    """Step -> what was logged, without what a clock says."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "images_per_s"} for line in lines]


def weights(out):
    return load_file(out / "last" / "model.safetensors")


def same(a, b):
    return losses(a) == losses(b) and all(torch.equal(v, weights(b)[k]) for k, v in weights(a).items())


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Half of a tiny run's time goes into PNG files; only `straight` draws them (it is made before this)."""
    monkeypatch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
    monkeypatch.setattr("usfm.pictures.curves.curves", lambda path, *arguments, **more: path.touch())


@pytest.fixture(scope="module")
def straight(store_path, tiny, tmp_path_factory):
    """One uninterrupted run that others are compared with."""
    out = tmp_path_factory.mktemp("straight") / "run"
    return out, pretrain(store_path, out, tiny, "ema=0.9")


def test_a_run_leaves_what_the_contract_says(straight):
    out, summary = straight
    for name in ("card.json", "recipe.toml", "metrics.jsonl", "metrics.csv", "figures/loss.png"):
        assert (out / name).stat().st_size
    for folder in ("last", "best"):
        assert {p.name for p in (out / folder).iterdir()} == {"encoder.safetensors", "model.safetensors", "state.pt"}
    assert len(list((out / "figures").glob("reconstruction-*.png"))) == 2
    assert (out / "figures" / "tokens.png").stat().st_size
    assert [line["step"] for line in losses(out) if "loss" in line] == list(range(1, 9))
    held = [line for line in losses(out) if "held_out_loss" in line]
    assert len(held) == 2
    assert len(held[0]["held_out_loss_by_depth"]) == 5
    assert held[0]["rank_me"] >= 1
    for key in (
        "command",
        "out",
        "frames_in",
        "frames_out",
        "dropped",
        "rejected",
        "sources",
        "seconds",
        "frames_per_s",
    ):
        assert key in summary
    card = json.loads((out / "card.json").read_text())
    assert card["status"] == "complete"
    assert card["encoder"]["name"] == "vit_nano_patch16_64"
    assert str(out) not in json.dumps(card)


def test_the_encoder_loads_with_the_average(straight):
    out, _ = straight
    encoder, card, report = checkpoint.load_encoder(out / "last")
    assert report.matched == 1
    assert card["recipe"] == "polarmae"
    raw = weights(out)
    assert any(not torch.equal(v, raw[f"encoder.{k}"]) for k, v in encoder.state_dict().items())


def test_again_is_up_to_date_and_other_settings_are_named(straight, store_path, tiny):
    out, _ = straight
    before = (out / "metrics.jsonl").stat().st_mtime_ns
    assert pretrain(store_path, out, tiny, "ema=0.9")["steps"] == 8
    assert (out / "metrics.jsonl").stat().st_mtime_ns == before
    with pytest.raises(RequestError, match=r"weight_decay: was 0.05, is 0.1"):
        pretrain(store_path, out, tiny, "ema=0.9", "weight_decay=0.1")


def test_resume_after_a_kill_is_exact(straight, store_path, tiny, tmp_path, monkeypatch):
    """The process is gone after step 5, with steps after the last checkpoint on record."""
    out, advance = tmp_path / "killed", loop.Loop.advance

    def dying(self, parts, clock):
        if self.step == 5:
            raise MemoryErrorOfAnotherKind
        return advance(self, parts, clock)

    class MemoryErrorOfAnotherKind(BaseException):
        """Nothing in the loop expects this."""

    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "advance", dying)
        with pytest.raises(MemoryErrorOfAnotherKind):
            pretrain(store_path, out, tiny, "ema=0.9")
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    pretrain(store_path, out, tiny, "ema=0.9", request={"workers": 3})
    assert same(straight[0], out)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_resume_after_a_signal_is_exact(straight, store_path, tiny, tmp_path, monkeypatch, number):
    out, advance = tmp_path / "stopped", loop.Loop.advance

    def stopping(self, parts, clock):
        if self.step == 2:
            os.kill(os.getpid(), number)
        return advance(self, parts, clock)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "advance", stopping)
        with pytest.raises(Interrupted, match="stopped after step 3 of 8"):
            pretrain(store_path, out, tiny, "ema=0.9")
    pretrain(store_path, out, tiny, "ema=0.9", cache="ram")
    assert same(straight[0], out)


def test_accumulation_equals_one_batch(store_path, tiny, tmp_path):
    """The same draws for the same samples, so the same losses to rounding."""
    for parts in (1, 4):
        pretrain(store_path, tmp_path / str(parts), tiny, "steps=3", "checks=1", "saves=1", accumulate=parts)
    one, four = ([line["loss"] for line in losses(tmp_path / name) if "loss" in line] for name in ("1", "4"))
    assert one == pytest.approx(four, rel=1e-4)


@pytest.mark.parametrize("recipe", ["mae", "polarmae-published", "debug"])
def test_other_recipes_run(store_path, tiny, tmp_path, recipe):
    summary = pretrain(store_path, tmp_path / "run", tiny, "steps=3", "checks=1", recipe=recipe)
    assert summary["steps"] == 3


@pytest.mark.parametrize(
    "changes",
    [
        ("region=false",),
        ("prior=random",),
        ("prior=texture+gaussian",),
        ("prior=texture+beam", "rotate_deg=20", "vflip=0.5"),
        ("in_chans=3",),
    ],
)
def test_ablations_are_one_set_each(store_path, tiny, tmp_path, changes):
    assert pretrain(store_path, tmp_path / "run", tiny, "steps=2", "checks=1", *changes)["loss"] > 0


def test_scan_modes_are_exchanged_where_the_recipe_says_so(store_path, make_store, tiny, tmp_path, capsys):
    """The draw is by step, so parts of a batch change nothing; without regions it is said that nothing is exchanged."""
    few = ("steps=3", "checks=1", "saves=1", "in_chans=1")
    for name, changes in (("plain", ("scan=0",)), ("scan", ("scan=1",)), ("parts", ("scan=1",))):
        parts = 4 if name == "parts" else 1
        pretrain(store_path, tmp_path / name, tiny, *few, *changes, recipe="ultrafedfm", accumulate=parts)
    plain, scan, parts = (
        [line["loss"] for line in losses(tmp_path / name) if "loss" in line] for name in ("plain", "scan", "parts")
    )
    assert scan == pytest.approx(parts, rel=1e-4)
    assert plain != pytest.approx(scan, rel=1e-3)
    bare = make_store(tmp_path / "bare.h5", regions=False)
    pretrain(bare, tmp_path / "bare", tiny, *few, recipe="ultrafedfm")
    assert "have no fitted geometry" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(RequestError, match="needs region = false"):
        pretrain(store_path, tmp_path / "never", tiny, "scan=0.5")


def test_watches_a_labelled_store(store_path, tiny, tmp_path):
    pretrain(store_path, tmp_path / "run", tiny, "steps=2", "checks=2", probe=store_path)
    watched = [line for line in losses(tmp_path / "run") if "probe_knn" in line]
    assert len(watched) == 2
    assert all(0 <= line[name] <= 1 for line in watched for name in ("probe_knn", "probe_linear"))
    assert (tmp_path / "run" / "figures" / "probe.png").is_file()


def test_keeps_n_older_checkpoints(store_path, tiny, tmp_path):
    pretrain(store_path, tmp_path / "run", tiny, "keep=2", "steps=4", "checks=1")
    kept = sorted(p.name for p in (tmp_path / "run").glob("step-*"))
    assert kept == ["step-00000003", "step-00000004"]


def test_init_from_a_run_and_from_an_mae_file(straight, store_path, tiny, tmp_path):
    out, _ = straight
    encoder, _, _ = checkpoint.load_encoder(out / "last")
    torch.save({"model": encoder.state_dict()}, tmp_path / "mae.pth")
    for number, init in enumerate((out, tmp_path / "mae.pth")):
        pretrain(store_path, tmp_path / f"run{number}", tiny, "lr=1e-12", "steps=1", init=str(init))
        started = load_file(tmp_path / f"run{number}" / "last" / "encoder.safetensors")
        source = checkpoint.load_encoder(init)[0].state_dict()
        assert all(torch.allclose(value, source[key], atol=1e-6) for key, value in started.items())
    with pytest.raises(RequestError, match="--model"):
        pretrain(store_path, tmp_path / "other", tiny, "model.name=vit_tiny_patch16_64", init=str(out))


def test_a_loss_that_is_not_finite_stops_and_keeps_the_batch(store_path, tiny, tmp_path, monkeypatch):
    from usfm.pretrain.job import PretrainJob

    plain = PretrainJob.loss

    def broken(self, net, batch, step):
        loss, more = plain(self, net, batch, step)
        return (loss * float("nan") if step == 3 else loss), more

    monkeypatch.setattr(PretrainJob, "loss", broken)
    out = tmp_path / "run"
    with pytest.raises(WorkError, match="loss of step 3 is not finite"):
        pretrain(store_path, out, tiny)
    kept = torch.load(out / "nonfinite" / "batch.pt", weights_only=True)
    assert kept["step"] == 3
    assert kept["frames"].shape == (8, 1, 64, 64)
    assert all(torch.isfinite(v).all() for v in kept["model"].values())
    monkeypatch.setattr(PretrainJob, "loss", plain)
    assert pretrain(store_path, out, tiny)["steps"] == 8


def test_out_of_memory_says_what_fits(store_path, tiny, tmp_path, monkeypatch):
    from usfm.pretrain.job import PretrainJob

    plain = PretrainJob.loss

    def greedy(self, net, batch, step):
        if len(batch.frames) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, net, batch, step)

    monkeypatch.setattr(PretrainJob, "loss", greedy)
    with pytest.raises(WorkError, match="the largest that fitted is 2: use --accumulate 4"):
        pretrain(store_path, tmp_path / "run", tiny)


# ---------------------------------------------------------------- bad input


def test_a_store_without_regions(make_store, tiny, tmp_path):
    store = make_store(tmp_path / "bare.h5", regions=False, clips=2, frames=5)
    with pytest.raises(RequestError, match="usfm sector"):
        pretrain(store, tmp_path / "run", tiny)
    assert not (tmp_path / "run").exists()
    assert pretrain(store, tmp_path / "mae", tiny, "steps=1", "batch_size=4", recipe="mae")["steps"] == 1


def test_empty_masks(make_store, tiny, tmp_path):
    store = make_store(tmp_path / "empty.h5", empty=True, clips=2)
    with pytest.raises(RequestError, match="region is empty"):
        pretrain(store, tmp_path / "run", tiny)


@pytest.mark.parametrize(
    "changes,config,says",
    [
        (("image_size=60",), {}, "not a multiple of the patch"),
        (("batch_size=4000",), {}, "larger than the 30 frames"),
        ((), {"device": "cuda"}, "use cpu or auto"),
        ((), {"device": "quantum"}, "write auto, cpu"),
        ((), {"accumulate": 3}, "does not divide"),
        ((), {"model": "resnet50"}, "unknown model"),
        (("steps=0",), {"epochs": 0.0}, "no steps"),
        ((), {"log": ("smoke",)}, "write tensorboard"),
    ],
)
def test_wrong_requests_are_one_sentence(store_path, tiny, tmp_path, changes, config, says):
    if config.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(RequestError, match=says):
        pretrain(store_path, tmp_path / "run", tiny, *changes, **config)


def test_something_else_in_the_way(store_path, tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(RequestError, match="is no run of usfm"):
            pretrain(store_path, tmp_path / "run", tiny, request={"overwrite": overwrite})
    assert (tmp_path / "run" / "thesis.tex").read_text() == "precious"


def test_a_damaged_checkpoint(straight, store_path, tiny, tmp_path):

    out = tmp_path / "run"
    shutil.copytree(straight[0], out)
    card = json.loads((out / "card.json").read_text())
    (out / "card.json").write_text(json.dumps(sealed({**card, "status": "running"})))
    (out / "last" / "state.pt").write_bytes(b"half")
    with pytest.raises(RequestError, match="incomplete or damaged"):
        pretrain(store_path, out, tiny, "ema=0.9")


def test_a_dry_run_touches_nothing(store_path, tiny, tmp_path):
    plan = pretrain(store_path, tmp_path / "run", tiny, request={"dry_run": True})
    assert not (tmp_path / "run").exists()
    assert plan["dry_run"] is True
    for key in ("parameters", "flops_per_image", "memory_bytes", "eta_s"):
        assert plan[key] > 0


def test_a_run_that_is_being_written_is_left_alone(straight, store_path, tiny, tmp_path):

    out = tmp_path / "run"
    shutil.copytree(straight[0], out)
    card = json.loads((out / "card.json").read_text())
    (out / "card.json").write_text(json.dumps(sealed({**card, "status": "running"})))
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RequestError, match="being written by another"):
            pretrain(store_path, out, tiny, "ema=0.9")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_live_run_is_left_alone_by_overwrite_too(straight, store_path, tiny, tmp_path, overwrite):
    out = tmp_path / "run"
    shutil.copytree(straight[0], out)
    card = json.loads((out / "card.json").read_text())
    (out / "card.json").write_text(json.dumps(sealed({**card, "status": "running"})))
    before = sorted(path for path in out.rglob("*"))
    with open(out / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RequestError, match="being written by another"):
            pretrain(store_path, out, tiny, "ema=0.9", request={"overwrite": overwrite})
    assert sorted(path for path in out.rglob("*")) == before


def test_a_run_killed_after_its_last_save_says_its_loss(straight, store_path, tiny, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(straight[0], out)
    card = json.loads((out / "card.json").read_text())
    kept = {name: value for name, value in card.items() if name != "result"}
    (out / "card.json").write_text(json.dumps(sealed({**kept, "status": "running"})))
    again = pretrain(store_path, out, tiny, "ema=0.9")
    assert again["loss"] == card["result"]["loss"]
    assert json.loads((out / "card.json").read_text())["status"] == "complete"


def test_with_an_average_the_check_scores_the_weights_that_best_holds(store_path, tiny, tmp_path, monkeypatch):
    from usfm.pretrain.job import PretrainJob

    checked = {}

    def check(self, model, step):
        checked.update({name: value.clone() for name, value in model.encoder.state_dict().items()})
        return {"score": -step}

    monkeypatch.setattr(PretrainJob, "check", check)
    pretrain(store_path, tmp_path / "run", tiny, "ema=0.9", "steps=2")
    best = load_file(tmp_path / "run" / "best" / "encoder.safetensors")
    raw = load_file(tmp_path / "run" / "best" / "model.safetensors")
    assert all(torch.equal(value, checked[name]) for name, value in best.items())
    assert any(not torch.equal(value, raw[f"encoder.{name}"]) for name, value in best.items())


def test_a_bad_loss_that_is_seen_late_names_its_own_step_and_batch(store_path, tiny, tmp_path, monkeypatch):
    """As on a GPU, where the losses are looked at now and then: what is kept is the batch that was bad."""
    from usfm.engine.step import Loop, Training

    advance = Loop.advance

    def late(self, parts, clock):
        rows.append(parts[0].plan.rows.copy())
        done = advance(self, parts, clock)
        if self.step == 3:
            self.pending[-1] = self.pending[-1] * float("nan")
        return done

    rows = []
    monkeypatch.setattr(Loop, "advance", late)
    monkeypatch.setattr(Training, "log_every", 6)
    with pytest.raises(WorkError, match="loss of step 2 is not finite"):
        pretrain(store_path, tmp_path / "run", tiny, "saves=1")
    kept = torch.load(tmp_path / "run" / "nonfinite" / "batch.pt", weights_only=True)
    assert len(rows) == 6
    assert kept["rows"].tolist() == rows[2].tolist()
    assert "model" not in kept
