"""A run directory while it is written: its card, its lock, its metrics, and what makes two runs the same."""

import json
import math
import os
import shutil
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO

from usfm import console, escape
from usfm.engine.boards import Board
from usfm.errors import Interrupted, RequestError
from usfm.jobs.outputs import check_writable, refuse_strangers
from usfm.model.card import CARD, card_of, sealed
from usfm.provenance import json_text
from usfm.store.whole import (
    clear_private,
    complete,
    hold,
    is_private,
    place,
    whole_file,
    write_json,
    write_text,
)
from usfm.toml import to_toml

LOCK, CLEARED = ".lock", "cleared"
OWN = (
    *(CARD, LOCK, "recipe.toml", "metrics.jsonl", "metrics.csv", "figures/*.png", "nonfinite/batch*.pt"),
    *("last/*.safetensors", "last/state.pt", "best/*.safetensors", "best/state.pt"),
    *("step-*/*.safetensors", "step-*/state.pt", "tensorboard/*", "wandb/*"),
    *("last.old/*", "last.new/*", "best.old/*", "best.new/*", "*.json.tmp"),  # of earlier versions
)
"""What is in a run directory; anything else is the user's, and `--overwrite` then refuses."""
_FILES, _FOLDERS = (CARD, LOCK, "recipe.toml", "metrics.jsonl", "metrics.csv"), ("last", "best", "figures")


