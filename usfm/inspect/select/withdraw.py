"""Where a withdrawn patient is left: the stores, runs and tables below some folders that hold the patient."""

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.pseudonyms import keyed, load_key, patient_of
from usfm.quantities import counted
from usfm.store import digest, tables
from usfm.store.reader import Store

_HDF5 = b"\x89HDF\r\n\x1a\n"
_TEXTS = (".csv", ".tsv", ".json", ".jsonl", ".html", ".md", ".txt", ".toml", ".part")
_LARGEST, _PIECE = 1 << 31, 1 << 22
_CARD = "card.json"
_LISTED = 10
_JOINED = 12
"""Stores that are tried as joint inputs of a run."""


@dataclass(frozen=True)
class Who:
    """A patient, as stores call them.

    Attributes:
        names: The pseudonym under the key, and the id itself for stores that keep it.
        token: The pseudonym: long enough to be looked for in texts.
        key_id: What tells this key from others.
        secret: What the history keeps instead of the id.
    """

    names: frozenset[str]
    token: str
    key_id: str
    secret: str

    @classmethod
    def of(cls, patient: str, salt: str | None) -> "Who":
        """Hash an id as `usfm extract` does.

        Args:
            patient: As the media, the manifest or the group said it.
            salt: Key file, None for `USFM_SALT` or the user's own.

        Returns:
            Who is looked for.

        Raises:
            RequestError: the key cannot be read.
        """
        key = load_key(salt, create=False)
        token = patient_of(key, patient)
        return cls(frozenset((token, patient.strip())), token, keyed(key, "key"),
                   f"key:{keyed(key, 'setting', patient)}")  # fmt: skip


def refuse_other_keys(stores: Sequence[Store], who: Who) -> None:
    """See that the key is the one that stores were extracted with: under another nobody would be found.

    Args:
        stores: To be looked through.
        who: Who is looked for.

    Raises:
        RequestError: a store's pseudonyms were made with another key.
    """
    for store in stores:
        if other_key(store, who):
            raise RequestError(
                f"{', '.join(store.paths)}: its patients were hashed with another key, so this one finds nobody; give "
                "the key file that extract was given with --salt."
            )


def other_key(store: Store, who: Who) -> bool:
    """Whether a store's pseudonyms were made with other keys only, and the patient is not in it.

    Args:
        store: The store.
        who: Who is looked for.

    Returns:
        False where no step of its history names a key.
    """
    keys = {step.get("options", {}).get("salt") for step in store.history if step.get("command") == "extract"}
    keys = {str(one) for one in keys if one}
    return bool(keys) and f"key:{who.key_id}" not in keys and not set(store.source_column("patient")) & who.names


@dataclass
class _Found:
    """What a search has met so far."""

    left: dict[str, str] = field(default_factory=dict)
    unchecked: dict[str, str] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    holding: dict[str, str] = field(default_factory=dict)
    clean: set[str] = field(default_factory=set)


def search(folders: Sequence[str], who: Who, *, known: frozenset[str]) -> dict:
    """Look at every file below some folders; links are not followed.

    Args:
        folders: Where to look.
        who: The patient.
        known: Ids of the patient's sources, from the inputs.

    Returns:
        `left` and `unchecked`: a list of {"path", "why"} each, and `failed_gate`, a sentence, where one is not empty.

    Raises:
        RequestError: a folder is none.
    """
    for one in folders:
        if not os.path.isdir(one):
            raise RequestError(f"--search {one}: is no folder.")
    files = sorted({path for one in folders for path in _files(Path(one))})
    found = _Found(sources=set(known))
    rest: list[Path] = []
    with console.progress("search", len(files), "files") as bar:
        for path in files:
            if not (_begins(path, _HDF5) and _store(path, who, found)):
                rest.append(path)
            bar.advance()
        _by_sources(files, set(rest), found)
    for path in rest:
        _other(path, who, found)
    left, unchecked = _listed(found.left), _listed(found.unchecked)
    summary: dict = {"left": left, "unchecked": unchecked, "searched": len(files)}
    for one in left:
        console.say(f"  {one['path']}: {one['why']}")
    for one in unchecked:
        console.warn(f"{one['path']}: {one['why']}")
    if left or unchecked:
        what = [f"{counted(len(left), 'place')} still hold the patient"] if left else []
        what += [f"{counted(len(unchecked), 'place')} could not be checked"] if unchecked else []
        first = ", ".join(one["path"] for one in [*left, *unchecked][:_LISTED])
        summary["failed_gate"] = f"{' and '.join(what)}: {first}; remove them or make them again without the patient."
    else:
        console.say(f"none of {counted(len(files), 'file')} holds the patient")
    return summary


def _files(folder: Path) -> Iterator[Path]:
    for parent, below, names in os.walk(folder):
        below.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _listed(found: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "why": found[path]} for path in sorted(found)]


def _begins(path: Path, words: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(words)) == words
    except OSError:
        return False


def _place(path: Path) -> str:
    """A file, or the run that it lies in."""
    run = next((folder for folder in [*path.parents][:3] if (folder / _CARD).is_file()), None)
    return str(path if run is None else run)


# ---------------------------------------------------------------- stores


