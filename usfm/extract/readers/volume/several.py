"""Pixels in several files: which ones a header means, and their elements one after another."""

import io
import re
from typing import BinaryIO

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume.header import integers

MOST_FILES = 100_000
LONGEST = 4096
"""Letters of a pattern: no file system has longer names."""
PATTERN = re.compile(r"%(0?)(\d?)[dui]")


def listed(media: Media, names: list[str], wanted: int) -> tuple[Media, ...]:
    """Return the files of a list in a header.

    Args:
        media: The header.
        names: As they stand there.
        wanted: How many there must be; 0 where the header does not say.

    Returns:
        The files.

    Raises:
        MediaError: If there is another number of them, or one leads out of the header's folder.
    """
    if not names or len(names) > MOST_FILES or (wanted and len(names) != wanted):
        raise MediaError("damaged header", f"it names {len(names)} data files, and its sizes need {wanted or 'some'}.")
    return tuple(media.beside(name) for name in names)


def numbered(text: str, wanted: int) -> list[str]:
    """Write out a pattern such as ``slice%03d.raw 1 20 1``: a name, the first number, the last one and the step.

    Args:
        text: The pattern, with or without numbers behind it.
        wanted: How many files there are where the pattern does not say.

    Returns:
        The names.

    Raises:
        MediaError: If it is no pattern with one number in it.

    Example:
        >>> numbered("a%02d.raw 8 12 2", 3), numbered("slice %d.raw", 2)
        (['a08.raw', 'a10.raw', 'a12.raw'], ['slice 1.raw', 'slice 2.raw'])
    """
    if len(text) > LONGEST:
        raise MediaError("damaged header", "the name of its data files is longer than any is.")
    name, numbers = text, [1, wanted, 1]
    match = re.fullmatch(r"(.*%.*?)((?:\s+[-+]?\d{1,9}){1,4})\s*", text)
    if match:
        told = integers(match[2])[:3]
        name, numbers = match[1], told + numbers[len(told) :]
    first, last, step = numbers
    parts = PATTERN.split(name)
    if len(parts) != 4 or "%" in parts[0] + parts[3] or not step or abs((last - first) // step) >= MOST_FILES:
        raise MediaError("damaged header", "what it says of its data files is no pattern of numbered names.")
    front, zero, width, end = parts
    return [f"{front}{str(number).rjust(int(width or 0), zero or ' ')}{end}"
            for number in range(first, last + (1 if step > 0 else -1), step)]  # fmt: skip


def joined(files: tuple[Media, ...], each: int, offset: int) -> BinaryIO:
    """Open files as one: the bytes that count in each of them, one after another.

    Args:
        files: In their order.
        each: Bytes that count in each of them.
        offset: Where those begin; -1 where they are the last bytes.

    Returns:
        A file that is read from any place; one of the files is open at a time.
    """
    return _Joined(files, each, offset)  # type: ignore[return-value]


class _Joined(io.RawIOBase):
    """Files one after another, each from some byte on; see `joined`."""

    def __init__(self, files: tuple[Media, ...], each: int, offset: int):
        self._files, self._each, self._offset, self._at = files, each, offset, 0
        self._number, self._file = -1, None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset
        return offset

    def readinto(self, buffer) -> int:
        number, within = divmod(self._at, self._each)
        if number >= len(self._files):
            return 0
        file = self._opened(number)
        start = self._offset if self._offset >= 0 else file.seek(0, io.SEEK_END) - self._each
        file.seek(start + within)
        data = file.read(min(len(buffer), self._each - within))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _opened(self, number: int) -> BinaryIO:
        if self._file is None or number != self._number:
            self._let_go()
            self._number, self._file = number, self._files[number].open()
        return self._file

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        self._let_go()
        super().close()
