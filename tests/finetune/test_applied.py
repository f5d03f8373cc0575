"""Presets and benchmarks: data that fills in what was not typed, on the collection and the split that it is of."""

import json

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.finetune import presets
from usfm.finetune.applied import applied
from usfm.finetune.config import Config
from usfm.finetune.networks import tuning
from usfm.finetune.run import run
from usfm.finetune.settings import Tuning, identity
from usfm.finetune.train import training_of
from usfm.store.assemble import write_store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks import TASKS, benchmarks, predictions

NANO = "random:vit_nano_patch16_64"
EVERY = [benchmarks.load(name, task) for name in benchmarks.names() for task in benchmarks.load(name).tasks]
RUNS = [one for one in EVERY if one.runs]


def collection(folder, benchmark, *, dataset=None, column=True, split="", other="something else"):
    """A store as the collection of a benchmark is read: three patients a class, its folds or its parts."""
    classes = [*benchmark.classes, other] if benchmark.classes else ["a", "b"]
    rng, part = np.random.default_rng(0), PartWriter(class_names=sorted(classes))
    for k in range(3 * len(classes)):
        sha = f"{k:064x}"[::-1]
        more = {benchmark.folds: str(k % 3)} if column and benchmark.folds else {}
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k}",
                             dataset=benchmark.layout if dataset is None else dataset, **more)  # fmt: skip
        pixels = rng.integers(0, 256, (24, 24)).astype(np.uint8)
        name = classes[k // 3]
        side = ("train", "train", split)[k % 3] if split else ""
        label = sorted(classes).index(name)
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, label=label, split=side)
    return write_store(folder / "s.h5", part)


def ask(store, out, task="classify", **more):
    return run(Config(task, NANO, **more), Request(inputs=(str(store),), out=str(out), device="cpu"))


@pytest.mark.parametrize("task", ["classify", "segment", "detect"])
def test_every_setting_of_a_preset_is_one_of_a_training_and_what_is_typed_wins(task):
    for name in presets.names():
        wanted = presets.load(name, task).settings
        got = applied(Config(task, NANO, preset=name))
        how = tuning(got.config)
        for key, value in wanted.items():
            assert getattr(how, key, None) == value or getattr(got.config, key, None) == value, key
        assert got.said["preset"]["settings"] == wanted
        typed = applied(Config(task, NANO, preset=name, epochs=3, lr=0.5, set=("weight_decay=0.7",)))
        how = tuning(typed.config)
        assert (how.epochs, how.steps, how.lr, how.weight_decay) == (3, 0, 0.5, 0.7)
        assert not {"epochs", "steps", "lr", "weight_decay"} & set(typed.said["preset"]["settings"])


@pytest.mark.parametrize("benchmark", RUNS, ids=lambda one: f"{one.name}-{one.task}")
def test_a_benchmark_gives_its_split_its_classes_and_its_search(benchmark):
    got = applied(Config(benchmark.task, NANO, benchmark=benchmark.name))
    assert got.config.splits == ((benchmark.folds,) if benchmark.folds else ())
    assert got.config.classes == (benchmark.classes if benchmark.task == "classify" else ())
    lists = {key: value for key, value in benchmark.settings.items() if isinstance(value, list)}
    assert [one.partition("=")[0] for one in got.config.sweep] == list(lists)
    assert got.config.protocol == benchmark.settings["protocol"]
    probe = applied(Config(benchmark.task, NANO, benchmark=benchmark.name, protocol="knn"))
    assert (probe.config.sweep, probe.config.set, probe.config.epochs) == ((), (), None)
    typed = applied(Config(benchmark.task, NANO, benchmark=benchmark.name, set=("lr=1",), sweep=("batch_size=4,8",)))
    assert not [one for one in typed.config.sweep if one.startswith("lr")]
    assert [one for one in typed.config.sweep if one.startswith("batch_size")] == ["batch_size=4,8"]


