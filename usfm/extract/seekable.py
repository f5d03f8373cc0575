"""Bytes inside of other bytes, readable from any place: a gzip stream with marks to go back to, a window of a file."""

import io
import threading
import zlib
from typing import BinaryIO, Protocol

from usfm.errors import MediaError

CHUNK_BYTES = 256 << 10
MARKS = 512
"""States of the decompressor that are kept, some 45 kB each; when there are more, every second one goes."""
FIRST_SPACING_BYTES = 1 << 20
FREE_BYTES = 100 << 20
"""So much may come out of any archive or member: what is small harms nobody, whatever its ratio."""
LARGEST_RATIO = 200
"""Bytes out for each byte in, past ``FREE_BYTES``: more is a bomb. Frames of black compress by less."""


def is_bomb(held_bytes: int, stored_bytes: int) -> bool:
    """Say whether so many bytes out of so few are too many.

    Args:
        held_bytes: That come out.
        stored_bytes: That they take in the file.

    Returns:
        Whether they are.

    Example:
        >>> is_bomb(90 << 20, 10), is_bomb(1 << 30, 1 << 20), is_bomb(1 << 30, 1 << 24)
        (False, True, False)
    """
    return held_bytes > FREE_BYTES and held_bytes > LARGEST_RATIO * max(stored_bytes, 1)


def bomb() -> MediaError:
    """Return what to say about one."""
    return MediaError(
        "archive bomb", f"more than {LARGEST_RATIO} bytes come out of each of its bytes; unpack it with care."
    )


class Readable(io.RawIOBase):
    """A file that is read from any place."""

    _at = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at


class Gunzipped(Readable):
    """A gzip file as it was before it was compressed, readable from any place.

    Going back starts at the nearest mark, a copy of the decompressor's state, and not at the beginning.

    Args:
        file: The compressed bytes; read by nobody else.

    Raises:
        MediaError: From ``read``, where the stream is damaged, cut or a bomb.
    """

    def __init__(self, file: BinaryIO):
        super().__init__()
        self._file, self._at, self._spacing = file, 0, FIRST_SPACING_BYTES
        self._marks: list[tuple[int, int, bytes, zlib._Decompress]] = []
        self._begin(0, 0, b"", zlib.decompressobj(wbits=31))

    def _begin(self, out: int, offset: int, rest: bytes, state: "zlib._Decompress") -> None:
        self._out, self._offset, self._rest, self._state = out, offset, rest, state
        self._ready, self._ended = b"", False

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; the end is found by decompressing everything.

        Args:
            offset: In bytes of what is unpacked.
            whence: 0 for the beginning, 1 for here, 2 for the end.

        Returns:
            The place from the beginning.
        """
        if whence == 2:
            self._at = self._out - len(self._ready)
            while self.readinto(bytearray(CHUNK_BYTES)):
                pass
        base = (0, self._at, self._at)[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer) -> int:
        """Read what comes next."""
        self._reach()
        if not self._ready and not self._more():
            return 0
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        self._at += count
        return count

    def _reach(self) -> None:
        """Decompress until the wanted place is the next one."""
        start = self._out - len(self._ready)
        if self._at < start or self._at > self._out + self._spacing:
            best = max((mark for mark in self._marks if mark[0] <= self._at), key=lambda mark: mark[0], default=None)
            if best is not None and (self._at < start or best[0] > self._out):
                self._begin(best[0], best[1], best[2], best[3].copy())
            elif self._at < start:
                self._begin(0, 0, b"", zlib.decompressobj(wbits=31))
        while self._out <= self._at and self._more():
            pass
        skipped = self._at - (self._out - len(self._ready))
        self._ready = self._ready[skipped:] if skipped >= 0 else self._ready

    def _more(self) -> bool:
        """Decompress the next bytes; False at the end."""
        if self._ended:
            return False
        if not self._marks or self._out - self._marks[-1][0] >= self._spacing:
            self._mark()
        self._ready = b""
        while not self._ready:
            data = self._rest or self._fed()
            if not data and not self._state.eof:
                raise MediaError("truncated archive", "the compressed file is cut short.")
            try:
                self._ready = self._state.decompress(data, CHUNK_BYTES)
            except zlib.error:
                raise MediaError("damaged archive", "its compressed bytes are damaged.") from None
            self._rest = self._state.unconsumed_tail
            if self._state.eof and not self._ready:
                after = self._state.unused_data.lstrip(b"\0") or self._fed().lstrip(b"\0")
                if after[:2] != b"\x1f\x8b":  # else another gzip member follows
                    self._ended = True
                    return False
                self._rest, self._state = after, zlib.decompressobj(wbits=31)
        self._out += len(self._ready)
        if is_bomb(self._out, self._offset):
            raise bomb()
        return True

    def _fed(self) -> bytes:
        self._file.seek(self._offset)
        data = self._file.read(CHUNK_BYTES)
        self._offset += len(data)
        return data

    def _mark(self) -> None:
        if self._marks and self._out <= self._marks[-1][0]:
            return
        self._marks.append((self._out, self._offset, self._rest, self._state.copy()))
        if len(self._marks) > MARKS:
            self._marks, self._spacing = self._marks[::2], 2 * self._spacing


class Owner(Protocol):
    """Holds a file that windows read by turns."""

    lock: threading.Lock


class Window(Readable):
    """Some bytes of a file as a file of their own; several windows of one file may be read by turns.

    Args:
        file: Readable from any place.
        start: Its first byte.
        size: How many bytes.
        owner: Whose file it is; its lock is held while the file is moved and read.
    """

    def __init__(self, file: BinaryIO, start: int, size: int, owner: "Owner"):
        super().__init__()
        self._file, self._start, self._size, self._at = file, start, size, 0
        self._owner = owner  # which closes the file when nobody holds it any more

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place.

        Args:
            offset: In bytes.
            whence: 0 for the beginning, 1 for here, 2 for the end.

        Returns:
            The place from the window's beginning.
        """
        self._at = max((0, self._at, self._size)[whence] + offset, 0)
        return self._at

    def readinto(self, buffer) -> int:
        """Read what comes next; the file's end may come before the window's."""
        count = min(len(buffer), self._size - self._at)
        if count <= 0:
            return 0
        with self._owner.lock:
            self._file.seek(self._start + self._at)
            data = self._file.read(count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
