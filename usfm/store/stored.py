"""One store file as a process sees it: columns on demand, chunks by their place in the file, no HDF5 handle kept."""

import json
import os
from collections import OrderedDict

import numpy as np

from usfm.errors import RequestError
from usfm.store import hdf5
from usfm.store.codec import decompress, unpack_mask
from usfm.store.schema import FRAMES, SOURCES, TABLES, group_shape

BLOCK = 1024
"""Rows of /frames that are read at once for `StoredFile.row`."""

_CACHE: OrderedDict[tuple, "StoredFile"] = OrderedDict()
_CACHED_FILES = 64


def signature(path: str) -> tuple:
    """What tells one state of a file from another: path, inode, size, time of change."""
    try:
        stat = os.stat(path)
    except OSError:
        return (path,)
    return (path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def stored_file(path: str) -> "StoredFile":
    """The file of a path, opened once per process; opened anew when it has changed."""
    key = (os.getpid(), *signature(path))
    found = _CACHE.get(key)
    if found is None:
        found = _CACHE[key] = StoredFile(path)
        while len(_CACHE) > _CACHED_FILES:
            _CACHE.popitem(last=False)
    _CACHE.move_to_end(key)
    return found


class StoredFile:
    """One file. HDF5 opens it only while an index or a column is read; pixels come by `pread` and memory maps.

    So there is no HDF5 handle that a fork could share or a pickle could carry, and HDF5's global lock is never held
    while frames are read or decompressed.
    """

    def __init__(self, path: str):
        self.path = path
        self._fd = -1
        self._columns: dict[str, np.ndarray] = {}
        self._blocks: OrderedDict[int, dict[str, list]] = OrderedDict()
        self._chunks: dict[str, tuple] = {}
        self._maps: dict[str, np.memmap] = {}
        self._places: tuple[list[str], np.ndarray, np.ndarray] | None = None
        with hdf5.open_store(path) as file:
            self.content_id = str(file.attrs.get("content_id", ""))
            self.history = [json.loads(step) for step in file.attrs.get("history", [])]
            try:
                self.count = len(file["/frames/frame_id"])
                self.groups = {name: self._layout(file[f"/pixels/{name}"]) for name in file.get("/pixels", {})}
                self.num_sources = len(file["/sources/path"])
            except KeyError as error:
                raise RequestError(f"{path}: damaged, a table is missing ({error}); make it again.") from None
            self.num_regions = len(file["/regions/key"]) if "/regions/key" in file else 0
            self.num_overlays = len(file["/overlay/key"]) if "/overlay/key" in file else 0
            self.blocks = frozenset(_labels_of(file))
            self.class_names = _names(file, "/labels/class")
            self.box_names = _names(file, "/labels/boxes/class")
            self.source_columns = list(file["/sources"])
            self.patch = None
            if "/patches/coverage" in file and "size_px" in file["/patches/coverage"].attrs:
                attrs = file["/patches/coverage"].attrs
                self.patch = int(attrs["size_px"]), int(attrs["patch_px"])

    @staticmethod
    def _layout(dataset) -> int | None:
        """Offset of a contiguous dataset in the file, None for a chunked one."""
        return dataset.id.get_offset() if dataset.chunks is None else None

    def __del__(self):
        if self._fd >= 0:
            os.close(self._fd)

    def column(self, path: str) -> np.ndarray:
        """A whole dataset by its path, kept for the next time; a column that is not there has its missing value."""
        if path not in self._columns:
            with hdf5.open_store(self.path) as file:
                self._columns[path] = self._read(file, path)
        return self._columns[path]

    def _read(self, file, path: str) -> np.ndarray:
        if path in file:
            return hdf5.read_column(file[path])
        table, name = path.strip("/").split("/", 1)
        row = TABLES[table][name]
        count = {"frames": self.count, "sources": self.num_sources}.get(table, 0)
        return np.full(count, row.missing, object if row.dtype in ("str", "text") else row.dtype)

    def place(self, i: int) -> tuple[str, int]:
        """Size group and row in it of frame `i`."""
        if self._places is None:
            with hdf5.open_store(self.path) as file:
                names, codes = np.unique(file["/frames/pixels_group"][()], return_inverse=True)
                self._places = [n.decode() for n in names], codes.astype(np.int16), file["/frames/pixels_row"][()]
        names, codes, rows = self._places
        return names[codes[i]], int(rows[i])

    def row(self, i: int) -> dict:
        """Everything in /frames about frame `i`, as Python values; neighbours are read with it."""
        block = i // BLOCK
        if block not in self._blocks:
            rows = slice(block * BLOCK, (block + 1) * BLOCK)
            with hdf5.open_store(self.path) as file:
                self._blocks[block] = {name: _plain(file[f"/frames/{name}"][rows]) for name in FRAMES}
            while len(self._blocks) > 16:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(block)
        columns, at = self._blocks[block], i % BLOCK
        return {name: values[at] for name, values in columns.items()}

    def table(self, name: str) -> dict[str, np.ndarray]:
        """All columns of a table."""
        with hdf5.open_store(self.path) as file:
            names = list(file[f"/{name}"]) if name == "sources" else list(TABLES[name])
            order = (
                [n for n in SOURCES if n in names] + sorted(set(names) - set(SOURCES)) if name == "sources" else names
            )
            return {n: self._read(file, f"/{name}/{n}") for n in order}

    def attribute(self, path: str, name: str) -> str:
        """A string attribute of a group, "" if absent."""
        with hdf5.open_store(self.path) as file:
            return str(file[path].attrs.get(name, "")) if path in file else ""

    def chunks(self, path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]:
        """Offsets, lengths and filter masks of a chunked dataset's rows, and the shape of a row."""
        if path not in self._chunks:
            with hdf5.open_store(self.path) as file:
                dataset = file[path]
                if dataset.chunks != (1, *dataset.shape[1:]) or dataset.compression != "gzip":
                    raise RequestError(f"{self.path}: {path} is not in gzip chunks of one row, so not written by usfm.")
                self._chunks[path] = (*hdf5.chunk_index(dataset), dataset.shape[1:])
        return self._chunks[path]

    def raw(self, path: str, row: int) -> bytes:
        """The compressed chunk of a row, as it lies in the file."""
        offsets, sizes, masks, _ = self.chunks(path)
        if not sizes[row]:
            raise RequestError(f"{self.path}: row {row} of {path} was never written; run `usfm info --verify` on it.")
        data = os.pread(self._file(), int(sizes[row]), int(offsets[row]))
        if masks[row]:  # stored without its filter by another program
            from usfm.store.codec import compress

            return compress(data)
        return data

    def _file(self) -> int:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fd

    def decoded(self, path: str, row: int) -> np.ndarray:
        """One row of a chunked dataset: uint8, its own shape. Raises RequestError where it is damaged."""
        shape = self.chunks(path)[3]
        try:
            data = decompress(self.raw(path, row), int(np.prod(shape)))
        except ValueError as error:
            raise RequestError(
                f"{self.path}: row {row} of {path}: {error}; run `usfm info --verify` on it, it says what is good."
            ) from None
        return np.frombuffer(bytearray(data), np.uint8).reshape(shape)

    def map(self, group: str) -> np.memmap:
        """A contiguous size group as a read-only memory map (n, H, W[, 3])."""
        if group not in self._maps:
            with hdf5.open_store(self.path) as file:
                count = len(file[f"/pixels/{group}"])
            shape = (count, *group_shape(group))
            self._maps[group] = np.memmap(self.path, np.uint8, "r", self.groups[group], shape)
        return self._maps[group]

    def pixels(self, group: str, row: int) -> np.ndarray:
        """Decoded pixels of one frame."""
        if self.groups[group] is not None:
            return np.array(self.map(group)[row])
        return self.decoded(f"/pixels/{group}", row)

    def mask(self, table: str, row: int) -> np.ndarray:
        """The mask of a row of /regions or /overlay: bool (H, W)."""
        group = self.column(f"/{table}/mask_group")[row]
        place = int(self.column(f"/{table}/mask_row")[row])
        return unpack_mask(self.decoded(f"/{table}/mask/{group}", place).tobytes(), group_shape(group))


def _plain(values: np.ndarray) -> list:
    return [v.decode() for v in values.tolist()] if values.dtype.kind == "S" else values.tolist()


def _labels_of(file) -> list[str]:
    names = ("/labels/class", "/labels/multi", "/labels/mask_row", "/labels/boxes/offsets", "/labels/split")
    return [name for name in (*names, "/patches/coverage") if name in file]


def _names(file, path: str) -> list[str]:
    names = file[path].attrs.get("names", []) if path in file else []
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
