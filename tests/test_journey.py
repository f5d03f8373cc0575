"""The whole journey through the front door, on a few simulated clips: simulate -> extract -> ... -> eval."""

import json
import os
import shlex

import click
import pytest

from usfm.cli.main import build, main
from usfm.store.reader import Store


def call(capsys, *arguments):
    """Run one command in this process; returns its JSON summary."""
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert not end.value.code, err
    assert len(out.splitlines()) == 1, "stdout carries the result and nothing else"
    summary = json.loads(out)
    *_, made, following = ["", *err.splitlines()]
    assert following == f"next: {summary['next']}"
    if arguments[0] != "info":
        assert made.startswith(f"{arguments[0]}: {summary.get('report', summary['out'])} ")
    if summary["next"].startswith("usfm"):  # it can be typed: every option is known
        name, *words = shlex.split(summary["next"])[1:]
        with click.Context(build()) as top:
            top.command.commands[name].make_context(name, words, parent=top)
    return summary


def balanced(summary):
    return summary["frames_in"] == summary["frames_out"] + summary["dropped"] + summary["rejected"]


@pytest.mark.timeout(170)
def test_the_journey(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    call(capsys, "simulate", "--out", "clips", "--clips", "12", "--stills", "4", "--patients", "8", "--seconds", "1",
         "--fps", "6", "--size", "160", "--duplicates", "2")  # fmt: skip
    (tmp_path / "clips" / "fibrillar" / "broken.mp4").write_text("this is no video")
    raw = call(capsys, "extract", "clips", "--out", "raw.h5", "--manifest", "clips.truth/truth.csv")
    assert raw["sources_rejected"] == 1
    clean = call(capsys, "clean", "--in", "raw.h5")
    dedup = call(capsys, "dedup", "--in", clean["out"])
    sector = call(capsys, "sector", "--in", dedup["out"], "--out", "sector.h5")
    assert all(balanced(step) for step in (raw, clean, dedup, sector))
    assert os.path.basename(dedup["out"]) == "raw.clean.dedup.h5"

    store = Store.open("sector.h5")
    assert [step["command"] for step in store.history] == ["extract", "clean", "dedup", "sector"]
    assert store.fixed_shape == (256, 256)
    assert len(store.rejected()["reason"]) == 1
    assert len(store) + len(store.dropped()["frame_id"]) == raw["frames_out"]
    assert set(store.class_names) == {"fibrillar", "lobular"}
    joined = set(Store.open("raw.h5").column("frame_id"))
    assert set(store.column("frame_id")) <= joined, "frame ids survive every step"

    again = call(capsys, "sector", "--in", dedup["out"], "--out", "sector.h5")
    assert again["frames_out"] == sector["frames_out"], "the same line again is up to date"

    call(capsys, "info", "sector.h5", "--sheet", "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    call(
        capsys,
        "pretrain",
        "--in",
        "sector.h5",
        "--out",
        "runs/pre",
        "--recipe",
        "debug",
        "--batch-size",
        "8",
        "--set",
        "run.steps=4",
    )
    for encoder, out in (("runs/pre", "runs/probe"), ("random", "runs/random")):
        call(capsys, "finetune", "classify", "--in", "sector.h5", "--encoder", encoder, "--out", out, "--folds", "3")
    report = call(
        capsys, "eval", "runs/probe", "runs/random", "--in", "sector.h5", "--out", "report", "--bootstrap", "100"
    )
    page = (tmp_path / report["out"] / "report.html").read_text()
    assert page.count("<img") >= 2
    assert "runs" not in os.listdir(tmp_path / "clips")
