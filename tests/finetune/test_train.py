"""Training on labels through the engine's loop: what is trained, at which rate, resumed to the last bit."""

import json
import math

import numpy as np
import pytest
import torch

from usfm.engine.device import Ranks
from usfm.engine.optim import layer_factor
from usfm.engine.prepared import Prepared
from usfm.errors import RequestError
from usfm.finetune.mixing import box, mix
from usfm.finetune.settings import Tuning, tuning_of
from usfm.finetune.supervised import Supervised, build
from usfm.finetune.train import Fold, train
from usfm.model import checkpoint, sources
from usfm.tasks.classify.learner import ClassLearner, temperature

SLOW = pytest.mark.slow
NANO, CNN = "random:vit_nano_patch16_64", "random:resnet10t"
QUICK = Tuning(epochs=3, batch_size=16, lr=2e-3, warmup=0.1, drop_path=0.1, augment="standard")


@pytest.fixture
def case(make_store, cohort):
    store = make_store(cohort)
    target = store.labels_class()
    patient = np.unique(store.of_frames("patient"), return_inverse=True)[1]
    part = patient % 6
    fold = Fold("0", *(np.flatnonzero(where) for where in (part < 4, part == 4, part == 5)))
    learner = ClassLearner(target, patient, 2, fold.train, smoothing=0.1)
    return store, fold, learner


def go(case, folder, tuning=QUICK, protocol="full", spec=NANO, **more):
    store, fold, learner = case

    def make():
        return sources.network(spec, image_size=32)

    frames = Prepared(store, np.arange(len(store)), make().entry, torch.device("cpu"))
    options = {"protocol": protocol, "tuning": tuning, "seed": 0, "ranks": Ranks(), "settings": {"a": 1}, **more}
    return train(fold, make, learner, frames, folder=folder, **options)


