"""Trained networks asked again: of unchanged frames they say what the run has kept, of others something else."""

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate import trained
from usfm.evaluate.config import Config as EvalConfig
from usfm.evaluate.run import run as evaluate
from usfm.finetune.config import Config
from usfm.finetune.run import run as finetune
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks import TASKS, read

NANO = "random:vit_nano_patch16_64"
QUICK = {"folds": 2, "epochs": 2, "lr": 3e-3, "batch_size": 8, "augment": "none"}
SLOW = pytest.mark.slow


def store_of(folder):
    """Twelve patients of two stills with a class, a number, a mask and a box of the same bright square."""
    rng, part = (
        np.random.default_rng(0),
        PartWriter(class_names=("small", "large"), mask_names=("lesion",), mask_kind="index", box_names=("lesion",)),
    )
    for k in range(24):
        sha, large = f"{k:064x}"[::-1], k // 2 % 2
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k // 2:02}")
        pixels, side = rng.integers(0, 60, (48, 48)).astype(np.uint8), 10 + 14 * large
        top, left = rng.integers(0, 20, 2)
        lesion = np.zeros(pixels.shape, bool)
        lesion[top : top + side, left : left + side] = True
        pixels[lesion] += 150
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, label=large,
                   mask={"lesion": lesion}, boxes=([[left, top, left + side, top + side]], ["lesion"]),
                   values={"side": float(side + rng.normal())})  # fmt: skip
    return Store.open(write_store(folder / "s.h5", part))


@pytest.mark.parametrize(
    ("task", "more"),
    [
        ("classify", {"protocol": "frozen"}),
        pytest.param("regress", {"protocol": "full", "target": "side"}, marks=SLOW),
        pytest.param("segment", {"head": "fpn"}, marks=SLOW),
        pytest.param("detect", {"epochs": 8, "batch_size": 4, "lr": 1e-3}, marks=SLOW),
    ],
)
def test_unchanged_frames_give_what_the_run_has_kept_and_changed_ones_do_not(tmp_path, task, more):
    store, out = store_of(tmp_path), tmp_path / "run"
    finetune(Config(task, NANO, **{**QUICK, **more}), Request(inputs=tuple(store.paths), out=str(out), device="cpu"))
    _, held = read(out)
    rows = np.array([store.column("frame_id").tolist().index(name) for name in held.frame_id])
    ask = (TASKS[task], str(out), held, held, store, rows)
    same = trained.said(*ask, lambda frames, rows: frames, "cpu")
    black = trained.said(*ask, lambda frames, rows: [frame * 0 for frame in frames], "cpu")
    measured, before = TASKS[task].scored(same, "frame").measure(None), TASKS[task].scored(held, "frame").measure(None)
    for name, value in before.items():
        assert np.asarray(measured[name]) == pytest.approx(np.asarray(value), abs=1e-4, nan_ok=True), name
    column = {"classify": "scores", "regress": "said", "segment": "predicted", "detect": "score"}[task]
    assert any(not np.array_equal(a, b) for a, b in zip(held.arrays[column], black.arrays[column], strict=True))
    asked = EvalConfig(store=tuple(store.paths), perturb="gain=-12", bootstrap=20, format="json")
    evaluate(asked, Request(inputs=(str(out),), out=str(tmp_path / "report"), device="cpu"))


def test_a_run_that_keeps_nothing_is_refused(tmp_path):
    store, out = store_of(tmp_path), tmp_path / "run"
    request = Request(inputs=tuple(store.paths), out=str(out), device="cpu")
    finetune(Config("classify", NANO, protocol="knn", folds=2), request)
    asked = EvalConfig(store=tuple(store.paths), perturb="blur", bootstrap=20)
    with pytest.raises(RequestError, match="neither a probe"):
        evaluate(asked, Request(inputs=(str(out),), out=str(tmp_path / "report"), device="cpu"))
