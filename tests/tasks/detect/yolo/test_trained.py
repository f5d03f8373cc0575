"""`--head yolo` with ultralytics: trained offline, evaluated, resumed; weight files of theirs."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from usfm import tasks
from usfm.config import Request
from usfm.errors import Interrupted, RequestError
from usfm.finetune.config import Config
from usfm.finetune.run import run as finetune
from usfm.predict.config import Config as Asking
from usfm.predict.run import run as predict
from usfm.store.reader import Store
from usfm.tasks.detect.yolo import folds, process, stock

pytestmark = [
    pytest.mark.detect,
    pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="needs the extra detect"),
]
BENCH = Path(__file__).parents[3] / "bench"
NANO = "random:vit_nano_patch16_64"


def bench():
    spec = importlib.util.spec_from_file_location("offline_bench", BENCH / "offline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("encoder, epochs", [(NANO, 40), ("yolo:yolo26n.yaml", 1)])
def test_offline_it_trains_evaluates_and_leaves_nothing(squares, tmp_path, encoder, epochs):
    store, home, work = str(squares(12)), tmp_path / "home", tmp_path / "work"
    temporary = tmp_path / "temporary"
    for folder in (home, work, temporary):
        folder.mkdir()
    log = tmp_path / "net"
    variables = bench().environment(home, log) | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    for words in (
        f"finetune detect --in {store} --encoder {encoder} --head yolo --out run --folds 2 --epochs {epochs} "
        "--batch-size 4 --image-size 96 --lr 0.002 --augment none --device cpu --json",
        f"eval run --in {store} --out report --bootstrap 20",
        f"predict --in {store} --run run --out said.h5 --device cpu",
    ):
        command = [sys.executable, "-m", "usfm", *words.split()]
        done = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if "finetune" in words:
            assert len(done.stdout.splitlines()) == 1, "nothing of ultralytics' own is printed"
    assert not log.exists(), "the network was asked for"
    for folder in (home, temporary):
        assert [path for path in folder.rglob("*") if not path.is_dir()] == []
    assert {path.name for path in work.iterdir()} == {"run", "report", "said.h5"}
    card = json.loads((work / "run/card.json").read_text())
    assert "AGPL-3.0" in card["yolo"]["licence"]
    assert all(0 <= line["best"] <= 1 for line in card["folds"]), "by which a sweep chooses"
    assert card["memory_of"] == "process"
    assert str(tmp_path) not in (work / "run/card.json").read_text()
    assert {path.name for path in (work / "run/folds/0").iterdir()} == (
        {"encoder.safetensors", "model.safetensors"} if encoder == NANO else {"model.safetensors"}
    )
    _, held = tasks.read(work / "run")
    assert all(len(one) % 4 == 0 and np.isfinite(one).all() for one in held.arrays["boxes"])
    same_again(held, Store.open(str(work / "said.h5")))
    if encoder == NANO:
        measured = card["frame_metrics"]
        assert measured["map50"] > max(0.2, 5 * measured["mean_box_map"]), "boxes lie where the frame has them"


def same_again(held, said):
    """What a run says of the frames that it held out: scores to 1e-5, edges to 0.01 px; doubtful ones may swap."""
    rows = [said.column("frame_id").tolist().index(name) for name in held.frame_id]
    assert said.box_run
    for row, boxes, score in zip(rows, held.arrays["boxes"], held.arrays["score"], strict=True):
        order = np.argsort(-score, kind="stable")
        boxes = np.reshape(boxes, (-1, 4))[order]
        real = (boxes[:, 2:] > boxes[:, :2]).all(1)  # what was clipped away is no box
        assert said.box_scores(row) == pytest.approx(score[order][real], rel=1e-5, abs=1e-7)
        assert said.boxes(row)[0] == pytest.approx(boxes[real], abs=1e-2)


def test_damaged_weights_are_told_before_anything_is_written(squares, tmp_path):
    store = str(squares())
    config = Config(task="detect", encoder=NANO, head="yolo", folds=2, epochs=1, batch_size=4)
    finetune(config, Request(inputs=(store,), out=str(tmp_path / "run"), device="cpu"))
    weights = tmp_path / "run/folds/1/model.safetensors"
    for spoil, words in ((lambda: weights.write_bytes(b"x" * 40), "model.safetensors"), (weights.unlink, "holds no")):
        spoil()
        with pytest.raises(RequestError, match=words):
            predict(
                Asking(run=str(tmp_path / "run")), Request(inputs=(store,), out=str(tmp_path / "said.h5"), workers=1)
            )
        assert [path.name for path in tmp_path.glob("*.h5")] == [Path(store).name]


def test_a_stopped_run_goes_on_with_the_next_fold_and_ends_the_same(squares, tmp_path, monkeypatch):
    store = str(squares())
    config = Config(task="detect", encoder=NANO, head="yolo", folds=2, epochs=1, batch_size=4)
    whole = finetune(config, Request(inputs=(store,), out=str(tmp_path / "whole"), device="cpu"))
    trained, usual = [], process.run

    def stopped(folder, epochs, title):
        if trained and len(trained) < 2:
            trained.append("stopped")
            raise Interrupted("stopped")
        trained.append(title)
        return usual(folder, epochs, title)

    monkeypatch.setattr(folds.process, "run", stopped)
    request = Request(inputs=(store,), out=str(tmp_path / "run"), device="cpu")
    with pytest.raises(Interrupted):
        finetune(config, request)
    again = finetune(config, request)
    assert trained == ["fold 0", "stopped", "fold 1"]
    assert again["map"] == whole["map"]
    for a, b in zip(tasks.read(tmp_path / "run")[1].arrays["boxes"], tasks.read(tmp_path / "whole")[1].arrays["boxes"],
                    strict=True):  # fmt: skip
        assert np.array_equal(a, b)
    assert not (tmp_path / "run.folds").exists()
    with pytest.raises(RequestError, match="--overwrite"):
        finetune(Config(**{**vars(config), "epochs": 2}), request)


FILES = """
import os, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from usfm.errors import RequestError
from usfm.tasks.detect.yolo import networks, stock
os.chdir(sys.argv[1])
made = networks.stock_network(stock.stock_of("yolo:yolo26n.yaml"), 80)
state = {name: value.contiguous() for name, value in made.state_dict().items()}
save_file(state, "yolo26n.safetensors")
torch.save(state, "mine.pt")
torch.save({"model": made}, "yolo26n-whole.pt")
torch.save({"model.0.conv.weight": torch.zeros(1)}, "yolo26n.pt")
for spec in ("yolo:yolo26n.safetensors", "yolo:yolo26n.yaml@mine.pt"):
    filled = networks.stock_network(stock.stock_of(spec), 2).state_dict()
    assert all(torch.equal(filled[name], value) for name, value in state.items() if ".cv3." not in name
               and ".one2one_cv3." not in name), spec
