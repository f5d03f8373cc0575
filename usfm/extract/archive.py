"""Archives (zip, tar, and tar compressed by gzip, bzip2 or xz): what they hold, read without unpacking them.

Nothing is written under a name from an archive, so links and names that lead elsewhere do no harm.
"""

import bz2
import errno
import io
import lzma
import os
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from usfm.errors import MediaError
from usfm.extract.seekable import Gunzipped, Window, bomb, is_bomb

ENDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
OTHERS = tuple(".npz .docx .xlsx .pptx .odt .ods .odp .jar .apk .epub .pt .pth .ckpt .whl .kmz".split())
"""Files that are zips inside and hold no folder of anybody."""
DIRECTORY_BYTES = 64 << 20
"""Largest table of contents of a zip that is read: some 600,000 members."""
MOST_MEMBERS = 1_000_000
IN_MEMORY_BYTES = 32 << 20
"""A compressed member up to this size is held in memory, a larger one in a temporary file without a name."""
HEADER_BYTES = 1 << 20
"""Most that is read of a tar at once to list it."""
HELD = 4
"""Archives that a process keeps open."""
WRONG = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, KeyError,
         NotImplementedError, RuntimeError, OverflowError)  # fmt: skip
"""What the libraries raise for a damaged archive, besides OSError."""


@dataclass(frozen=True)
class Member:
    """One file in an archive.

    Attributes:
        name: Its path in the archive, cleaned: forward slashes, nothing empty, no leading slash.
        size: Bytes, unpacked.
        place: Where it is: its number in a zip's table of contents, the byte at which its content begins in a tar.
        fault: Why it cannot be read, "" where it can; with ``detail``, a sentence.
    """

    name: str
    size: int
    place: int
    fault: str = ""
    detail: str = ""


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
    if archive.listing is None:
        archive.listing = _listed(archive)
    return archive.listing


def _listed(archive: "_Zip | _Tar") -> Listing:
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
    """Return the member of a name; one that cannot be opened where there is none."""
    return next((one for one in listing(path).members if one.name == name), Member(name, 0, -1))


def head(path: str, member: Member, count: int) -> bytes:
    """Return the first bytes of a member without unpacking the rest; raises as ``opened`` does."""
    if member.fault:
        raise MediaError(member.fault, member.detail)
    try:
        return _held(path).head(member, count)
    except WRONG as error:
        raise _unreadable(error) from None


def opened(path: str, member: Member) -> BinaryIO:
    """Open a member for reading from any place in it.

    Raises:
        MediaError: If it cannot be unpacked.
        OSError: If the archive itself cannot be read, or the member is not there.
    """
    if member.fault:
        raise MediaError(member.fault, member.detail)
    if member.place < 0:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        return _held(path).open(member)
    except WRONG as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> MediaError:
    unknown = isinstance(error, NotImplementedError)
    why = "; its kind of compression is not read." if unknown else " to its end."
    return MediaError("unreadable in the archive", f"it cannot be unpacked{why}")


class _Zip:
    listing: Listing | None = None

    def __init__(self, path: str):
        self._check_directory(path)
        self.raw, self.lock = open(path, "rb"), threading.Lock()
        weakref.finalize(self, self.raw.close)
        self.file = zipfile.ZipFile(path)
        self.infos = self.file.infolist()
        stored = os.path.getsize(path)
        if is_bomb(sum(info.file_size for info in self.infos), stored):
            raise bomb()

    @staticmethod
    def _check_directory(path: str) -> None:
        """Refuse a table of contents that would fill the memory, by what the end of the file says about it."""
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - (1 << 16) - 128))
            tail = file.read()
        at, wide = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")
        lengths = [int.from_bytes(tail[at + 12 : at + 16], "little")] if at >= 0 else []
        if lengths == [0xFFFFFFFF]:
            lengths = [int.from_bytes(tail[wide + 40 : wide + 48], "little")] if wide >= 0 else []
        if any(length > DIRECTORY_BYTES for length in lengths):
            raise MediaError("archive bomb", "its table of contents is too large; unpack it with care.")

    def members(self) -> Iterator[Member]:
        for number, info in enumerate(self.infos):
            if info.is_dir():
                continue
            member = Member(info.filename, info.file_size, number)
            if info.flag_bits & 1:
                member = replace(member, fault="encrypted", detail="it needs a password; unpack the archive first.")
            elif is_bomb(info.file_size, info.compress_size):
                member = replace(member, fault="archive bomb", detail=bomb().detail)
            yield _cleaned(member)

    def head(self, member: Member, count: int) -> bytes:
        with self.file.open(self.infos[member.place]) as stream:
            return stream.read(count)

    def open(self, member: Member) -> BinaryIO:
        info = self.infos[member.place]
        if info.compress_type == zipfile.ZIP_STORED and member.size > IN_MEMORY_BYTES:
            with self.lock:
                self.raw.seek(info.header_offset)
                header = self.raw.read(30)
            if len(header) < 30 or header[:4] != b"PK\3\4":
                raise zipfile.BadZipFile
            start = info.header_offset + 30 + int.from_bytes(header[26:28], "little")
            start += int.from_bytes(header[28:30], "little")
            return io.BufferedReader(Window(self.raw, start, info.compress_size, self))  # type: ignore[arg-type]
        with self.file.open(info) as stream:
            return _copied(stream, member.size)


