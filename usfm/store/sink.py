"""A file for h5py to write into that survives a full disk."""

import errno
import io
import os
from pathlib import Path

from usfm.store.disk import BLOCK_BYTES, SyncBehind


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
        """Move; the end is the end of what was written, not of what was reserved.

        Args:
            offset: bytes from where `whence` says.
            whence: one of `os.SEEK_SET`, `os.SEEK_CUR`, `os.SEEK_END`.

        Returns:
            The new place, in bytes from the start.
        """
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
        """Write all of `data` at an offset, or remember why not.

        Args:
            at: bytes from the start of the file.
            data: anything with the buffer interface.
        """
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
        """Close and raise nothing."""
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
