"""A collection that is still packed: an archive, or a folder of archives, taken as the folder that they unpack to."""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from usfm.errors import MediaError, RequestError
from usfm.extract import archive
from usfm.extract.archive import Member
from usfm.extract.layouts.places import Tree, files_below
from usfm.extract.masks import MaskFile
from usfm.extract.media import Media
from usfm.extract.names import text_of
from usfm.extract.sources import Found

LARGEST_BYTES = 4 << 30
"""Of all tables and outlines together."""


@dataclass(frozen=True)
class Unpacked:
    """What lies in archives, as if they were unpacked where they are.

    Attributes:
        folder: The archive, or the folder of archives.
        archives: Paths of the archives below the folder; "" for the folder itself.
        members: Path below the folder once unpacked -> (archive, what of it).
        plain: Paths of the files that are not packed.
    """

    folder: str
    archives: tuple[str, ...]
    members: dict[str, tuple[str, Member]]
    plain: tuple[str, ...] = ()

    def tree(self) -> Tree:
        """Return the names in all folders, those of the archives among them."""
        held: dict[str, dict[str, str]] = {self.folder: {}}
        for path in (*self.members, *self.plain):
            parts = path.split("/")
            for depth, part in enumerate(parts):
                folder = os.path.join(self.folder, *parts[:depth])
                held.setdefault(folder, {})[part.casefold()] = part
        return Tree(held, complete=True)

    def below(self, root: str) -> list[str]:
        """Return the paths of all files below a root, in order."""
        front = self._front(root)
        return sorted(path[len(front) :] for path in (*self.members, *self.plain) if path.startswith(front))

    def claims(self, root: str, is_mask: Callable[[str], bool]) -> Callable[[str, str], bool]:
        """Return what `sources.find` asks of a file: whether it is a label mask.

        Args:
            root: Of the layout.
            is_mask: Says it of a path below the root.

        Returns:
            The function.
        """
        front = self._front(root)

        def claimed(path: str, below: str) -> bool:
            inside = self._inside(below.partition("/")[2])
            return inside.startswith(front) and is_mask(inside[len(front) :])

        return claimed

    def found(self, root: str, everything: Found) -> Found:
        """Return what was found under the paths that it has once unpacked; what lies outside of the root is left out.

        Args:
            root: Of the layout.
            everything: From `sources.find`.

        Returns:
            The same sources and masks.
        """
        front, name = self._front(root), os.path.basename(root)
        sources, masks = [], []
        for one in everything.sources:
            inside = self._inside(one.below)
            if inside.startswith(front):
                below = inside[len(front) :]
                sources.append(replace(one, relative=below, below=below, root=name))
        for file in everything.mask_files:
            inside = self._inside(file.below.partition("/")[2])
            if inside.startswith(front):
                masks.append(MaskFile(file.media, f"{name}/{inside[len(front) :]}", file.size, file.mtime_ns))
        return replace(everything, sources=tuple(sources), mask_files=tuple(masks))

    def write(self, root: str, folder: str, paths: Iterable[str]) -> None:
        """Unpack some files, such as tables.

        Args:
            root: Of the layout.
            folder: Where to; a folder of our own.
            paths: Below the root; others than plain names of files are left out.

        Raises:
            RequestError: If one cannot be unpacked, or all are too large.
        """
        front, left = self._front(root), LARGEST_BYTES
        for path in paths:
            parts = path.split("/")
            if any(part in ("", ".", "..") or "\0" in part for part in parts) or os.path.isabs(path):
                continue
            target = os.path.join(folder, *parts)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if front + path not in self.members:
                os.symlink(os.path.join(self.folder, *(front + path).split("/")), target)
                continue
            packed, member = self.members[front + path]
            left -= member.size
            if left < 0:
                raise RequestError(f"{packed}: its tables have more than {LARGEST_BYTES:,} bytes; unpack it.")
            try:
                with Media(packed, member=member).open() as source, open(target, "wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)
            except (MediaError, OSError) as error:
                why = error.reason if isinstance(error, MediaError) else (error.strerror or "error").lower()
                raise RequestError(f"{packed}: '{path}' in it cannot be read ({why}); unpack it.") from None

    def stamp(self, root: str, path: str) -> tuple[int, int]:
        """Say what tells a file from what it becomes when somebody writes to it.

        Args:
            root: Of the layout.
            path: Below it.

        Returns:
            Bytes, and the time of the last change; of a packed file, that of its archive.
        """
        inside = self._front(root) + path
        if inside in self.members:
            packed, member = self.members[inside]
            return member.size, os.stat(packed).st_mtime_ns
        status = os.stat(os.path.join(self.folder, *inside.split("/")))
        return status.st_size, status.st_mtime_ns

    def _inside(self, below: str) -> str:
        """Return the path that a file has once unpacked."""
        packed = next((one for one in self.archives if one and below.startswith(one + "/")), "")
        return _beside(packed, below[len(packed) + 1 :]) if packed else below

    def _front(self, root: str) -> str:
        front = os.path.relpath(root, self.folder).replace(os.sep, "/")
        return "" if front == "." else text_of(front) + "/"


def _beside(packed: str, name: str) -> str:
    folder = packed.rpartition("/")[0]
    return f"{folder}/{name}" if folder else name


def unpacked(given: str) -> Unpacked | None:
    """Look into an archive, or into those that lie in a folder.

    Args:
        given: The archive or the folder.

    Returns:
        What they hold; None where there is no archive.

    Raises:
        RequestError: If the archive that was given cannot be listed; one in a folder holds nothing then.
    """
    folder = os.path.abspath(given)
    if os.path.isfile(folder):
        packed = [""] if archive.ends_as_one(folder) or archive.looks_like_one(folder) else []
        plain: tuple[str, ...] = ()
    else:
        every = files_below(folder)
        packed = [path for path in every if archive.ends_as_one(path)]
        plain = tuple(path for path in every if not archive.ends_as_one(path))
    members: dict[str, tuple[str, Member]] = {}
    for one in packed:
        path = os.path.join(folder, *one.split("/")) if one else folder
        held = archive.listing(path)
        if held.fault is not None and not held.members and not one:
            raise RequestError(f"{path}: this archive cannot be read ({held.fault.reason}); download it again.")
        for member in held.members:
            if not any(part.startswith((".", "__MACOSX")) for part in member.name.split("/")):
                members.setdefault(_beside(one, text_of(member.name)), (path, member))
    return Unpacked(folder, tuple(packed), members, plain) if packed else None
