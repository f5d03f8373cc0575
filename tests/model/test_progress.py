"""An unfinished run is named with its step, whatever of it is left, and nothing is written while it is read."""

import fcntl
import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from usfm.errors import RequestError
from usfm.model import embedders, progress
from usfm.store import tables


@pytest.fixture
def run(tmp_path):
    """A run as it lies after a stop at step 37 of 1,000."""
    path = tmp_path / "runs" / "tm"
    (path / "last").mkdir(parents=True)
    card = {"command": "pretrain", "status": "running", "steps": 1000, "settings": {"inputs": "abc"}}
    (path / "card.json").write_text(json.dumps(card))
    (path / "metrics.jsonl").write_text('{"step": 20, "loss": 1.0}\n{"step": 30, "loss": 0.9}\n{"ste')
    torch.save({"step": 37}, path / "last" / "state.pt")
    (path / ".lock").touch()
    return path


def test_a_stopped_run_is_named_with_its_step(run, capsys):
    assert str(progress.of(run)) == f"{run}: step 37 of 1,000 (stopped)"
    assert progress.of(run / "last").step == 37
    assert progress.say(run).store == "abc"
    assert f"{run}: step 37 of 1,000 (stopped): the encoder is not trained to the end" in capsys.readouterr().err
    with pytest.raises(RequestError, match=r"step 37 of 1,000 \(stopped\): it is not finished, and --strict"):
        progress.say(run, strict=True)


def test_without_a_state_the_metrics_tell_and_nothing_is_written(run):
    (run / "last" / "state.pt").write_bytes(b"damaged")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert progress.of(run).step == 30
    (run / "metrics.jsonl").unlink()
    assert str(progress.of(run)) == f"{run}: an unknown step of 1,000 (stopped)"
    assert {path: before[path] for path in run.rglob("*")} == {p: p.stat().st_mtime_ns for p in run.rglob("*")}


def test_a_run_that_is_trained_now_is_called_running(run):
    with open(run / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert progress.of(run).status == "running"


def test_a_run_that_failed_is_called_failed(run):
    card = json.loads((run / "card.json").read_text())
    (run / "card.json").write_text(json.dumps({**card, "status": "failed"}))
    assert str(progress.of(run)).endswith("step 37 of 1,000 (failed)")


def test_a_finished_run_is_used_without_a_word(run, capsys):
    card = json.loads((run / "card.json").read_text())
    (run / "card.json").write_text(json.dumps({**card, "status": "complete", "result": {"steps": 1000}}))
    assert progress.say(run, strict=True).status == "complete"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("spec", ["random", "random:vit_nano_patch16_64", "timm:resnet50", "none/here", "vectors:f.h5"])
def test_what_is_no_run_has_no_progress(spec):
    assert progress.say(spec, strict=True) is None


def test_vectors_remember_the_run_that_they_were_made_with(run, tmp_path):
    path, columns = tmp_path / "v.h5", {"frame_id": ["a"], "vectors": np.ones((1, 2))}
    tables.write(path, embedders.FEATURES_FORMAT, columns, {"pretraining": asdict(progress.of(run))})
    assert progress.of(f"vectors:{path}") == progress.of(run)
    tables.write(path, embedders.FEATURES_FORMAT, columns, {"pretraining": {}})
    assert progress.of(f"vectors:{path}") is None


def test_a_damaged_card_is_one_sentence(run):
    (run / "card.json").write_text("{")
    with pytest.raises(RequestError, match=r"card.json: cannot be read"):
        progress.of(run)


def test_random_of_a_run_is_the_untrained_network_of_its_shape(tmp_path):
    from usfm.model import checkpoint
    from usfm.model.vit import build_encoder

    trained = build_encoder("vit_nano_patch16_64", image_size=96, in_chans=1, depth=2)
    checkpoint.save(tmp_path / "last", trained.state_dict(), trained.shape)
    own, random = (embedders.load(spec, device="cpu") for spec in (f"{tmp_path}", f"random:{tmp_path}"))
    again, other = (embedders.load(f"random:{tmp_path}", device="cpu", seed=seed) for seed in (0, 1))
    shape = ("model", "image_size", "in_chans", "pool")
    assert [random.identity[name] for name in shape] == [own.identity[name] for name in shape]
    assert (random.dim, random.identity["kind"]) == (own.dim, "random")
    frame = torch.arange(9216).reshape(96, 96).remainder(256).to(torch.uint8).numpy()
    vectors = [each.embed([frame]) for each in (own, random, again, other)]
    assert (vectors[1] == vectors[2]).all()
    assert abs(vectors[1] - vectors[0]).max() > 1e-3
    assert abs(vectors[1] - vectors[3]).max() > 1e-3
    with pytest.raises(RequestError, match="unknown model"):
        embedders.load("random:runs/none", device="cpu")
