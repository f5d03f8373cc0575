"""Archives (zip, tar, and tar compressed by gzip, bzip2 or xz): what they hold, read without unpacking them.

Nothing is written under a name from an archive, so links and names that lead elsewhere do no harm.
"""

import errno
import io
import os
import tarfile
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from usfm.errors import MediaError
from usfm.extract import packed
from usfm.extract.packed import WRONG, Member, Tar, Zip
from usfm.extract.seekable import Window

ENDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
OTHERS = tuple(".npz .docx .xlsx .pptx .odt .ods .odp .jar .apk .epub .pt .pth .ckpt .whl .kmz".split())
"""Files that are zips inside and hold no folder of anybody."""
MOST_MEMBERS = 1_000_000
HELD = 4
"""Archives that a process keeps open."""


@dataclass(frozen=True)
class Listing:
    """What an archive holds.

    Attributes:
        members: Its files, in their order; links, folders and devices are left out.
        links: How many links and devices were left out.
        fault: What is wrong with the archive as a whole.
    """

    members: tuple[Member, ...] = ()
    links: int = 0
    fault: MediaError | None = field(default=None, compare=False)


def ends_as_one(name: str) -> bool:
    """Say whether a file's name is that of an archive; what is in it is looked at then.

    Example:
        >>> ends_as_one("Set.TAR.GZ"), ends_as_one("table.csv.gz"), ends_as_one("letter.docx")
        (True, False, False)
    """
    return name.lower().endswith(ENDS)


def looks_like_one(path: str) -> bool:
    """Say whether a file of any name begins like a zip or a tar; for files that were given themselves."""
    try:
        if not os.path.isfile(path) or os.path.splitext(path)[1].lower() in OTHERS:
            return False
        with open(path, "rb") as file:
            start = file.read(512)
    except OSError:
        return False
    return start.startswith((b"PK\3\4", b"PK\5\6")) or start[257:262] == b"ustar"


def without_end(name: str) -> str:
    """Return the name of an archive as that of a folder.

    Example:
        >>> without_end("benign.tar.gz"), without_end("benign")
        ('benign', 'benign')
    """
    end = max((end for end in ENDS if name.lower().endswith(end)), key=len, default="")
    return name[: len(name) - len(end)] or name


def listing(path: str) -> Listing:
    """List an archive; a damaged one gives what can be reached and a fault, never an exception but OSError."""
    try:
        archive = _held(path)
    except MediaError as error:
        return Listing(fault=error)
    if archive not in _listings:
        _listings[archive] = _listed(archive)
    return _listings[archive]


def _listed(archive: Zip | Tar) -> Listing:
    members, links, fault = [], 0, None
    try:
        for member in archive.members():
            if member is None:
                links += 1
            else:
                members.append(member)
            if len(members) > MOST_MEMBERS:
                raise MediaError("archive bomb", f"it holds more than {MOST_MEMBERS:,} files; unpack it with care.")
    except MediaError as error:
        fault = error
    except WRONG:
        fault = MediaError("damaged archive", f"its table of contents breaks after {len(members):,} files.")
    if fault is not None and fault.reason == "archive bomb":
        members = []
    return Listing(tuple(_unique(members)), links, fault)


def found(path: str, name: str) -> Member:
    """Return the member of a name; one that cannot be opened where there is none.

    Args:
        path: Of the archive.
        name: Of the member.

    Returns:
        The member.
    """
    return next((one for one in listing(path).members if one.name == name), Member(name, 0, -1))


def head(path: str, member: Member, count: int) -> bytes:
    """Return the first bytes of a member without unpacking the rest.

    Args:
        path: Of the archive.
        member: In it.
        count: How many bytes.

    Returns:
        At most ``count`` bytes.

    Raises:
        MediaError: If it cannot be unpacked.
    """
    if member.fault:
        raise MediaError(member.fault, member.detail)
    try:
        return _held(path).head(member, count)
    except WRONG as error:
        raise _unreadable(error) from None


