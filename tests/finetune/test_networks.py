"""usfm finetune with a network that is trained: one run directory, whichever protocol; resumed, refused, evaluated."""

import json

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate.config import Config as EvalConfig
from usfm.evaluate.run import run as evaluate
from usfm.finetune import plan as planning
from usfm.finetune.config import Config
from usfm.finetune.networks import validation_of
from usfm.finetune.run import run
from usfm.finetune.supervised import Supervised
from usfm.tasks import TASKS, learning, predictions

SLOW = pytest.mark.slow
NANO = "random:vit_nano_patch16_64"
QUICK = {"epochs": 2, "lr": 3e-3, "folds": 2, "image_size": 32, "batch_size": 16}


def _request(store, out, **more):
    return Request(inputs=tuple(store.paths), out=str(out), workers=1, device="cpu", **more)


@pytest.mark.parametrize("protocol", [pytest.param("full", marks=SLOW), pytest.param("lora", marks=SLOW), "frozen"])
def test_a_trained_run_is_a_run_like_any_other(make_store, cohort, tmp_path, protocol, capsys):
    store, out = make_store(cohort), tmp_path / "runs" / "net"
    config = Config("classify", NANO, protocol=protocol, **QUICK)
    summary = run(config, _request(store, out))
    assert summary["accuracy"] > 0.8
    assert {each.name for each in out.parent.iterdir()} == {"net"}, "nothing is left beside it"
    held = predictions.read(out)
    assert sorted(held.frame_id) == sorted(store.column("frame_id"))
    assert np.allclose(held.arrays["scores"].sum(1), 1, atol=1e-5)
    card = json.loads((out / "card.json").read_text())
    assert card["protocol"] == protocol
    assert card["tuning"]["epochs"] == 2
    assert card["encoder"]["image_size"] == [32, 32]
    for line in card["folds"]:
        assert line["temperature"] > 0
        assert line["validation_frames"] > 0
        assert line["trained_parameters"] <= line["parameters"]
        assert line["parameters"] == card["parameters"]
        assert line["trained_parameters"] == card["trained_parameters"]
    assert card["memory_bytes"] > 50e6
    for fold in ("0", "1"):
        assert {each.name for each in (out / "folds" / fold).iterdir()} == {
            "encoder.safetensors", "model.safetensors"}  # fmt: skip
    pictures = {"batch-0.png", "batch-1.png", "loss.png", "val_accuracy.png"}
    assert pictures < {each.name for each in (out / "figures").iterdir()}
    way = learning.read(out)
    assert set(way["loss"]) == set(way["val_accuracy"]) == {"0", "1"}
    assert "parameters are trained" in capsys.readouterr().err
    again = run(config, _request(store, out))
    assert again["up_to_date"]
    report = evaluate(EvalConfig(bootstrap=50), Request(inputs=(str(out),), out=str(tmp_path / "report"), workers=1))
    assert report["runs"][0]["accuracy"]["value"] == pytest.approx(summary["accuracy"], abs=1e-6)
    refused = Config("classify", NANO, protocol=protocol, **{**QUICK, "epochs": 3})
    with pytest.raises(RequestError, match="--overwrite"):
        run(refused, _request(store, out))


@SLOW
def test_a_stopped_run_goes_on_in_the_fold_where_it_was(make_store, cohort, tmp_path, monkeypatch):
    store = make_store(cohort)
    config = Config("classify", NANO, protocol="full", **QUICK)
    run(config, _request(store, tmp_path / "whole"))
    real, steps = Supervised.loss, []

    def breaks(self, net, batch, step):
        steps.append(step)
        if len(steps) == 8:
            raise KeyboardInterrupt
        return real(self, net, batch, step)

    monkeypatch.setattr(Supervised, "loss", breaks)
    with pytest.raises(KeyboardInterrupt):
        run(config, _request(store, tmp_path / "parts"))
    assert not (tmp_path / "parts").exists()
    run(config, _request(store, tmp_path / "parts"))
    a, b = (predictions.read(tmp_path / name).arrays["scores"] for name in ("whole", "parts"))
    assert np.array_equal(a, b)


def test_validation_patients_are_training_patients_or_the_val_part(make_store, cohort):
    plan = planning.make(make_store(cohort), TASKS["classify"], {}, 3, 1.0, 0)
    for fold in plan.folds:
        chosen = validation_of(plan, fold, 0)
        assert len(chosen)
        assert set(chosen) < set(fold.train)
        rest = np.setdiff1d(fold.train, chosen)
        assert not set(plan.groups.code[chosen]) & set(plan.groups.code[rest])
        assert set(plan.known.strata[chosen]) == {0, 1}
    clips = [(f"p{k:02}", "ab"[k % 2], ("train", "train", "val", "test")[k // 4]) for k in range(16)]
    plan = planning.make(make_store(clips, name="split.h5"), TASKS["classify"], {}, None, 1.0, 0)
    fold = plan.folds[0]
    assert set(validation_of(plan, fold, 0)) == set(fold.held[fold.split == "val"])


@pytest.mark.parametrize(
    "more, says",
    [
        ({"protocol": "linear", "epochs": 3}, "--epochs has no meaning with --protocol linear"),
        ({"protocol": "knn", "set": ("mixup=1",)}, "--set has no meaning"),
        ({"protocol": "full", "set": ("mixupp=1",)}, "unknown setting 'mixupp'"),
        ({"protocol": "full", "set": ("drop_path=2",)}, "drop_path"),
        ({"protocol": "full", "image_size": 33}, "no multiple of the patch|not a multiple of the patch"),
        ({"protocol": "lora", "encoder": "random:resnet10t"}, "no transformer blocks"),
        ({"protocol": "fulll"}, "is no protocol of classify"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_writes_nothing(make_store, cohort, tmp_path, more, says):
    store = make_store(cohort)
    with pytest.raises(RequestError, match=says):
        run(
            Config(**{"task": "classify", "encoder": NANO, "folds": 2, **more}), _request(store, tmp_path / "o" / "run")
        )
    assert not (tmp_path / "o" / "run").exists()


def test_vectors_cannot_be_trained(make_store, cohort, tmp_path):
    (tmp_path / "v.h5").touch()
    with pytest.raises(RequestError, match="cannot be trained"):
        run(
            Config("classify", f"vectors:{tmp_path / 'v.h5'}", protocol="full"),
            _request(make_store(cohort), tmp_path / "r"),
        )


def test_a_dry_run_says_what_it_would_train(make_store, cohort, tmp_path, capsys):
    summary = run(
        Config("classify", NANO, protocol="full", **QUICK), _request(make_store(cohort), tmp_path / "r", dry_run=True)
    )
    assert summary["dry_run"]
    assert "2 times for 2 epochs" in capsys.readouterr().err
    assert not list(tmp_path.glob("r*"))