def _store(path: Path, who: Who, found: _Found) -> bool:
    """Look into a store; False where it is none."""
    try:
        store = Store.open(path)
    except RequestError as error:
        if "not a usfm store" in str(error):
            return False
        found.unchecked[str(path)] = "cannot be read, so it may hold the patient"
        return True
    mine = np.isin(store.of_frames("patient"), list(who.names))
    found.sources |= {name.split(":")[0] for name in store.column("frame_id")[mine].tolist()}
    rows = int(mine.sum())
    if rows or set(store.source_column("patient")) & who.names:
        found.left[str(path)] = f"holds {counted(rows, 'frame')} of the patient"
        found.holding[store.content_id] = str(path)
    elif other_key(store, who):
        found.unchecked[str(path)] = "its patients were hashed with another key, so it may hold the patient"
    else:
        found.clean.add(store.content_id)
    return True


def _by_sources(files: Sequence[Path], rest: set[Path], found: _Found) -> None:
    """Look again for stores that hold the patient's files without saying whose they are."""
    for path in files:
        if path in rest or str(path) in found.left or not found.sources:
            continue
        try:
            store = Store.open(path)
        except RequestError:
            continue
        rows = sum(name.split(":")[0] in found.sources for name in store.column("frame_id").tolist())
        if rows:
            found.left[str(path)] = f"holds {counted(rows, 'frame')} of the patient's files"
            found.unchecked.pop(str(path), None)
            found.clean.discard(store.content_id)
            found.holding[store.content_id] = str(path)


# ---------------------------------------------------------------- runs, tables, exports


def _other(path: Path, who: Who, found: _Found) -> None:
    """Look into what is no store: predictions and features, cards of runs, tables and exports as text."""
    place = _place(path)
    if _begins(path, _HDF5):
        why = _table(path, who, found)
    elif path.name == _CARD or path.suffix.lower() == ".json":
        why = _text(path, who, found) or _made_from(path, found)
    else:
        why = _text(path, who, found) if path.suffix.lower() in _TEXTS else ""
    if why:
        found.left.setdefault(place, why)
        found.unchecked.pop(place, None)


def _table(path: Path, who: Who, found: _Found) -> str:
    """Rows of predictions or features that are the patient's."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            kind = file.attrs.get("format", "")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        if not kind.startswith("usfm-"):
            return ""
        columns, _ = tables.read(path, kind)
    except (OSError, RequestError, RuntimeError, ValueError, TypeError):
        found.unchecked.setdefault(_place(path), f"{path.name} cannot be read, so it may hold the patient")
        return ""
    told = []
    for prefix, what in (("", "row"), ("training/", "training row")):
        patient, ids = columns.get(f"{prefix}patient"), columns.get(f"{prefix}frame_id")
        mine = np.zeros(len(ids) if ids is not None else len(patient) if patient is not None else 0, bool)
        if patient is not None:
            mine |= np.isin(patient, list(who.names))
        if ids is not None:
            mine |= np.array([str(name).split(":")[0] in found.sources for name in ids.tolist()], bool)
        if mine.any():
            told.append(counted(int(mine.sum()), what))
    return f"{path.name} holds {' and '.join(told)} of the patient" if told else ""


def _text(path: Path, who: Who, found: _Found) -> str:
    """Whether a text or an unfinished part names the pseudonym, or one of the patient's sources."""
    words = [one.encode() for one in (who.token, *found.sources) if len(one) >= 16]
    try:
        if not words or path.stat().st_size > _LARGEST:
            return ""
        longest, end = max(map(len, words)), b""
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                if any(word in end + piece for word in words):
                    return f"{path.name} names the patient's pseudonym or files"
                end = piece[-longest:]
    except OSError:
        found.unchecked.setdefault(_place(path), f"{path.name} cannot be read, so it may hold the patient")
    return ""


def _made_from(path: Path, found: _Found) -> str:
    """Whether a card says that something was made from a store that holds the patient."""
    try:
        card = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < 1 << 26 else None
    except (OSError, ValueError, RecursionError):
        return ""
    if not isinstance(card, dict):
        return ""
    settings = card.get("settings")
    for inputs in (
        card.get("inputs"),
        settings.get("inputs") if isinstance(settings, dict) else None,
        card.get("store"),
    ):
        one = inputs.get("store") if isinstance(inputs, dict) else inputs
        if not isinstance(one, str) or not one:
            continue
        holding = found.holding.get(one) or _jointly(one, found)
        if holding:
            return f"was made from {holding}"
        if (
            one not in found.clean
            and not holding
            and path.name == _CARD
            and not (path.parent / "predictions.h5").exists()
        ):
            found.unchecked.setdefault(_place(path), "was trained on a store that is not below the folders searched")
    return ""


def _jointly(content: str, found: _Found) -> str:
    """A store with the patient among several that together have a content id."""
    ids = [*found.holding, *sorted(found.clean)]
    if len(ids) > _JOINED:
        return ""
    for count in (2, 3):
        for some in itertools.permutations(ids, count):
            if digest.content_id(list(some)) == content:
                held = [found.holding[one] for one in some if one in found.holding]
                if not held:
                    found.clean.add(content)
                return held[0] if held else ""
    return ""
