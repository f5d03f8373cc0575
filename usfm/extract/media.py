"""Where a reader finds the bytes of one source: a file of this machine, or what lies inside one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from usfm.errors import MediaError


@dataclass(frozen=True)
class Media:
    """One source as its reader gets it.

    Attributes:
        path: The file on this machine that holds it.
        item: Which of several things in the file is meant, such as a dataset of an HDF5 file; "" for all of it.

    Example:
        >>> Media("/scans/liver.h5", item="/images").name
        'liver.h5'
    """

    path: str
    item: str = ""

    @property
    def name(self) -> str:
        """The file's own name, for its suffix; it may name somebody, so no message shows it."""
        return os.path.basename(self.path)

    def open(self) -> BinaryIO:
        """Open it for reading from any place in it; whoever opens it closes it."""
        return open(self.path, "rb")

    @contextmanager
    def local(self) -> Iterator[str]:
        """Give a path under which a library can open it; the path holds as long as the ``with`` block."""
        yield self.path

    def beside(self, name: str) -> "Media":
        """Return the file of this name in the same folder or below it: the pixels that a header names.

        Raises:
            MediaError: If the name leads elsewhere; a header is no reason to open any file of this machine.
        """
        parts = name.replace("\\", "/").split("/")
        if not name or name.startswith(("/", "\\")) or ".." in parts or "\0" in name or ":" in parts[0]:
            raise MediaError("data elsewhere", "it names a data file that does not lie in its own folder or below it.")
        path = os.path.join(os.path.dirname(self.path), *parts)
        if os.path.exists(path) and not os.path.isfile(path):  # to open a pipe would wait without end
            raise MediaError("data elsewhere", "what it names as its data file is no ordinary file.")
        return replace(self, path=path, item="")
