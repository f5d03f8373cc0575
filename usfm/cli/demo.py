"""``usfm demo``: Run the whole chain on simulated clips."""

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from usfm import console
from usfm.config import Knob, Request
from usfm.errors import RequestError, UsfmError

# The tutorial shows these lines too (a test compares them): they can be pasted into a shell.
KEY = "export USFM_SALT=usfm-demo"
"""Folds follow the patients' pseudonyms: with a key of its own the demo gives the same table on every machine."""

LINES = (
    "usfm simulate --out clips --scene soft --clips 120 --patients 48",
    "usfm extract clips --out raw.h5 --manifest clips.truth/truth.csv",
    "usfm clean --in raw.h5",
    "usfm dedup --in raw.clean.h5",
    "usfm sector --in raw.clean.dedup.h5 --out sector.h5",
    "usfm info sector.h5 --sheet sheet.png",
    "usfm pretrain --in sector.h5 --out runs/polarmae --recipe debug",
    "usfm finetune classify --in sector.h5 --encoder runs/polarmae --out runs/probe --folds 5",
    "usfm finetune classify --in sector.h5 --encoder random:runs/polarmae --out runs/random --folds 5",
    "usfm eval runs/probe runs/random --in sector.h5 --out report",
)


@dataclass(frozen=True)
class Config:
    """Settings of ``usfm demo``."""

    clips: Annotated[
        int | None, Knob("clips to simulate, fewer for a quick look", low=12, panel="Collection", content=False)
    ] = None


def run(config: Config, request: Request) -> dict:
    """Type the lines one after another, as a user would.

    Args:
        config: How many clips.
        request: ``out`` is the folder to work in.

    Returns:
        The summary that ``--json`` prints.

    Raises:
        RequestError: The folder cannot be made.
        UsfmError: One of the lines failed.
    """
    folder = Path(request.out or "usfm-demo")
    lines: list[str] = list(LINES)
    if config.clips is not None:
        lines[0] += f" --clips {config.clips}"
    if request.seed:
        lines = [line if line.startswith("usfm info") else f"{line} --seed {request.seed}" for line in lines]
    if request.dry_run:
        for line in (f"mkdir -p {folder} && cd {folder}", KEY, *lines):
            console.say(f"$ {line}")
        return {"command": "demo", "out": None, "dry_run": True}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"{folder}: cannot make this folder ({error.strerror}); choose another --out.") from None
    started = time.monotonic()
    console.say(f"$ mkdir -p {folder} && cd {folder}")
    console.say(f"$ {KEY}")
    name, value = KEY.removeprefix("export ").split("=")
    for line in lines:
        console.say(f"$ {line}")
        arguments = shlex.split(line)[1:]
        if request.overwrite and not line.startswith("usfm info"):
            arguments.append("--overwrite")
        # stdout of the parts is not the demo's result: it goes where messages go.
        done = subprocess.run(
            [sys.executable, "-m", "usfm", *arguments],
            cwd=folder,
            env={**os.environ, name: value},
            stdout=sys.stderr,
            check=False,
        )
        if done.returncode:
            raise UsfmError(f"the demo stopped at: {line} (exit code {done.returncode}); run that line in {folder}.")
    seconds = time.monotonic() - started
    report = folder / "report" / "report.html"
    console.say(f"{len(lines)} commands, {seconds:.0f} s. Open the report in a browser; its table:")
    _show(folder / "report" / "report.json")
    return {"command": "demo", "out": str(report), "seconds": seconds, "commands": lines}


def _show(report: Path) -> None:
    rows = []
    for run in json.loads(report.read_text())["runs"]:
        accuracy = run["metrics"]["accuracy"]
        majority = accuracy["majority"]
        rows.append(
            (
                run["name"],
                f"{accuracy['value']:.2f} [{accuracy['low']:.2f}, {accuracy['high']:.2f}]",
                f"{majority['value']:.2f}",
                f"{majority['difference']:+.2f} [{majority['low']:+.2f}, {majority['high']:+.2f}]",
                "yes" if majority["beaten"] else "no",
            )
        )
    console.table("", ("run", "accuracy [95 %]", "majority class", "difference [95 %]", "beats it"), rows)
