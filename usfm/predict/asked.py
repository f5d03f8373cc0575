"""A finished run that is asked about the frames of any store, and what its probes say."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.model import features
from usfm.model.card import card_of
from usfm.provenance import digest, file_sha256
from usfm.store.reader import Store
from usfm.tasks import directory, read
from usfm.tasks.again import embedder_of
from usfm.tasks.contract import Task
from usfm.tasks.detect.yolo.stock import installed
from usfm.tasks.predictions import Predictions


@dataclass(frozen=True)
class Asked:
    """A run that can be asked about new frames.

    Attributes:
        path: run directory.
        task: of the run.
        seen: what it said of its own held-out frames.
        probes: by fold; none where networks were trained.
        id: names the run in a store.
        networks: whether it keeps trained networks.
    """

    path: Path
    task: Task
    seen: Predictions
    probes: dict[str, dict[str, np.ndarray]]
    id: str
    networks: bool = False


@dataclass(frozen=True)
class Said:
    """What a run says of n frames.

    Attributes:
        scores: (n, columns) float32.
        masks: shape and compressed bytes of each mask, uint8 in the coordinates of its frame; () where it says none.
        boxes: of each frame xyxy (k, 4) float32, px, classes (k,) int32 and scores (k,) float32; () likewise.
        taught: frames that all folds were trained on (their source or patient).
    """

    scores: np.ndarray
    masks: list
    boxes: list
    taught: int


def asked(run: str) -> Asked:
    """Open a run.

    Args:
        run: its directory.

    Returns:
        The run.

    Raises:
        RequestError: it is no run of finetune, is damaged, or keeps nothing that can be asked about new frames.
    """
    path = Path(run)
    task, seen = read(path)
    card = card_of(path, encoder=dict) if path.is_dir() else {}
    if "yolo" in card:
        installed()  # before the work
    if path.is_dir() and (path / directory.NETWORKS).is_dir():
        return Asked(path, task, seen, {}, card_of(path, key=str)["key"][:16], networks=True)
    if not path.is_dir() or not (path / directory.PROBE).is_file():
        how = f"is of {task.name} by --protocol {card['protocol']} and " if "protocol" in card else ""
        raise RequestError(
            f"{path}: {how}keeps neither a probe nor networks that could be asked about new frames; predict takes a "
            "run directory of finetune --protocol linear, frozen, lora or full"
        )
    probes = directory.probes_of(path, len(seen.class_names))
    key = card.get("key") or digest([task.name, card["encoder"], file_sha256(path / directory.PROBE)])
    return Asked(path, task, seen, probes, key[:16])


def columns_of(run: Asked, names: tuple[str, ...], prefix: str = "") -> list[str]:
    """Names of the columns that a run predicts.

    Args:
        run: that is asked.
        names: its classes, its number, or what its networks tell.
        prefix: what they begin with.

    Returns:
        One name a column; a slash, which a store's column cannot have, becomes an underscore.

    Raises:
        RequestError: two of them would be the same.
    """
    found = [f"{prefix}{name}".replace("/", "_").replace("\0", "_") for name in names]
    if len(set(found)) < len(found):
        raise RequestError(f"{run.path}: two of its classes have the same name where a slash is an underscore")
    return found


def folds_of(seen: Predictions, folds: list[str], frame_id: np.ndarray, patient: np.ndarray) -> list[tuple[str, ...]]:
    """Which folds may be asked about a frame, so that none says what it was taught.

    A frame that the run has held out is asked of the fold that held it out. Of another frame, those folds are asked
    that were trained neither on its source nor on its patient.

    Args:
        seen: predictions of the run.
        folds: names of its folds.
        frame_id: (n,) str.
        patient: (n,) str, "" where unknown.

    Returns:
        Folds of each frame; () where all of them were trained on its source or patient.
    """
    held, taught = defaultdict(set), {fold: (set(), set()) for fold in folds}
    for name, fold in zip(seen.frame_id.tolist(), seen.fold.tolist(), strict=True):
        held[name].add(fold)
    if (trained := seen.training) is not None:
        for name, who, fold in zip(trained.frame_id, trained.patient, trained.fold, strict=True):
            if fold in taught:
                taught[fold][0].add(_source(name))
                taught[fold][1].add(who)
    found = []
    for name, who in zip(frame_id.tolist(), patient.tolist(), strict=True):
        own = held[name] & set(folds) if name in held else set()
        new = {f for f in folds if _source(name) not in taught[f][0] and not (who and who in taught[f][1])}
        found.append(tuple(sorted(own or new)))
    return found


def probe_names(run: Asked) -> tuple[str, ...]:
    """What the probes of a run say: its classes, or its number."""
    return run.seen.class_names or (str(run.seen.facts.get("target") or run.task.name),)


def predicted(run: Asked, store: Store, device: str, encoder=None) -> Said:
    """Ask the probes of a run about all frames of a store.

    Args:
        run: that is asked.
        store: of the frames.
        device: for the encoder.
        encoder: the run's, where it is loaded already.

    Returns:
        What they say.

    Raises:
        RequestError: the encoder is gone or another one, or its vectors do not fit the probes.
    """
    encoder = embedder_of(run.path, device, "auto") if encoder is None else encoder
    rows = np.arange(len(store))
    with console.progress(f"embedding with {encoder.name}", len(rows)) as bar:
        vectors = features.cached(store, rows, encoder, run.path.parent / ".features", advance=bar.advance)
    if any(probe["mean"].shape != (encoder.dim,) for probe in run.probes.values()):
        raise RequestError(
            f"{run.path}: its probes are for vectors of another length than {encoder.dim}; make it again"
        )
    names = probe_names(run)
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, folds in enumerate(folds_of(run.seen, sorted(run.probes), *_about(store))):
        groups[folds].append(row)
    scores = np.full((len(store), len(names)), np.nan, np.float32)
    for folds, some in groups.items():
        probes = {fold: run.probes[fold] for fold in folds or run.probes}
        said = next(iter(run.task.again(probes, vectors[some], len(run.seen.class_names)).values()))
        scores[some] = said.reshape(len(some), len(names))
    return Said(scores, [], [], len(groups.get((), [])))


def _about(store: Store) -> tuple[np.ndarray, np.ndarray]:
    return store.column("frame_id"), store.of_frames("patient")


def _source(frame_id: str) -> str:
    """The part of a frame's name that stands for its source's bytes."""
    return frame_id.split(":")[0]