@pytest.mark.parametrize(
    "spec, protocol",
    [
        (NANO, "full"),
        (NANO, "lora"),
        (NANO, "frozen"),
        (CNN, "lora"),
        pytest.param(CNN, "frozen", marks=pytest.mark.slow),
    ],
)
def test_it_learns_and_trains_what_the_protocol_says(case, tmp_path, protocol, spec):
    if protocol == "lora" and "resnet" in spec:
        with pytest.raises(RequestError, match="no transformer blocks"):
            go(case, tmp_path / "f", protocol=protocol, spec=spec)
        return
    done = go(case, tmp_path / "f", protocol=protocol, spec=spec)
    target = case[2].target[case[1].held]
    assert done.decoded["scores"].shape == (len(target), 2)
    assert np.allclose(done.decoded["scores"].sum(1), 1, atol=1e-5)
    if spec == NANO:
        assert (done.decoded["scores"].argmax(1) == target).mean() > 0.9
    weights = checkpoint.load_state(tmp_path / "f" / "last")[0]
    first = sources.network(spec, image_size=32).state_dict()
    body = [name for name in first if name in {key.removeprefix("network.") for key in weights}]
    moved = [name for name in body if not torch.equal(first[name], weights[f"network.{name}"])]
    assert bool(moved) == (protocol != "frozen"), "of a frozen network nothing moves, not even statistics"
    if protocol == "lora":
        assert all("norm" in name for name in moved)
    share = done.line["trained_parameters"] / done.line["parameters"]
    assert (share == pytest.approx(1, abs=0.02)) == (protocol == "full")


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_last_bit(case, tmp_path, monkeypatch):
    tuning = tuning_of(["mixup=0.4", "cutmix=1", "ema=0.9"], epochs=3, batch_size=16, lr=1e-3, augment="augus-o")
    whole = go(case, tmp_path / "whole", tuning)
    real, calls = Supervised.loss, []

    def breaks(self, net, batch, step):
        calls.append(step)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return real(self, net, batch, step)

    monkeypatch.setattr(Supervised, "loss", breaks)
    with pytest.raises(KeyboardInterrupt):
        go(case, tmp_path / "parts", tuning)
    again = go(case, tmp_path / "parts", tuning)
    lines = [[json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
             for name in ("whole", "parts")]  # fmt: skip
    losses = [[line["loss"] for line in part if "loss" in line] for part in lines]
    assert losses[0] == losses[1]
    assert np.array_equal(whole.decoded["logits"], again.decoded["logits"])
    assert calls[9] > 0, "it went on from a checkpoint, not from the start"
    done = go(case, tmp_path / "parts", tuning)
    assert np.array_equal(done.decoded["logits"], whole.decoded["logits"])


@SLOW
def test_accumulated_parts_are_the_whole_batch(case, tmp_path):
    """Without mixing and dropped paths, whose draws belong to a part."""
    tuning = Tuning(epochs=2, batch_size=16, lr=1e-3, drop_path=0, augment="augus-d")
    one, two = (go(case, tmp_path / str(n), tuning, accumulate=n) for n in (1, 2))
    assert np.allclose(one.decoded["logits"], two.decoded["logits"], atol=2e-4)


def test_rates_are_maes_rule_and_the_head_has_the_whole(case):
    _, _, learner = case
    network = sources.network(NANO, image_size=32)
    model = build(network, learner, "full", Tuning(layer_decay=0.65), 0)
    job = Supervised(model, learner, None, Tuning(layer_decay=0.65), np.zeros(0, int), 0)
    depth = len(network.body.blocks)
    for name, _ in model.named_parameters():
        plain = name.removeprefix("network.body.")
        assert job.group(name).factor == pytest.approx(layer_factor(plain, depth, 0.65))
    assert job.group("network.body.cls_token").weight_decay == 0
    assert job.group("head.linear.weight").factor == 1
    frozen = build(sources.network(NANO, image_size=32), learner, "frozen", Tuning(), 0)
    assert {name for name, value in frozen.named_parameters() if value.requires_grad} == {
        "head.norm.weight", "head.norm.bias", "head.linear.weight", "head.linear.bias"}  # fmt: skip


@SLOW
def test_the_best_moment_is_that_of_the_validation_patients(case, tmp_path):
    """A rate that ruins everything late: what is predicted is not what was there last."""
    tuning = Tuning(epochs=6, batch_size=16, lr=3e-3, warmup=0, smoothing=0, augment="none", patience=2)
    done = go(case, tmp_path / "f", tuning)
    lines = [json.loads(line) for line in (tmp_path / "f" / "metrics.jsonl").read_text().splitlines()]
    checks = [line["val_log_loss"] for line in lines if "val_log_loss" in line]
    assert done.line["best"] == pytest.approx(min(checks))
    scores, target = done.validation["scores"], case[2].target[case[1].validation]
    assert case[2].score({"scores": scores}, case[1].validation)["score"] == pytest.approx(min(checks), abs=1e-5)
    assert len(target) == len(scores)
    if len(checks) < 6:
        assert done.line["stopped_early"]


@SLOW
def test_an_encoder_of_a_trained_fold_is_an_encoder_and_lora_is_merged(case, tmp_path):
    done = go(case, tmp_path / "f", protocol="lora")
    network = sources.network(str(tmp_path / "f" / "best"))
    assert not [name for name, _ in network.named_parameters() if "parametrizations" in name]
    store, fold, _ = case
    frames = Prepared(store, fold.held, network.entry, torch.device("cpu"))
    weights = checkpoint.load_state(tmp_path / "f" / "best")[0]
    vectors = network(frames.read(fold.held).float())
    normed = torch.nn.functional.layer_norm(
        vectors, (64,), weights["head.norm.weight"], weights["head.norm.bias"], 1e-6
    )
    logits = normed @ weights["head.linear.weight"].T + weights["head.linear.bias"]
    assert np.allclose(logits.detach().numpy(), done.decoded["logits"], atol=1e-4)


def test_other_settings_are_another_training(case, tmp_path):
    go(case, tmp_path / "f", Tuning(epochs=1, batch_size=16))
    with pytest.raises(RequestError, match="other settings"):
        go(case, tmp_path / "f", Tuning(epochs=1, batch_size=16), settings={"a": 2})
    with pytest.raises(RequestError, match=r"unknown setting 'layer_decy'.*layer_decay"):
        tuning_of(["layer_decy=1"])


@pytest.mark.parametrize("higher", [False, True])
def test_the_better_score_is_the_one_that_the_task_says(case, tmp_path, higher):
    class Learner(ClassLearner):
        def score(self, decoded, rows):
            said.append(len(said) + 1.0)
            return {"score": said[-1]}

    said: list[float] = []
    store, fold, known = case
    learner = Learner(known.target, known.groups, 2, fold.train)
    learner.higher = higher
    done = go((store, fold, learner), tmp_path / "f", Tuning(epochs=3, batch_size=32, augment="none"))
    assert done.line["best"] == (3 if higher else 1)


# ---------------------------------------------------------------- mixing, weights, temperature


@pytest.mark.parametrize("mixup, cutmix", [(0.8, 0), (0, 1.0), (0.8, 1.0)])
def test_shares_of_mixed_frames_are_true_of_their_pixels(mixup, cutmix):
    images = torch.stack([torch.full((1, 32, 40), float(v)) for v in (0, 100, 200, 40)])
    shares = []
    for k in range(60):
        mixed, share = mix(images, np.random.default_rng(k), mixup, cutmix)
        expected = share * images.mean((1, 2, 3)) + (1 - share) * images.flip(0).mean((1, 2, 3))
        assert torch.allclose(mixed.mean((1, 2, 3)), expected, atol=1e-3)
        shares.append(share)
    assert 0 <= min(shares) < 0.4
    assert 0.6 < max(shares) <= 1


def test_the_box_of_cutmix_is_timms():
    from timm.data.mixup import rand_bbox

    class Same:
        """Draws from the global generator, as timm does."""

        def __init__(self, seed):
            np.random.seed(seed)  # noqa: NPY002

        def integers(self, low, high):
            return np.random.randint(low, high)  # noqa: NPY002

    for k in range(30):
        share = np.random.default_rng(k).random()
        np.random.seed(k)  # noqa: NPY002
        wanted = rand_bbox((4, 1, 50, 70), share)
        assert box(50, 70, share, Same(k)) == tuple(int(v) for v in wanted)


def test_class_weights_make_a_rare_class_count_as_much():
    target = np.array([0] * 90 + [1] * 10)
    learner = ClassLearner(target, np.arange(100), 2, np.arange(100), weights="balanced")
    assert learner.weights.tolist() == pytest.approx([100 / 180, 5.0])
    labels = learner.truth(np.array([0, 95]))
    loss = learner.loss(torch.zeros(2, 2), labels)
    assert loss.item() == pytest.approx(math.log(2) * (100 / 180 + 5) / 2, rel=1e-5)


def test_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 3))
    odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    target = np.array([rng.choice(3, p=p) for p in odds])
    assert temperature(4 * logits, target) == pytest.approx(4, rel=0.1)
    assert temperature(logits, target) == pytest.approx(1, rel=0.1)
