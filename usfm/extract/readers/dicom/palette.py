"""Colour tables of DICOM: plain or segmented, of 8 or 16 bits, as one array of RGB."""

from collections.abc import Sequence

import numpy as np

from usfm.errors import MediaError
from usfm.extract.readers.dicom.headers import Header

MOST_ENTRIES = 1 << 16
CHANNELS = ("Red", "Green", "Blue")


def palette(header: Header) -> tuple[np.ndarray, int]:
    """Read the colour table of an object.

    Returns:
        uint8 (entries, 3), and the pixel value of its first entry.

    Raises:
        MediaError: If it has none, or one that makes no sense.
    """
    tables, first = [], 0
    for channel in CHANNELS:
        told = header.numbers(f"{channel}PaletteColorLookupTableDescriptor")
        if len(told) < 3:
            raise MediaError("unknown colours", "its header names a colour table that is not there.")
        entries, first, bits = int(told[0]) & 0xFFFF or MOST_ENTRIES, int(told[1]), int(told[2])
        tables.append(_channel(header, channel, entries, bits))
    shortest = min(len(table) for table in tables)
    table = np.stack([one[:shortest] for one in tables], -1)
    return table, first


def looked_up(values: np.ndarray, table: np.ndarray, first: int) -> np.ndarray:
    """Turn pixel values into colours; values beyond the table have the colour of its nearest end.

    Args:
        values: Integers of any shape.
        table: uint8 (n, 3).
        first: Value of the table's first row.

    Returns:
        uint8, three more for each value.

    Example:
        >>> import numpy as np
        >>> table = np.array([[0, 0, 0], [9, 9, 9]], np.uint8)
        >>> looked_up(np.array([[0, 5, 6, 7]], np.uint8), table, 5)[..., 0].tolist()
        [[0, 0, 9, 9]]
    """
    if first == 0 and values.dtype == np.uint8 and len(table) >= 256:
        return table[values]
    return table[np.clip(values.astype(np.int64) - first, 0, len(table) - 1)]


def _channel(header: Header, channel: str, entries: int, bits: int) -> np.ndarray:
    plain = header.raw(f"{channel}PaletteColorLookupTableData")
    order = ">u2" if header.big else "<u2"
    if plain:
        narrow = bits <= 8 and len(plain) < 2 * entries
        values = np.frombuffer(plain[: len(plain) // 2 * 2], order) if not narrow else np.frombuffer(plain, np.uint8)
    else:
        packed = header.raw(f"Segmented{channel}PaletteColorLookupTableData")
        # A narrow table may still come in words: its first segment then has an operation code of 0, 1 or 2 in a byte
        # of its own and a length that fits; a table of 8 bits counts in bytes.
        values = _expanded(np.frombuffer(packed[: len(packed) // 2 * 2], order) if bits > 8 else
                           np.frombuffer(packed, np.uint8))  # fmt: skip
    if not len(values):
        raise MediaError("unknown colours", "its colour table is empty.")
    values = values[:entries]
    if bits > 8 and values.max() > 255:  # many tables of 16 bits hold values of 8
        return (values >> 8).astype(np.uint8)
    return np.minimum(values, 255).astype(np.uint8)


def _expanded(words: np.ndarray) -> np.ndarray:
    """Write out a segmented table.

    Source: DICOM PS3.3, C.7.9.2. Discrete segments list values, linear ones end at a value, indirect ones repeat
    earlier segments.
    """
    out: list[int] = []
    _segments([int(word) for word in words], 0, len(words), out, words.dtype.itemsize)
    return np.array(out[:MOST_ENTRIES], np.int64)


def _segments(words: Sequence[int], place: int, most: int, out: list[int], width: int, deep: bool = False) -> None:
    """Append the values of segments from a place on, at most so many segments."""
    while place + 1 < len(words) and most > 0 and len(out) <= MOST_ENTRIES:
        code, count = words[place], words[place + 1]
        if code == 0:
            out += words[place + 2 : place + 2 + count]
            place += 2 + count
        elif code == 1 and place + 2 < len(words):
            start, end = out[-1] if out else 0, words[place + 2]
            out += [int(start + (end - start) * (one + 1) / count + 0.5) for one in range(count)] if count else []
            place += 3
        elif code == 2 and not deep:
            parts = 4 // width  # an offset of 32 bits in words, the least first
            if place + 2 + parts > len(words):
                return
            offset = sum(words[place + 2 + one] << (8 * width * one) for one in range(parts))
            _segments(words, offset // width, count, out, width, deep=True)
            place += 2 + parts
        else:
            return
        most -= 1
