"""Writing so that it outlives a power cut, and what the disk says, in one sentence."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from usfm.errors import WorkError
from usfm.store.codec import Checksum

BLOCK_BYTES = 1 << 20
"""Small writes are put together up to this."""
_BEHIND_BYTES = 1 << 23


def sync(path: Path) -> None:
    """Make what a file holds, or the renames in a folder, outlive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def disk_error(error: OSError, path: Path) -> Exception:
    """A full disk, quota or size limit as one sentence; any other error as it is.

    Args:
        error: what the system raised.
        path: what was written.

    Returns:
        A `WorkError`, or `error` itself.
    """
    words = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up",
             errno.EFBIG: "the file is larger than this system allows", errno.EROFS: "the disk is read-only",
             errno.EACCES: "no permission to write there", errno.EIO: "the disk reports an error"}  # fmt: skip
    if error.errno not in words:
        return error
    return WorkError(
        f"{path}: {words[error.errno]}; mend that and type the same command again: what is finished is kept."
    )


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Let the disk's errors through as `disk_error` puts them.

    Raises:
        WorkError: the disk is full, or may not be written.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


class SyncBehind:
    """A thread that has the disk take what is written while more is, so that the sync at the end waits for little.

    Args:
        fd: of the file; closed only after `close`.
    """

    def __init__(self, fd: int):
        self._fd, self._bytes = fd, 0
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future | None = None

    def wrote(self, size: int) -> None:
        """Note that so many bytes were written. Raises what an earlier sync met."""
        self._bytes += size
        if self._bytes >= _BEHIND_BYTES and (self._running is None or self._running.done()):
            self.wait()
            self._bytes = 0
            self._thread = self._thread or ThreadPoolExecutor(1)
            self._running = self._thread.submit(getattr(os, "fdatasync", os.fsync), self._fd)

    def wait(self) -> None:
        """Wait for the sync that is under way. Raises what it met: the system tells of a failed write only once."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown()


class Writer:
    """A file written from its beginning to its end, in large blocks; the disk's errors come as `disk_error` has them.

    Args:
        path: of the file, made anew.
        about: what to name when the disk has something to say.
    """

    def __init__(self, path: Path, about: Path):
        self._about = about
        with telling(about):
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._held, self._sum = bytearray(), Checksum()
        self._behind = SyncBehind(self._fd)

    def write(self, piece: bytes) -> None:
        """Add bytes."""
        self._held += piece
        if len(self._held) >= BLOCK_BYTES:
            self._let_go()

    def _let_go(self) -> None:
        view = memoryview(self._held)
        self._sum.add(view)
        with telling(self._about):
            while len(view):
                done = os.write(self._fd, view)
                self._behind.wrote(done)
                view = view[done:]
        self._held = bytearray()

    def finish(self) -> str:
        """Write what is held back, have it all on the disk, and close; returns the `Checksum`'s digest."""
        self._let_go()
        with telling(self._about):
            self._behind.wait()
            os.fsync(self._fd)
            self.close()
        return self._sum.digest

    def close(self) -> None:
        """Close, whole or not."""
        self._behind.close()
        fd, self._fd = self._fd, -1  # a close that fails has closed
        if fd >= 0:
            os.close(fd)
