"""The bytes of some fragments as one file that can be read and sought in, for a decoder of video."""

from bisect import bisect_right
from itertools import accumulate
from typing import BinaryIO


class StreamFile:
    """Fragments of a file, one after the other.

    Args:
        file: The opened file.
        pieces: (where it begins, length) of each fragment.
    """

    def __init__(self, file: BinaryIO, pieces: list[tuple[int, int]]):
        self._file, self._pieces, self._place = file, pieces, 0
        self._starts = [0, *accumulate(length for _, length in pieces)]

    def tell(self) -> int:
        """Return the place in the stream."""
        return self._place

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place, counted from the beginning, from here or from the end.

        Args:
            place: In bytes.
            whence: 0 for the beginning, 1 for here, 2 for the end.

        Returns:
            The place from the beginning.
        """
        self._place = max(place + (0, self._place, self._starts[-1])[whence], 0)
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes; fewer at the end."""
        left = self._starts[-1] - self._place
        left = left if size is None or size < 0 else min(size, left)
        parts = []
        while left > 0:
            number = bisect_right(self._starts, self._place) - 1
            begin, length = self._pieces[number]
            within = self._place - self._starts[number]
            self._file.seek(begin + within)
            part = self._file.read(min(left, length - within))
            if not part:
                break
            parts.append(part)
            self._place += len(part)
            left -= len(part)
        return b"".join(parts)
