"""How the folds of a run learned: the loss and the figures of the validation frames on the way, step by step."""

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from usfm import escape
from usfm.pictures.curves import curves

FILE = "curves.csv"
"""Of a run: fold, step, measure, value."""

LOSS = "loss"
POINTS = 60
"""Points of a curve of the loss; more would only hide one another."""

Curves = dict[str, dict[str, tuple[list[int], list[float]]]]
"""Measure -> fold -> steps and values."""


def of_logs(logs: Mapping[str, Iterable[Mapping]]) -> Curves:
    """Put the logs of the folds together.

    Args:
        logs: fold -> lines of its training, each with `step` and either `loss` or figures of the validation frames.

    Returns:
        The curves; the loss as the mean of each of `POINTS` parts of the training.
    """
    found: Curves = {}
    for fold, lines in logs.items():
        rows = [line for line in lines if isinstance(line.get("step"), int)]
        losses = [(row["step"], row[LOSS]) for row in rows if _is_number(row.get(LOSS))]
        for part in np.array_split(np.array(losses, float).reshape(-1, 2), min(POINTS, max(1, len(losses)))):
            if len(part):
                _add(found, LOSS, fold, int(part[-1, 0]), float(part[:, 1].mean()))
        for row in rows:
            for name, value in row.items():
                if name.startswith("val_") and _is_number(value):
                    _add(found, name, fold, row["step"], float(value))
    return found


def write(folder: Path, found: Curves) -> None:
    """Write the curves of a run as a table and as pictures.

    Args:
        folder: of the run.
        found: its curves.
    """
    if not found:
        return
    rows = [(fold, step, measure, value) for measure, folds in found.items() for fold, points in folds.items()
            for step, value in zip(*points, strict=True)]  # fmt: skip
    with (folder / FILE).open("w", newline="", encoding="utf-8") as file:
        escape.write_csv(file, ("fold", "step", "measure", "value"), rows)
    (folder / "figures").mkdir(exist_ok=True)
    for measure, folds in found.items():
        lines = {f"fold {fold}": points for fold, points in folds.items()}
        path = folder / "figures" / f"{measure}.png"
        curves(path, lines, "step", words(measure), markers=measure != LOSS)


def read(run: str | Path) -> Curves:
    """Read the curves of a run.

    Args:
        run: its directory.

    Returns:
        The curves; none where the run has none, and no line that is damaged.
    """
    file = Path(run) / FILE
    found: Curves = {}
    if not file.is_file():
        return found
    with file.open(newline="", encoding="utf-8", errors="replace") as lines:
        for row in csv.DictReader(lines):
            try:
                step, value = int(row["step"]), float(row["value"])
            except (KeyError, TypeError, ValueError):
                continue
            if row.get("measure") and row.get("fold") and math.isfinite(value):
                _add(found, row["measure"], row["fold"], step, value)
    return found


def words(measure: str) -> str:
    """A measure's name in a picture.

    >>> words("loss"), words("val_log_loss")
    ('training loss', 'log loss of the validation frames')
    """
    return "training loss" if measure == LOSS else f"{measure[4:].replace('_', ' ')} of the validation frames"


def _add(found: Curves, measure: str, fold: str, step: int, value: float) -> None:
    steps, values = found.setdefault(measure, {}).setdefault(fold, ([], []))
    steps.append(step)
    values.append(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
