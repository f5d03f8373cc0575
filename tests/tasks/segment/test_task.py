"""usfm finetune segment on a small store: a run like any other, and each mistake in one sentence."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from usfm import tasks
from usfm.config import Request
from usfm.engine.prepared import Prepared
from usfm.errors import RequestError, WorkError
from usfm.evaluate.config import Config as EvalConfig
from usfm.evaluate.run import run as evaluate
from usfm.finetune.config import Config
from usfm.finetune.run import run as finetune
from usfm.model.sources import network
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks.segment.learner import SAID, MaskLearner
from usfm.tasks.segment.moving import unpacked

NANO = "random:vit_nano_patch16_64"


def store_of(folder, kind="index", *, empty=False, boxes=False, spacing=True):
    """Eight patients of two stills: speckle with a bright square, a wall over all of it by bit."""
    rng = np.random.default_rng(0)
    names = {"mask_names": ("lesion", "wall"), "mask_kind": kind} if not boxes else {"box_names": ("lesion",)}
    part = PartWriter(**names)
    for k in range(16):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k // 2}")
        pixels = rng.integers(0, 60, (40, 48)).astype(np.uint8)
        top, left = rng.integers(0, 20, 2)
        lesion = np.zeros(pixels.shape, bool)
        lesion[top : top + 20, left : left + 20] = not empty
        pixels[lesion] += 150
        wall = np.zeros_like(lesion)
        wall[30:36] = not empty
        labels = {"mask": {"lesion": lesion, "wall": wall}} if not boxes else {"boxes": ([[1, 1, 9, 9]], ["lesion"])}
        near = {"row_spacing_mm": 0.2, "col_spacing_mm": 0.2} if spacing or k else {}
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, **labels, **near)
    return write_store(folder / "s.h5", part)


@pytest.mark.parametrize("kind", ["index", pytest.param("bits", marks=pytest.mark.slow)])
def test_a_segmentation_is_a_run_like_any_other(tmp_path, kind):
    store = store_of(tmp_path, kind)
    config = Config("segment", NANO, folds=2, epochs=10, lr=1e-2, batch_size=8, head="fpn", augment="none",
                    set=("drop_path=0", "warmup=0"))  # fmt: skip
    request = Request(inputs=(str(store),), out=str(tmp_path / "run"), device="cpu")
    made = finetune(config, request)
    _, held = tasks.read(tmp_path / "run")
    assert held.class_names == (("background", "lesion", "wall") if kind == "index" else ("lesion", "wall"))
    assert held.facts["unit"] == "mm"
    assert unpacked(held.arrays["mask"][0]).shape == (40, 48)
    assert made["dice"] > 0.3
    assert finetune(config, request)["up_to_date"]
    config = EvalConfig(store=(str(store),), bootstrap=20, format="html,json,csv,md,latex")
    summary = evaluate(config, Request(inputs=(str(tmp_path / "run"),), out=str(tmp_path / "report"), device="cpu"))
    assert summary["runs"][0]["dice"]["value"] == pytest.approx(made["dice"], abs=1e-6)
    assert summary["runs"][0]["mean_mask_dice"] is not None
    page = (tmp_path / "report" / "report.html").read_text()
    assert "HD95 (mm)" in page
    assert "outline of the truth" in page


@pytest.mark.parametrize(
    "make, change, says",
    [
        ({"boxes": True}, {}, "has no label masks but boxes"),
        ({"empty": True}, {}, "all 16 label masks are empty"),
        ({}, {"protocol": "linear"}, "'linear' is no protocol of segment; there are: frozen, lora, full"),
        ({}, {"image_size": 72}, "multiple of the patch"),
        ({}, {"window": 48}, "--window 48: no frame is larger than a window"),
        ({}, {"overlap": 0.5}, "--overlap is that of windows"),
    ],
)
def test_mistakes_are_one_sentence_each(tmp_path, make, change, says):
    store = store_of(tmp_path, **make)
    request = Request(inputs=(str(store),), out=str(tmp_path / "run"), device="cpu")
    with pytest.raises(RequestError, match=says):
        finetune(Config("segment", NANO, folds=2, epochs=1, **change), request)
    assert not (tmp_path / "run").exists()


def test_windows_are_trained_on_and_joined(tmp_path):
    store = store_of(tmp_path)
    config = Config("segment", NANO, folds=2, epochs=4, lr=1e-2, batch_size=8, head="fpn", augment="none",
                    image_size=32, window=32, overlap=0.5, set=("drop_path=0", "warmup=0"))  # fmt: skip
    made = finetune(config, Request(inputs=(str(store),), out=str(tmp_path / "run"), device="cpu"))
    _, held = tasks.read(tmp_path / "run")
    assert len(held) == 16
    assert unpacked(held.arrays["mask"][0]).shape == (40, 48)
    assert made["dice"] > 0.3


def test_a_structure_above_the_names_is_one_sentence(tmp_path):
    store = store_of(tmp_path)
    with h5py.File(store, "r+") as file:
        head = file["labels/masks"].attrs
        head["names"] = head["names"][:1]
    with pytest.raises(RequestError, match=r"damaged, the mask names have changed .* make it again"):
        tasks.TASKS["segment"].known(Store.open(store), {})
    part = PartWriter(mask_names=("lesion",))
    source = part.source(path="0.png", sha256="0" * 64, kind="image", patient="p")
    mask = np.full((8, 8), 2, np.uint8)
    with pytest.raises(ValueError, match="a value that none of the 1 names stands for"):
        part.frame(np.zeros((8, 8), np.uint8), frame_id="0", source=source, index=0, time_s=0.0, mask=mask)


def test_eight_structures_on_one_pixel_are_eight_structures(tmp_path):
    part = PartWriter(mask_names=tuple("abcdefgh"), mask_kind="bits")
    for k in range(2):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k}")
        part.frame(np.zeros((8, 8), np.uint8), frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0,
                   mask=np.full((8, 8), 255 * k, np.uint8))  # fmt: skip
    store, task, found = Store.open(write_store(tmp_path / "s.h5", part)), tasks.TASKS["segment"], network(NANO)
    known = task.known(store, {})
    assert known.target.tolist() == [[False] * 8, [True] * 8]
    frames = Prepared(store, known.rows, found.entry, torch.device("cpu"))
    learner = task.learner(known, frames, np.arange(2), known.rows, vars(Config("segment", NANO)))
    masks = np.asarray(learner.truth(known.rows).masks)
    assert masks.shape[:2] == (2, 8)
    assert (masks[0] == 0).all()
    assert (masks[1] == 1).all(), "they are learned from, not left out"
    said = np.where(masks == 1, 255, 0).astype(np.uint8)
    assert learner.score({SAID: said}, known.rows)["val_dice"] == 1
    raw = learner.raw({SAID: said}, known.rows)
    assert raw["both"].tolist() == raw["truth"].tolist() == [[0] * 8, [64] * 8]


def test_too_large_a_batch_says_what_fitted(tmp_path, monkeypatch):
    real = MaskLearner.loss

    def loss(self, outputs, truth):
        if len(outputs) > 2:
            raise torch.OutOfMemoryError
        return real(self, outputs, truth)

    monkeypatch.setattr(MaskLearner, "loss", loss)
    config = Config("segment", NANO, folds=2, epochs=1, batch_size=6)
    with pytest.raises(WorkError, match=r"out of memory with 6 images at a time; .* fitted is 1: use --accumulate 6"):
        finetune(config, Request(inputs=(str(store_of(tmp_path)),), out=str(tmp_path / "run"), device="cpu"))


def test_frames_are_asked_about_in_smaller_parts_where_memory_is_short(tmp_path, monkeypatch):
    real, sizes = MaskLearner.decode, []

    def decode(self, outputs):
        sizes.append(len(outputs))
        if len(outputs) > 2:
            raise torch.OutOfMemoryError
        return real(self, outputs)

    config = Config("segment", NANO, folds=2, epochs=1, batch_size=2, head="linear", image_size=32)
    request = Request(inputs=(str(store_of(tmp_path)),), out=str(tmp_path / "run"), device="cpu")
    monkeypatch.setattr(MaskLearner, "decode", decode)
    finetune(config, request)
    assert max(sizes) > 2 >= sizes[-1]
    short = tasks.read(tmp_path / "run")[1].arrays["mask"]
    monkeypatch.setattr(MaskLearner, "decode", real)
    finetune(config, replace(request, out=str(tmp_path / "other")))
    assert all(
        np.array_equal(a, b) for a, b in zip(short, tasks.read(tmp_path / "other")[1].arrays["mask"], strict=True)
    )


def test_distances_are_px_where_a_spacing_is_missing(tmp_path):
    known = tasks.TASKS["segment"].known(Store.open(store_of(tmp_path, spacing=False)), {})
    assert known.facts["unit"] == "px"


def test_weights_width_taps_and_rarity_reach_the_learner(tmp_path):
    from usfm.finetune import plan as planning
    from usfm.finetune.networks import tuning

    more = ("cross_entropy=0.8", "dice=1.2", "width=48", "taps=1,2,3,4")
    config = Config("segment", NANO, class_weights="balanced", set=more)
    store, task, found = Store.open((str(store_of(tmp_path)),)), tasks.TASKS["segment"], network(NANO)
    plan, how = planning.make(store, task, {}, 2, 1.0, 0), tuning(config)
    frames, options = Prepared(store, plan.rows, found.entry, torch.device("cpu")), {**vars(config), **vars(how)}
    learner = task.learner(plan.known, frames, plan.groups.code, plan.folds[0].train, options)
    assert learner.weights == (0.8, 1.2)
    head = learner.head(found)
    assert head.taps == (0, 1, 2, 3)
    assert head.decoder.decoder.head.head[0].in_channels == 48
    pairs = [learner.mask(row) for row in learner.train]
    counts = np.bincount(np.concatenate([mask[seen] for mask, seen in pairs]), minlength=3)
    assert np.allclose(learner.class_weights * counts, counts.sum() / 3, rtol=1e-5)
    options |= {"class_weights": "none", "taps": (9,)}
    plain = task.learner(plan.known, frames, plan.groups.code, plan.folds[0].train, options)
    assert plain.class_weights is None
    with pytest.raises(RequestError, match="there is no block 9; this encoder has"):
        plain.head(found)
