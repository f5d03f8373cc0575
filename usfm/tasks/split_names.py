"""Find the frames of a store that an entry of a published split stands for, by the names of their sources."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from usfm.store.joins import whole_ids
from usfm.store.reader import Store
from usfm.store.schema import whole_id

_NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Entry:
    """What a published split says of one picture, clip or patient.

    Attributes:
        said: column -> name; several columns of a file may hold a name ("image" and "source").
    """

    said: dict[str, str] = field(default_factory=dict)

    def shown(self) -> str:
        """The entry in a message: one name, not too long."""
        return next(iter(self.said.values()), "")[:80]


class Names:
    """The sources of a store by the names that a file may call them by.

    Args:
        store: The store.
    """

    def __init__(self, store: Store):
        source = store.column("source")
        order = np.argsort(source, kind="stable")
        cuts = np.cumsum(np.bincount(source, minlength=store.num_sources))[:-1]
        self._rows = np.split(order, cuts)
        self._paths = [_parts(str(path)) for path in store.source_column("path")]
        self._by_stem: dict[str, list[int]] = defaultdict(list)
        for row, path in enumerate(self._paths):
            if path and len(self._rows[row]):
                self._by_stem[_stem(path[-1])].append(row)
        self._columns = {
            "frame_id": _index(store.column("frame_id"), np.arange(len(store))),
            "source_id": _index(
                np.array([one.split(":")[0] for one in store.column("frame_id")], object), np.arange(len(store))
            ),
            "sha256": _index(store.of_frames("sha256"), np.arange(len(store))),
            "patient": _index(store.of_frames("patient"), np.arange(len(store))),
            "exam": _index(store.of_frames("exam"), np.arange(len(store))),
        }
        self._wholes = _index(whole_ids(store.column("frame_id")), np.arange(len(store)))
        self._folders: dict[str, list[int]] = defaultdict(list)
        for row, path in enumerate(self._paths):
            for name in set(path[:-1]):
                self._folders[name].append(row)

    def shown(self) -> str:
        """A source's path, for a message."""
        return "/".join(self._paths[0])[-80:] if self._paths else ""

    def best(self, entries: Sequence[Entry]) -> list[np.ndarray]:
        """The frames of each entry, by the one column of the file that finds most of them.

        Args:
            entries: of the file; one with a `frame_id` is of that frame only.

        Returns:
            For each entry the rows of its frames, none where it stands for none or for several sources alike.
        """
        columns = list(dict.fromkeys(name for entry in entries for name in entry.said))
        found = [[self._named(name, entry.said.get(name, "")) for entry in entries] for name in columns]
        best = max(found, key=lambda rows: sum(len(one) > 0 for one in rows), default=[_NOTHING] * len(entries))
        if "frame_id" in columns:  # what is said of a frame is not meant for its whole source
            frames = found[columns.index("frame_id")]
            best = [frames[at] if "frame_id" in entry.said else best[at] for at, entry in enumerate(entries)]
        return best

    def _named(self, column: str, name: str) -> np.ndarray:
        if not name:
            return _NOTHING
        if column == "frame_id" and name not in self._columns[column]:  # of a store before or after views were split
            return self._wholes.get(whole_id(name), _NOTHING)
        if column in self._columns:
            return self._columns[column].get(name, _NOTHING)
        sources = self._ending(_parts(name))
        if not sources:
            for known in ("frame_id", "patient", "exam"):
                if name in self._columns[known]:
                    return self._columns[known][name]
            sources = self._folders.get(name.strip("/"), [])
        return np.sort(np.concatenate([self._rows[row] for row in sources])) if sources else _NOTHING

    def _ending(self, name: tuple[str, ...]) -> list[int]:
        """The source whose path ends most like a name; one whose ending is of another kind of file may do."""
        near = self._by_stem.get(_stem(name[-1]), []) if name else []
        if len(near) > 1:
            likeness = [_likeness(self._paths[row], name) for row in near]
            near = [row for row, like in zip(near, likeness, strict=True) if like == max(likeness)]
        return near if len(near) == 1 else []


def _index(values: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    names, place = np.unique(np.asarray(values, object).astype(str), return_inverse=True)
    order = np.argsort(place, kind="stable")
    pieces = np.split(rows[order], np.cumsum(np.bincount(place, minlength=len(names)))[:-1])
    return {name: piece for name, piece in zip(names.tolist(), pieces, strict=True) if name}


def _parts(path: str) -> tuple[str, ...]:
    return tuple(one for one in path.replace("\\", "/").split("/") if one not in ("", "."))


def _stem(name: str) -> str:
    """A file's name without its ending, by which names are looked up.

    Examples:
        >>> _stem("Im 1.PNG"), _stem("scan.nii.gz"), _stem("v1.2")
        ('im 1', 'scan', 'v1.2')
    """
    name = name.removesuffix(".gz")
    suffix = PurePosixPath(name).suffix
    ending = 1 < len(suffix) <= 6 and any(letter.isalpha() for letter in suffix)
    return (name.removesuffix(suffix) if ending else name).casefold()


def _likeness(path: tuple[str, ...], name: tuple[str, ...]) -> tuple[int, int, int]:
    """How much of a name is the end of a path: its folders first, then the very ending and the very letters."""
    folders = 0
    for mine, wanted in zip(reversed(path[:-1]), reversed(name[:-1]), strict=False):
        if mine.casefold() != wanted.casefold():
            break
        folders += 1
    return folders, int(path[-1].casefold() == name[-1].casefold()), int(path[-1] == name[-1])
