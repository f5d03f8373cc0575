"""Predictions of a run: one row a held-out frame, enough to evaluate it without the model or the store.

The frames that the run was trained on stand beside them, so that nobody takes them for new ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.store import tables

FORMAT = "usfm-predictions"
FILE = "predictions.h5"


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
    """Columns of ``predictions.h5``; n held-out frames, C classes.

    Attributes:
        frame_id: (n,) str.
        source: (n,) str, path of the clip as the store has it.
        patient: (n,) str, "" where unknown.
        group: (n,) str, what was kept on one side and is resampled: the patient, or the clip where none is known.
        split: (n,) str, "test" or "val".
        fold: (n,) str, name of the fold that predicted the frame.
        target: (n,) int32 true class.
        scores: (n, C) float32 probabilities, rows sum to 1.
        majority: (n,) int32, most frequent class among the frames that this fold was trained on.
        class_names: C names.
        training: what each fold was trained on; None where it is unknown (made before usfm kept it).
    """

    frame_id: np.ndarray
    source: np.ndarray
    patient: np.ndarray
    group: np.ndarray
    split: np.ndarray
    fold: np.ndarray
    target: np.ndarray
    scores: np.ndarray
    majority: np.ndarray
    class_names: tuple[str, ...]
    training: Training | None = None

    def __len__(self) -> int:
        return len(self.frame_id)

    def take(self, rows: np.ndarray) -> "Predictions":
        """The same columns for some rows (indices or a mask)."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})


_COLUMNS = [each.name for each in fields(Predictions) if each.name not in ("class_names", "training")]
_TRAINING = [each.name for each in fields(Training)]
_NUMBERS = {"target": np.int32, "scores": np.float32, "majority": np.int32}


def write(path: str | Path, predictions: Predictions, attributes: dict | None = None) -> None:
    """Write ``predictions.h5``, whole or not at all.

    Args:
        path: of the file.
        predictions: what to write.
        attributes: more facts, as JSON can hold them.
    """
    columns = {name: np.asarray(getattr(predictions, name), _NUMBERS.get(name, object)) for name in _COLUMNS}
    if predictions.training is not None:
        columns |= {f"training/{n}": np.asarray(getattr(predictions.training, n), object) for n in _TRAINING}
    tables.write(path, FORMAT, columns, {"class_names": list(predictions.class_names), **(attributes or {})})


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
    columns, attributes = tables.read(file, FORMAT)
    missing = [name for name in _COLUMNS if name not in columns]
    if missing or "class_names" not in attributes:
        raise RequestError(f"{file}: lacks {', '.join(missing or ['class_names'])}; make the run again")
    training = None
    if "training/frame_id" in columns:
        lacking = [f"training/{name}" for name in _TRAINING if f"training/{name}" not in columns]
        if lacking:
            raise RequestError(f"{file}: lacks {', '.join(lacking)}; make the run again")
        training = Training(*(columns[f"training/{name}"] for name in _TRAINING))
    names = attributes["class_names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError(f"{file}: its class_names are no list of names; make the run again")
    found = Predictions(**{name: columns[name] for name in _COLUMNS}, class_names=tuple(names), training=training)
    for fault in _faults(found):
        raise RequestError(f"{file}: {fault}; is it damaged? make the run again")
    return found


def _faults(found: Predictions) -> Iterator[str]:
    """What is wrong with predictions that were read: lengths, types, ranges."""
    n, classes = len(found.frame_id), len(found.class_names)
    for name in _COLUMNS:
        values, wanted = getattr(found, name), (n, classes) if name == "scores" else (n,)
        kinds = {"scores": "f", "target": "iu", "majority": "iu"}.get(name, "O")
        if values.shape != wanted or values.dtype.kind not in kinds:
            yield f"column '{name}' has shape {values.shape} and type {values.dtype}, expected {wanted}"
            return
    length = () if found.training is None else found.training.frame_id.shape
    for name in _TRAINING if found.training is not None else ():
        values = getattr(found.training, name)
        if values.shape != length or values.ndim != 1 or values.dtype.kind != "O":
            yield f"column 'training/{name}' has shape {values.shape} and type {values.dtype}"
            return
    if not n:
        return
    if min(found.target.min(), found.majority.min()) < 0 or max(found.target.max(), found.majority.max()) >= classes:
        yield f"a class lies outside 0 to {classes - 1}"
    if not (np.isfinite(found.scores).all() and (found.scores >= 0).all()):
        yield "scores are no probabilities"
    elif not np.allclose(found.scores.sum(axis=1), 1, atol=1e-3):
        yield "the scores of a frame do not sum to 1"


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several folds as those of one run."""
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    known = [part.training for part in parts if part.training is not None]
    training = None
    if len(known) == len(parts):
        training = Training(*(np.concatenate([getattr(each, name) for each in known]) for name in _TRAINING))
    return Predictions(**whole, class_names=parts[0].class_names, training=training)