def look(path: Path, command: str | None) -> dict | None:
    """What a folder is to a command that wants to put a run there.

    Args:
        path: the folder; need not exist.
        command: which command's runs may be gone on with, such as "pretrain".

    Returns:
        The card of its run; None where the folder is free: not there, empty, or of a run that had just begun.

    Raises:
        RequestError: it is somebody else's.
    """
    if path.exists() and not path.is_dir():
        raise RequestError(f"{path}: a file is in the way of the run's folder; choose another --out")
    names = {one.name for one in path.iterdir()} if path.is_dir() else set()
    for name in sorted(names & {*_FILES, *_FOLDERS}):
        if not ((path / name).is_file() if name in _FILES else (path / name).is_dir()):  # a pipe would hold a run up
            raise RequestError(f"{path / name}: is not what a run has under this name; choose another --out")
    if CARD not in names:
        begun = {LOCK, *(name for name in names if is_private(name))}
        if LOCK in names and not ((path / "figures").is_dir() and any((path / "figures").iterdir())):
            begun |= {"figures", "recipe.toml", CARD + ".tmp"}  # earlier versions wrote these before the card
        if names <= begun:
            return None
        raise RequestError(f"{path} exists and is no run of usfm; choose another --out")
    try:
        known = card_of(path)
    except RequestError as error:
        why = str(error).rpartition(";")[0]
        raise RequestError(f"{why}; choose another --out, or remove the folder") from None
    if "settings" not in known or "status" not in known:
        raise RequestError(f"{path} exists and is no run of usfm {command or ''}".rstrip() + "; choose another --out")
    if command is not None and known.get("command") not in (None, command):
        raise RequestError(f"{path} holds a run of 'usfm {known['command']}'; choose another --out")
    return known


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Which settings changed between two nested dicts, as "section.key: was 1, is 2".

    Args:
        old: what it was.
        new: what it is.
        prefix: of the names, with a dot behind it.

    Returns:
        One text for each setting that changed, sorted by name.
    """
    changed = []
    for key in sorted(set(old) | set(new)):
        a, b, name = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(a, dict) and isinstance(b, dict):
            changed += differences(a, b, f"{name}.")
        elif a != b:
            changed.append(f"{name}: was {a}, is {b}")
    return changed


class RunDirectory:
    """One run's folder. Only the first rank makes one that writes.

    Args:
        path: the folder.
        settings: everything that changes the result, JSON-able; a run with others is another run.
        writes: False for ranks that only read.
    """

    def __init__(self, path: str | Path, settings: dict, *, writes: bool = True):
        self.path, self.writes = Path(path), writes
        self.settings = json.loads(json.dumps(settings, default=str))
        self.card: dict = {}
        self._lock: IO | None = None
        self._running = False
        self._metrics: IO | None = None
        self._boards: list = []

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._note_end(error)
        with suppress(OSError) if error is not None else nullcontext():
            self.close()

    def open(self, *, overwrite: bool, recipe: dict, card: dict) -> str:
        """Make the folder or enter it again; it is locked before anything in it changes.

        Args:
            overwrite: whether a run that is there may be replaced.
            recipe: all settings of this run.
            card: what the card says of it beside the settings.

        Returns:
            "new", "resume" or "done" (complete, with the same settings).

        Raises:
            RequestError: it holds something else, another run, or a run with other settings (says which); or another
                process is writing it.
        """
        self.path = place(self.path)
        known = look(self.path, card.get("command"))
        if not self.writes:
            self.card = known or {}
            return self._status()
        if known is None or not self._is_done(known, overwrite):
            self._enter()
            known = look(self.path, card.get("command"))  # again, now that nobody else can change it
        if known is not None and not overwrite and known.get("status") != CLEARED:
            self._refuse_others(known)
            self.card = known
            if self._status() == "done":
                return "done"
        elif known is not None:
            refuse_strangers(self.path, OWN)
            self._clear(known)
        self._recover()
        self.card = {**self.card, **card, "settings": self.settings, "status": "running"}
        self.update({"reason": None})
        self._running = True
        (self.path / "figures").mkdir(exist_ok=True)
        write_text(self.path / "recipe.toml", to_toml(recipe))
        return self._status()

    def check(self, command: str, overwrite: bool) -> None:
        """For a dry run: refuse what `open` would refuse, and touch nothing.

        Args:
            command: which command's runs may be gone on with.
            overwrite: whether a run of it may be replaced.

        Raises:
            RequestError: as for `open`, but for another process that is writing it.
        """
        check_writable(self.path)
        known = look(place(self.path), command)
        if known is None or known.get("status") == CLEARED:
            return
        if overwrite:
            refuse_strangers(place(self.path), OWN)
        else:
            self._refuse_others(known)

    def _is_done(self, known: dict, overwrite: bool) -> bool:
        if overwrite or known.get("status") == CLEARED:
            return False
        self._refuse_others(known)
        return known.get("status") == "complete"

    def _status(self) -> str:
        if self.card.get("status") == "complete":
            return "done"
        return "resume" if complete(self.path / "last").is_dir() else "new"

    def _refuse_others(self, known: dict) -> None:
        changed = differences(known["settings"], self.settings)
        if changed:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise RequestError(
                f"{self.path} holds a run with other settings ({'; '.join(changed[:3])}{more}); "
                "choose another --out, or start again with --overwrite"
            )

    def _enter(self) -> None:
        """Make the folder and take its lock."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / LOCK, "a")
        except OSError as error:
            raise RequestError(
                f"{self.path}: cannot make this folder ({error.strerror}); choose another --out"
            ) from None
        if not hold(lock.fileno()):
            lock.close()
            raise RequestError(
                f"{self.path} is being written by another usfm; wait for it or choose another --out"
            ) from None
        self._lock = lock

    def _clear(self, known: dict) -> None:
        """Empty the folder but for its lock and a card that says so: a kill on the way leaves a folder of ours."""
        write_json(self.path / CARD, {"command": known.get("command"), "settings": {}, "status": CLEARED})
        for left in self.path.iterdir():
            if left.name in (CARD, LOCK):
                continue
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()

    def _recover(self) -> None:
        """Mend what a killed process left: only who holds the lock does this."""
        for name in ("last", "best"):
            found = complete(self.path / name)
            if found.is_dir() and found.name != name:
                os.rename(found, self.path / name)
        clear_private(self.path)

    def update(self, values: dict) -> None:
        """Write some values into the card; None takes one out."""
        self.card = {name: value for name, value in {**self.card, **values}.items() if value is not None}
        if self.writes:
            write_json(self.path / CARD, sealed(self.card))

    def _note_end(self, error: BaseException | None) -> None:
        """Say in the card how an unfinished run ended."""
        if not self._running or error is None:
            return
        stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
        with suppress(OSError):
            self.update({"status": "stopped"} if stopped else {"status": "failed", "reason": str(error)[:500]})

    # ------------------------------------------------------------ metrics

    def start_metrics(self, step: int, loggers: tuple[str, ...] = ()) -> None:
        """Open metrics.jsonl to go on after `step`; lines beyond it (written before a kill) are taken back.

        Args:
            step: last one whose line stays.
            loggers: names of further loggers, tensorboard or wandb.
        """
        if not self.writes:
            return
        file = self.path / "metrics.jsonl"
        if file.is_file():
            kept = [line for line in _lines(file) if (row := _row(line)) is not None and row["step"] <= step]
            write_text(file, "".join(line + "\n" for line in kept))
        self._metrics = open(file, "a", encoding="utf-8")
        for name in loggers:
            self._boards.append(Board(name, self.path))

    def log(self, values: dict) -> None:
        """Append one line of metrics; `step` is among the values.

        Raises:
            ValueError: the metrics are not open.
        """
        if not self.writes:
            return
        if self._metrics is None:
            raise ValueError("metrics are logged between start_metrics and close")
        self._metrics.write(json_text(values) + "\n")
        self._metrics.flush()
        for board in self._boards:
            board.log({k: v for k, v in values.items() if isinstance(v, (int, float))}, values["step"])

    def metrics(self) -> list[dict]:
        """All whole lines so far; half a line (from a kill) or a damaged one is left out."""
        file = self.path / "metrics.jsonl"
        return [row for line in _lines(file) if (row := _row(line)) is not None] if file.is_file() else []

    def last_loss(self) -> float:
        """The loss of the last line, NaN where there is none yet: what a run says that had nothing left to do."""
        losses = [row["loss"] for row in self.metrics() if row.get("loss") is not None]
        return float(losses[-1]) if losses else math.nan

    def close(self) -> None:
        """Write metrics.csv from the lines, and let the folder go; more than once does nothing."""
        try:
            if self._metrics is not None:
                metrics, self._metrics = self._metrics, None
                metrics.close()
                self._write_table()
            for board in self._boards:
                board.close()
            self._boards.clear()
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _write_table(self) -> None:
        rows = self.metrics()
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table = self.path / "metrics.csv"
        with whole_file(table) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            escape.write_csv(file, columns, rows)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").split("\n")


_CURVES = ("loss", "held_out_loss", "lr", "probe_knn", "probe_linear")


def _row(line: str) -> dict | None:
    """A line of metrics; None where it is none: its step is a count, and what curves are drawn of are numbers."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or type(row.get("step")) is not int or row["step"] < 0:
        return None
    numbers = [row[name] for name in _CURVES if row.get(name) is not None]
    return row if all(type(value) in (int, float) and abs(value) < math.inf for value in numbers) else None


def announce_resume(path: Path, step: int, steps: int) -> None:
    """Say that a run goes on.

    Args:
        path: of the run.
        step: steps taken.
        steps: that the run takes in all.
    """
    console.say(f"going on with {path} after step {step:,} of {steps:,} ({time.strftime('%H:%M')})")
