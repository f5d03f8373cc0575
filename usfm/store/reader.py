"""A store, one file or many seen as one: columns, frames, clips, regions, labels."""

import glob
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.store import digest
from usfm.store.history import joined
from usfm.store.label_reader import LabelReader
from usfm.store.region_reader import RegionReader
from usfm.store.rows import once
from usfm.store.schema import SOURCES, TABLES, group_name, group_shape


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
        paths: a file, or several in order. A frame that several of them hold is one frame, where it stands first.
        first_wins: whether two may differ in a frame that both hold.

    Raises:
        RequestError: a file is missing, foreign, or of a newer version; two hold the same frame and differ in it.
        Damaged: a file is not what was written.

    Examples:
        >>> import tempfile
        >>> from usfm.store.assemble import write_store
        >>> from usfm.store.writer import PartWriter
        >>> part = PartWriter(class_names=("healthy", "ill"))
        >>> source = part.source(path="a.png", sha256="ab" * 32, kind="image", patient="p1")
        >>> part.frame(np.ones((4, 6), np.uint8), frame_id="abab:0", source=source, index=0, time_s=0.0, label="ill")
        0
        >>> folder = tempfile.TemporaryDirectory()
        >>> store = Store(write_store(f"{folder.name}/a.h5", part))
        >>> len(store), store.frame(0).shape, store.of_frames("patient")[0], store.class_names[store.labels_class()[0]]
        (1, (4, 6), 'p1', 'ill')
        >>> folder.cleanup()
    """

    @classmethod
    def open(cls, path: str | Path | Sequence[str | Path], *, first_wins: bool = False) -> "Store":
        """Open one path, several, or patterns such as `raw-*.h5` (sorted by name).

        Args:
            path: one or several, or patterns.
            first_wins: whether two files may differ in a frame that both hold.

        Returns:
            The store.

        Raises:
            RequestError: a file is missing, foreign, newer or given twice; two hold the same frame and differ in it.
        """
        found = expanded(path)
        real = [_real(name) for name in found]
        twice = [name for name, place in zip(found, real, strict=True) if real.count(place) > 1]
        if twice:
            raise RequestError(f"{min(twice)}: given twice as input; name each store once.")
        return cls(found, first_wins=first_wins)

    def __repr__(self) -> str:
        return f"Store({self.paths}, {len(self)} frames)"

    @property
    def content_id(self) -> str:
        """Digest of the content: one file's own id, or for several the digest of theirs in order."""
        ids = [file.content_id for file in self.files()]
        return ids[0] if len(ids) == 1 else digest.content_id(ids)

    @property
    def history(self) -> list[dict]:
        """The steps that led here, oldest first; steps that several files share appear once."""
        return joined([file.history for file in self.files()])

    @property
    def num_sources(self) -> int:
        """Sources."""
        return len(self.sources_joined()[0])

    @property
    def source_columns(self) -> list[str]:
        """Names of the columns of /sources, those of manifests among them."""
        names = {name for file in self.files() for name in file.source_columns}
        return [name for name in SOURCES if name in names] + sorted(names - set(SOURCES))

    def source_row(self, row: int) -> dict:
        """One row of /sources."""
        return self.sources_joined()[0][row]

    def source_column(self, name: str, default: object = "") -> np.ndarray:
        """A column of /sources, (S,); `default` where it is unknown.

        Args:
            name: of the column, also one of the manifest's.
            default: stands for it in the files that lack it.

        Returns:
            The schema's dtype; text as objects.
        """
        values = [row.get(name, default) for row in self.sources_joined()[0]]
        if name in SOURCES and SOURCES[name].dtype not in ("str", "text"):
            return np.array(values, SOURCES[name].dtype)
        out = np.empty(len(values), object)
        out[:] = values
        return out

    def of_frames(self, name: str, default: object = "") -> np.ndarray:
        """A column of /sources for each frame, (N,), such as the patient.

        Args:
            name: of the column.
            default: stands for it in the files that lack it.

        Returns:
            The values, in the order of the frames.
        """
        return self.source_column(name, default)[self.column("source")]

    def clips(self) -> list[np.ndarray]:
        """Rows of each source's frames in the order of time, each view apart; sources without frames are left out."""
        source, time, view = self.column("source"), self.column("time_s"), self.column("part")
        order = np.lexsort((self.column("index"), np.nan_to_num(time, nan=0.0), view, source))
        edges = np.flatnonzero(np.diff(source[order]) | np.diff(view[order])) + 1
        return [rows for rows in np.split(order, edges) if len(rows)]

    def frame(self, i: int) -> np.ndarray:
        """Pixels of frame `i`: uint8 (H, W) or (H, W, 3)."""
        file, row, _ = self.place(int(i))
        return file.frame(row)

    def frames(self, rows: Sequence[int] | np.ndarray, threads: int = 0) -> list[np.ndarray]:
        """Pixels of many frames, each uint8 (H, W[, 3]) of its own size.

        Args:
            rows: frames of the store.
            threads: that decompress them, 0 or 1 = this one.

        Returns:
            The frames, in the order of `rows`.
        """
        places = [int(row) for row in rows]
        if threads < 2 or len(places) < 2:
            return [self.frame(row) for row in places]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.frame, places))

    @property
    def sizes(self) -> dict[str, tuple[int, ...]]:
        """The size groups that occur, as shapes."""
        return {name: group_shape(name) for file in self.files() for name in file.groups}

    @property
    def fixed_shape(self) -> tuple[int, ...] | None:
        """(H, W) or (H, W, 3) when all frames have one size and lie uncompressed, as after `sector`; else None."""
        groups = {(name, offset is None) for file in self.files() for name, offset in file.groups.items()}
        if len(groups) != 1 or next(iter(groups))[1]:
            return None
        return group_shape(next(iter(groups))[0])

    @property
    def frame_size(self) -> tuple[int, int]:
        """(rows, columns) of every frame.

        Raises:
            RequestError: the store is not one of fixed size.
        """
        rows, columns, *_ = self._fixed()
        return rows, columns

    def _fixed(self) -> tuple[int, ...]:
        if self.fixed_shape is None:
            raise RequestError(f"{self.paths[0]}: frames differ in size; run `usfm sector` on it first.")
        return self.fixed_shape

    def pixels(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Frames of a fixed-size store as one array, uint8 (n, H, W[, 3]), from the memory maps.

        Each frame is compared with its CRC-32 the first time that this process reads it.

        Raises:
            RequestError: the store is not one of fixed size.
            Damaged: a frame is not what was written.
        """
        shape, wanted = self._fixed(), np.asarray(rows, np.int64).reshape(-1)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"frame {wanted.max()} of {len(self)}")
        files, group = self.files(), group_name(shape)
        if len(files) == 1:
            return files[0].pixels_of(group, wanted)
        out = np.empty((len(wanted), *shape), np.uint8)
        which = np.searchsorted(self.first, wanted, side="right") - 1
        for at in np.unique(which).tolist():
            mine = np.flatnonzero(which == at)
            places, kept = wanted[mine] - self.first[at], self.kept[at]
            out[mine] = files[at].pixels_of(group, places if kept is None else kept[places])
        return out

    def torch(self, *, split: str | None = None, patients: Sequence[str] | None = None,
              rows: Sequence[int] | None = None, labels: Sequence[str] | None = None,
              transform: Callable | None = None):  # fmt: skip
        """A map-style data set of torch (`samples.Samples`), safe in the workers of a DataLoader, forked or spawned.

        Args:
            split: only frames of this split.
            patients: only frames of these patients.
            rows: only these frames.
            labels: kinds of label that a sample has, such as ("label", "mask"); default those that the store holds.
            transform: takes a sample and gives what the caller wants.

        Returns:
            The data set; its `by_patient` cuts it into pieces that share no patient.

        Raises:
            RequestError: no frame is left, or the store has no labels of a kind.
        """
        from usfm.store.samples import samples

        return samples(self, split, patients, rows, labels, transform)

    def pandas(self, rows: Sequence[int] | None = None):
        """All columns as one table, a row a frame: those of /frames, of its source, and labels by name.

        A column of /sources that /frames has too begins with ``source_``; those of labels begin with ``multi/``,
        ``value/``, ``score/``. Masks and boxes are no columns: see `label_mask` and `boxes`.

        Args:
            rows: only these frames.

        Raises:
            RequestError: pandas is not installed; the extra `tables` brings it.
        """
        from usfm.store.frame_table import frame_table

        return frame_table(self, rows)

    def _table(self, name: str) -> dict[str, np.ndarray]:
        tables = [file.table(name) for file in self.files()]
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
        tables = [file.table("parts") for file in self.files()]
        for first, kept, table in zip(self.first, self.kept, tables, strict=False):
            ends = [table["first_row"], table["first_row"] + table["rows"]]
            begin, end = ends if kept is None else (np.searchsorted(kept, edge) for edge in ends)
            table["first_row"], table["rows"] = begin + int(first), end - begin
        return {name: np.concatenate([table[name] for table in tables]) for name in TABLES["parts"]}

    def require(self, *, regions: bool = False, fixed: bool = False, classes: bool = False,
                labels: bool = False) -> "Store":  # fmt: skip
        """Refuse a store that lacks what a command needs, and name the command that makes it.

        Args:
            regions: the acoustic region must be known.
            fixed: all frames must be of one size and uncompressed.
            classes: some frame must have a class.
            labels: the labels of several files must go together.

        Returns:
            The store itself.

        Raises:
            RequestError: something is lacking, or there are no frames at all.
        """
        name = self.paths[0]
        if labels:
            _ = self.label_heads
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
