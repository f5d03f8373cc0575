"""Values of a column for predicted frames: of the predictions, of a table's further columns, or of a store."""

from collections.abc import Mapping

import numpy as np

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.store.joins import rows_in
from usfm.store.reader import Store
from usfm.tasks import TASKS
from usfm.tasks.contract import Sized
from usfm.tasks.predictions import Predictions

OWN = {"patient": "patient", "clip": "source", "fold": "fold", "split": "split"}
"""Column of every run -> its name in the predictions."""

SIZE = "size"
"""Of what the frame truly shows, for tasks whose truth has one."""

_GROUPS = 3  # into which a column of many different numbers is cut
_FEW = 12  # different numbers that are groups of their own


def values(
    column: str, held: Predictions, further: Mapping[str, np.ndarray], store: Store | None, rows: np.ndarray
) -> np.ndarray:
    """Find a column.

    Args:
        column: its name; `SIZE` is the area of what the frame truly shows, unless the store has a column of that name.
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
    task = TASKS[held.task]
    if column == SIZE and SIZE not in there and isinstance(task, Sized):
        return _of_size(task.sizes(held), store, rows)
    if store is not None and column in there:
        rows = np.where(rows >= 0, rows, rows_in(held.frame_id, store.column("frame_id")))  # of a view's whole frame
        every = np.array([_text(value) for value in store.of_frames(column)], object)
        return _grouped(np.where(rows >= 0, every[rows], "").astype(str))
    sized: list[str] = [SIZE] if isinstance(task, Sized) else []
    known = sorted({*OWN, *further, *map(str, there), *sized})
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


def _of_size(area_px: np.ndarray, store: Store | None, rows: np.ndarray) -> np.ndarray:
    """Three groups by area: in square mm where the store knows the spacing of every frame, else in square px."""
    unit, area = "px2", area_px
    if store is not None and len(rows) and (rows >= 0).all():
        square_mm = (store.column("row_spacing_mm") * store.column("col_spacing_mm"))[rows]
        if np.isfinite(square_mm).all():
            unit, area = "mm2", area_px * square_mm
    words = _grouped(np.array([_text(value) for value in area.tolist()], object).astype(str))
    return np.array([f"{word} {unit}" if word else "nothing to see" for word in words.tolist()])


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
