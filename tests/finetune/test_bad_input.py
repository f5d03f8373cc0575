"""What goes wrong while networks and probes are fitted: one sentence each, and nothing half-written."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from usfm.config import Request
from usfm.errors import RequestError
from usfm.finetune.config import Config
from usfm.finetune.run import run
from usfm.finetune.settings import Tuning
from usfm.finetune.supervised import build
from usfm.finetune.train import refuse_lone_values
from usfm.model import checkpoint
from usfm.model.sources import network
from usfm.tasks import TASKS, predictions
from usfm.tasks.classify.learner import ClassLearner, Linear
from usfm.tasks.contract import Fitted
from usfm.tasks.segment.learner import Pixels
from usfm.tasks.trained import Model, use

NANO = "random:vit_nano_patch16_64"


def _request(store, out, **more):
    return Request(inputs=tuple(store.paths), out=str(out), workers=1, device="cpu", **more)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_logits_that_are_no_numbers_end_the_run(make_store, cohort, tmp_path, monkeypatch, value):
    real = Linear.forward
    monkeypatch.setattr(Linear, "forward", lambda self, *a: real(self, *a) + (0 if self.training else value))
    config = Config("classify", NANO, protocol="frozen", folds=2, epochs=1, image_size=32)
    with pytest.raises(RequestError, match=r"NaN or infinite numbers for 8 of 8 frames.*smaller --lr") as caught:
        run(config, _request(make_store(cohort[::3]), tmp_path / "run"))
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", [np.nan, -1.0])
def test_a_probe_that_says_no_probabilities_ends_the_run(make_store, cohort, tmp_path, monkeypatch, value):
    def broken(features, target, groups, classes, seed, options):
        return Fitted(lambda new: np.full((len(new), classes), value))

    monkeypatch.setitem(TASKS["classify"].protocols, "knn", broken)
    with pytest.raises(RequestError, match="fold 0: what was predicted is wrong: scores are no probabilities"):
        run(Config("classify", NANO, protocol="knn", folds=2), _request(make_store(cohort), tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("classes, model", [(3, "vit_nano_patch16_64"), (2, "vit_nano_patch8_64")])
def test_a_checkpoint_with_other_classes_or_patches_is_another_model(tmp_path, classes, model):
    def made(name, count):
        learner = ClassLearner(np.arange(count), np.arange(count), count, np.arange(count))
        return build(network(f"random:{name}"), learner, "full", Tuning(), 0)

    kept = made("vit_nano_patch16_64", 2)
    checkpoint.save(tmp_path / "s", None, None, model=kept.state_dict(), state={"step": 1})
    use(made("vit_nano_patch16_64", 2), tmp_path / "s")
    with pytest.raises(RequestError, match="it is of another model"):
        use(made(model, classes), tmp_path / "s")


@pytest.mark.parametrize(
    "head, part, says",
    [
        ("fpn", 1, None),
        ("upernet", 1, r"one frame of 32 x 32 px at a time leaves .* smaller --accumulate"),
        ("upernet", 2, None),
        ("dpt", 1, r"one frame of 32 x 32 px at a time"),
        ("dpt", 2, None),
        ("linear", 1, None),
    ],
)
def test_a_norm_of_one_value_is_refused(head, part, says):
    made = network("random:vit_nano_patch16_32")
    model = Model(made, Pixels(made, head, 2), frozen=False).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    frames = SimpleNamespace(entry=made.entry, device="cpu")
    with pytest.raises(RequestError, match=says) if says else nullcontext():
        refuse_lone_values(model, frames, part)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert says or model.training
    if says is None:
        model(torch.zeros(part, 1, 32, 32))


def test_a_run_of_another_task_is_not_taken_for_this_one(make_store, cohort, tmp_path):
    store = make_store(cohort)
    run(Config("classify", NANO, protocol="knn", folds=2), _request(store, tmp_path / "run"))
    before = (tmp_path / "run" / "card.json").read_bytes()
    with pytest.raises(RequestError, match="--overwrite"):
        run(Config("retrieve", NANO, folds=2), _request(store, tmp_path / "run"))
    assert (tmp_path / "run" / "card.json").read_bytes() == before


def test_a_class_that_a_fold_is_trained_without_is_said_and_measured(make_store, tmp_path, capsys):
    clips = [(f"p{k}", "abc"[k % 3] if k < 6 else "ab"[k % 2], "train" if k > 5 else "test") for k in range(14)]
    made = run(Config("classify", NANO, protocol="knn"), _request(make_store(clips), tmp_path / "run"))
    assert "fold split is trained without any frame of: c" in capsys.readouterr().err
    held = predictions.read(tmp_path / "run")
    assert held.class_names == ("a", "b", "c")
    assert (held.arrays["scores"][:, 2] == 0).all()
    assert 0 < made["accuracy"] < 0.67
    assert json.loads((tmp_path / "run" / "card.json").read_text())["counts"]["frames_per_class"]["c"] == 8
