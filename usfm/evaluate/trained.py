"""What the trained networks of a run say of its own frames once these are changed, each by the one that held it out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from usfm.engine.prepared import Prepared
from usfm.errors import RequestError
from usfm.model.device import choose_device
from usfm.model.network import Entry
from usfm.store.reader import Store
from usfm.tasks import directory, trained
from usfm.tasks.contract import Known, Task
from usfm.tasks.learner import Learner, Learns
from usfm.tasks.predictions import Predictions

Change = Callable[[Sequence[np.ndarray], np.ndarray], Sequence[np.ndarray]]
_BATCH = 16
_AGREES = 1e-3  # of the spread of a number: what rounding may move


class Changed(Prepared):
    """Prepared frames that are changed before they get their size.

    Args:
        store: of the frames.
        rows: those that will be asked for.
        entry: how frames enter the network.
        device: where batches are wanted.
        change: (frames, their rows) -> frames.
    """

    def __init__(self, store: Store, rows: np.ndarray, entry: Entry, device: torch.device, change: Change):
        super().__init__(_View(store, change), rows, entry, device)  # type: ignore[arg-type]


class _View:
    """A store whose frames are changed as they are read; all else is the store's."""

    def __init__(self, store: Store, change: Change):
        self._store, self._change = store, change

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    def __len__(self) -> int:
        return len(self._store)

    def frames(self, rows) -> list[np.ndarray]:
        return list(self._change(self._store.frames(rows), np.asarray(rows)))


def check(path: str) -> None:
    """Refuse a run whose networks cannot be asked about changed frames.

    Args:
        path: run directory.

    Raises:
        RequestError: it sees frames through windows.
    """
    if directory.recipe_of(path).get("window"):
        raise RequestError(f"{path}: sees frames through windows, and --perturb asks about whole frames only")


def said(
    task: Task, path: str, held: Predictions, whole: Predictions, store: Store, rows: np.ndarray, change: Change,
    device: str, advance: Callable[[int], None] = lambda n: None,
) -> Predictions:  # fmt: skip
    """Ask the networks again.

    Args:
        task: of the run.
        path: run directory.
        held: what was measured.
        whole: all predictions of the run, with what it was trained on.
        store: holds the frames and their truth.
        rows: (n,) int row of each frame of `held`.
        change: (frames, their rows) -> frames.
        device: for the networks.
        advance: told how many frames were done.

    Returns:
        The predictions with what the networks say now.

    Raises:
        RequestError: the run lacks weights, or the store does not have its truth.
    """
    run, where = Path(path), choose_device(device)
    card = directory.card_of(run, tuning=dict)
    options = {**directory.recipe_of(run), **card["tuning"]}
    known = task.known(store, options)
    if known.class_names != held.class_names or not isinstance(task, Learns):
        raise RequestError(f"{path}: the store given with --in has other classes than the run")
    place = np.full(len(store), -1)
    place[known.rows] = np.arange(len(known.rows))
    if (place[rows] < 0).any():
        raise RequestError(f"{path}: the store given with --in lacks the truth of some frames of the run")
    found = {name: values.copy() for name, values in held.arrays.items()}
    for fold in sorted(set(held.fold.tolist())):
        mine = np.flatnonzero(held.fold == fold)
        for name, values in _of_fold(task, run, fold, known, place, whole, store, rows[mine], change, where,
                                     options).items():  # fmt: skip
            found[name][mine] = values
        advance(len(mine))
    return held.with_arrays(**found)


def _of_fold(
    task, run: Path, fold: str, known: Known, place: np.ndarray, whole: Predictions, store: Store, rows: np.ndarray,
    change: Change, where: torch.device, options: dict,
) -> dict[str, np.ndarray]:  # fmt: skip
    taught = _taught(whole, fold, store, place)
    groups = np.arange(len(known.rows))
    plain = _Entered(task, run, fold, known, groups, taught, options, store, rows, where)
    frames = Changed(store, rows, plain.entry, where, change)
    learner = task.learner(known, frames, groups, taught, options)
    raw = learner.raw(trained.decoded(plain.model, learner, frames, rows, at_once=_BATCH), rows)
    if task.name == "regress":
        raw = plain.scaled(raw, whole, store)
    return task.predicted(known, taught, place[rows], raw)


class _Entered:
    """The network of a fold, and how it says numbers."""

    def __init__(self, task, run, fold, known, groups, taught, options, store, rows, where):
        first = Prepared(store, rows[:0], trained.UNKNOWN, where)
        self.learner: Learner = task.learner(known, first, groups, taught, options)
        self.model = trained.of_run(run, self.learner, fold).to(where)
        self.entry, self.rows, self.where, self.fold = self.model.network.entry, rows, where, fold

    def scaled(self, raw: np.ndarray, whole: Predictions, store: Store) -> np.ndarray:
        """Numbers in the scale of the run, which the frames as they are tell: it does not lie beside the weights.

        Raises:
            RequestError: what the network says of them is not what the run has kept, whatever the scale.
        """
        frames = Prepared(store, self.rows, self.entry, self.where)
        now = self.learner.raw(trained.decoded(self.model, self.learner, frames, self.rows, at_once=_BATCH), self.rows)
        kept = dict(zip(whole.frame_id.tolist(), whole.arrays["said"].tolist(), strict=True))
        then = np.array([kept[name] for name in store.column("frame_id")[self.rows].tolist()])
        if np.ptp(now) < 1e-9:
            return np.asarray(raw) - float(np.mean(now)) + float(then.mean())
        slope, shift = np.polyfit(now, then, 1)
        if np.abs(slope * now + shift - then).max() > _AGREES * max(np.ptp(then), 1e-9):
            raise RequestError(f"fold {self.fold}: its network does not say what the run has kept; make the run again")
        return slope * np.asarray(raw) + shift


def _taught(whole: Predictions, fold: str, store: Store, place: np.ndarray) -> np.ndarray:
    """Positions of the frames that a fold was trained on, as far as the store has them."""
    if whole.training is None:
        return np.zeros(0, int)
    names = set(whole.training.frame_id[whole.training.fold.astype(str) == fold].tolist())
    rows = np.array([row for row, name in enumerate(store.column("frame_id").tolist()) if name in names], int)
    return place[rows][place[rows] >= 0]
