"""Losses of twenty steps that a change which should not move numbers must not move.

Written anew, when a change is meant to move them, with `USFM_GOLDEN=write pytest tests/pretrain/test_golden.py`.
"""

import json
import os
from pathlib import Path

import pytest

from usfm.config import Request
from usfm.pretrain.config import Config
from usfm.pretrain.run import run

FILE = Path(__file__).parent.parent / "golden" / "pretrain.json"
RECIPES = ("mae", "polarmae", "crossmae", "localmim", "selectivemae", "deblurmae", "ultrafedfm", "usf-mae", "usfm")


@pytest.mark.parametrize("recipe", RECIPES)
def test_losses(recipe, store_path, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
    monkeypatch.setattr("usfm.pictures.curves.curves", lambda path, *arguments, **more: path.touch())
    changes = (*tiny, "scan=0", "steps=20", "checks=1", "saves=1", "lr=1e-3", "held_out=0")
    run(
        Config(recipe=recipe, set=changes, precision="fp32"),
        Request(inputs=(store_path,), out=str(tmp_path / "run"), device="cpu"),
    )
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 20
    known = json.loads(FILE.read_text()) if FILE.is_file() else {}
    if os.environ.get("USFM_GOLDEN") == "write":
        known[recipe] = losses
        FILE.write_text(json.dumps(known, indent=1) + "\n")
    assert losses == pytest.approx(known[recipe], rel=1e-3)
