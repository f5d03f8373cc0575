"""Which command made a file: asked before it may be replaced, so nothing here is believed and nothing raises."""

import json
from pathlib import Path

import h5py

from usfm.store.hdf5 import attribute
from usfm.store.schema import FORMAT

_HEAD_BYTES = 1 << 16
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def maker(path: str | Path) -> str | None:
    """The command that made a store.

    Args:
        path: of any existing file.

    Returns:
        Its command, "" for an empty file or a store too damaged to say, None for a file that is no store of ours.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    if not head:
        return ""
    if not head.startswith(_SIGNATURE):
        return None
    try:
        with h5py.File(path, "r", locking=False) as file:
            if attribute(file, "format") != FORMAT and not ("content_id" in file.attrs and "frames" in file):
                return None
            return str(json.loads(attribute(file, "history")[-1])["command"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, IndexError, RecursionError, MemoryError):
        return "" if FORMAT.encode() in head else None
