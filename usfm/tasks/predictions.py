"""Predictions of a run: one row a held-out frame, enough to evaluate it without the model or the store.

The frames that the run was trained on stand beside them, so that nobody takes them for new ones. What is predicted is
the task's: `COLUMNS` is the part that all tasks share, and each task has its own table of further columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.store import tables

FORMAT = "usfm-predictions"
FILE = "predictions.h5"
RAGGED = "ragged"


@dataclass(frozen=True)
class Column:
    """One column of ``predictions.h5``.

    Attributes:
        name: of the dataset; of the group, where each frame has its own number of values.
        kind: NumPy kinds that it may have, such as "f" or "iu"; "O" is text; `RAGGED` is an array a frame.
        width: values of a frame: 0 for one, -1 for any number, a name such as "classes" for as many as there are.
        meaning: for the docs, with unit and range.
        dtype: that it is written with; None leaves it as it is.
    """

    name: str
    kind: str
    width: int | str
    meaning: str
    dtype: type | None = None


COLUMNS = (
    Column("frame_id", "O", 0, "the frame's name in its store"),
    Column("source", "O", 0, "path of the clip as the store has it"),
    Column("patient", "O", 0, "'' where unknown"),
    Column("group", "O", 0, "what was kept on one side and is resampled: the patient, or the clip where none is known"),
    Column("split", "O", 0, "'test' or 'val'"),
    Column("fold", "O", 0, "name of the fold that predicted the frame"),
)
"""Of every task; `Predictions.arrays` holds the others."""


@dataclass(frozen=True)
class Training:
    """Columns of ``predictions.h5`` under ``/training/``; one row a fold and frame that it was trained on.

    Attributes:
        frame_id: (t,) str.
        source: (t,) str, path of the clip as the store has it.
        patient: (t,) str, "" where unknown.
        fold: (t,) str, name of the fold.
    """

    frame_id: np.ndarray
    source: np.ndarray
    patient: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.frame_id)


@dataclass(frozen=True)
class Predictions:
    """What a run said of n held-out frames.

    Attributes:
        frame_id: (n,) str.
        source: (n,) str, path of the clip as the store has it.
        patient: (n,) str, "" where unknown.
        group: (n,) str, what was kept on one side and is resampled.
        split: (n,) str, "test" or "val".
        fold: (n,) str, name of the fold that predicted the frame.
        arrays: the task's columns by name, n rows each; a ragged one is an object array of arrays.
        class_names: C names; () where the task has none.
        training: what each fold was trained on; None where it is unknown (made before usfm kept it).
        task: name of the task.
        facts: further attributes of the file.
    """

    frame_id: np.ndarray
    source: np.ndarray
    patient: np.ndarray
    group: np.ndarray
    split: np.ndarray
    fold: np.ndarray
    arrays: Mapping[str, np.ndarray]
    class_names: tuple[str, ...] = ()
    training: Training | None = None
    task: str = "classify"
    facts: Mapping[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame_id)

    def take(self, rows: np.ndarray) -> "Predictions":
        """The same columns for some rows (indices or a mask)."""
        shared = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return replace(self, **shared, arrays={name: values[rows] for name, values in self.arrays.items()})

    def with_arrays(self, **arrays: np.ndarray) -> "Predictions":
        """The same with some of the task's columns exchanged."""
        return replace(self, arrays={**self.arrays, **arrays})


_COLUMNS = [column.name for column in COLUMNS]
_TRAINING = [each.name for each in fields(Training)]


def write(path: str | Path, predictions: Predictions, attributes: Mapping | None = None) -> None:
    """Write ``predictions.h5``, whole or not at all.

    Args:
        path: of the file.
        predictions: what to write.
        attributes: more facts, as JSON can hold them.
    """
    columns: dict[str, np.ndarray] = {name: np.asarray(getattr(predictions, name), object) for name in _COLUMNS}
    for name, values in predictions.arrays.items():
        columns |= _packed(name, values) if _is_ragged(values) else {name: values}
    if predictions.training is not None:
        columns |= {f"training/{n}": np.asarray(getattr(predictions.training, n), object) for n in _TRAINING}
    about = {**predictions.facts, "task": predictions.task, "class_names": list(predictions.class_names)}
    tables.write(path, FORMAT, columns, {**about, **(attributes or {})})


def ragged(rows: Sequence[np.ndarray]) -> np.ndarray:
    """An object array (n,) of arrays, whatever their lengths are."""
    held = np.empty(len(rows), object)
    held[:] = [np.asarray(row) for row in rows]
    return held


def _is_ragged(values: np.ndarray) -> bool:
    return values.dtype == object and any(isinstance(value, np.ndarray) for value in values)


