"""Where a reader finds the bytes of one source: a file of this machine, or what lies inside one."""

import os
import posixpath
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from usfm.errors import MediaError
from usfm.extract import archive, packed
from usfm.extract.archive import Member

DESCRIPTORS = "/proc/self/fd"
"""Where a system shows open files, those without a name too."""


@dataclass(frozen=True)
class Media:
    """One source as its reader gets it.

    Attributes:
        path: The file on this machine that holds it.
        member: What is meant of an archive; None where the file is none.
        item: Which of several things in the file is meant, such as a dataset of an HDF5 file; "" for all of it.

    Example:
        >>> Media("/scans/liver.h5", item="/images").name
        'liver.h5'
    """

    path: str
    item: str = ""
    member: Member | None = None

    @property
    def name(self) -> str:
        """The file's own name, for its suffix; it may name somebody, so no message shows it."""
        return os.path.basename(self.path) if self.member is None else posixpath.basename(self.member.name)

    @property
    def size(self) -> int:
        """Bytes."""
        return os.stat(self.path).st_size if self.member is None else self.member.size

    @property
    def place(self) -> str:
        """Where it is, in words for people: the path, and behind it that in the archive."""
        return self.path if self.member is None else f"{self.path}/{self.member.name}"

    def open(self) -> BinaryIO:
        """Open it for reading from any place in it; whoever opens it closes it.

        Raises:
            OSError: If it cannot be read.
            MediaError: If it lies in an archive and cannot be unpacked.
        """
        return open(self.path, "rb") if self.member is None else archive.opened(self.path, self.member)

    def head(self, count: int) -> bytes:
        """Return its first bytes; raises as ``open`` does."""
        if self.member is not None:
            return archive.head(self.path, self.member, count)
        with open(self.path, "rb") as file:
            return file.read(count)

    @contextmanager
    def local(self) -> Iterator[str]:
        """Give a path under which a library can open it; the path holds as long as the ``with`` block.

        What lies in an archive is copied to a temporary file. Where the system allows it, that file has no name, so
        nothing is left of it if the process is killed.
        """
        if self.member is None:
            yield self.path
        elif os.path.isdir(DESCRIPTORS) and self.member.size > packed.IN_MEMORY_BYTES:
            copy = archive.unpacked(self.path, self.member)
            yield f"{DESCRIPTORS}/{copy.file.fileno()}"
        elif os.path.isdir(DESCRIPTORS):
            with self.open() as source, tempfile.TemporaryFile() as file:
                shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                yield f"{DESCRIPTORS}/{file.fileno()}"
        else:
            with tempfile.TemporaryDirectory(prefix="usfm-") as folder:
                path = os.path.join(folder, "member" + os.path.splitext(self.member.name)[1])
                with self.open() as source, open(path, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                yield path

    def beside(self, name: str) -> "Media":
        """Return the file of this name in the same folder or below it: the pixels that a header names.

        Raises:
            MediaError: If the name leads elsewhere; a header is no reason to open any file of this machine.
        """
        parts = name.replace("\\", "/").split("/")
        if not name or name.startswith(("/", "\\")) or ".." in parts or "\0" in name or ":" in parts[0]:
            raise MediaError("data elsewhere", "it names a data file that does not lie in its own folder or below it.")
        if self.member is not None:
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(self.member.name), *parts))
            return replace(self, member=archive.found(self.path, inside), item="")
        path = os.path.join(os.path.dirname(self.path), *parts)
        if os.path.exists(path) and not os.path.isfile(path):  # to open a pipe would wait without end
            raise MediaError("data elsewhere", "what it names as its data file is no ordinary file.")
        return replace(self, path=path, item="")