for spec in ("yolo:yolo26n-whole.pt", "yolo:yolo26n.pt"):
    try:
        networks.stock_network(stock.stock_of(spec), 2)
    except RequestError as error:
        print(error)
"""


def test_weight_files(tmp_path):
    done = subprocess.run([sys.executable, "-c", FILES, str(tmp_path)], capture_output=True, text=True, check=False,
                          env={**os.environ, "YOLO_VERBOSE": "false"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    whole, other = done.stdout.splitlines()
    assert "state_dict(), 'yolo26n-whole.state.pt')" in whole
    assert "is not of yolo26n" in other


def test_names(tmp_path):
    found = stock.stock_of("yolo:yolo26s.yaml")
    assert (found.name, found.scale, found.description.name) == ("yolo26s", "s", "yolo26.yaml")
    (tmp_path / "best.pt").touch()
    for spec, words in (
        ("yolo:yolo26q.yaml", "no detector 'yolo26q.yaml'; did you mean"),
        ("yolo:yolo26n-seg.yaml", "no detector"),
        (f"yolo:{tmp_path / 'none.pt'}", "is no file"),
        (f"yolo:{tmp_path / 'best.pt'}", "does not say which network"),
    ):
        with pytest.raises(RequestError, match=words):
            stock.stock_of(spec)


@pytest.mark.parametrize("side, near", [(80, 96), (100, 128)])
def test_sides_that_do_not_fit(squares, tmp_path, side, near):
    config = Config(task="detect", encoder="yolo:yolo26n.yaml", head="yolo", folds=2, image_size=side)
    with pytest.raises(RequestError, match=f"give --image-size {near}"):
        finetune(config, Request(inputs=(str(squares()),), out=str(tmp_path / "r"), device="cpu"))
