"""Predictions of a run: one row a held-out frame, enough to evaluate it without the model or the store."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.store import tables

FORMAT = "usfm-predictions"
FILE = "predictions.h5"


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

    def __len__(self) -> int:
        return len(self.frame_id)

    def take(self, rows: np.ndarray) -> "Predictions":
        """The same columns for some rows (indices or a mask)."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})


_COLUMNS = [each.name for each in fields(Predictions) if each.name != "class_names"]
_NUMBERS = {"target": np.int32, "scores": np.float32, "majority": np.int32}


def write(path: str | Path, predictions: Predictions, attributes: dict | None = None) -> None:
    """Write ``predictions.h5``, whole or not at all."""
    columns = {name: np.asarray(getattr(predictions, name), _NUMBERS.get(name, object)) for name in _COLUMNS}
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
    return Predictions(**{name: columns[name] for name in _COLUMNS}, class_names=tuple(attributes["class_names"]))
