"""What is measured: run directories, and tables of anybody's predictions."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.evaluate import foreign, notes, overlap
from usfm.provenance import file_sha256
from usfm.tasks import predictions, read
from usfm.tasks.predictions import Predictions

SHEET = "sweep.csv"
"""In the folder of the runs that 'usfm finetune' made in one search."""


@dataclass(frozen=True)
class Given:
    """Predictions of one model.

    Attributes:
        path: run directory or table.
        whole: all its predictions.
        held: those that are measured.
        about: what its card says; {} for a table.
        digest: of the file.
        table: whether it came from a table.
        further: columns of the table that usfm gives no meaning, (n,) each, of the measured rows.
    """

    path: str
    whole: Predictions
    held: Predictions
    about: dict
    digest: str
    table: bool = False
    further: Mapping[str, np.ndarray] = field(default_factory=dict)


def gather(runs: tuple[str, ...], tables: tuple[str, ...]) -> dict[str, Given]:
    """Read everything, each under the shortest name that no other has.

    Args:
        runs: run directories, ``predictions.h5`` files, or folders of the runs that one ``--sweep``, ``--seeds`` or
            ``--fraction`` made.
        tables: CSV files.

    Returns:
        name -> predictions, in the order given.

    Raises:
        RequestError: one is missing or wrong, is given twice, or holds frames that it was trained on.
    """
    runs = _each(runs)
    parts = [Path(os.path.realpath(path)).parts for path in (*runs, *tables)]
    if len(set(parts)) < len(parts):
        raise RequestError("the same run is given twice")
    held: dict[str, Given] = {}
    for path, mine in zip(runs, parts, strict=False):
        depth = next(d for d in range(1, len(mine) + 1) if sum(other[-d:] == mine[-d:] for other in parts) == 1)
        held["/".join(mine[-depth:])] = _of_run(path, "/".join(mine[-depth:]))
    for path in tables:
        found, further = foreign.read(path)
        for model, whole in found.items():
            if model in held:
                raise RequestError(f"{path}: the model '{model}' has the name of another run; rename one")
            rows = _rows(model, whole)
            more = {name: values[rows] for name, values in further[model].items()}
            held[model] = Given(path, whole, whole.take(rows), {}, file_sha256(path), True, more)
    return held


def _each(runs: tuple[str, ...]) -> tuple[str, ...]:
    """Run directories, those of a search one by one; its table, which ``FOLDER/*`` names too, is no run."""
    found: list[str] = []
    for path in runs:
        folder = Path(path)
        if (folder / SHEET).is_file() and not (folder / predictions.FILE).exists():
            inside = sorted(str(each.parent) for each in folder.glob(f"*/{predictions.FILE}"))
            if not inside:
                raise RequestError(f"{path}: holds no finished run; let 'usfm finetune' end first")
            found += inside
        elif folder.name != SHEET or len(runs) == 1:
            found.append(path)
    return tuple(found)


def _of_run(path: str, name: str) -> Given:
    _, whole = read(path)
    if not len(whole):
        raise RequestError(f"{path}: its predictions hold no frame")
    both = overlap.within(whole)["frames"]
    if both:
        raise RequestError(
            f"{path}: {both:,} of its {len(whole):,} scored frames are also in the training of the fold that "
            "scored them, so its scores are not valid; make the run again"
        )
    file = Path(path) / predictions.FILE if Path(path).is_dir() else Path(path)
    return Given(path, whole, whole.take(_rows(name, whole)), notes.about(path), file_sha256(file))


def _rows(name: str, whole: Predictions) -> np.ndarray:
    """The test frames of a run, else its val frames: bool (n,)."""
    for split in ("test", "val"):
        rows = whole.split == split
        if rows.any():
            if split == "val":
                console.warn(f"{name} has no test frames; measured on its val frames")
            return rows
    there = ", ".join(sorted({f"'{split}'" for split in whole.split.tolist()}))
    raise RequestError(f"{name}: holds no row of the split 'test' or 'val' (there are {there}), so none is measured")
