"""A store, one file or many seen as one: columns, frames, clips, regions, labels."""

import glob
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.store import digest, overlap
from usfm.store.label_reader import LabelReader
from usfm.store.opened import stored_file
from usfm.store.region_reader import RegionReader
from usfm.store.rows import once
from usfm.store.schema import FRAMES, SOURCES, TABLES, group_name, group_shape
from usfm.store.stored import StoredFile


def expanded(path: str | Path | Sequence[str | Path]) -> list[str]:
    """Paths of files: one path, several, or patterns such as `raw-*.h5` (sorted by name); a literal name goes first.

    Raises:
        RequestError: a pattern that no file matches, or nothing at all.
    """
    found: list[str] = []
    for one in [path] if isinstance(path, (str, Path)) else path:
        text = str(one)
        if not glob.has_magic(text) or os.path.lexists(text):
            found.append(text)
            continue
        matches = sorted(glob.glob(text))
        if not matches:
            raise RequestError(f"{text}: no file matches.")
        found += matches
    if not found:
        raise RequestError("no store was given; name one with --in.")
    return found


def _real(path: str) -> str:
    """Where a path leads; the path itself where it can lead nowhere."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


class Store(LabelReader, RegionReader):
    """Frames and all that is known about them.

    A Store keeps paths and nothing open: it pickles into any worker, forked or spawned, and opens there what it needs.
    Row numbers in its columns (source, region_row, overlay_row) count over all its files.

    Args:
        paths: files, in order. A frame that several of them hold is one frame, where it stands first.

    Raises:
        RequestError: a file is missing, foreign, or of a newer version; two hold the same frame and differ in it.
        Damaged: a file is not what was written.
    """

    def __init__(self, paths: Sequence[str | Path]):
        self.paths = [str(path) for path in paths]
        self._columns: dict[str, np.ndarray] = {}
        self._opened: tuple[int, list[StoredFile]] = (0, [])
        self._start()

    @classmethod
    def open(cls, path: str | Path | Sequence[str | Path]) -> "Store":
        """Open one path, several, or patterns such as `raw-*.h5` (sorted by name)."""
        found = expanded(path)
        real = [_real(name) for name in found]
        twice = [name for name, place in zip(found, real, strict=True) if real.count(place) > 1]
        if twice:
            raise RequestError(f"{min(twice)}: given twice as input; name each store once.")
        return cls(found)

    def _start(self) -> None:
        files = self._files()
        self._kept = overlap.kept_rows(files)
        counts = [f.count if kept is None else len(kept) for f, kept in zip(files, self._kept, strict=True)]
        self._first = np.cumsum([0, *counts])
        self._first_region = np.cumsum([0, *(f.num_regions for f in files)])
        self._first_overlay = np.cumsum([0, *(f.num_overlays for f in files)])

    def __getstate__(self) -> dict:
        return {"paths": self.paths}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["paths"])

    def __len__(self) -> int:
        """Frames."""
        return int(self._first[-1])

    def __repr__(self) -> str:
        return f"Store({self.paths}, {len(self)} frames)"

    def _files(self) -> list[StoredFile]:
        pid, files = self._opened
        if pid != os.getpid():  # never what a parent process opened
            files = [stored_file(path) for path in self.paths]
            self._opened = os.getpid(), files
        return files

    def _place(self, i: int) -> tuple[StoredFile, int, int]:
        """File, row in it, and number of the file that frame `i` lies in."""
        if not 0 <= i < len(self):
            raise IndexError(f"frame {i} of {len(self)}")
        at = int(np.searchsorted(self._first, i, side="right")) - 1
        row, kept = int(i - self._first[at]), self._kept[at]
        return self._files()[at], row if kept is None else int(kept[row]), at

    def _whole(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """Values of the frames of each file as values of this store's frames."""
        found = [piece if kept is None else piece[kept] for piece, kept in zip(pieces, self._kept, strict=True)]
        return found[0] if len(found) == 1 else np.concatenate(found)

    @property
    def content_id(self) -> str:
        """Digest of the content: one file's own id, or for several the digest of theirs in order."""
        ids = [file.content_id for file in self._files()]
        return ids[0] if len(ids) == 1 else digest.content_id(ids)

    @property
    def history(self) -> list[dict]:
        """The steps that led here, oldest first; steps that several files share appear once."""
        steps: list[dict] = []
        for file in self._files():
            steps += [step for step in file.history if step not in steps]
        return steps

    def column(self, name: str) -> np.ndarray:
        """A column of /frames, (N,); strings as an object array of str. It is shared, so it cannot be written to."""
        if name not in FRAMES:
            raise KeyError(f"{name} is not a column of /frames; there are {', '.join(FRAMES)}")
        if name not in self._columns:
            pieces = [file.column(f"/frames/{name}") for file in self._files()]
            if name == "source":
                pieces = [self._source_rows()[at][piece] for at, piece in enumerate(pieces)]
            first = {"region_row": self._first_region, "overlay_row": self._first_overlay}.get(name)
            if first is not None:
                pieces = [np.where(p >= 0, p + int(first[at]), -1) for at, p in enumerate(pieces)]
            self._columns[name] = self._whole(pieces).view()
            self._columns[name].flags.writeable = False
        return self._columns[name]

    def _source_rows(self) -> list[np.ndarray]:
        """For each file, its source rows as rows of this store: a source that two files share is one row."""
        self._join_sources()
        return self._joined[1]

    def _join_sources(self) -> None:
        if hasattr(self, "_joined"):
            return
        seen: dict[str, int] = {}
        rows, maps = [], []
        for file in self._files():
            table = {name: values.tolist() for name, values in file.table("sources").items()}
            here = []
            for values in zip(*table.values(), strict=True):
                row = dict(zip(table, values, strict=True))
                key = digest.row_digest(row) if len(self.paths) > 1 else str(len(seen))
                if key not in seen:
                    seen[key] = len(rows)
                    rows.append(row)
                here.append(seen[key])
            maps.append(np.array(here, np.int32))
        self._joined = rows, maps

    @property
    def num_sources(self) -> int:
        """Sources."""
        self._join_sources()
        return len(self._joined[0])

    @property
    def source_columns(self) -> list[str]:
        """Names of the columns of /sources, those of manifests among them."""
        names = {name for file in self._files() for name in file.source_columns}
        return [name for name in SOURCES if name in names] + sorted(names - set(SOURCES))

    def source_row(self, row: int) -> dict:
        """One row of /sources."""
        self._join_sources()
        return self._joined[0][row]

    def source_column(self, name: str, default: object = "") -> np.ndarray:
        """A column of /sources, (S,); `default` where it is unknown."""
        self._join_sources()
        values = [row.get(name, default) for row in self._joined[0]]
        if name in SOURCES and SOURCES[name].dtype not in ("str", "text"):
            return np.array(values, SOURCES[name].dtype)
        out = np.empty(len(values), object)
        out[:] = values
        return out

    def of_frames(self, name: str, default: object = "") -> np.ndarray:
        """A column of /sources for each frame, (N,), such as the patient."""
        return self.source_column(name, default)[self.column("source")]

    def clips(self) -> list[np.ndarray]:
        """Rows of each source's frames in the order of time; sources without frames are left out."""
        source, time = self.column("source"), self.column("time_s")
        order = np.lexsort((self.column("index"), np.nan_to_num(time, nan=0.0), source))
        edges = np.flatnonzero(np.diff(source[order])) + 1
        return [rows for rows in np.split(order, edges) if len(rows)]

    def frame(self, i: int) -> np.ndarray:
        """Pixels of frame `i`: uint8 (H, W) or (H, W, 3)."""
        file, row, _ = self._place(int(i))
        return file.frame(row)

    def frames(self, rows: Sequence[int], threads: int = 0) -> list[np.ndarray]:
        """Pixels of many frames, decompressed by `threads` threads (0 = in this one)."""
        rows = [int(row) for row in rows]
        if threads < 2 or len(rows) < 2:
            return [self.frame(row) for row in rows]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.frame, rows))

    @property
    def sizes(self) -> dict[str, tuple[int, ...]]:
        """The size groups that occur, as shapes."""
        return {name: group_shape(name) for file in self._files() for name in file.groups}

    @property
    def fixed_shape(self) -> tuple[int, ...] | None:
        """(H, W) or (H, W, 3) when all frames have one size and lie uncompressed, as after `sector`; else None."""
        groups = {(name, offset is None) for file in self._files() for name, offset in file.groups.items()}
        if len(groups) != 1 or next(iter(groups))[1]:
            return None
        return group_shape(next(iter(groups))[0])

    def _fixed(self) -> tuple[int, ...]:
        if self.fixed_shape is None:
            raise RequestError(f"{self.paths[0]}: frames differ in size; run `usfm sector` on it first.")
        return self.fixed_shape

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        """Frames of a fixed-size store as one array, uint8 (n, H, W[, 3]), from the memory maps.

        Each frame is compared with its CRC-32 the first time that this process reads it.

        Raises:
            RequestError: the store is not one of fixed size.
            Damaged: a frame is not what was written.
        """
        shape, wanted = self._fixed(), np.asarray(rows, np.int64).reshape(-1)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"frame {wanted.max()} of {len(self)}")
        files, group = self._files(), group_name(shape)
        if len(files) == 1:
            return files[0].pixels_of(group, wanted)
        out = np.empty((len(wanted), *shape), np.uint8)
        which = np.searchsorted(self._first, wanted, side="right") - 1
        for at in np.unique(which).tolist():
            mine = np.flatnonzero(which == at)
            places, kept = wanted[mine] - self._first[at], self._kept[at]
            out[mine] = files[at].pixels_of(group, places if kept is None else kept[places])
        return out

    def _table(self, name: str) -> dict[str, np.ndarray]:
        tables = [file.table(name) for file in self._files()]
        return {column: np.concatenate([table[column] for table in tables]) for column in TABLES[name]}

    def _shared(self, name: str) -> dict[str, np.ndarray]:
        return self._table(name) if len(self.paths) == 1 else once(self._table(name))

    def dropped(self) -> dict[str, np.ndarray]:
        """/dropped, over all steps: frame_id, kept_by, similarity, stage; a row that several files share once."""
        return self._shared("dropped")

    def rejected(self) -> dict[str, np.ndarray]:
        """/rejected, over all steps: source, frame_id, stage, reason, detail; a row that several files share once."""
        return self._shared("rejected")

    def parts(self) -> dict[str, np.ndarray]:
        """/parts: name, first_row (of this store), rows (those that no earlier file has), digest."""
        tables = [file.table("parts") for file in self._files()]
        for first, kept, table in zip(self._first, self._kept, tables, strict=False):
            ends = [table["first_row"], table["first_row"] + table["rows"]]
            begin, end = ends if kept is None else (np.searchsorted(kept, edge) for edge in ends)
            table["first_row"], table["rows"] = begin + int(first), end - begin
        return {name: np.concatenate([table[name] for table in tables]) for name in TABLES["parts"]}

    def require(self, *, regions: bool = False, fixed: bool = False, classes: bool = False) -> "Store":
        """Raise RequestError, naming the command to run, where the store lacks what is needed; else return it."""
        name = self.paths[0]
        if not len(self):
            raise RequestError(f"{name}: holds no frames.")
        if fixed:
            self._fixed()
        if regions and not self.has_regions:
            raise RequestError(
                f"{name}: the acoustic region of its frames is not known; run `usfm sector` on it first."
            )
        if classes and not (self.class_names and (self.labels_class() >= 0).any()):
            raise RequestError(
                f"{name}: has no class labels; give them to `usfm extract` with --labels folder or --manifest."
            )
        return self