def test_a_benchmark_is_run_on_its_split_and_its_classes_alone(tmp_path):
    bus = benchmarks.load("bus-bra")
    store = collection(tmp_path, bus)
    summary = ask(store, tmp_path / "run", benchmark="bus-bra", protocol="knn")
    held = predictions.read(tmp_path / "run")
    assert summary["folds"] == 3
    assert len(held) == 6, "frames of another class do not count"
    assert held.class_names == bus.classes
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["benchmark"]["official_split"]
    assert card["benchmark"]["settings"] == {"classes": list(bus.classes), "splits": ["fold_5"]}
    assert "--benchmark" in card["flags"]
    ask(store, tmp_path / "other", benchmark="bus-bra", protocol="knn", folds=2)
    assert not json.loads((tmp_path / "other" / "card.json").read_text())["benchmark"]["official_split"]


@pytest.mark.slow
def test_the_search_of_a_benchmark_makes_a_run_a_trial_and_each_says_so(tmp_path):
    store = collection(tmp_path, benchmarks.load("gist514"))
    summary = ask(store, tmp_path / "s", benchmark="gist514", lr=1e-3, set=("weight_decay=0",), epochs=1, image_size=32)
    assert summary["trials"] == 2
    for size in (32, 64):
        card = json.loads((tmp_path / "s" / f"batch_size={size}" / "card.json").read_text())
        assert card["tuning"]["batch_size"] == size
        assert card["benchmark"]["settings"]["batch_size"] == [32, 64]


@pytest.mark.parametrize("given, asked, says", [
    ({"dataset": "busi"}, {"benchmark": "bus-bra"}, "holds the dataset busi.*of bus-bra alone"),
    ({"column": False}, {"benchmark": "bus-bra"}, "no column 'fold_5'.*--layout bus-bra"),
    ({"of": "mmotu-2d", "split": "test"}, {"benchmark": "mmotu-2d"}, "no parts train and val"),
    ({"of": "gist514"}, {"benchmark": "gist5"}, "did you mean 'gist514'"),
    ({}, {"task": "detect", "benchmark": "mmotu-2d"}, "is one of classify and segment; take 'usfm finetune cl"),
    ({}, {"benchmark": "fis"}, "is one of detect; take 'usfm finetune detect'"),
    ({}, {"preset": "polarmea"}, "did you mean 'polarmae'"),
    ({}, {"preset": "polarmae", "protocol": "knn"}, "trains a network and --protocol knn does not"),
    ({}, {"classes": ("bening", "malignant")}, "no frame is of the class 'bening'.*did you mean 'benign'"),
    ({}, {"classes": ("benign",)}, "all 3 labelled frames are 'benign'"),
])  # fmt: skip
def test_a_wrong_request_is_one_sentence_and_writes_nothing(tmp_path, given, asked, says):
    given = dict(given)
    store = collection(tmp_path, benchmarks.load(given.pop("of", "bus-bra")), **given)
    with pytest.raises(RequestError, match=says):
        ask(store, tmp_path / "run", **{"protocol": "linear", **asked})
    assert not (tmp_path / "run").exists()


def test_classes_have_no_meaning_elsewhere(tmp_path):
    with pytest.raises(RequestError, match="--class has no meaning with segment"):
        run(Config("segment", NANO, classes=("a",)), Request(inputs=("s.h5",), out="r"))
    assert all(hasattr(TASKS[name], "takes") for name in TASKS)


def test_settings_that_came_later_leave_earlier_runs_what_they_are():
    assert not {"steps", "cross_entropy", "dice", "width", "taps"} & set(identity(Tuning()))
    assert identity(Tuning(steps=9))["steps"] == 9


@pytest.mark.parametrize("given, says", [
    (("steps=9", "epochs=2"), "steps and epochs both"),
    (("cross_entropy=0", "dice=0"), "both 0"),
    (("taps=9,3",), "ascending"),
    (("taps=a,b",), "taps"),
])  # fmt: skip
def test_settings_that_contradict_one_another(given, says):
    with pytest.raises(RequestError, match=says):
        tuning(Config("segment", NANO, set=given))


def test_a_training_may_be_as_long_as_so_many_steps():
    how = training_of("full", Tuning(steps=25, batch_size=8), 80, "fp32", 1, 1, higher=False)
    assert (how.steps, how.checks) == (25, 2)
    assert training_of("full", Tuning(epochs=3, batch_size=8), 80, "fp32", 1, 1, higher=False).steps == 30
