"""Annotations as CVAT, Roboflow and others hand them out: a zip, of which only the files that are text are unpacked."""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from usfm.errors import RequestError
from usfm.extract.annotations.contract import LARGEST_BYTES

MOST_FILES, MOST_BYTES = 500_000, 4 << 30
"""Files and bytes of text that a zip may hold."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, UnicodeError)


def is_zip(path: str) -> bool:
    """Say whether a file is a zip by its first bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


@contextmanager
def unpacked(path: str, suffixes: Sequence[str]) -> Iterator[str]:
    """Unpack the text files of a zip into a folder that is gone afterwards.

    Args:
        path: Of the zip.
        suffixes: In lower case; other members stay where they are.

    Yields:
        The folder.

    Raises:
        RequestError: It is damaged, locked by a password, or holds too much.
    """
    with tempfile.TemporaryDirectory(prefix="usfm-annotations-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(path, archive, folder, tuple(suffixes))
        except _DAMAGE as error:
            why = "asks for a password" if "password" in str(error) else "is damaged"
            raise RequestError(f"{path}: this zip of annotations {why}; unpack it and give the folder.") from None
        except OSError as error:
            raise RequestError(f"{path}: cannot be unpacked ({error.strerror or error}).") from None
        yield folder


def _unpack(path: str, archive: zipfile.ZipFile, folder: str, suffixes: tuple[str, ...]) -> None:
    members = [one for one in archive.infolist() if not one.is_dir() and one.filename.lower().endswith(suffixes)]
    size = sum(one.file_size for one in members)
    if len(members) > MOST_FILES or size > MOST_BYTES:
        raise RequestError(f"{path}: {len(members):,} files of {size:,} bytes are too many annotations; give a part.")
    for member in members:
        parts = [part for part in member.filename.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        if not parts or len(member.filename) > 1000 or "\0" in member.filename:
            continue
        if member.file_size > LARGEST_BYTES:
            raise RequestError(f"{path}: {member.file_size:,} bytes are too many for annotations; cut the file.")
        target = os.path.join(folder, *parts)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(member) as source, open(target, "wb") as file:
            left = member.file_size
            while left > 0 and (piece := source.read(min(left, 1 << 20))):
                file.write(piece)
                left -= len(piece)
