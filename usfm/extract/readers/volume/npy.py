"""Arrays of NumPy (.npy, .npz): the header through NumPy, the numbers by ourselves, pickles never."""

import io
import zipfile
from typing import BinaryIO

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume.arrays import axes, grid
from usfm.extract.readers.volume.grid import Grid

START = b"\x93NUMPY"
ZIP = b"PK\x03\x04"
HEADER_BYTES = 10_000
MOST_ITEMS = 200


def recognises(head: bytes) -> bool:
    """Know it by its magic; a zip by the array that it begins with."""
    if not head.startswith(ZIP) or len(head) < 30:
        return head.startswith(START)
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].endswith(b".npy")


def items(media: Media) -> tuple[str, ...]:
    """List the arrays of a file that may be pictures; () where the file is one array.

    Raises:
        MediaError: If the file cannot be opened.
    """
    with media.open() as file:
        if file.read(4) != ZIP:
            return ()
        return tuple(f"/{name.removesuffix('.npy')}" for name in _members(file) if _is_picture(file, name))


def read(media: Media) -> Grid:
    """Read the header of an array.

    Raises:
        MediaError: If it cannot be understood, or holds anything but plain numbers.
    """
    with media.open() as file:
        zipped = file.read(4) == ZIP
        file.seek(0)
        if not zipped and media.item:
            raise MediaError("no such dataset", "the file is one array and has no parts.")
        if not zipped:
            shape, fortran, dtype, start = _header(file)
            return grid("NumPy", shape, dtype, media, fortran=fortran, frames_last=False, offset=start)
        found = _members(file)
        name = media.item[1:] + ".npy"
        if not media.item:
            pictures = [one for one in found if _is_picture(file, one)]
            name = pictures[0] if pictures else next(iter(found), "")
        if name not in found:
            raise MediaError("no such dataset", "it holds no array of the name that was given.")
        member = found[name]
        with _opened(file, member) as inside:
            shape, fortran, dtype, start = _header(inside)
        stored = member.compress_type == zipfile.ZIP_STORED
        offset = _data_offset(file, member)
        return grid(
            "NumPy",
            shape,
            dtype,
            media,
            fortran=fortran,
            frames_last=False,
            offset=offset + start if stored else offset,
            skip=0 if stored else start,
            coding="raw" if stored else "deflate",
        )


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Read the header of one array; returns its shape, whether it is in Fortran's order, its type, and its length."""
    from numpy.lib import format as npy

    try:
        head = io.BytesIO(file.read(HEADER_BYTES + 12))
        version = npy.read_magic(head)
        reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = reader(head, max_header_size=HEADER_BYTES)
    except MemoryError:
        raise
    except Exception:  # NumPy raises whatever a broken header makes it trip over
        raise MediaError("damaged header", "its header cannot be understood.") from None
    return shape, fortran, dtype, head.tell()


def _members(file: BinaryIO) -> dict[str, zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(file) as archive:
            found = [one for one in archive.infolist() if one.filename.endswith(".npy")]
    except MemoryError:
        raise
    except Exception:  # zipfile raises whatever a broken file makes it trip over
        raise MediaError("truncated or damaged", "its list of arrays cannot be read.") from None
    if len(found) > MOST_ITEMS:
        raise MediaError("too large", f"it holds {len(found)} arrays; at most {MOST_ITEMS} of a file are read.")
    return {one.filename: one for one in found}


def _opened(file: BinaryIO, member: zipfile.ZipInfo) -> BinaryIO:
    try:
        with zipfile.ZipFile(file) as archive:
            with archive.open(member) as inside:
                return io.BytesIO(inside.read(HEADER_BYTES + 12))
    except MemoryError:
        raise
    except Exception:
        raise MediaError("damaged", "one of its arrays cannot be decompressed.") from None


def _is_picture(file: BinaryIO, name: str) -> bool:
    """Say whether an array has the shape of pictures; whatever else is wrong with it is told when it is read."""
    try:
        with _opened(file, _members(file)[name]) as inside:
            shape, *_ = _header(inside)
        axes(shape)
    except MediaError as error:
        return error.reason != "not a picture"
    return len(shape) > 1 and min(shape) > 0 and shape[-2] > 1


def _data_offset(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member begin, after a header whose length may differ from that in the list."""
    file.seek(member.header_offset)
    head = file.read(30)
    if len(head) < 30 or not head.startswith(ZIP) or member.compress_type not in (0, 8) or member.flag_bits & 1:
        raise MediaError("no decoder", "one of its arrays is packed in a way that is not read.")
    return member.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
