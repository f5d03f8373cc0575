"""Columns of a store as arrays, read from where the layout says that they lie."""

import os
from contextlib import nullcontext

import h5py
import numpy as np

from usfm.store import hdf5
from usfm.store.damage import damaged, reading
from usfm.store.layout import FileLayout
from usfm.store.schema import TABLES, describe

_TEXT = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
"""A text of any length as HDF5 keeps it: how long, and in which heap."""


class Columns:
    """Reads the columns of one file; HDF5 is asked for text of any length only.

    Args:
        path: of the file.
        layout: of its datasets.

    Attributes:
        file: the file as HDF5 has it open, while it does: text is read from there.
    """

    def __init__(self, path: str, layout: FileLayout):
        self.path, self.layout = path, layout
        self.file: h5py.File | None = None
        self._fd = -1
        self._texts: dict[str, np.ndarray] = {}

    def __del__(self):
        self.close()

    def close(self) -> None:
        """Close the file; it opens again by itself."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def size(self) -> int:
        """Bytes of the file."""
        return os.path.getsize(self.path)

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the file, all that are asked for.

        Args:
            offset: of the first byte in the file.
            size: how many bytes.

        Returns:
            `size` bytes.

        Raises:
            Damaged: the file ends before.
        """
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        pieces, done = [], 0
        while done < size:
            piece = os.pread(self._fd, min(size - done, 1 << 30), offset + done)
            if not piece:
                raise damaged(self.path, "it is shorter than when it was opened")
            pieces.append(piece)
            done += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def stored(self, path: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Values of a column as they are stored: numbers, bytes of one length, or bytes as objects.

        Args:
            path: of the column; one that the file lacks has its missing value in each row of its table.
            start: first row.
            stop: row behind the last; default all.

        Returns:
            The rows from `start` to `stop`, (n, ...) in the column's own dtype.

        Raises:
            Damaged: the file ends before the column does, or its text cannot be read.
        """
        column = self.layout.columns.get(path)
        if column is None:
            return self._missing(path)[start:stop]
        stop = column.shape[0] if stop is None else min(stop, column.shape[0])
        if column.dtype is None:
            if path not in self._texts:
                self._texts[path] = self._text(path)
            return self._texts[path][start:stop]
        shape = (max(stop - start, 0), *column.shape[1:])
        size = column.dtype.itemsize * int(np.prod(column.shape[1:], dtype=np.int64))
        data = self.pread(column.offset + start * size, shape[0] * size)
        return np.frombuffer(data, column.dtype).reshape(shape)

    def _missing(self, path: str) -> np.ndarray:
        row, first = describe(path), {"frames": "frame_id", "sources": "path", "parts": "name"}
        table = path.split("/")[1]
        names = [first[table]] if table in first else list(TABLES.get(table, ()))
        count = max((self.layout.length(f"/{table}/{name}") for name in names), default=0)
        if row.dtype not in ("str", "text"):
            return np.full(count, row.missing, row.dtype)
        value = str(row.missing).encode()
        return np.full(count, value, object if row.dtype == "text" else f"S{max(len(value), 1)}")

    def _text(self, path: str) -> np.ndarray:
        column = self.layout.columns[path]
        count, size = column.shape[0], self.size()
        if not count:
            return np.zeros(0, object)
        places = np.frombuffer(self.pread(column.offset, count * _TEXT.itemsize), _TEXT)
        there = places["length"] > 0
        if int(places["length"].astype(np.uint64).sum()) > size or (places["address"][there] >= size).any():
            raise damaged(self.path, f"{path} holds more text than the file has bytes")
        opened = nullcontext(self.file) if self.file is not None else hdf5.open_store(self.path)
        with reading(self.path, path), opened as file:
            found = np.asarray(hdf5.dataset(file, path)[()])
            if set(map(type, found.tolist())) != {bytes}:
                raise ValueError("no text")
            return found

    def decoded(self, path: str) -> np.ndarray:
        """Values of a column; text as an object array of str."""
        values = self.stored(path)
        if values.dtype.kind not in "SO":
            return values
        out = np.empty(len(values), object)
        with reading(self.path, path):
            out[:] = [value.decode() for value in values.tolist()]
        return out
