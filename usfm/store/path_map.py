"""A path map: which file a hashed path stands for. It lies outside of stores, readable by its owner only."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from usfm import given
from usfm.errors import RequestError
from usfm.store.disk import telling
from usfm.store.whole import write_json

FORMAT = "usfm-path-map"
LARGEST_BYTES = 1 << 30


def read(file: str | Path) -> dict[str, dict]:
    """Read a path map: path as the store keeps it -> ``path`` (of the file, as text) and ``size`` (bytes).

    Raises:
        RequestError: It is missing or no path map.
    """
    try:
        with open(file, "rb", opener=given.without_waiting) as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_BYTES:
                raise ValueError
            found = json.loads(handle.read().decode("utf-8"))
        if found.get("format") != FORMAT:
            raise ValueError
        paths = found["paths"]
        if not all(isinstance(one["path"], str) and isinstance(one["size"], int) for one in paths.values()):
            raise ValueError
    except OSError as error:
        raise RequestError(f"{file}: cannot read this path map ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RequestError(f"{file}: no path map of usfm; make one with `usfm extract --path-map`.") from None
    return paths


def check(file: str | Path) -> None:
    """Make sure that a path map may be written there.

    Raises:
        RequestError: Something else has the name, or its folder is none.
    """
    if os.path.lexists(file):
        try:
            read(file)
        except RequestError:
            raise RequestError(f"{file}: exists and is no path map of usfm; choose another --path-map.") from None
    folder = os.path.dirname(os.path.abspath(file))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise RequestError(f"{file}: cannot be written there; choose another --path-map.")


def write(file: str | Path, paths: Mapping[str, Mapping]) -> None:
    """Write a path map whole or not at all, mode 0600; entries of an earlier one are kept.

    Args:
        file: Where it goes.
        paths: Path as the store keeps it -> ``path`` and ``size``.

    Raises:
        RequestError: Something else has the name.
        WorkError: The disk is full or the like.
    """
    check(file)
    known = read(file) if os.path.lexists(file) else {}
    note = "Keep this file private: it says which file each hashed path stands for."
    with telling(Path(file)):
        write_json(file, {"format": FORMAT, "version": 1, "note": note, "paths": {**known, **paths}}, mode=0o600)
