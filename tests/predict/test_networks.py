"""What trained networks say of frames: of held-out ones the same again, of new ones labels marked as predicted."""

import csv
import json
import shutil

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract.config import Config as Extraction
from usfm.extract.run import run as extract
from usfm.finetune.config import Config as Tuning
from usfm.finetune.run import run as finetune
from usfm.inspect.export_any import run as export
from usfm.inspect.export_config import Config as Export
from usfm.predict.config import Config
from usfm.predict.run import run
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks import read
from usfm.tasks.segment.moving import unpacked

NANO = "random:vit_nano_patch16_64"
QUICK = {"folds": 2, "epochs": 1, "lr": 3e-3, "batch_size": 8, "augment": "none"}
SLOW = pytest.mark.slow


def store_of(path, patients=6, first=0):
    """Patients of two stills with a class, several classes, a number, a mask and a box of the same bright square."""
    rng = np.random.default_rng(first)
    part = PartWriter(class_names=("small", "large"), mask_names=("lesion",), mask_kind="index", box_names=("lesion",))
    for k in range(2 * first, 2 * (first + patients)):
        sha, large = f"{k:064x}"[::-1], k // 2 % 2
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k // 2:02}",
                             found="large|bright" if large else "bright")  # fmt: skip
        pixels, side = rng.integers(0, 60, (48, 64)).astype(np.uint8), 10 + 14 * large
        top, left = rng.integers(0, 20, 2)
        lesion = np.zeros(pixels.shape, bool)
        lesion[top : top + side, left : left + side] = True
        pixels[lesion] += 150
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, label=large,
                   mask={"lesion": lesion}, boxes=([[left, top, left + side, top + side]], ["lesion"]),
                   values={"side": float(side + rng.normal())})  # fmt: skip
    return str(write_store(path, part))


def asked(store, run_, out, table=None, **more):
    return run(
        Config(run=str(run_), table=table, report=str(out.with_suffix(""))),
        Request(inputs=(store,), out=str(out), workers=1, device="cpu", **more),
    )


def trained(folder, task, **more):
    store = store_of(folder / "own.h5", patients=12 if task == "classify" else 6)
    finetune(Tuning(task, NANO, **{**QUICK, **more}), Request(inputs=(store,), out=str(folder / "run"), device="cpu"))
    return store


@pytest.mark.parametrize(
    ("task", "more"),
    [
        ("classify", {"protocol": "frozen"}),
        pytest.param("classify", {"protocol": "lora"}, marks=SLOW),
        pytest.param("regress", {"protocol": "full", "target": "side"}, marks=SLOW),
        pytest.param("multilabel", {"protocol": "frozen", "target": "found"}, marks=SLOW),
        ("segment", {"head": "fpn"}),
        pytest.param("segment", {"head": "linear", "window": 40, "image_size": 64}, marks=SLOW),
        pytest.param("detect", {"epochs": 8, "batch_size": 4, "lr": 1e-3}, marks=SLOW),
    ],
)
def test_held_out_frames_are_answered_as_in_the_run(tmp_path, task, more):
    store = trained(tmp_path, task, **more)
    summary = asked(store, tmp_path / "run", tmp_path / "said.h5", str(tmp_path / "t.csv"))
    _, held = read(tmp_path / "run")
    said = Store.open(str(tmp_path / "said.h5"))
    rows = [said.column("frame_id").tolist().index(name) for name in held.frame_id]
    assert summary["trained_on"] == 0
    text = (tmp_path / "said" / "index.html").read_text()
    assert all(f"<h2>{name}</h2>" in text for name in ("What was predicted", "Patients"))
    assert ("amber: lesion" in text) == (task in ("segment", "detect"))
    key = json.loads((tmp_path / "run" / "card.json").read_text())["key"][:16]
    assert set(said.score_runs.values()) == {key}
    if task == "classify":
        found = np.stack([said.scores(name)[rows] for name in ("small", "large")], axis=1)
        assert np.abs(found - held.arrays["scores"]).max() < 1e-5
        assert "the temperature that each fold fitted" in text
        warm = np.stack([said.scores(f"calibrated:{name}") for name in ("small", "large")], axis=1)
        assert warm.sum(1) == pytest.approx(np.ones(len(warm)), abs=1e-5)
    elif task == "regress":
        assert said.scores("side")[rows] == pytest.approx(held.arrays["said"], rel=1e-5)
    elif task == "multilabel":
        found = np.stack([said.scores(name)[rows] for name in held.class_names], axis=1)
        assert np.abs(found - held.arrays["scores"]).max() < 1e-5
    elif task == "segment":
        kept = [unpacked(one) for one in held.arrays["mask"]]
        apart = [(said.label_mask(row) != mask).mean() for row, mask in zip(rows, kept, strict=True)]
        assert max(apart) < 1e-3  # a pixel between two classes may fall to either
        assert (said.mask_run, said.box_run) == (key, "")
        lines = list(csv.DictReader((tmp_path / "t.masks.csv").read_text().splitlines()))
        assert int(lines[0]["area_px"]) == int((said.label_mask(0) == 1).sum())
    else:
        for row, boxes, score in zip(rows, held.arrays["boxes"], held.arrays["score"], strict=True):
            order = np.argsort(-score, kind="stable")
            assert said.boxes(row)[0] == pytest.approx(np.reshape(boxes, (-1, 4))[order], abs=1e-3)
            assert said.box_scores(row) == pytest.approx(score[order], abs=1e-5)
        assert said.box_run == key


