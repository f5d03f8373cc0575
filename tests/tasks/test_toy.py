"""A task of a few lines goes through finetune and eval, which know none by name."""

import json
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

from usfm import tasks
from usfm.config import Request
from usfm.evaluate.config import Config as EvalConfig
from usfm.evaluate.run import run as evaluate
from usfm.finetune.config import Config
from usfm.finetune.run import run as finetune
from usfm.store.assemble import write_store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks.contract import Fitted, Known, Measure
from usfm.tasks.draws import each
from usfm.tasks.predictions import RAGGED, Column, ragged


@dataclass(frozen=True)
class Brightness:
    key: np.ndarray
    group: np.ndarray
    fold: np.ndarray
    frames: np.ndarray
    error: np.ndarray
    constant: np.ndarray
    class_names: tuple = ()
    measures = (Measure("hits", "within 10 levels", "hits"),)
    of_class = ()
    reference = "mean level"

    def __len__(self):
        return len(self.key)

    def _hits(self, error, draws):
        near = np.abs(error) < 10
        return each(self.group, draws, lambda w: {"hits": w @ near / np.maximum(1, w.sum(1))})

    def measure(self, draws):
        return self._hits(self.error, draws)

    def answers(self, draws):
        value, drawn = (self._hits(self.constant, one)["hits"] for one in (None, draws))
        return {"hits": {"mean": ("the mean level of the training", float(value), drawn)}}

    def baseline(self):
        return float(self._hits(self.constant, None)["hits"])

    def has_class(self, c):
        raise IndexError(c)

    def details(self):
        return {}

    def pictures(self, run):
        return {}

    def part(self, rows):
        names = [one.name for one in fields(self) if one.name != "class_names"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def nearest(features, target, groups, classes, seed, options):
    return Fitted(lambda new: target[((new[:, None] - features[None]) ** 2).sum(2).argmin(1)])


class Toy:
    """Predict the mean level of a frame, and keep a list of any length for each."""

    name, noun, sheet_words, takes = "toy", "half", "frames", frozenset()
    columns = (Column("truth", "f", 0, "level"), Column("said", "f", 0, "level"), Column("mean", "f", 0, "level"),
               Column("list", RAGGED, 0, "as many ones as the row says"))  # fmt: skip
    default_protocol, protocols = "linear", {"linear": nearest}

    def known(self, store, options):
        level = np.array([float(store.frame(row).mean()) for row in range(len(store))])
        half = (level > np.median(level)).astype(int)
        return Known(np.arange(len(store)), level, half, ("dark", "light"), (), 0)

    def predicted(self, known, train, held, raw):
        mean = np.full(len(held), known.target[train].mean())
        lists = ragged([np.ones(k % 3, np.float32) for k in range(len(held))])
        return {"truth": known.target[held], "said": raw, "mean": mean, "list": lists}

    def faults(self, found):
        return ()

    def scored(self, held, aggregate):
        a = held.arrays
        return Brightness(held.frame_id, held.group, held.fold, np.ones(len(held), int), a["said"] - a["truth"],
                          a["mean"] - a["truth"])  # fmt: skip

    def same_truth(self, a, b):
        return bool((a.arrays["truth"] == b.arrays["truth"]).all())

    def quick(self, held):
        return {"error": float(np.abs(held.arrays["said"] - held.arrays["truth"]).mean())}

    def figures(self, folder, whole):
        pass

    def sheet(self, held, store, count):
        return np.zeros((8, 8), np.uint8), 0

    def words(self):
        return (("within 10 levels", "share of frames whose level is off by less than 10"),)


@pytest.fixture
def labelled(tmp_path):
    part, rng = PartWriter(class_names=("a",)), np.random.default_rng(0)
    for k in range(16):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k // 2}")
        pixels = rng.integers(0, 10 + 14 * k, (24, 24)).astype(np.uint8)
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, label=0)
    return write_store(tmp_path / "s.h5", part)


def test_a_task_is_a_row_and_its_package(labelled, tmp_path, monkeypatch):
    monkeypatch.setitem(tasks.TASKS, "toy", Toy())
    config = Config(task="toy", encoder="random:vit_nano_patch16_128", folds=4)
    for name in ("one", "two"):
        made = finetune(config, Request(inputs=(str(labelled),), out=str(tmp_path / name), device="cpu"))
        assert made["error"] < 60
    _, back = tasks.read(tmp_path / "one")
    assert [len(values) for values in back.arrays["list"][:4]] == [0, 1, 2, 0]
    request = Request(inputs=(str(tmp_path / "one"), str(tmp_path / "two")), out=str(tmp_path / "report"))
    summary = evaluate(EvalConfig(bootstrap=50, compare=True, format="html,csv,md,latex,json"), request)
    assert set(summary["runs"][0]) >= {"hits", "mean_level_hits", "beats_mean_level"}
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["comparisons"][0]["difference"] == 0
    assert "off by less than 10" in (tmp_path / "report" / "report.html").read_text()


def test_runs_of_several_tasks_make_one_page(labelled, tmp_path, monkeypatch, make_run_directory):
    monkeypatch.setitem(tasks.TASKS, "toy", Toy())
    config = Config(task="toy", encoder="random:vit_nano_patch16_128", folds=4)
    finetune(config, Request(inputs=(str(labelled),), out=str(tmp_path / "toy"), device="cpu"))
    inputs = (str(tmp_path / "toy"), str(make_run_directory))
    evaluate(EvalConfig(bootstrap=20, format="html,md"), Request(inputs=inputs, out=str(tmp_path / "report")))
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Result: toy" in page
    assert "Result: classify" in page


def test_a_run_of_a_task_that_is_not_known_is_refused_in_one_sentence(labelled, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(tasks.TASKS, "toy", Toy())
        config = Config(task="toy", encoder="random:vit_nano_patch16_128", folds=4)
        finetune(config, Request(inputs=(str(labelled),), out=str(tmp_path / "toy"), device="cpu"))
    with pytest.raises(tasks.RequestError, match="of the task 'toy', which this version"):
        tasks.read(tmp_path / "toy")


@pytest.fixture
def make_run_directory(tmp_path):
    n = 12
    words = lambda form: np.array([form.format(k) for k in range(n)], object)  # noqa: E731
    scores = np.random.default_rng(0).dirichlet([1, 1], n).astype(np.float32)
    arrays = {"target": np.arange(n, dtype=np.int32) % 2, "scores": scores, "majority": np.zeros(n, np.int32)}
    held = tasks.Predictions(words("f{}"), words("s{}"), words("p{}"), words("p{}"), words("test"), words("0"), arrays,
                             ("a", "b"))  # fmt: skip
    (tmp_path / "class").mkdir()
    tasks.predictions.write(tmp_path / "class" / tasks.predictions.FILE, held)
    return tmp_path / "class"
