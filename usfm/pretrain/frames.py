"""Which frames a run trains on, which it is measured on, and how often each comes: of one store, or of new and old."""

from dataclasses import dataclass

import numpy as np

from usfm.engine.data import fold_out, groups_of, hold_out
from usfm.engine.order import Mixed, Order, Shuffled, Weighted, balanced
from usfm.engine.prune import Pruned
from usfm.errors import RequestError
from usfm.pretrain.settings import Balance, Recipe, Run
from usfm.pretrain.start import Origin
from usfm.store.reader import Store

PRUNED = 7 / 8
"""Share of a run in which passes are pruned. Source: InfoBatch."""


@dataclass(frozen=True)
class Frames:
    """Rows of a store by what they are for.

    Attributes:
        store: the frames of the run's own store and, behind them, those of the old one where there is one.
        rows: to train on; held_out: for the held-out loss. Both are of the run's own store.
        old: of the old store, to train on; old_held_out: to measure what is forgotten.
        replayed: content id of the old store; "" without one.
        said: sentences for people.
    """

    store: Store
    rows: np.ndarray
    held_out: np.ndarray
    old: np.ndarray
    old_held_out: np.ndarray
    replayed: str = ""
    said: tuple[str, ...] = ()


def frames_of(new: Store, replay: str | None, recipe: Recipe, origin: Origin | None, seed: int) -> Frames:
    """Hold frames out of a store, and out of an old one that is replayed.

    The old run's own held-out frames are held out again where the old store is the one that it was trained on. No
    patient (or source) stands on both sides, whichever of the two stores holds it.

    Args:
        new: the run's own store.
        replay: path of the old one, or None.
        recipe: says how much is held out.
        origin: the run that is gone on from, where there is one.
        seed: of the choice.

    Returns:
        The store, or both as one, and the rows of each side.

    Raises:
        RequestError: the old store is missing, is the new one, has frames of another size or no regions, or shares so
            many patients with the new one's held-out frames that nothing is left.
    """
    rows, held_out = _held(new, recipe.run, seed)
    if replay is None:
        return Frames(new, rows, held_out, rows[:0], rows[:0])
    old = _opened(replay, new, recipe)
    kept, kept_out, said = _old_rows(old, replay, recipe, origin, seed)
    store = Store.open([*new.paths, *old.paths])
    place = _places(store, old)
    kept, kept_out = place[kept], place[kept_out]
    group = groups_of(store)
    kept = kept[~np.isin(group[kept], group[held_out]) & (kept >= len(new))]
    left = rows[~np.isin(group[rows], group[kept_out])]
    if len(left) < len(rows):
        said = (*said, f"{len(rows) - len(left):,} new frames are of patients held out of {replay} and are left out")
    if not len(left):
        raise RequestError(f"{replay}: every new frame is of a patient held out of it; name another store, or none")
    return Frames(store, left, held_out, np.sort(kept), np.sort(kept_out), old.content_id, said)


def _held(store: Store, run: Run, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and held-out rows by a recipe: a share of the sources, or one of several parts of the patients."""
    return fold_out(store, run.folds, run.fold, seed) if run.folds else hold_out(store, run.held_out, seed)


def _opened(replay: str, new: Store, recipe: Recipe) -> Store:
    """The old store, fit to be trained on beside the new one."""
    old = Store.open(replay)
    old.require(fixed=True, regions=recipe.selection.region or recipe.selection.by_beam)
    if old.fixed_shape != new.fixed_shape:
        sizes = [" x ".join(map(str, store.fixed_shape or ())) for store in (old, new)]
        raise RequestError(
            f"{replay}: its frames are {sizes[0]} and those of {new.paths[0]} are {sizes[1]} (rows x columns); run "
            "`usfm sector` on one of them again with the other's --size and colours"
        )
    return old


def _old_rows(
    old: Store, replay: str, recipe: Recipe, origin: Origin | None, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Rows of the old store to replay, and those held out of it, as the old run held them out where it is known."""
    if origin is not None and origin.inputs == old.content_id:
        return *_held(old, origin.recipe.run, origin.seed), ()
    rows, out = hold_out(old, recipe.run.held_out, seed)
    whose = "the file of --init" if origin is None else origin.name
    said = f"{whose} is not known to come from {replay}, so it may have seen the frames that are held out of it"
    return rows, out, (said,)


def _places(store: Store, old: Store) -> np.ndarray:
    """The row that each frame of the old store has in the joined one, where a frame of both stands once."""
    ids, wanted = store.column("frame_id").astype(str), old.column("frame_id").astype(str)
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids, wanted, sorter=order)]


def order_of(frames: Frames, recipe: Recipe, seed: int) -> Order:
    """In which order frames come: shuffled, balanced or pruned by the recipe, with a share of the old store's.

    Args:
        frames: of the run.
        recipe: its [balance], [replay] and [run], with the number of steps where it prunes.
        seed: of the run.

    Returns:
        The order.

    Raises:
        RequestError: parts of the recipe do not go together.
    """
    share = recipe.replay.share
    if recipe.run.prune and not (share and len(frames.old)):
        run, steps = recipe.run, recipe.run.steps
        return Pruned(frames.rows, run.batch_size, seed, run.prune, int(steps * PRUNED))
    if recipe.run.prune:
        raise RequestError("run.prune and --replay do not go together; leave one out, or set replay.share=0")
    first = _of_one(frames.store, frames.rows, recipe.balance, seed, "order")
    if not share or not len(frames.old):
        return first
    return Mixed(first, _of_one(frames.store, frames.old, recipe.balance, seed, "replay"), share)


def _of_one(store: Store, rows: np.ndarray, balance: Balance, seed: int, name: str) -> Order:
    if balance.by == "none":
        return Shuffled(rows, seed, name)
    group = (groups_of(store) if balance.by == "patient" else store.of_frames("dataset"))[rows]
    return Weighted(rows, balanced(group, balance.power, balance.cap), seed, name)


def one_group(frames: Frames, recipe: Recipe) -> bool:
    """Whether a balance was asked for that has a single group, and so changes nothing.

    Args:
        frames: of the run.
        recipe: its [balance].

    Returns:
        Whether no kind of frame, new or old, has two groups.
    """
    if recipe.balance.by == "none":
        return False
    group = groups_of(frames.store) if recipe.balance.by == "patient" else frames.store.of_frames("dataset")
    return all(len(set(group[rows].tolist())) < 2 for rows in (frames.rows, frames.old))


def places_of(frames: Frames, recipe: Recipe) -> float:
    """Places of the order that one epoch of a run is counted as.

    A pruned run is planned as if half of the frames were learnt well, so that it is shorter; how many passes that makes
    depends on the losses.

    Args:
        frames: of the run.
        recipe: its [run] and [replay].

    Returns:
        How many, not always a whole number.
    """
    rows, share = len(frames.rows), recipe.replay.share
    if recipe.run.prune:
        return rows * (PRUNED * (1 - recipe.run.prune / 2) + 1 - PRUNED)
    return rows / (1 - share) if share and len(frames.old) else float(rows)
