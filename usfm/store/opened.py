"""Stores that this process has open: each is examined once, and anew when its file has changed."""

import os
from collections import OrderedDict

from usfm.store.content import check_parts
from usfm.store.stored import StoredFile

_CACHE: OrderedDict[tuple, StoredFile] = OrderedDict()
_CACHED_FILES = 64


def signature(path: str) -> tuple:
    """What tells one state of a file from another: path, inode, size, time of change."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return (path,)
    return (path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def stored_file(path: str) -> StoredFile:
    """The file of a path, opened once per process; opened anew when it has changed.

    Raises:
        RequestError: it is no store.
        Damaged: it is one, and is not what was written.
    """
    key = (os.getpid(), *signature(path))
    found = _CACHE.get(key)
    if found is None:
        found = StoredFile(path)
        if found.digests is None:
            check_parts(found)
        _CACHE[key] = found
        while len(_CACHE) > _CACHED_FILES:
            _CACHE.popitem(last=False)
    _CACHE.move_to_end(key)
    return found