class _Small:
    """A file of which nobody reads much at once: a header of a tar may claim any length."""

    def __init__(self, file: BinaryIO):
        self.seek, self.tell, self._file = file.seek, file.tell, file

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= HEADER_BYTES:
            raise MediaError("damaged archive", "one of its headers claims to be larger than any is.")
        return self._file.read(count)


class _Tar:
    listing: Listing | None = None

    def __init__(self, path: str, head: bytes):
        self.lock, self.compressed = threading.Lock(), True
        self.raw = open(path, "rb")
        weakref.finalize(self, self.raw.close)
        if head.startswith(b"\x1f\x8b"):
            self.file: BinaryIO = io.BufferedReader(Gunzipped(self.raw))  # type: ignore[assignment]
        elif head.startswith((b"BZh", b"\xfd7zXZ\0")):
            self.file = _unpacked(self.raw, head)
            weakref.finalize(self, self.file.close)
        else:
            self.file, self.compressed = self.raw, False

    def members(self) -> Iterator[Member | None]:
        with self.lock:
            self.file.seek(0)
            with tarfile.open(fileobj=_Small(self.file), mode="r:") as tar:
                end = 0
                while (info := tar.next()) is not None:
                    tar.members = []  # else each stays in memory
                    end = info.offset_data + (info.size if info.isreg() else 0)
                    if info.isdir():
                        continue
                    if not info.isreg():
                        yield None
                        continue
                    member = Member(info.name, info.size, info.offset_data)
                    if info.issparse():
                        member = replace(member, fault="unreadable in the archive", detail="it has holes; unpack it.")
                    yield _cleaned(member)
                self._check_end(end)

    def _check_end(self, end: int) -> None:
        if self.file.seek(0, 2) < end:
            raise MediaError("truncated archive", "the archive is cut short within its last file.")

    def head(self, member: Member, count: int) -> bytes:
        return Window(self.file, member.place, member.size, self).read(count) or b""

    def open(self, member: Member) -> BinaryIO:
        window = Window(self.file, member.place, member.size, self)
        return _copied(window, member.size) if self.compressed else io.BufferedReader(window)  # type: ignore[arg-type]


def _cleaned(member: Member) -> Member:
    parts = [part for part in member.name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        name = "/".join("__" if part == ".." else part for part in parts) or "__"
        return replace(member, name=name, fault="unsafe name", detail="its name leads out of the archive; rename it.")
    return replace(member, name="/".join(parts))


def _unique(members: list[Member]) -> Iterator[Member]:
    """Give each member, the last one of a name under it; earlier ones were replaced by it and say so."""
    last = {member.name: number for number, member in enumerate(members)}
    for number, member in enumerate(members):
        if last[member.name] != number:
            fault, detail = "replaced in the archive", "a later file of the archive has the same name."
            member = replace(member, name=f"{member.name}~{number}", fault=fault, detail=detail)
        yield member


def _copied(stream, size: int) -> BinaryIO:
    """Copy a member to memory or to a temporary file without a name, so that it can be read from any place."""
    target = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)
    try:
        left = size
        while left > 0 and (data := stream.read(min(left, 1 << 20))):
            target.write(data)
            left -= len(data)
        if left:
            raise MediaError("truncated archive", "the archive ends within this file.")
        if stream.read(1):  # the end is also where a zip compares its checksum
            raise MediaError("unreadable in the archive", "it holds more bytes than the archive says.")
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target  # type: ignore[return-value]


def _unpacked(raw: BinaryIO, head: bytes) -> BinaryIO:
    """Unpack a stream that cannot be entered in its middle to a temporary file without a name."""
    stream = bz2.BZ2File(raw) if head.startswith(b"BZh") else lzma.LZMAFile(raw)
    target = tempfile.TemporaryFile()
    try:
        while data := stream.read(1 << 20):
            target.write(data)
            if is_bomb(target.tell(), raw.tell()):
                raise bomb()
    except (*WRONG, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            target.close()
            raise
        # what came out is listed, and the missing end shows
    except BaseException:
        target.close()
        raise
    return target


_lock = threading.Lock()
_open: OrderedDict[tuple, "_Zip | _Tar"] = OrderedDict()


def _held(path: str) -> "_Zip | _Tar":
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


def _begun(path: str) -> "_Zip | _Tar":
    with open(path, "rb") as file:
        head = file.read(512)
    try:
        if head.startswith(b"PK"):
            return _Zip(path)
        archive = _Tar(path, head)
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
