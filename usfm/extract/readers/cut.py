"""Whether a file is cut short: a structure that begins in it and ends beyond its end; each container tells its own way.

Only what the file's own lengths prove counts. A file cut exactly between two blocks of a container that states no total
passes as whole.
"""

import os
import struct
from typing import BinaryIO

ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
TOP_BOXES = (*ISO_BOXES, *(b"moof mfra sidx ssix uuid meta styp udta prft emsg".split()))
ASF_STARTS = frozenset(bytes.fromhex(one) for one in "3026b275 3626b275 90080033 d329e2d6 f803b1fe d03fb73c".split())
"""Beginnings of the names of header, data and indices; what follows them is not the file's own."""
ASF_START = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
EBML_START = b"\x1a\x45\xdf\xa3"
HEADER, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
TAIL = 1 << 18
SLACK = 8  # some writers count the eight bytes of the first chunk's head twice


def is_cut(path: str) -> bool:
    """Say whether a video file ends before its own lengths say.

    Args:
        path: The file; one of a container without lengths is never cut.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(1024)
        file.seek(0)
        if head[4:8] in ISO_BOXES:
            return _iso(file, size)
        if head[:4] == b"RIFF":
            return _riff(file, size)
        if head.startswith(EBML_START):
            return _ebml(file, 0, size, top=True)
        if head.startswith(ASF_START):
            return _asf(file, size)
        if head.startswith(b"FLV"):
            claimed = _flv_claims(head)
            return claimed > size if claimed else _flv(file, int.from_bytes(head[5:9], "big"), size)
        if head.startswith(b"OggS"):
            return _ogg(file, size)
        if head.startswith(b"DKIF"):
            return _ivf(file, int.from_bytes(head[6:8], "little"), size)
        if head.startswith(b"YUV4MPEG2 "):
            return _y4m(head, size)
        if head.startswith(b"\x00\x00\x01\xba"):
            return _program_stream(file, size)
        step = transport_step(head)
        file.seek(size - size % step if step else 0)
        rest = file.read(204)
        sync = 4 if step == 192 else 0
        return bool(step) and 0 < len(rest) < step and rest[sync : sync + 1] in (b"G", b"")


def transport_step(head: bytes) -> int:
    """Return the bytes of a packet of an MPEG transport stream, 188, 192 or 204; 0 where it is none.

    Example:
        >>> transport_step((b"G" + bytes(187)) * 4), transport_step(b"GIF89a" + bytes(900))
        (188, 0)
    """
    for step, first in ((188, 0), (192, 4), (204, 0)):
        at = range(first, first + 4 * step, step)
        if len(head) > at[2] and all(head[place] == 0x47 for place in at if place < len(head)):
            return step
    return 0


def _iso(file: BinaryIO, size: int) -> bool:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        length = int.from_bytes(head[8:16], "big") if length == 1 else length
        if length < 8 or head[4:8] not in TOP_BOXES:  # 0: up to the end of the file
            return False
        at += length
    return at > size


def _riff(file: BinaryIO, size: int) -> bool:
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(12)
        if head[:4] != b"RIFF":
            return False  # whatever follows, the chunks before it are whole
        length = int.from_bytes(head[4:8], "little")
        if length == 0 or length >= 0xFFFFFF00:  # never filled in
            return _riff_chunks(file, at + 12, size)
        at += 8 + length + length % 2
    return at > size + SLACK


def _riff_chunks(file: BinaryIO, at: int, size: int) -> bool:
    while at + 8 <= size:
        file.seek(at)
        head = file.read(12)
        length = int.from_bytes(head[4:8], "little")
        into = head[:4] == b"LIST" and (head[8:12] == b"movi" or head[8:12] == b"rec ")
        at += 12 if into else 8 + length + length % 2
    return at > size + 1


def _ebml(file: BinaryIO, at: int, size: int, *, top: bool) -> bool:
    while at < size:
        file.seek(at)
        head = file.read(12)
        wide = 9 - head[0].bit_length() if head[0] else 9
        if wide > 4 or len(head) <= wide:
            return len(head) <= wide and at + len(head) == size and not top
        number = int.from_bytes(head[:wide], "big")
        length, taken = _ebml_length(head[wide:])
        if not taken:
            return not top
        at += wide + taken
        if top and number not in (HEADER, SEGMENT):
            return False
        if number in (SEGMENT, CLUSTER) and length < 0:
            return _ebml(file, at, size, top=False)
        if length < 0:
            return False
        at += length
    return at > size


def _ebml_length(head: bytes) -> tuple[int, int]:
    """Return a length and its bytes; -1 where the file leaves it open, 0 bytes where it is cut off."""
    wide = 9 - head[0].bit_length() if head and head[0] else 9
    if len(head) < wide:
        return 0, 0
    value = int.from_bytes(head[:wide], "big") - (1 << 7 * wide)
    return (-1 if value == (1 << 7 * wide) - 1 else value), wide


def _asf(file: BinaryIO, size: int) -> bool:
    at = 0
    while at + 24 <= size:
        file.seek(at)
        head = file.read(24)
        length = int.from_bytes(head[16:24], "little")
        if length < 24 or head[:4] not in ASF_STARTS:  # a live recording states none
            return False
        at += length
    return at > size


def _flv(file: BinaryIO, at: int, size: int) -> bool:
    at += 4
    while at + 11 <= size:
        file.seek(at)
        head = file.read(4)
        if head[0] & 0x1F not in (8, 9, 18):
            return False
        end = at + 11 + int.from_bytes(head[1:4], "big")
        if end > size:
            return True
        at = end + 4
    return at < size  # the head of a tag


def _flv_claims(head: bytes) -> int:
    """Return the size that the file's own description gives, 0 where it gives none."""
    at = head.find(b"filesize\x00")
    found = head[at + 9 : at + 17] if at >= 0 else b""
    claimed = struct.unpack(">d", found)[0] if len(found) == 8 else 0.0
    return int(claimed) if 0 < claimed < 1 << 50 else 0


