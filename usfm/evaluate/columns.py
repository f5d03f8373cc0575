"""Values of a column for predicted frames: of the predictions, of a table's further columns, or of a store."""

from collections.abc import Mapping

import numpy as np

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.store.reader import Store
from usfm.tasks.predictions import Predictions

OWN = {"patient": "patient", "clip": "source", "fold": "fold", "split": "split"}
"""Column of every run -> its name in the predictions."""

_GROUPS = 3  # into which a column of many different numbers is cut
_FEW = 12  # different numbers that are groups of their own


def values(
    column: str, held: Predictions, further: Mapping[str, np.ndarray], store: Store | None, rows: np.ndarray
) -> np.ndarray:
    """Find a column.

    Args:
        column: its name.
        held: predictions of a run.
        further: columns of the table that the predictions came from.
        store: given with ``--in``, or None.
        rows: (n,) int row of each frame in it, -1 where it lacks the frame.

    Returns:
        (n,) str; a column of many numbers is cut into three groups of about equal size, "" where unknown.

    Raises:
        RequestError: there is no such column.
    """
    if column in further:
        return _grouped(further[column].astype(str))
    if column in OWN:
        return np.asarray(getattr(held, OWN[column])).astype(str)
    there = [] if store is None else list(store.source_columns)
    if store is not None and column in there:
        every = np.array([_text(value) for value in store.of_frames(column)], object)
        return _grouped(np.where(rows >= 0, every[rows], "").astype(str))
    known = sorted({*OWN, *further, *there})
    more = "" if store is not None or further else "; give the store of the frames with --in for its columns"
    raise RequestError(
        f"--by {column}: there is no such column{did_you_mean(column, known)}; there are {', '.join(known)}{more}"
    )


def rows_of(held: Predictions, store: Store | None) -> np.ndarray:
    """Find predicted frames in a store.

    Args:
        held: predictions of a run.
        store: a store, or None.

    Returns:
        (n,) int row of each frame, -1 where the store lacks it.
    """
    if store is None:
        return np.full(len(held), -1)
    place = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
    return np.array([place.get(name, -1) for name in held.frame_id.tolist()], int)


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _grouped(words: np.ndarray) -> np.ndarray:
    """Numbers with many different values as three ranges; other columns as they are."""
    known = words != ""
    try:
        numbers = words[known].astype(float)
    except ValueError:
        return words
    if len(np.unique(numbers)) <= _FEW or not np.isfinite(numbers).all():
        return words
    edges = np.quantile(numbers, np.linspace(0, 1, _GROUPS + 1))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, _GROUPS - 1)
    out = np.full(len(words), "", object)
    out[known] = [f"{edges[k]:.4g} to {edges[k + 1]:.4g}" for k in place]
    return out.astype(str)
