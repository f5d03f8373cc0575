"""Detection through finetune and eval, from a store of bright squares; what is refused in one sentence."""

import json

import numpy as np
import pytest

from usfm import tasks
from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate.config import Config as EvalConfig
from usfm.evaluate.run import run as evaluate
from usfm.finetune.config import Config
from usfm.finetune.run import run as finetune
from usfm.store.reader import Store
from usfm.tasks.detect.drawn import of_frames
from usfm.tasks.detect.task import Detect, mean_boxes
from usfm.tasks.predictions import Predictions, ragged


def test_known_frames_and_mean_boxes(squares):
    more = [[], None, [[5, 5, 5, 20]], [[200, 5, 220, 20]], [[-10, 10, 30, 200]]]
    store = Store.open(squares(more=more))
    known = Detect().known(store, {})
    assert known.rows.tolist() == [*range(12), 12, 16], (
        "unknown boxes, none with an area, and those outside are left out"
    )
    assert known.unlabelled == 3
    assert known.class_names == ("cyst", "mass")
    assert known.strata_names == ("none", "cyst", "mass")
    mean, share = mean_boxes(store, np.array([16]), [0, 1])
    assert mean[0] == pytest.approx([0, 10 / 60, 30 / 90, 1], abs=1e-6)
    assert share.tolist() == [1, 0]


def test_what_is_refused(squares):
    with pytest.raises(RequestError, match="one frame has boxes that can be used; two patients"):
        Detect().known(Store.open(squares(0, more=[[[1, 1, 9, 9]]])), {})
    with pytest.raises(RequestError, match="no frame has boxes that can be used"):
        Detect().known(Store.open(squares(0, more=[[[5, 5, 5, 20]], [[200, 5, 220, 20]], []])), {})
    with pytest.raises(RequestError, match="has no boxes; give them to 'usfm extract'"):
        Detect().known(Store.open(squares(0, more=[None, None])), {})


def test_a_store_with_masks_only_is_told_the_way(squares):
    with pytest.raises(RequestError, match="label masks; 'usfm export --to coco'"):
        Detect().known(Store.open(squares(masks=True)), {})


def predictions_of(**arrays):
    n = len(next(iter(arrays.values())))
    words = np.array([f"f{k}" for k in range(n)], object)
    return Predictions(words, words, words, words, words, words, {k: ragged(v) for k, v in arrays.items()}, ("a", "b"))


def test_damaged_columns_are_told():
    f = lambda *values: np.array(values, np.float32)  # noqa: E731
    good = {"boxes": [f(0, 0, 1, 1)], "class": [np.array([1])], "score": [f(0.5)], "truth_boxes": [f()],
            "truth_class": [np.zeros(0, int)], "base_boxes": [f()], "base_class": [np.zeros(0, int)],
            "base_score": [f()]}  # fmt: skip
    faults = lambda **more: [*Detect().faults(predictions_of(**{**good, **more}))]  # noqa: E731
    assert faults() == []
    assert "belong together" in faults(boxes=[f(0, 0, 1)])[0]
    assert "belong together" in faults(score=[f()])[0]
    assert "of no class" in faults(**{"class": [np.array([2])]})[0]
    assert "of no class" in faults(boxes=[f(0, np.nan, 1, 1)])[0]


def test_fits_of_frames():
    f = lambda *values: np.array(values, np.float32)  # noqa: E731
    one, other, none = np.array([0]), np.array([1]), np.zeros(0, int)
    box = f(0, 0, 4, 4)
    arrays = {"boxes": [box, f(), box], "score": [f(0.9), f(), f(0.9)], "class": [one, none, other]}
    held = predictions_of(**arrays, truth_boxes=[box, f(), box], truth_class=[one, none, one])
    assert of_frames(held).tolist() == [1, 1, 0]


def test_a_run_is_trained_written_and_measured(squares, tmp_path):
    store = str(squares(more=[[]]))
    config = Config(task="detect", encoder="random:vit_nano_patch16_64", folds=2, epochs=1, batch_size=4)
    with pytest.raises(RequestError, match="detect has faster-rcnn, yolo"):
        finetune(
            Config(**{**vars(config), "head": "dpt"}), Request(inputs=(store,), out=str(tmp_path / "no"), device="cpu")
        )
    made = finetune(config, Request(inputs=(store,), out=str(tmp_path / "run"), device="cpu"))
    assert 0 < made["mean_box_map"] <= 1
    _, held = tasks.read(tmp_path / "run")
    assert sorted(len(one) for one in held.arrays["truth_boxes"]) == [0] + [4] * 12
    assert all(len(one) % 4 == 0 for one in held.arrays["boxes"])
    out = tmp_path / "report"
    evaluate(EvalConfig(bootstrap=50, store=store), Request(inputs=(str(tmp_path / "run"),), out=str(out)))
    (run,) = json.loads((out / "report.json").read_text())["runs"]
    first = run["metrics"]["map"]
    assert first["majority"]["value"] == pytest.approx(made["mean_box_map"], abs=1e-5)
    assert first["value"] == pytest.approx(made["map"], abs=1e-5)
    page = (out / "report.html").read_text()
    assert "mAP@50:95" in page
    assert [*out.glob("figures/*.pr*.png")]
