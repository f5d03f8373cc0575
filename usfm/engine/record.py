"""A run directory while it is written: its card, its lock, its metrics, and what makes two runs the same."""

import csv
import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from typing import IO

from usfm import console
from usfm.config import to_toml
from usfm.errors import RequestError
from usfm.model.checkpoint import CARD, recover, write_json

LOGGERS = ("tensorboard", "wandb", "csv")


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Which settings changed between two nested dicts, as "section.key: was 1, is 2"."""
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
        self._metrics: IO | None = None
        self._boards: list = []

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def open(self, *, overwrite: bool, recipe: dict, card: dict) -> str:
        """Make the folder or enter it again.

        Returns:
            "new", "resume" or "done" (complete, with the same settings).

        Raises:
            RequestError: it holds something else, another run, or a run with other settings (says which).
        """
        file = self.path / CARD
        if self.path.exists() and any(self.path.iterdir()) and not overwrite:
            if not file.is_file():
                raise RequestError(f"{self.path} exists and is no run of usfm; choose another --out")
            known = json.loads(file.read_text(encoding="utf-8"))
            changed = differences(known.get("settings", {}), self.settings)
            if changed:
                more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
                raise RequestError(
                    f"{self.path} holds a run with other settings ({'; '.join(changed[:3])}{more}); "
                    "choose another --out, or start again with --overwrite"
                )
            self.card = known
            for name in ("last", "best"):
                recover(self.path / name)
            if known.get("status") == "complete":
                return "done"
            if self.writes:
                self._take_lock()
            return "resume" if (self.path / "last").is_dir() else "new"
        if self.writes:
            try:
                if overwrite and self.path.exists():
                    if file.is_file() or not any(self.path.iterdir()):
                        shutil.rmtree(self.path)
                    else:
                        raise RequestError(f"{self.path} is no run of usfm, so --overwrite will not remove it")
                self.path.mkdir(parents=True, exist_ok=True)
                (self.path / "figures").mkdir(exist_ok=True)
            except OSError as error:
                raise RequestError(
                    f"{self.path}: cannot make this folder ({error.strerror}); choose another --out"
                ) from None
            self._take_lock()
            (self.path / "recipe.toml").write_text(to_toml(recipe), encoding="utf-8")
            self.update({**card, "settings": self.settings, "status": "running"})
        return "new"

    def update(self, values: dict) -> None:
        """Write some values into the card."""
        self.card.update(values)
        if self.writes:
            write_json(self.path / CARD, self.card)

    def _take_lock(self) -> None:
        lock = open(self.path / ".lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise RequestError(
                f"{self.path} is being written by another usfm; wait for it or choose another --out"
            ) from None
        self._lock = lock

    # ------------------------------------------------------------ metrics

    def start_metrics(self, step: int, loggers: tuple[str, ...] = ()) -> None:
        """Open metrics.jsonl to go on after `step`; lines beyond it (written before a kill) are taken back."""
        if not self.writes:
            return
        file = self.path / "metrics.jsonl"
        if file.is_file():
            kept = [line for line in file.read_text(encoding="utf-8").splitlines() if _step_of(line) <= step]
            temporary = file.with_name(file.name + ".tmp")
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
            os.replace(temporary, file)
        self._metrics = open(file, "a", encoding="utf-8")
        for name in loggers:
            self._boards.append(Board(name, self.path))

    def log(self, values: dict) -> None:
        """Append one line of metrics; `step` is among the values."""
        if not self.writes:
            return
        self._metrics.write(json.dumps(values) + "\n")
        self._metrics.flush()
        for board in self._boards:
            board.log({k: v for k, v in values.items() if isinstance(v, (int, float))}, values["step"])

    def metrics(self) -> list[dict]:
        """All lines so far."""
        file = self.path / "metrics.jsonl"
        if not file.is_file():
            return []
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if _step_of(line) >= 0]

    def close(self) -> None:
        """Write metrics.csv from the lines, and let the folder go; more than once does nothing."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None
            rows = self.metrics()
            columns = list(dict.fromkeys(key for row in rows for key in row))
            with open(self.path / "metrics.csv", "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)
        for board in self._boards:
            board.close()
        self._boards.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 1 << 62  # half a line, from a kill


class Board:
    """One logger beside the files: TensorBoard, or Weights & Biases offline."""

    def __init__(self, name: str, folder: Path):
        self.name = name
        try:
            if name == "tensorboard":
                from torch.utils.tensorboard import SummaryWriter

                self.writer = SummaryWriter(str(folder / "tensorboard"))
            else:
                import wandb

                self.writer = wandb.init(mode="offline", dir=str(folder), project="usfm", name=folder.name)
        except ImportError:
            raise RequestError(f"--log {name} needs the extra 'log': pip install 'usfm[log]'") from None

    def log(self, values: dict[str, float], step: int) -> None:
        """Write some numbers of a step."""
        if self.name == "wandb":
            self.writer.log(values, step=step)
        else:
            for key, value in values.items():
                self.writer.add_scalar(key, value, step)

    def close(self) -> None:
        """Finish its files."""
        self.writer.finish() if self.name == "wandb" else self.writer.close()


def check_loggers(names: tuple[str, ...]) -> tuple[str, ...]:
    """The loggers to open; csv is always written, so it needs none.

    Raises:
        RequestError: an unknown name.
    """
    for name in names:
        if name not in LOGGERS:
            raise RequestError(f"--log {name}: write {', '.join(LOGGERS)}")
    return tuple(name for name in names if name != "csv")


def announce_resume(path: Path, step: int, steps: int) -> None:
    """Say that a run goes on."""
    console.say(f"going on with {path} after step {step:,} of {steps:,} ({time.strftime('%H:%M')})")
