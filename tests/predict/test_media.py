"""usfm predict on media: the steps of the run's store are done again, with its options."""

import cv2
import numpy as np
import pytest

from usfm.cli.main import main
from usfm.cli.predicting import steps_of
from usfm.store.reader import Store

NANO = "random:vit_nano_patch16_64"


def usfm(*words):
    with pytest.raises(SystemExit) as end:
        main([*map(str, words)])
    return end.value.code or 0


def pictures(folder, first, count):
    """Fans of speckle, one a patient; brightness is the class."""
    rows, columns = np.mgrid[:120, :160]
    depth, angle = np.hypot(rows - 5, columns - 80), np.arctan2(columns - 80, rows - 5)
    fan = (depth > 15) & (depth < 105) & (abs(angle) < 0.6)
    for k in range(first, first + count):
        noise = np.random.default_rng(k).rayleigh(40 + 40 * (k % 2), (120, 160))
        where = folder / ("bright" if k % 2 else "dark") / f"p{k:02}"
        where.mkdir(parents=True)
        cv2.imwrite(str(where / "a.png"), (noise.clip(1, 255) * fan).astype(np.uint8))
    return folder


@pytest.mark.slow
def test_a_folder_is_asked_about_in_one_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "old", 0, 12)
    pictures(tmp_path / "new", 30, 4)
    quick = ["--workers", "1"]
    assert usfm("extract", "old", "--out", "raw.h5", "--labels", "folder", *quick) == 0
    assert usfm("sector", "--in", "raw.h5", "--out", "sector.h5", "--size", "96", *quick) == 0
    fit = ("--encoder", NANO, "--folds", "2", "--device", "cpu")
    assert usfm("finetune", "classify", "--in", "sector.h5", "--out", "probe", *fit) == 0
    capsys.readouterr()
    ask = ("predict", "new", "--run", "probe", "--out", "said.h5", "--device", "cpu", *quick)
    assert usfm(*ask, "--dry-run") == 0
    assert "would sector said.steps/extract.h5" in capsys.readouterr().err
    assert usfm(*ask) == 0
    said = Store.open("said.h5")
    assert (len(said), said.fixed_shape) == (4, (96, 96))
    assert set(said.score_names) == {"bright", "dark"}
    assert usfm(*ask) == 0
    assert "up to date" in capsys.readouterr().err


def test_stores_and_media_are_not_mixed_and_a_wrong_run_is_refused_first(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "new", 0, 1)
    for words, says in (
        (("new", "--in", "a.h5", "--run", "r"), "some inputs are stores and some are media"),
        (("new", "--run", "none"), "no such run"),
    ):
        assert usfm("predict", *words, "--out", "said.h5") == 2
        assert says in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_only_what_makes_pixels_is_done_again():
    steps = [
        {"command": "extract", "options": {"fps": "1", "labels": "parent", "manifest": "sha256:0", "every": None}},
        {"command": "clean", "options": {"inpaint": "telea"}},
        {"command": "dedup", "options": {"visual_threshold": 0.9}},
        {"command": "sector", "options": {"size": 128, "corrections": "sha256:1", "keep_kind": ["b-mode"]}},
    ]
    assert steps_of({"inputs": {"steps": steps}}) == {
        "extract": {"fps": "1", "every": None},
        "clean": {"inpaint": "telea"},
        "sector": {"size": 128, "keep_kind": ["b-mode"]},
    }
    for card in ({}, {"inputs": {}}, {"inputs": {"steps": "x"}}, {"inputs": {"steps": [{"command": "sector"}, 3]}}):
        assert steps_of(card) is None
