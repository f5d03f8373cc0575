"""Info says what is in a store, and whether it is still what was written."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from usfm.config import Request
from usfm.errors import GateError, RequestError
from usfm.inspect.config import Config
from usfm.inspect.info import run
from usfm.pictures.sheet import AMBER
from usfm.store import hdf5
from usfm.store.assemble import assemble, write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter


@pytest.fixture
def store(tmp_path) -> str:
    """Two parts: labelled frames, some dropped, some rejected."""
    paths = []
    rng = np.random.default_rng(0)
    for number in range(2):
        part = PartWriter(class_names=("healthy", "ill"))
        sha = f"{number:02x}" * 32
        source = part.source(path=f"{number}.mp4", sha256=sha, kind="video", patient=f"p{number}", dataset="d")
        for index in range(3):
            part.frame(rng.integers(0, 256, (20, 30), np.uint8), frame_id=f"{sha[:16]}:{index}", source=source,
                       index=index, time_s=index / 3, label=number, split=("train", "test")[number])  # fmt: skip
        part.drop(f"{sha[:16]}:9", f"{sha[:16]}:0", 0.99, "visual")
        part.reject("bad.mp4", "", "extract", "truncated", "at 2 s")
        path = tmp_path / f"{number}.part"
        path.write_bytes(part.to_bytes())
        paths.append((f"part {number}", path))
    counts = {"frames_in": 8, "frames_out": 6, "dropped": 2, "rejected": 0, "sources_rejected": 2}
    step = {"command": "dedup", "options": {"visual_threshold": 0.9}, "counts": counts, "seconds": 1.0}
    assemble(tmp_path / "store.h5", paths, step=step)
    return str(tmp_path / "store.h5")


def test_counts_history_splits_and_reasons(store, capsys):
    summary = run(Config(), Request(inputs=(store,)))
    found = summary["stores"][0]
    assert (found["frames"], found["sources"], found["patients"]) == (6, 2, 2)
    assert found["labels"]["classes"] == {"test": {"ill": 3}, "train": {"healthy": 3}}
    assert found["dropped"] == {"visual": 2}
    assert found["rejected"] == {"extract: truncated": 2}
    json.dumps(summary)
    said = capsys.readouterr().out
    for words in ("healthy", "train", "visual", "extract: truncated", "8 in = 6 out + 2 dropped + 0 rejected"):
        assert words in said


def test_a_sheet_shows_masks_and_boxes(tmp_path):
    part = PartWriter(box_names=("lesion",), mask_names=("lesion",))
    source = part.source(path="a", sha256="a" * 64, kind="image")
    mask = np.zeros((80, 80), np.uint8)
    mask[20:60, 20:60] = 1
    for index, labels in enumerate(({}, {"mask": mask}, {"boxes": ([[5, 5, 75, 75]], [0])})):
        part.frame(
            np.zeros((80, 80), np.uint8), frame_id=f"a:{index}", source=source, index=index, time_s=0.0, **labels
        )
    store = write_store(tmp_path / "s.h5", part)
    run(Config(sheet=str(tmp_path / "sheet.png"), sheet_frames=3), Request(inputs=(str(store),)))
    with Image.open(tmp_path / "sheet.png") as sheet:
        cells = np.asarray(sheet.convert("RGB")).astype(int)
    amber = (np.abs(cells - AMBER) < 40).all(2)
    bare, masked, boxed = (amber[:160, left : left + 160].sum() for left in (4, 168, 332))
    assert bare == 0 < masked < boxed


@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg"])
def test_a_sheet_replaces_a_sheet_and_no_other_picture(store, tmp_path, name):
    path = tmp_path / name
    for _ in range(2):
        run(Config(sheet=str(path), sheet_frames=4), Request(inputs=(store,)))
    Image.new("L", (8, 8)).save(path)
    theirs = path.read_bytes()
    with pytest.raises(RequestError, match="did not make it"):
        run(Config(sheet=str(path), sheet_frames=4), Request(inputs=(store,)))
    assert path.read_bytes() == theirs
    assert not list(tmp_path.glob(".*"))


def test_a_sheet(store, tmp_path):
    run(Config(sheet=str(tmp_path / "sheet.png"), sheet_frames=4), Request(inputs=(store,)))
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 4 * 100


def test_a_whole_store_verifies(store, capsys):
    assert run(Config(verify=True), Request(inputs=(store,)))["whole"]
    assert "all 2 parts are what was written" in capsys.readouterr().out


def test_a_damaged_store_says_what_is_good_and_how_to_make_it_again(store, capsys):
    with hdf5.open_store(store) as file:
        offsets, sizes, _ = hdf5.chunk_index(file["/pixels/20x30"])
    data = bytearray(Path(store).read_bytes())
    data[int(offsets[4] + sizes[4] // 2)] ^= 255
    Path(store).write_bytes(data)
    with pytest.raises(GateError, match=r"usfm dedup --in INPUT --visual-threshold 0\.9 .*--overwrite"):
        run(Config(verify=True), Request(inputs=(store,)))
    said = capsys.readouterr().out
    assert "1 of 2 parts are good" in said
    assert "good parts: part 0" in said
    assert "part part 1" in said


@pytest.mark.parametrize("make, words", [
    (lambda path: None, "no such file"),
    (lambda path: path.write_text("x"), "not an HDF5 file"),
    (lambda path: path.mkdir(), "without card.json"),
])  # fmt: skip
def test_neither_a_store_nor_a_run(tmp_path, make, words):
    make(tmp_path / "thing")
    with pytest.raises(RequestError, match=words):
        run(Config(), Request(inputs=(str(tmp_path / "thing"),)))


def test_a_run(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "card.json").write_text(json.dumps({"recipe": "mae", "steps": 200}))
    assert run(Config(), Request(inputs=(str(tmp_path / "run"),)))["runs"][0]["recipe"] == "mae"
    assert "mae" in capsys.readouterr().out


def a_run(folder, status="complete", **card):
    folder.mkdir(parents=True)
    whole = {
        "command": "pretrain", "recipe": "debug", "status": status, "steps": 8, "flags": ["--recipe", "debug"],
        "encoder": {"name": "vit_nano_patch16_128", "image_size": [128, 128], "patch": 16, "in_chans": 1, "depth": 4,
                    "embed_dim": 64},
        "counts": {"frames_trained": 90, "patients_trained": 9, "frames_held_out": 10, "patients_held_out": 1},
        "settings": {"inputs": "abc", "seed": 3},
    }  # fmt: skip
    (folder / "card.json").write_text(json.dumps(whole | card))
    rows = [{"step": 1, "loss": 2.0}, {"step": 4, "held_out_loss": 0.5}, {"step": 6, "held_out_loss": 0.7},
            {"step": 7, "loss": 1.0}, {"step": "x", "loss": 9}, [], 3]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 8, "lo')


def test_a_run_says_what_a_person_asks(tmp_path, monkeypatch, capsys, store):
    monkeypatch.chdir(tmp_path)
    a_run(tmp_path / "runs" / "p", settings={"inputs": Store.open(store).content_id, "seed": 3})
    found = run(Config(), Request(inputs=("runs/p",)))["runs"][0]
    shown = capsys.readouterr().out
    assert found["losses"] == {"training": (7, 1.0), "held out": (6, 0.7), "lowest held out": (4, 0.5)}
    assert found["store"] == "store.h5"
    for words in ("90 frames of 9 patients", "10 frames of 1 patient", "vit_nano_patch16_128", "recipe     debug",
                  "0.5 at step 4", "usfm pretrain --in store.h5 --out runs/p --recipe debug",
                  "usfm finetune classify --in store.h5 --encoder runs/p"):  # fmt: skip
        assert words in shown
    assert found["bytes"] == sum(one.stat().st_size for one in (tmp_path / "runs" / "p").iterdir())


def test_a_run_that_was_stopped_is_gone_on_with(tmp_path, capsys):
    a_run(tmp_path / "p", status="running")
    found = run(Config(), Request(inputs=(str(tmp_path / "p"),)))["runs"][0]
    assert found["status"] == "stopped"
    assert found["next"] == found["command_line"]
    assert "of 8 (stopped)" in capsys.readouterr().out


@pytest.mark.parametrize("odd", [
    {"counts": {}}, {"flags": []}, {"encoder": {}}, {"settings": {}}, {"software": {}}, {"recipe": {}},
    {"encoder": {"image_size": 3}},
])  # fmt: skip
def test_an_odd_card_is_shown_all_the_same(tmp_path, capsys, odd):
    a_run(tmp_path / "p", **odd)
    assert len(run(Config(), Request(inputs=(str(tmp_path / "p"),)))["runs"]) == 1
    assert "next" in capsys.readouterr().out
