"""Where h5py is called: open, write columns and blocks, index chunks, and a file that survives a full disk."""

import errno
import io
import os
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from usfm.errors import RequestError
from usfm.store.codec import LEVEL
from usfm.store.disk import BLOCK_BYTES, SyncBehind
from usfm.store.schema import FORMAT, VERSION, Dataset, describe

_TEXT = h5py.string_dtype()


def open_store(path: Path | str) -> h5py.File:
    """Open a store for reading, file locking off.

    Raises:
        RequestError: missing, not readable, truncated, not HDF5, not a store, or written by a newer version.
    """
    path = Path(path)
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise RequestError(_why_not(path, error)) from None
    found, version = file.attrs.get("format"), file.attrs.get("version")
    if found != FORMAT or not isinstance(version, (int, np.integer)):
        file.close()
        raise RequestError(f"{path}: an HDF5 file, but not a usfm store; make one with `usfm extract`.")
    if version > VERSION:
        file.close()
        raise RequestError(
            f"{path}: a store of version {version}, and this usfm reads up to version {VERSION}; install a newer usfm."
        )
    return file


def _why_not(path: Path, error: OSError) -> str:
    if path.is_dir():
        return f"{path}: a folder, not a store; make a store of it with `usfm extract`."
    if not path.exists():
        return f"{path}: no such file."
    if not os.access(path, os.R_OK):
        return f"{path}: no permission to read it."
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(8)
    if head != b"\x89HDF\r\n\x1a\n":
        what = "an empty file" if not size else "not an HDF5 file"
        return f"{path}: {what}, so not a store; make one with `usfm extract`."
    if "truncated" in str(error):
        return f"{path}: truncated ({size:,} bytes are left); copy it again or run the command that made it again."
    return f"{path}: damaged, HDF5 cannot open it; copy it again or run the command that made it again."


def write_column(file: h5py.File, row: Dataset, path: str, values) -> None:
    """Write one 1-D (or small n-D) dataset of the schema.

    Args:
        file: open for writing.
        row: what the schema says of it.
        path: where it goes.
        values: a sequence; str for `str` and `text`.
    """
    if row.dtype == "text":
        data = np.array([str(v) for v in values], object)
        dataset = file.create_dataset(path, data=data, dtype=_TEXT)
    elif row.dtype == "str":
        dataset = file.create_dataset(path, data=fixed_text(np.array([str(v).encode() for v in values], "S")))
    else:
        dataset = file.create_dataset(path, data=np.asarray(values, row.dtype))
    document(dataset, row)


def fixed_text(values: np.ndarray) -> np.ndarray:
    """Bytes as the fixed-length UTF-8 type that HDF5 knows."""
    return values.astype(h5py.string_dtype("utf-8", max(values.dtype.itemsize, 1)))


def document(dataset: h5py.Dataset, row: Dataset | None = None) -> None:
    """Write the attributes `unit` and `description` from the schema."""
    row = row or describe(dataset.name)
    dataset.attrs["unit"], dataset.attrs["description"] = row.unit, row.description


def read_column(dataset: h5py.Dataset) -> np.ndarray:
    """Read a dataset; strings come as an object array of str."""
    values = dataset[()]
    if values.dtype.kind in "SO":
        out = np.empty(len(values), object)
        out[:] = [v.decode() if isinstance(v, bytes) else v for v in values.tolist()]
        return out
    return values


def create_chunked(file: h5py.File, path: str, count: int, shape: tuple[int, ...]) -> h5py.Dataset:
    """Make a uint8 dataset (count, *shape) of one gzip chunk a row, without room for its chunks yet."""
    return file.create_dataset(
        path, (count, *shape), np.uint8, chunks=(1, *shape), compression="gzip", compression_opts=LEVEL
    )


def create_contiguous(file: h5py.File, path: str, count: int, shape: tuple[int, ...]) -> h5py.Dataset:
    """Make an uncompressed uint8 dataset (count, *shape): allocated now, filled with nothing, in one piece."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.CONTIGUOUS)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    space = h5py.h5s.create_simple((count, *shape))
    return h5py.Dataset(h5py.h5d.create(file.id, path.encode(), h5py.h5t.NATIVE_UINT8, space, plist, links))


def chunk_index(dataset: h5py.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the rows of a chunked dataset lie in the file.

    Returns:
        byte offsets, byte lengths (0 = the row was never written) and filter masks, (n,) int64 each, by row.
    """
    table = np.zeros((3, len(dataset)), np.int64)
    if len(dataset):

        def note(chunk):
            table[:, chunk.chunk_offset[0]] = chunk.byte_offset, chunk.size, chunk.filter_mask

        dataset.id.chunk_iter(note)
    return table[0], table[1], table[2]