def _ogg(file: BinaryIO, size: int) -> bool:
    file.seek(max(size - TAIL, 0))
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return False
    segments = tail[at + 27 : at + 27 + tail[at + 26]] if at + 26 < len(tail) else b""
    return at + 26 >= len(tail) or len(segments) < tail[at + 26] or at + 27 + len(segments) + sum(segments) > len(tail)


def _ivf(file: BinaryIO, at: int, size: int) -> bool:
    while at + 12 <= size:
        file.seek(at)
        at += 12 + int.from_bytes(file.read(4), "little")
    return at != size


def _y4m(head: bytes, size: int) -> bool:
    """Say whether the frames, all of one size, fill the file; a frame's own line may hold more than its name."""
    line = head.split(b"\n")[0]
    words = {word[:1]: word[1:].decode("ascii", "replace") for word in line.split(b" ")[1:] if word}
    kind = words.get(b"C", "420")
    planes = {"mono": 2, "422": 4, "444": 6}.get(next((name for name in ("mono", "422", "444") if name in kind), ""), 3)
    try:
        width, height = int(words[b"W"]), int(words[b"H"])
    except (KeyError, ValueError):
        return False
    chroma = ((width + 1) // 2) * ((height + 1) // 2) * 2 if planes == 3 else width * height * (planes - 2) // 2
    deep = 2 if any(kind.endswith(f"p{bits}") for bits in (9, 10, 12, 14, 16)) or kind in ("mono10", "mono16") else 1
    plain = "alpha" not in kind and head[len(line) + 1 :].startswith(b"FRAME\n")
    return plain and (size - len(line) - 1) % (6 + (width * height + chroma) * deep) != 0


def _program_stream(file: BinaryIO, size: int) -> bool:
    """Walk the packets of the file's last part; padding and rubbish after the last whole one do not count."""
    file.seek(max(size - TAIL, 0))
    tail = file.read()
    at = tail.find(b"\x00\x00\x01\xba")
    while 0 <= at < len(tail):
        code = tail[at : at + 4]
        if len(code) < 4:
            return code == b"\x00\x00\x01"[: len(code)] and code.rstrip(b"\x00") != b""
        if code[:3] != b"\x00\x00\x01" or code[3] == 0xB9:
            return False
        if code[3] == 0xBA:
            second = at + 4 < len(tail) and tail[at + 4] >> 6 == 1
            stuffing = tail[at + 13] & 7 if second and at + 13 < len(tail) else 0
            at += 14 + stuffing if second else 12
        elif code[3] >= 0xBB:
            if at + 6 > len(tail):
                return True
            at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
        else:
            return False
    return at > len(tail)
