"""A run of segment or classify in onnxruntime says what its own networks say; others are refused in a sentence."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from usfm import tasks
from usfm.config import Request
from usfm.engine.prepared import Prepared
from usfm.errors import RequestError
from usfm.finetune.config import Config as FinetuneConfig
from usfm.finetune.run import run as finetune
from usfm.inspect.export_any import run as export
from usfm.inspect.export_config import Config
from usfm.inspect.export_run import networks
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks.segment.moving import back, decided, unpacked

NANO = "random:vit_nano_patch16_32"
SLOW = pytest.mark.slow


def store_of(folder, kind="index"):
    """Eight patients of two stills, each with a mask, a class and a box; two patients are held out."""
    rng, part = np.random.default_rng(0), PartWriter(mask_names=("lesion", "wall"), mask_kind=kind,
                                                     class_names=("a", "b"), box_names=("lesion",))  # fmt: skip
    for k in range(16):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k // 2}")
        pixels = rng.integers(0, 60, (30, 36)).astype(np.uint8)
        lesion = np.zeros(pixels.shape, bool)
        lesion[5:15, 5 + k % 4 : 20] = True
        pixels[lesion] += 150
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, label="ab"[k // 2 % 2],
                   mask={"lesion": lesion, "wall": np.roll(lesion, 10, 0)}, boxes=([[5, 5, 20, 15]], ["lesion"]),
                   split="test" if k > 11 else "train")  # fmt: skip
    return write_store(folder / "s.h5", part)


def made(folder, store, task, encoder=NANO, **more):
    how = {"epochs": 1, "batch_size": 8, "lr": 3e-3, "image_size": 64, "protocol": "full"} | more
    finetune(FinetuneConfig(task, encoder, **how),
             Request(inputs=(str(store),), out=str(folder / "run"), device="cpu"))  # fmt: skip
    return folder / "run"


def to_onnx(run, out, **more):
    return export(Config(to="onnx", **more), Request(inputs=(str(run),), out=str(out)))


def said(out, frames):
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    return session.run(None, {"frames": frames})[0]


CASES = [
    ("segment", NANO, {"head": "linear"}, "index"),
    pytest.param("segment", NANO, {"head": "upernet", "folds": 2}, "bits", marks=SLOW),
    pytest.param("segment", NANO, {"head": "dpt", "protocol": "lora"}, "index", marks=SLOW),
    pytest.param("segment", "random:resnet10t", {"head": "unet"}, "index", marks=SLOW),
    pytest.param("segment", NANO, {"head": "fpn", "protocol": "frozen"}, "bits", marks=SLOW),
    pytest.param("classify", NANO, {"folds": 2}, "index", marks=SLOW),
]


@pytest.mark.parametrize("task, encoder, more, kind", CASES)
def test_onnxruntime_says_what_the_networks_say(tmp_path, task, encoder, more, kind):
    path = store_of(tmp_path, kind)
    run, out = made(tmp_path, path, task, encoder, **more), tmp_path / "run.onnx"
    assert to_onnx(run, out)["difference"] <= 1e-4
    assert to_onnx(run, out)["up_to_date"]
    _, held = tasks.read(run)
    about = {one.key: one.value for one in onnx.load(out).metadata_props}
    assert json.loads(about["classes"]) == list(held.class_names)
    card = json.loads((run / "card.json").read_text())
    folds = [line["fold"] for line in card["folds"]]
    assert json.loads(about["folds"]) == folds
    model, entry, _ = networks(run, card, folds)
    assert json.loads(about["preprocessing"])["px"] == list(entry.image_size)
    store = Store.open(path)
    row_of = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
    rows = np.array([row_of[name] for name in held.frame_id])
    frames = Prepared(store, rows, entry, torch.device("cpu"))
    pixels = frames.read(rows).numpy()
    got = said(out, pixels[:, 0] if entry.in_chans == 1 else pixels)
    with torch.no_grad():
        assert np.abs(got - model(torch.from_numpy(pixels)).numpy()).max() <= 1e-4
    if len(folds) == 1 and task == "segment":  # then the run's own predictions come from the same network
        for odds, mask, row in zip(got, held.arrays["mask"], rows.tolist(), strict=True):
            odds = np.round(odds * 255) / 255  # as predictions are kept; so little training leaves near ties
            again = decided(back(odds, frames.framing(row), (30, 36)), str(held.facts["mask_kind"]))
            assert (again == unpacked(mask)).mean() > 0.99


@pytest.mark.parametrize(
    "task, more, how, says",
    [
        ("detect", {}, {}, "--to onnx takes runs of classify and segment, and this is one of detect"),
        ("classify", {"protocol": "linear", "epochs": None, "image_size": None, "lr": None}, {}, "keeps a probe"),
        ("segment", {"head": "linear"}, {"pool": "cls"}, "--pool is for encoders"),
    ],
)
def test_what_is_no_network_of_masks_or_classes_is_refused(tmp_path, task, more, how, says):
    run = tmp_path / "run"
    run.mkdir()
    card = {"kind": "finetune", "task": task, "protocol": more.get("protocol", "full"), "folds": [{"fold": "0"}]}
    (run / "card.json").write_text(json.dumps(card))
    with pytest.raises(RequestError, match=says):
        to_onnx(run, tmp_path / "run.onnx", **how)
    assert not Path(tmp_path / "run.onnx").exists()