def put_chunks(dataset: h5py.Dataset, first: int, chunks: Iterable) -> int:
    """Write finished gzip chunks as rows `first`, `first + 1`, ...; returns how many."""
    write, tail = dataset.id.write_direct_chunk, (0,) * (dataset.ndim - 1)
    row = first
    for chunk in chunks:
        write((row, *tail), chunk, 0)
        row += 1
    return row - first


class Sink(io.RawIOBase):
    """A file for h5py to write into that remembers a failed write instead of letting HDF5 see it.

    HDF5 does not get over a write that fails: the library crashes at exit. This file swallows everything after the
    first failure, so that h5py closes in peace, and `finish` raises what went wrong.

    Small writes that follow one another are put together, and a thread has the disk take what is written while more
    is: the sync at the end then waits for little.

    Args:
        path: of the file, made anew.
        reserve: bytes to reserve first by `posix_fallocate`, so that a full disk shows before anything is written.
    """

    def __init__(self, path: Path | str, reserve: int = 0):
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._at = self._end = 0
        self._held, self._held_at, self._next = bytearray(), 0, 0
        self._behind = SyncBehind(self._fd)
        self.error: OSError | None = None
        if reserve:
            self._try(lambda: _reserve(self._fd, reserve))

    def _try(self, action) -> None:
        if self.error is None:
            try:
                action()
            except OSError as error:
                self.error = error

    def fileno(self) -> int:
        """The file descriptor."""
        return self._fd

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; the end is the end of what was written, not of what was reserved."""
        if whence == os.SEEK_END:
            self._let_go()
        self._at = offset + (0, self._at, self._end)[whence] if whence else offset
        return self._at

    def tell(self) -> int:
        """Where the next write goes."""
        return self._at

    def write(self, data) -> int:
        """Write all of `data`, or remember why not."""
        size = len(data)
        if self._held and (self._at != self._next or len(self._held) + size > BLOCK_BYTES):
            self._let_go()
        if size >= BLOCK_BYTES:
            self.put(self._at, data)
        else:
            if not self._held:
                self._held_at = self._at
            self._held += data
        self._next = self._at = self._at + size
        return size

    def put(self, at: int, data) -> None:
        """Write all of `data` at an offset, or remember why not."""
        self._let_go()
        self._try(lambda: self._write_all(data, at))
        self._end = max(self._end, at + len(data))

    def _let_go(self) -> None:
        """Write what is held back."""
        if self._held:
            held, self._held = self._held, bytearray()
            self._try(lambda: self._write_all(held, self._held_at))
            self._end = max(self._end, self._held_at + len(held))

    def _write_all(self, data, at: int) -> None:
        done = os.pwrite(self._fd, data, at)
        while done < len(data):
            done += os.pwrite(self._fd, memoryview(data)[done:], at + done)
        self._behind.wrote(len(data))

    def readinto(self, buffer) -> int:
        """Read what was written; zeros after a failure."""
        self._let_go()
        view = memoryview(buffer).cast("B")
        data = os.pread(self._fd, len(view), self._at)
        view[: len(data)] = data
        view[len(data) :] = bytes(len(view) - len(data))
        self._at += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the end."""
        self._end = self._at if size is None else size
        return self._end

    def flush(self) -> None:
        """Nothing is held back."""

    def finish(self) -> None:
        """Cut what was reserved too much, sync, close. Raises the first OSError of all that happened."""
        self._let_go()
        self._try(self._behind.wait)
        self._try(lambda: os.ftruncate(self._fd, self._end))
        self._try(lambda: os.fsync(self._fd))
        self.abandon()
        if self.error is not None:
            raise self.error

    def abandon(self) -> None:
        """Close without a word."""
        self._behind.close()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _reserve(fd: int, size: int) -> None:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