def test_predicted_labels_of_new_frames_are_no_labels_and_go_to_a_tool(tmp_path):
    trained(tmp_path, "segment", head="linear")
    new = store_of(tmp_path / "new.h5", patients=2, first=30)
    asked(new, tmp_path / "run", tmp_path / "said.h5")
    said, before = Store.open(str(tmp_path / "said.h5")), Store.open(new)
    assert said.has_masks().all()
    assert (said.column("digest") == before.column("digest")).all()
    assert [said.boxes(k)[0].tolist() for k in range(4)] == [before.boxes(k)[0].tolist() for k in range(4)]
    with pytest.raises(RequestError, match="a prediction is no label"):
        finetune(
            Tuning("segment", NANO, **QUICK), Request(inputs=(str(tmp_path / "said.h5"),), out=str(tmp_path / "x"))
        )
    export(Export(to="coco"), Request(inputs=(str(tmp_path / "said.h5"),), out=str(tmp_path / "coco"), workers=1))
    assert len(json.loads((tmp_path / "coco" / "annotations.json").read_text())["images"]) == 4


def test_frames_of_another_size_and_in_colour_are_answered_in_their_own_pixels(tmp_path):
    trained(tmp_path, "segment", head="linear")
    rng, part = np.random.default_rng(1), PartWriter()
    gray = rng.integers(0, 256, (33, 90)).astype(np.uint8)
    frames = (gray, np.repeat(gray[..., None], 3, 2), rng.integers(0, 256, (200, 40)).astype(np.uint8))
    for k, pixels in enumerate(frames):
        sha = f"{k + 70:064x}"[::-1]
        source = part.source(path=f"new{k}.png", sha256=sha, kind="image", patient=f"n{k}")
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0)
    asked(str(write_store(tmp_path / "new.h5", part)), tmp_path / "run", tmp_path / "said.h5")
    said = Store.open(str(tmp_path / "said.h5"))
    masks = [said.label_mask(k) for k in range(3)]
    assert [mask.shape for mask in masks] == [pixels.shape[:2] for pixels in frames]
    assert np.array_equal(masks[0], masks[1])


@pytest.mark.parametrize("to", ["coco", "png"])
def test_what_people_have_corrected_comes_back_as_labels(tmp_path, to):
    rng, lesion = np.random.default_rng(2), np.zeros((40, 60), np.uint8)
    lesion[5:20, 10:30] = 1
    given = (
        {"mask_names": ("lesion",), "mask_run": "abc"} if to == "png" else {"box_names": ("lesion",), "box_run": "abc"}
    )
    part = PartWriter(**given)
    for k in range(2):
        pixels = rng.integers(0, 256, lesion.shape).astype(np.uint8)
        sha = f"{k + 90:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k}")
        more = {"mask": np.roll(lesion, k, 0)} if to == "png" else {"boxes": ([[10, 5 + k, 30, 20]], ["lesion"])}
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, **more)
    said = str(write_store(tmp_path / "said.h5", part))
    export(Export(to=to), Request(inputs=(said,), out=str(tmp_path / "tool"), workers=1))
    extract(Extraction(), Request(inputs=(str(tmp_path / "tool"),), out=str(tmp_path / "corrected.h5"), workers=1))
    back, before = Store.open(str(tmp_path / "corrected.h5")), Store.open(said)
    assert len(back) == 2
    where = [[np.array_equal(back.frame(k), before.frame(j)) for j in range(2)].index(True) for k in range(2)]
    assert (back.mask_run, back.box_run) == ("", "")
    for k, j in enumerate(where):
        if to == "png":
            assert np.array_equal(back.label_mask(k), before.label_mask(j))
        else:
            assert back.boxes(k)[0] == pytest.approx(before.boxes(j)[0])


def test_what_cannot_be_asked_is_refused_in_one_sentence(tmp_path):
    store = trained(tmp_path, "classify", protocol="frozen")
    weights = next((tmp_path / "run" / "folds").rglob("model.safetensors"))
    for spoil, says in ((lambda: weights.write_bytes(b"x" * 40), "model.safetensors"), (weights.unlink, "holds no")):
        spoil()
        with pytest.raises(RequestError, match=says):
            asked(store, tmp_path / "run", tmp_path / "said.h5")
    shutil.rmtree(tmp_path / "run" / "folds")
    with pytest.raises(RequestError, match="neither a probe nor networks"):
        asked(store, tmp_path / "run", tmp_path / "said.h5")
    assert not (tmp_path / "said.h5").exists()


def test_boxes_that_a_run_predicted_go_to_coco_with_their_scores(tmp_path):
    part = PartWriter(box_names=("lesion",), box_run="abc")
    source = part.source(path="a.png", sha256="a" * 64, kind="image", patient="p")
    part.frame(np.zeros((20, 30), np.uint8), frame_id=frame_id("a" * 64, 0), source=source, index=0, time_s=0.0,
               boxes=([[2, 3, 12, 9], [0, 0, 5, 5]], ["lesion", "lesion"], [-1, -1], [0.75, 0.25]))  # fmt: skip
    store = str(write_store(tmp_path / "said.h5", part))
    export(Export(to="coco"), Request(inputs=(store,), out=str(tmp_path / "coco"), workers=1))
    found = json.loads((tmp_path / "coco" / "annotations.json").read_text())["annotations"]
    assert [(one["score"], one["bbox"]) for one in found] == [(0.75, [2, 3, 10, 6]), (0.25, [0, 0, 5, 5])]
