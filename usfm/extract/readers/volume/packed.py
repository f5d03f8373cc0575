"""The bytes behind a header: raw, compressed, or numbers as text; all of it read forward, none of it kept."""

import atexit
import bz2
import gzip
import io
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, BinaryIO

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume import hdf5, matlab
from usfm.extract.readers.volume.grid import Grid
from usfm.extract.readers.volume.several import joined

COMPRESSED_BYTES = 8 << 30
"""Decompressed bytes up to which a compressed file is read."""
DEFLATE_RATIO = 1032
"""No deflated byte stands for more."""
TEXT_BYTES = 128 << 20
"""Bytes up to which numbers written as text are read."""
OPENERS = {"hdf5": hdf5.opened, "matlab": matlab.opened}
FAULTS = (OSError, EOFError, zlib.error, ValueError)
"""What the decompressors raise for a damaged stream."""


class _Inflated(io.RawIOBase):
    """A deflated stream inside a file, read forward; going back begins anew.

    Args:
        file: It begins where the file stands.
        window: As ``zlib.decompressobj`` has it.
    """

    def __init__(self, file: BinaryIO, window: int):
        self._file, self._start, self._window = file, file.tell(), window
        self._begin()

    def _begin(self) -> None:
        self._file.seek(self._start)
        self._inflate, self._at = zlib.decompressobj(self._window), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._inflate.eof:
            data = self._inflate.unconsumed_tail or self._file.read(1 << 16)
            piece = self._inflate.decompress(data, len(view))
            if piece:
                view[: len(piece)] = piece
                self._at += len(piece)
                return len(piece)
            if not data:
                break
        return 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if offset < self._at:
            self._begin()
        while self._at < offset and self.read(min(offset - self._at, 1 << 20)):
            pass
        return self._at


def check(grid: Grid) -> None:
    """Refuse a file that cannot hold what its header says, before any of it is read.

    Raises:
        MediaError: If the file with the elements is missing or too short, or if they are more than is read.
    """
    sizes = [_size(media) for media in grid.files or (grid.data,)]
    if min(grid.sizes) < 1:
        raise MediaError("no pixels", "its header says a size of zero.")
    if grid.coding in OPENERS:
        return  # what they hold was looked at when the header was read
    if grid.files:
        if min(sizes) - max(grid.offset, 0) < -(-grid.bytes // len(sizes)):
            raise MediaError("truncated", "one of the files with its pixels is shorter than its header says.")
        return
    held = sizes[0] - max(grid.offset, 0) - (grid.skip if grid.coding == "raw" else 0)
    short = f"its header says {grid.bytes} bytes of pixels, and {max(held, 0)} are there."
    if grid.coding == "raw" and held < grid.bytes:
        raise MediaError("truncated", short)
    if grid.coding in ("zlib", "gzip", "deflate") and held * DEFLATE_RATIO < grid.bytes:
        raise MediaError("truncated", short[:-1] + " compressed.")
    if grid.coding not in ("raw", "text") and grid.bytes > COMPRESSED_BYTES:
        most = COMPRESSED_BYTES >> 30
        raise MediaError("too large", f"it unpacks to more than {most} GiB; save it without compression.")
    if grid.coding == "text" and (held > TEXT_BYTES or 2 * grid.elements - 1 > held):
        raise MediaError(
            "too large" if held > TEXT_BYTES else "truncated",
            f"its numbers are text of {held} bytes for {grid.elements} elements; save it as binary.",
        )


def _size(media: Media) -> int:
    try:
        if media.member is not None and media.member.place >= 0:
            return media.size
        with media.open() as file:
            return file.seek(0, io.SEEK_END)
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file with its pixels.") from None
    except OSError:  # also a name that no file can have
        raise MediaError("no data file", "a file that its header names for the pixels is not there.") from None


@contextmanager
def opened(grid: Grid) -> Iterator[tuple[Any, int]]:
    """Open the elements; gives a file of decompressed bytes, or a dataset, and where in it they begin."""
    if grid.coding in OPENERS:
        with OPENERS[grid.coding](grid) as elements:
            yield elements, 0
        return
    if grid.files:
        with closing(joined(grid.files, grid.bytes // len(grid.files), grid.offset)) as file:
            yield file, 0
        return
    if grid.coding not in ("raw", "text"):
        with _unpacked(grid) as stream:
            yield stream, 0
        return
    with grid.data.open() as file:
        start = grid.offset if grid.offset >= 0 else file.seek(0, io.SEEK_END) - grid.bytes
        if grid.coding == "raw":
            yield file, start
        else:
            file.seek(start)
            yield io.BytesIO(_numbers(file, grid)), 0


KEPT: dict[tuple, tuple[BinaryIO, Any]] = {}
"""The stream that was unpacked last in this process: the next range of the same file goes on where it stands."""


def _drop() -> None:
    while KEPT:
        _, (file, stream) = KEPT.popitem()
        stream.close()
        file.close()


atexit.register(_drop)


@contextmanager
def _unpacked(grid: Grid) -> Iterator[Any]:
    """Give the decompressed bytes of a file, which may stand anywhere."""
    status = os.stat(grid.data.path)
    told = (status.st_ino, status.st_size, status.st_mtime_ns)
    key = (os.getpid(), grid.data, told, grid.offset, grid.coding)  # a fork would share the place in the file
    if key not in KEPT:
        _drop()
        file = grid.data.open()
        file.seek(max(grid.offset, 0))
        KEPT[key] = (file, _stream(file, grid.coding))
    try:
        yield KEPT[key][1]
    except GeneratorExit:
        raise
    except BaseException:  # what stands after damage is not known
        _drop()
        raise


def _stream(file: BinaryIO, coding: str) -> Any:
    source: Any = _Part(file) if file.tell() else file
    if coding == "gzip":
        return gzip.GzipFile(fileobj=source, mode="rb")
    if coding == "bzip2":
        return bz2.BZ2File(source)
    window = -15 if coding == "deflate" else 47  # 47: zlib or gzip, by its first bytes
    return io.BufferedReader(_Inflated(file, window), 1 << 20)


class _Part(io.RawIOBase):
    """A file from some byte on, so that what reads it may go back to its beginning."""

    def __init__(self, file: BinaryIO):
        self._file, self._start = file, file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            offset += self._start
        return self._file.seek(offset, whence) - self._start


def _numbers(file: BinaryIO, grid: Grid) -> bytes:
    """Read numbers that are written as text, into the bytes that they stand for."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = np.fromstring(file.read(TEXT_BYTES).decode("ascii"), sep=" ")
    except (ValueError, DeprecationWarning):
        raise MediaError("damaged", "its pixels are text, and some of it is no number.") from None
    if len(values) < grid.elements:
        raise MediaError("truncated", f"it holds {len(values)} of {grid.elements} numbers.")
    with np.errstate(invalid="ignore"):
        return values[: grid.elements].astype(grid.dtype).tobytes()
