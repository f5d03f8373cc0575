"""The header of a DICOM file: only the tags that are wanted, and where the pixel data begin; nothing else is kept."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.contract import HEAD_BYTES
from usfm.extract.readers.dicom.inflate import Inflated
from usfm.extract.readers.dicom.recognise import MARK, MARK_AT, guess
from usfm.extract.readers.dicom.tags import NAMES, WANTED

UNDEFINED = 0xFFFFFFFF
MOST_HEADER_BYTES = 64 << 20
LONGEST_VALUE_BYTES = 8 << 20
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DIRECTORY = "1.2.840.10008.1.3.10"
PIXELS, FLOATS = 0x7FE00010, (0x7FE00008, 0x7FE00009)
ITEMS = 0xFFFE0000
FLOATS_ONLY = -2
"""``Header.length`` where the pixels are floating point."""


@dataclass(frozen=True)
class Header:
    """What a file says about itself, opened for reading its pixels.

    Attributes:
        data: The wanted data elements (a pydicom ``Dataset``).
        syntax: UID of the transfer syntax, "" where the file names none.
        kind: UID of the SOP class, "" where the file names none.
        file: From which the pixels are read: the file, or what it inflates to.
        at: Where the value of the pixel data begins in ``file``; -1 where there are none.
        length: Its length in bytes, ``UNDEFINED`` where it is encapsulated.
        size: Bytes of the file; -1 where it inflates to nobody knows how many.
        big: Whether its numbers are big endian.
        words: Whether the pixel data are a row of 16-bit words, whatever the size of a sample.
    """

    data: Any
    syntax: str
    kind: str
    file: BinaryIO
    at: int
    length: int
    size: int
    big: bool
    words: bool = False

    def number(self, keyword: str, default: float = 0, data: Any = None) -> float:
        """Return the first number of a data element; the default where it is missing or makes no sense.

        Args:
            keyword: Of the element.
            default: For want of a number.
            data: Item of a sequence to look in; None for the header itself.

        Returns:
            The number.
        """
        values = self.numbers(keyword, data)
        return values[0] if values else default

    def numbers(self, keyword: str, data: Any = None) -> list[float]:
        """Return the finite numbers of a data element, [] where one of them makes no sense.

        Args:
            keyword: Of the element.
            data: Item of a sequence to look in; None for the header itself.

        Returns:
            The numbers.
        """
        value = _value(self.data if data is None else data, keyword)
        many = [value] if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__") else list(value)
        try:
            found = [float(one) for one in many if one is not None and one != ""]
        except (TypeError, ValueError, OverflowError):
            return []
        return found if all(abs(one) < 1e300 for one in found) else []

    def text(self, keyword: str, data: Any = None) -> str:
        """Return a data element as one line of text, "" where it is missing.

        Args:
            keyword: Of the element.
            data: Item of a sequence to look in; None for the header itself.

        Returns:
            The text; several values with a backslash between them.
        """
        value = _value(self.data if data is None else data, keyword)
        if value is None:
            return ""
        joined = "\\".join(map(str, value)) if isinstance(value, (list, tuple)) or _many(value) else str(value)
        return " ".join(joined.replace("\0", " ").split())

    def raw(self, keyword: str) -> bytes:
        """Return the bytes of a data element, b"" where it is missing."""
        value = _value(self.data, keyword)
        return bytes(value) if isinstance(value, (bytes, bytearray)) else b""

    def items(self, keyword: str, data: Any = None) -> list[Any]:
        """Return the items of a sequence.

        Args:
            keyword: Of the sequence.
            data: Item of a sequence to look in; None for the header itself.

        Returns:
            The items, [] where there is none.
        """
        value = _value(self.data if data is None else data, keyword)
        return [item for item in value if hasattr(item, "get")] if _many(value) else []


@contextmanager
def opened(media: Media, *, keep: tuple[str, ...] = ()) -> Iterator[Header]:
    """Open a DICOM file and read its header.

    Args:
        media: The file.
        keep: Keywords of further tags that are wanted.

    Yields:
        The header, its file open.

    Raises:
        MediaError: If it cannot be opened or its header makes no sense.
    """
    try:
        file = media.open()
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file.") from None
    with file:
        with _quiet():
            try:
                header = _read(file, keep)
            except (MediaError, MemoryError, ImportError):
                raise
            except Exception:  # libraries raise whatever a broken file makes them trip over
                raise MediaError("damaged", "its header cannot be read.") from None
        yield header


def _begun(file: BinaryIO) -> tuple[Any, str, tuple[bool, bool], Any, int]:
    """Read what stands before the data set: meta elements, syntax, (implicit, big endian), the data set and its end."""
    from pydicom.filereader import read_dataset

    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    start = MARK_AT + len(MARK) if head[MARK_AT : MARK_AT + len(MARK)] == MARK else 0
    file.seek(start)
    bounded: Any = _Bounded(file, size)  # what pydicom needs of a file: read, seek and tell
    meta = read_dataset(bounded, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2, at_top_level=False)
    meta = meta if head[start : start + 2] == b"\2\0" else {}
    if not meta:
        file.seek(start)
    syntax, source = str(_value(meta, "TransferSyntaxUID") or ""), file
    implicit, big = syntax == IMPLICIT, syntax == BIG
    if syntax == DEFLATED:
        source, size = Inflated(file, file.tell()), -1
    elif not syntax:
        place = file.tell()
        implicit, big = guess(file.read(HEAD_BYTES))
        file.seek(place)
    return meta, syntax, (implicit, big), source, size


def _read(file: BinaryIO, keep: tuple[str, ...]) -> Header:
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_dataset

    found = [-1, 0, False]
    meta, syntax, (implicit, big), source, size = _begun(file)
    bounded: Any = _Bounded(source, size)

    def stops(tag: int, vr: str | None, length: int) -> bool:
        if tag in (PIXELS, *FLOATS):
            found[:] = [source.tell(), length, vr == "OW"] if tag == PIXELS else [-1, FLOATS_ONLY, False]
        return FLOATS[0] <= tag < ITEMS  # stray items of a sequence that somebody cut out are passed over

    extra = [tag for tag in map(tag_for_keyword, keep) if tag is not None]
    wanted = [tag for tag in map(tag_for_keyword, (*WANTED, *NAMES)) if tag is not None]
    data = read_dataset(
        bounded,
        implicit,
        not big,
        stop_when=stops,
        defer_size=LONGEST_VALUE_BYTES,
        specific_tags=[*wanted, *extra],  # type: ignore[arg-type]
    )
    kind = str(_value(meta, "MediaStorageSOPClassUID") or _value(data, "SOPClassUID") or "")
    if not kind and not len(data):
        raise MediaError("damaged", "its header holds nothing that can be read.")
    at, length, words = found
    return Header(data, syntax, kind, source, at, length, size, big, words)  # type: ignore[arg-type]


class _Bounded:
    """A file of which a header may take so much and no more; a length that is a lie asks for no memory."""

    def __init__(self, file: Any, size: int):
        self._file, self._size, self._left = file, size, MOST_HEADER_BYTES
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, fewer at the end."""
        if size < 0 or size > self._left:
            raise MediaError("damaged", f"its header takes more than {MOST_HEADER_BYTES >> 20} MiB.")
        if self._size >= 0:
            size = max(min(size, self._size - self._file.tell()), 0)
        self._left -= size + 8  # empty elements take time too
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place in the file."""
        return self._file.seek(place, whence)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let a library say nothing: its warnings repeat values of the file, which may be names."""
    logger = logging.getLogger("pydicom")
    level, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = level


def _value(data: Any, keyword: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return data.get(keyword)
        except (MemoryError, ImportError):
            raise
        except Exception:  # a value that makes no sense is as good as none
            return None


def _many(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes, bytearray)) and hasattr(value, "append")
