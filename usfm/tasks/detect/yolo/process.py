"""The process in which ultralytics runs: started, listened to, and ended with this one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import usfm
from usfm import console
from usfm.errors import Interrupted, RequestError, WorkError
from usfm.tasks.detect.yolo.job import LOG

MODULE = "usfm.tasks.detect.yolo.child"
_OF_RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_WAIT_S = 10


def run(folder: Path, total: int, title: str, unit: str = "epochs", kept: bool = True) -> dict:
    """Do what `Job` or `Ask` in a folder asks for, and show how far it is.

    Args:
        folder: holds the job; boxes, weights and ultralytics' own words are written there.
        total: epochs of the training, or batches.
        title: of the progress.
        unit: of the progress.
        kept: whether the folder outlives a fault, so that it can be looked at.

    Returns:
        What the process says in the end, JSON values.

    Raises:
        RequestError: the process refused the request.
        WorkError: it ended without a result.
        Interrupted: Ctrl-C.
    """
    with open(folder / LOG, "w", encoding="utf-8") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(folder)],
            env=_environment(),
            stdin=subprocess.PIPE,  # when it closes, this process is gone, and the other one ends too
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert child.stdout is not None
        told = _listen(child.stdout, total, title, unit)
        child.wait()
    except KeyboardInterrupt:
        after = "; finished folds are kept, and the same command goes on with the next one" if kept else ""
        raise Interrupted(f"stopped{after}") from None
    finally:
        _end(child)
    if "error" in told:
        raise (RequestError if told.get("request") else WorkError)(told["error"])
    if child.returncode or "result" not in told:
        where = f"; all that it said is in {folder / LOG}" if kept else ""
        raise WorkError(f"{title}: ultralytics ended without a result ({_last(folder / LOG)}){where}")
    return told["result"]


def _listen(stdout: IO[str], total: int, title: str, unit: str) -> dict:
    """Read lines of JSON until the process ends; the last one counts."""
    told: dict = {}
    with console.progress(title, total, unit) as shown:
        for line in stdout:
            told = json.loads(line)
            if "epoch" in told:
                shown.advance(1, " ".join(f"{name} {value:.4g}" for name, value in told["figures"].items()))
    return told


def _environment() -> dict[str, str]:
    """That of this process, without what makes ultralytics think that it is one of several."""
    own = {name: value for name, value in os.environ.items() if name not in _OF_RANKS}
    root = str(Path(usfm.__file__).parents[1])
    own["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [own.get("PYTHONPATH")])])
    own["YOLO_VERBOSE"] = "false"
    return own


def _end(child: subprocess.Popen) -> None:
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            stream.close()
    try:
        child.wait(_WAIT_S if child.poll() is None else 0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _last(log: Path) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"