def opened(path: str, member: Member, *, whole: bool = False) -> BinaryIO:
    """Open a member for reading from any place in it, or with ``whole`` from its beginning to its end once.

    Args:
        path: Of the archive.
        member: In it.
        whole: Read from the beginning to the end, once.

    Returns:
        The member, open.

    Raises:
        MediaError: If it cannot be unpacked.
        OSError: If the archive itself cannot be read, or the member is not there.
    """
    if member.fault:
        raise MediaError(member.fault, member.detail)
    if member.place < 0:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        held = _held(path)
        if not whole and member.size > packed.IN_MEMORY_BYTES and held.packed(member):
            copy = unpacked(path, member)
            return io.BufferedReader(Window(copy.file, 0, member.size, copy))  # type: ignore[arg-type]
        return held.open(member, whole)
    except WRONG as error:
        raise _unreadable(error) from None


class Copy:
    """A member unpacked to a temporary file without a name, kept until another one is: a long one is read in ranges.

    Attributes:
        file: The whole member.
        lock: Held while the file is moved and read.
    """

    def __init__(self, stream, size: int):
        self.lock, self.file = threading.Lock(), tempfile.TemporaryFile()
        weakref.finalize(self, self.file.close)
        packed.copy_to(self.file, stream, size)
        self.file.flush()


def unpacked(path: str, member: Member) -> Copy:
    """Return a large member as a file of its own.

    Args:
        path: Of the archive.
        member: In it.

    Returns:
        The copy, which is kept until another member is copied.

    Raises:
        MediaError: If it cannot be unpacked.
    """
    status = os.stat(path)
    key = (path, status.st_size, status.st_mtime_ns, member.place)
    with _copying:
        if key not in _copies:
            try:
                with opened(path, member, whole=True) as stream:
                    copy = Copy(stream, member.size)
            except WRONG as error:
                raise _unreadable(error) from None
            _copies.clear()
            _copies[key] = copy
        return _copies[key]


def _unreadable(error: Exception) -> MediaError:
    unknown = isinstance(error, NotImplementedError)
    why = "; its kind of compression is not read." if unknown else " to its end."
    return MediaError("unreadable in the archive", f"it cannot be unpacked{why}")


def _unique(members: list[Member]) -> Iterator[Member]:
    """Give each member, the last one of a name under it; earlier ones were replaced by it and say so."""
    last = {member.name: number for number, member in enumerate(members)}
    for number, member in enumerate(members):
        if last[member.name] != number:
            fault, detail = "replaced in the archive", "a later file of the archive has the same name."
            member = replace(member, name=f"{member.name}~{number}", fault=fault, detail=detail)
        yield member


_lock, _copying = threading.Lock(), threading.Lock()
_listings: weakref.WeakKeyDictionary[Zip | Tar, Listing] = weakref.WeakKeyDictionary()
_copies: dict[tuple, Copy] = {}
_open: OrderedDict[tuple, Zip | Tar] = OrderedDict()


def _held(path: str) -> Zip | Tar:
    """Return an archive as this process holds it open."""
    status = os.stat(path)
    key = (path, status.st_size, status.st_mtime_ns)
    with _lock:
        if key not in _open:
            _open[key] = _begun(path)
            while len(_open) > HELD:
                _open.popitem(last=False)  # whoever reads from it still holds it; it closes with the last of them
        _open.move_to_end(key)
        return _open[key]


def _begun(path: str) -> Zip | Tar:
    with open(path, "rb") as file:
        head = file.read(512)
    try:
        if head.startswith(b"PK"):
            return Zip(path)
        archive = Tar(path, head)
        with archive.lock:
            archive.file.seek(0)
            start = archive.file.read(512)
        if head[257:262] != b"ustar" and not _is_header(start):
            raise MediaError("not an archive", "its bytes are those of no zip or tar.")
        return archive
    except WRONG:
        raise MediaError("damaged archive", "it ends like an archive, but it cannot be opened.") from None


def _is_header(block: bytes) -> bool:
    """Say whether a block begins a tar, by its checksum: old ones have no mark; an empty one is all zeros."""
    if len(block) < 512:
        return False
    try:
        return not any(block) or tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape") is not None
    except tarfile.HeaderError:
        return False
