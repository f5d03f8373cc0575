"""Which frames of the inputs stay, and why the others do not."""

from dataclasses import dataclass

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.inspect.select.columns import Columns
from usfm.inspect.select.config import Config
from usfm.inspect.select.expression import matches, parsed, refuse_unknown
from usfm.quantities import counted
from usfm.seeding import stream
from usfm.store.overlap import LEFT_OUT
from usfm.store.reader import Store

WHERE, CAP, WITHDRAWN = f"{LEFT_OUT}: where", f"{LEFT_OUT}: cap", "withdrawn"


@dataclass(frozen=True)
class Chosen:
    """What becomes of each frame.

    Attributes:
        stage: (N,) object: "" for a frame that stays, `WHERE` or `CAP` for one that is left out, `WITHDRAWN`.
        sources: ids (before the colon of a frame_id) of the sources of a withdrawn patient.
        paths: of these sources, as the store has them.
    """

    stage: np.ndarray
    sources: frozenset[str]
    paths: frozenset[str]


def choose(store: Store, config: Config, seed: int, gone: frozenset[str]) -> Chosen:
    """Decide for every frame.

    Args:
        store: The inputs as one.
        config: The settings.
        seed: Of the lot of --cap.
        gone: Pseudonyms of the patient who is withdrawn; empty for none.

    Returns:
        The decision.

    Raises:
        RequestError: A condition that the store cannot answer, or that holds for no frame.
    """
    stage = np.full(len(store), "", object)
    column = Columns(store)
    if config.where is not None:
        tree = parsed(config.where)
        refuse_unknown(tree, column.names())
        stage[~matches(tree, column, len(store))] = WHERE
        if not (stage == "").any():
            raise RequestError(f"--where {config.where[:60]!r}: holds for none of {counted(len(store), 'frame')}.")
    left, ids = _of_patient(store, gone) if gone else (np.zeros(len(store), bool), frozenset())
    stage[left] = WITHDRAWN
    paths = frozenset(str(one) for one in store.of_frames("path")[left])
    if config.cap is not None:
        rows = np.flatnonzero(stage == "")
        stage[rows[~_within_cap(_of_cap(store, config.cap_by, rows), config.cap, seed)]] = CAP
    return Chosen(stage, ids, paths)


def source_id(frame_id: str) -> str:
    """The source of a frame, from its id."""
    return frame_id.split(":")[0]


def _of_patient(store: Store, names: frozenset[str]) -> tuple[np.ndarray, frozenset[str]]:
    """The frames of a patient, and those of the same files under another name; and the ids of their sources."""
    source = np.array([source_id(name) for name in store.column("frame_id")], object)
    ids = set(source[np.isin(store.of_frames("patient"), list(names))].tolist())
    for one in store.unlike:
        file = store.files()[one.file]
        if file.column("/sources/patient")[file.row(one.row)["source"]] in names:
            ids.add(source_id(one.frame_id))
    return np.isin(source, list(ids)), frozenset(ids)


def _of_cap(store: Store, by: str, rows: np.ndarray) -> np.ndarray:
    """What each frame counts as: its dataset, patient or class; a clip where no patient is known."""
    if by == "class":
        return np.array([*store.class_names, ""], object)[store.labels_class()[rows]]
    values = store.of_frames(by)[rows]
    clips = np.array([f"clip {row}" for row in store.column("source")[rows].tolist()], object)
    return np.where(values == "", clips, values) if by == "patient" else values


def _within_cap(values: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Which frames stay when each value may have only so many, (n,) bool; the lot falls for each value by itself."""
    names, number = np.unique(values.astype(str), return_inverse=True)
    order = np.argsort(number, kind="stable")
    kept = np.zeros(len(values), bool)
    pieces = np.split(order, np.cumsum(np.bincount(number.reshape(-1), minlength=len(names)))[:-1])
    for name, members in zip(names.tolist(), pieces, strict=True):
        few = len(members) <= most
        kept[members if few else stream(seed, "cap", name).choice(members, most, replace=False)] = True
    return kept


def say_shared_patients(store: Store) -> None:
    """Warn of patients of one name in several collections: as a rule they are different people."""
    if len(store.paths) < 2:
        return
    patient, dataset = store.of_frames("patient"), store.of_frames("dataset")
    pairs = {(str(p), str(d)) for p, d in zip(patient, dataset, strict=True) if p}
    seen: dict[str, int] = {}
    for name, _ in pairs:
        seen[name] = seen.get(name, 0) + 1
    several = [name for name, count in seen.items() if count > 1]
    if several:
        console.warn(
            f"{counted(len(several), 'patient')} of one name stand in several collections and count as one; if "
            "they are different people, extract them with patients that say which (--group, or a manifest)"
        )
