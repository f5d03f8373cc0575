"""A zip or a tar held open: its files, and the bytes of each, without unpacking the rest."""

import bz2
import io
import lzma
import os
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from usfm.errors import MediaError
from usfm.extract.seekable import Gunzipped, Window, bomb, is_bomb

DIRECTORY_BYTES = 64 << 20
"""Largest table of contents of a zip that is read: some 600,000 members."""
IN_MEMORY_BYTES = 32 << 20
"""A compressed member up to this size is held in memory, a larger one in a temporary file without a name."""
HEADER_BYTES = 1 << 20
"""Most that is read of a tar at once to list it."""
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


class Zip:
    """A zip, by its table of contents.

    Args:
        path: The archive.
    """

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
        """Give its files, in order."""
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
        """Return the first bytes of a member.

        Args:
            member: In this archive.
            count: How many bytes.

        Returns:
            At most ``count`` bytes.
        """
        with self.file.open(self.infos[member.place]) as stream:
            return stream.read(count)

    def packed(self, member: Member) -> bool:
        """Say whether a member is compressed."""
        return self.infos[member.place].compress_type != zipfile.ZIP_STORED

    def open(self, member: Member, whole: bool) -> BinaryIO:
        """Open a member, with ``whole`` for one reading from its beginning.

        Args:
            member: In this archive.
            whole: Whether it is read once from the beginning to the end; then it cannot be sought in.

        Returns:
            The member, open.
        """
        info = self.infos[member.place]
        if whole:
            return self.file.open(info)  # type: ignore[return-value]
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


class Tar:
    """A tar, plain or compressed, by its headers.

    Args:
        path: The archive.
        head: Its first bytes.
    """

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
        """Give its files, in order; None for a link or a device."""
        with self.lock:
            self.file.seek(0)
            bounded: Any = _Small(self.file)  # tarfile reads no more of a file than this
            with tarfile.open(fileobj=bounded, mode="r:") as tar:
                end = 0
                while (info := tar.next()) is not None:
                    setattr(tar, "members", [])  # else each stays in memory; tarfile's types do not name it  # noqa: B010
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
        """Return the first bytes of a member.

        Args:
            member: In this archive.
            count: How many bytes.

        Returns:
            At most ``count`` bytes.
        """
        return Window(self.file, member.place, member.size, self).read(count) or b""

    def packed(self, member: Member) -> bool:
        """Say whether a member is compressed."""
        return self.compressed

    def open(self, member: Member, whole: bool) -> BinaryIO:
        """Open a member, with ``whole`` for one reading from its beginning.

        Args:
            member: In this archive.
            whole: Whether it is read once from the beginning to the end.

        Returns:
            The member, open.
        """
        window = Window(self.file, member.place, member.size, self)
        return _copied(window, member.size) if self.compressed and not whole else io.BufferedReader(window)  # type: ignore[arg-type]


def _cleaned(member: Member) -> Member:
    parts = [part for part in member.name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        name = "/".join("__" if part == ".." else part for part in parts) or "__"
        return replace(member, name=name, fault="unsafe name", detail="its name leads out of the archive; rename it.")
    return replace(member, name="/".join(parts))


def _copied(stream, size: int) -> BinaryIO:
    """Copy a member to memory or to a temporary file without a name, so that it can be read from any place."""
    target = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)
    try:
        copy_to(target, stream, size)
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target  # type: ignore[return-value]


def copy_to(target, stream, size: int) -> None:
    """Copy a member of a stated size.

    Args:
        target: To write to.
        stream: To read from.
        size: Bytes that the archive says.

    Raises:
        MediaError: If it has another size.
    """
    left = size
    while left > 0 and (data := stream.read(min(left, 1 << 20))):
        target.write(data)
        left -= len(data)
    if left:
        raise MediaError("truncated archive", "the archive ends within this file.")
    if stream.read(1):  # the end is also where a zip compares its checksum
        raise MediaError("unreadable in the archive", "it holds more bytes than the archive says.")


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
