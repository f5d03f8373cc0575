"""A deflated data set as a file that can be read and sought in, of which only a window is ever held."""

import zlib
from typing import BinaryIO

from usfm.errors import MediaError

BLOCK = 1 << 16
MOST_BYTES = 8 << 30
"""A data set that grows past this is taken for a bomb."""


class Inflated:
    """Reads a raw deflate stream from some place of a file on; going back begins anew.

    Args:
        file: The file as it lies on disk.
        start: Where the deflated bytes begin in it.
    """

    def __init__(self, file: BinaryIO, start: int):
        self._file, self._start = file, start
        self._begin()

    def _begin(self) -> None:
        self._file.seek(self._start)
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._held, self._at, self._fed = b"", 0, b""

    def tell(self) -> int:
        """Return the place in the inflated bytes."""
        return self._at

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place, counted from the beginning or from here.

        Args:
            place: In bytes of what is inflated.
            whence: 0 for the beginning, 1 for here.

        Returns:
            The place; nearer than asked for where the data end before.

        Raises:
            OSError: If it is counted from the end, which nobody knows, or lies before the beginning.
        """
        place = place + self._at if whence == 1 else place
        if whence == 2 or place < 0:
            raise OSError("a deflated data set has no known end")
        if place < self._at:
            self._begin()
        while self._at < place:
            if not self.read(min(place - self._at, 1 << 20)):
                break
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Inflate so many bytes; fewer at the end.

        Raises:
            OSError: If all of it is asked for at once.
            MediaError: If more comes out than is allowed.
        """
        if size is None or size < 0:
            raise OSError("a deflated data set is not read in one piece")
        parts = []
        while size > 0:
            if not self._held and not self._more():
                break
            taken = self._held[:size]
            self._held = self._held[size:]
            size -= len(taken)
            self._at += len(taken)
            parts.append(taken)
        if self._at > MOST_BYTES:
            raise MediaError("too large", "its deflated data set grows past 8 GiB.")
        return b"".join(parts)

    def _more(self) -> bool:
        while not self._inflate.eof:
            self._fed = self._inflate.unconsumed_tail or self._file.read(BLOCK)
            if not self._fed:
                return False
            try:
                self._held = self._inflate.decompress(self._fed, 1 << 20)
            except zlib.error:
                return False
            if self._held:
                return True
        return False
