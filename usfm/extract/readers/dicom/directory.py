"""DICOMDIR: the table of contents of a disc, whose records name files beside it."""

import os
import re

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.dicom.headers import DIRECTORY, opened
from usfm.extract.readers.dicom.recognise import recognises

HEAD_BYTES = 4096
NAMED = re.compile(re.escape(DIRECTORY.encode()) + rb"(?![0-9.])")


def is_directory(head: bytes) -> bool:
    """Say whether a file that begins with these bytes is a DICOMDIR."""
    return recognises(head) and NAMED.search(head, 0, 1024) is not None


def listed(media: Media) -> tuple[str, ...]:
    """Return the files that a DICOMDIR names, as paths below its folder, each once; () where it cannot be read.

    A record that leads out of the folder is passed over: a disc is no reason to open any file of this machine.
    """
    try:
        with opened(media, keep=("DirectoryRecordSequence",)) as header:
            records = header.items("DirectoryRecordSequence")
            names = ["/".join(header.text("ReferencedFileID", record).split("\\")) for record in records]
    except MediaError:
        return ()
    return tuple(dict.fromkeys(name for name in names if _stays(name)))


def _stays(name: str) -> bool:
    parts = name.split("/")
    return bool(name) and not set(parts) & {"", ".", ".."} and "\0" not in name and ":" not in parts[0]


def found(folder: str, name: str) -> str:
    """Return where a listed file lies; file systems of discs are mounted in either case of letters.

    Args:
        folder: Of the DICOMDIR.
        name: As a record has it, with forward slashes.

    Returns:
        A path, which need not be there.
    """
    for one in (name, name.lower(), name.upper()):
        path = os.path.join(folder, *one.split("/"))
        if os.path.lexists(path):
            return path
    return os.path.join(folder, *name.split("/"))
