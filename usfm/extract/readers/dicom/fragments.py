"""Where each frame lies in encapsulated pixel data: by an offset table, or found on the way; nothing is read ahead."""

from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from usfm.errors import MediaError
from usfm.extract.readers.dicom.codestream import starts_frame

ITEM, END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
UNDEFINED = 0xFFFFFFFF
MOST_TABLE_BYTES = 64 << 20


class Fragments:
    """The frames of encapsulated pixel data.

    Args:
        file: The opened file.
        at: Where the value of the pixel data begins.
        size: Bytes of the file.
        declared: Frames that the header names; 0 where it names none.
        table: The extended offset table, b"" where there is none.
        whole: Whether each item is a frame of its own (RLE), whatever its first bytes.

    Attributes:
        broken: Whether the items end without their end mark: the file is cut short or damaged.
    """

    def __init__(self, file: BinaryIO, at: int, size: int, declared: int, table: bytes = b"", whole: bool = False):
        self._file, self._size, self._declared, self._whole = file, size, declared, whole
        self.broken = False
        first, length = self._item(at)
        if first < 0 or length == UNDEFINED:
            raise MediaError("damaged", "its pixel data do not begin with a table of offsets.")
        self._begin = first + length
        basic = self._read(first, length) if 0 < length <= MOST_TABLE_BYTES else b""
        self._table = self._checked(table, 8) or self._checked(basic, 4)
        self._starts, self._next, self._done = array("q"), self._begin, False

    def has(self, number: int) -> bool:
        """Say whether there is a frame of this number; finds it on the way where there is no table."""
        if self._table:
            if number >= len(self._table):
                return False
            if self._item(self._table[number])[0] >= 0:
                return True
            self._table = array("q")  # it points astray: the items themselves are the better guide
        while number >= len(self._starts) and not self._done:
            self._step()
        return number < len(self._starts)

    def frame(self, number: int, most_bytes: int) -> bytes:
        """Return the bytes of a frame; fewer than there should be where the file is cut short.

        Args:
            number: Of the frame, from 0.
            most_bytes: That a frame of this size can take.

        Returns:
            Its bytes.

        Raises:
            MediaError: If there is no such frame, or it takes more than ``most_bytes``.
        """
        parts, left = [], most_bytes
        for begin, length in self.pieces(number):
            left -= length
            if left < 0:
                raise MediaError("damaged frame", "it takes more bytes than a frame of its size can.")
            parts.append(self._read(begin, length))
        if not parts:
            raise MediaError("missing frame", "there is no such frame.")
        return b"".join(parts)

    def pieces(self, number: int) -> Iterator[tuple[int, int]]:
        """Give (where it begins, length) of each fragment of a frame."""
        if not self.has(number):
            return
        after = self.has(number + 1)
        starts = self._table or self._starts
        place, end = starts[number], starts[number + 1] if after else self._size
        while place < end:
            begin, length = self._item(place)
            if begin < 0 or length == UNDEFINED:
                return
            yield begin, min(length, max(self._size - begin, 0))
            place = begin + length

    def everything(self) -> list[tuple[int, int]]:
        """Return (where it begins, length) of all fragments: those of a stream that knows no frames."""
        found, place = [], self._begin
        while True:
            begin, length = self._item(place)
            if begin < 0 or length == UNDEFINED:
                self.broken = self._read(place, 4) != END
                return found
            there = min(length, max(self._size - begin, 0))
            found.append((begin, there))
            if there < length:
                self.broken = True
                return found
            place = begin + length

    def _step(self) -> None:
        """Look at the next item: does it begin a frame?"""
        begin, length = self._item(self._next)
        if begin < 0 or length == UNDEFINED or begin + length > self._size:
            self._done = True
            self.broken = self._read(self._next, 4) != END
            if begin < 0 or length == UNDEFINED or begin >= self._size:
                return
        if not self._starts or self._whole or starts_frame(self._read(begin, 8)):
            self._starts.append(self._next)
        self._next = begin + length

    def _item(self, place: int) -> tuple[int, int]:
        """Read the head of an item; returns where its value begins, -1 where there is no item, and its length."""
        head = self._read(place, 8)
        if len(head) < 8 or head[:4] != ITEM:
            return -1, 0
        return place + 8, int.from_bytes(head[4:], "little")

    def _read(self, place: int, size: int) -> bytes:
        self._file.seek(place)
        return self._file.read(max(min(size, self._size - place), 0))

    def _checked(self, table: bytes, width: int) -> array:
        """Return the places of a table of offsets; nothing where it cannot be right."""
        count = len(table) // width
        if count < max(self._declared, 1):
            return array("q")
        offsets = [int.from_bytes(table[width * one : width * (one + 1)], "little") for one in range(count)]
        rising = offsets[0] == 0 and all(a < b for a, b in pairwise(offsets))
        right = rising and offsets[-1] < 1 << 62
        return array("q", [self._begin + offset for offset in offsets]) if right else array("q")