def _packed(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """A ragged column as two: where each frame's values start (n + 1), and the values one behind the other."""
    start = np.cumsum([0, *(len(value) for value in values)]).astype(np.int64)
    return {f"{name}/start": start, f"{name}/values": np.concatenate(list(values))}


def read(run: str | Path) -> Predictions:
    """Read the predictions of a run directory (or of a ``predictions.h5`` itself).

    Raises:
        RequestError: there are none, they are damaged, or of another kind.
    """
    path = Path(run)
    if not path.exists():
        raise RequestError(f"{path}: no such run directory")
    file = path / FILE if path.is_dir() else path
    if not file.exists():
        raise RequestError(f"{path}: holds no {FILE}; eval reads runs that 'usfm finetune' made")
    columns, facts = tables.read(file, FORMAT)
    missing = [name for name in _COLUMNS if name not in columns]
    if missing or "class_names" not in facts:
        raise RequestError(f"{file}: lacks {', '.join(missing or ['class_names'])}; make the run again")
    training = None
    if "training/frame_id" in columns:
        lacking = [f"training/{name}" for name in _TRAINING if f"training/{name}" not in columns]
        if lacking:
            raise RequestError(f"{file}: lacks {', '.join(lacking)}; make the run again")
        training = Training(*(columns.pop(f"training/{name}") for name in _TRAINING))
    names = facts.pop("class_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError(f"{file}: its class_names are no list of names; make the run again")
    shared = {name: columns.pop(name) for name in _COLUMNS}
    task = str(facts.pop("task", "classify"))
    arrays = dict(_unpacked(file, columns, len(shared["frame_id"])))
    found = Predictions(**shared, arrays=arrays, class_names=tuple(names), training=training, task=task, facts=facts)
    for fault in _faults(found):
        raise RequestError(f"{file}: {fault}; is it damaged? make the run again")
    return found


def _unpacked(file: Path, columns: dict[str, np.ndarray], n: int) -> Iterator[tuple[str, np.ndarray]]:
    """The task's columns, the ragged ones put together."""
    for name, values in columns.items():
        whole, _, part = name.rpartition("/")
        if not whole:
            yield name, values
        elif part == "start":
            inner = columns.get(f"{whole}/values")
            fits = inner is not None and values.shape == (n + 1,) and values.dtype.kind in "iu" and not values[0]
            if inner is None or not fits or (np.diff(values) < 0).any() or values[-1] != len(inner):
                raise RequestError(f"{file}: column '{whole}' is damaged; make the run again")
            yield whole, ragged([inner[a:b] for a, b in pairwise(values)])


def check(found: Predictions, table: Sequence[Column]) -> Iterator[str]:
    """What is wrong with a task's columns: missing ones, lengths and types.

    Args:
        found: predictions that were read.
        table: the task's columns.

    Returns:
        Sentences without their end.
    """
    n = len(found)
    for column in table:
        values = found.arrays.get(column.name)
        if values is None:
            yield f"lacks {column.name}"
            return
        if column.kind == RAGGED:
            continue
        width = len(found.class_names) if isinstance(column.width, str) else column.width
        fits = values.shape[:1] == (n,) and values.ndim == (2 if width else 1)
        if not fits or (width > 0 and values.shape[1] != width) or values.dtype.kind not in column.kind:
            wanted = (n, width) if width else (n,)
            yield f"column '{column.name}' has shape {values.shape} and type {values.dtype}, expected {wanted}"
            return


def _faults(found: Predictions) -> Iterator[str]:
    """What is wrong with the columns that all tasks share."""
    n = len(found.frame_id)
    for name in _COLUMNS:
        values = getattr(found, name)
        if values.shape != (n,) or values.dtype.kind != "O":
            yield f"column '{name}' has shape {values.shape} and type {values.dtype}, expected {(n,)}"
            return
    length = () if found.training is None else found.training.frame_id.shape
    for name in _TRAINING if found.training is not None else ():
        values = getattr(found.training, name)
        if values.shape != length or values.ndim != 1 or values.dtype.kind != "O":
            yield f"column 'training/{name}' has shape {values.shape} and type {values.dtype}"
            return
    for name, values in found.arrays.items():
        if values.shape[:1] != (n,):
            yield f"column '{name}' has {values.shape[:1]} rows, expected {n}"
            return


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several folds as those of one run."""
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays}
    known = [part.training for part in parts if part.training is not None]
    training = None
    if len(known) == len(parts):
        training = Training(*(np.concatenate([getattr(each, name) for each in known]) for name in _TRAINING))
    return replace(parts[0], **whole, arrays=arrays, training=training)
