"""What the trained networks of a finished run say of the frames of any store."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from usfm import console
from usfm.engine.prepared import Prepared
from usfm.engine.windows import prepared
from usfm.errors import RequestError
from usfm.model.card import card_of
from usfm.model.device import choose_device
from usfm.predict.asked import Asked, Said, folds_of
from usfm.store.codec import compress
from usfm.store.reader import Store
from usfm.tasks import directory, trained
from usfm.tasks.learner import Aside, Teller, Tells

FRAMES_AT_ONCE = 16
SAMPLES_AT_ONCE = 32
"""Of those the network sees at once: a frame is one, or several windows."""

Answers = dict[str, dict[str, np.ndarray]]
"""Fold -> what its head decoded of one frame."""


@dataclass(frozen=True)
class Settings:
    """What a run's files say of its networks.

    Attributes:
        options: settings of the run by name.
        folds: fold -> what the card says of it.
    """

    options: Mapping[str, Any]
    folds: Mapping[str, Mapping]


def settings_of(run: Asked) -> Settings:
    """Read how a run was made.

    Args:
        run: that is asked.

    Returns:
        Its settings.

    Raises:
        RequestError: its files are damaged, or its task tells nothing of new frames.
    """
    own = {} if "yolo" in card_of(run.path) else {"tuning": dict}
    card = card_of(run.path, folds=list, **own)
    lines = [line for line in card["folds"] if isinstance(line, dict) and isinstance(line.get("fold"), str)]
    folds = {line["fold"]: line for line in lines}
    if not folds or not isinstance(run.task, Tells):
        raise RequestError(f"{run.path}: keeps no networks that could be asked about new frames; make the run again")
    return Settings({**directory.recipe_of(run.path), **card.get("tuning", {})}, folds)


def teller_of(run: Asked, settings: Settings, frames: Prepared) -> Teller:
    """The task's part of asking.

    Args:
        run: that is asked.
        settings: of the run.
        frames: as its networks take them.

    Returns:
        The teller.

    Raises:
        RequestError: the run lacks what its task needs.
    """
    assert isinstance(run.task, Tells)  # `settings_of` has refused others
    return run.task.teller(run.seen, frames, settings.options, settings.folds)


def unasked(run: Asked, settings: Settings, store: Store) -> Teller:
    """The teller before any network is loaded, for the names of what it will say.

    Args:
        run: that is asked.
        settings: of the run.
        store: of the frames.

    Returns:
        The teller.

    Raises:
        RequestError: the run lacks what its task needs.
    """
    return teller_of(run, settings, Prepared(store, np.zeros(0, np.int64), trained.UNKNOWN, torch.device("cpu")))


def predicted(run: Asked, store: Store, device: str) -> Said:
    """Ask the networks of a run about all frames of a store.

    Args:
        run: that is asked.
        store: of the frames.
        device: for the networks.

    Returns:
        What they say.

    Raises:
        RequestError: the run lacks weights, or they are of another network.
    """
    settings, where = settings_of(run), choose_device(device)
    rows, names = np.arange(len(store)), sorted(settings.folds)
    own = folds_of(run.seen, names, store.column("frame_id"), store.of_frames("patient"))
    askable = [folds or tuple(names) for folds in own]
    taught = sum(not folds for folds in own)
    if isinstance(run.task, Aside) and run.task.aside(settings.options):
        asker = run.task.asker(run.path, len(run.seen.class_names))
        frames = Prepared(store, rows, asker.entry, torch.device("cpu"))
        mine = {fold: np.array([row for row in rows if fold in askable[row]], int) for fold in names}
        with asker.answers(store, mine, str(where)) as found:
            teller = teller_of(run, settings, frames)
            return _told(teller, rows, lambda some: _read(found, mine, asker.said, some), taught, run)
    heads = unasked(run, settings, store)
    models = {fold: trained.of_run(run.path, heads.of_fold(fold), fold).to(where) for fold in names}
    entry, options = next(iter(models.values())).network.entry, settings.options
    frames = prepared(store, rows, entry, where, options.get("window"), options.get("overlap"))
    teller = teller_of(run, settings, frames)
    ask = lambda some: _asked(models, teller, frames, some, [askable[row] for row in some])  # noqa: E731
    return _told(teller, rows, ask, taught, run)


def _told(
    teller: Teller, rows: np.ndarray, ask: Callable[[np.ndarray], Mapping[int, Answers]], taught: int, run: Asked
) -> Said:
    """All frames, some at once."""
    said = Said(np.full((len(rows), len(teller.columns)), np.nan, np.float32), [], [], taught)
    with console.progress(f"asking {run.path.name}", len(rows)) as bar:
        for at in range(0, len(rows), FRAMES_AT_ONCE):
            some = rows[at : at + FRAMES_AT_ONCE]
            each = ask(some)
            for row in some.tolist():
                found = teller.labels(row, each[row])
                said.scores[row] = found.scores
                said.masks.append(None if found.mask is None else (found.mask.shape, compress(found.mask)))
                said.boxes.append(found.boxes)
            bar.advance(len(some))
    return said


def _read(
    found: Mapping[str, np.ndarray], mine: Mapping[str, np.ndarray], name: str, some: np.ndarray
) -> dict[int, Answers]:
    """Row -> fold -> what its network has said before."""
    each: dict[int, Answers] = defaultdict(dict)
    for fold, values in found.items():
        for row in np.intersect1d(some, mine[fold]).tolist():
            at = int(np.searchsorted(mine[fold], row))
            each[row][fold] = {name: np.array(values[at : at + 1])}
    return each


def _asked(
    models: Mapping[str, trained.Model], teller: Teller, frames: Prepared, rows: np.ndarray, folds: list[tuple]
) -> dict[int, Answers]:
    """Row -> fold -> what its head decoded of the samples of the row."""
    each: dict[int, Answers] = defaultdict(dict)
    for fold, model in models.items():
        mine = [row for row, asked in zip(rows.tolist(), folds, strict=True) if fold in asked]
        if not mine:
            continue
        counts = [len(frames.samples(np.array([row]))) for row in mine]
        samples = frames.samples(np.array(mine))
        decoded = trained.decoded(model, teller.of_fold(fold), frames, samples, at_once=SAMPLES_AT_ONCE)
        for row, first, count in zip(mine, np.cumsum([0, *counts]), counts, strict=False):
            each[row][fold] = {name: values[first : first + count] for name, values in decoded.items()}
    return each
