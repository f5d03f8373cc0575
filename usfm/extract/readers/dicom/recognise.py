"""Whether a file is DICOM: by the mark after its preamble, or by its first data element where the preamble is gone."""

MARK = b"DICM"
MARK_AT = 128
VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
"""Value representations (DICOM PS3.5, 6.2)."""
FIRST_GROUPS = (0x0002, 0x0008)
"""Groups that a data set begins with: file meta information, or what the object is."""
ENCODINGS = ((False, False), (True, False), (False, True))
"""(implicit, big endian), as a data set may be written."""


def recognises(head: bytes) -> bool:
    r"""Say whether a file that begins with these bytes is DICOM.

    Before the mark may stand anything, even the beginning of a TIFF. Without it the first two data elements must make
    sense together: known groups, rising tags, lengths that lead from one to the next.

    Example:
        >>> recognises(bytes(128) + b"DICM"), recognises(b"\x08\x00\x05\x00CS\x02\x00" + b"ISO_IR 100")
        (True, False)
        >>> recognises(bytes.fromhex("0800050043530200 4142 0800080043530200 4142"))
        True
    """
    return head[MARK_AT : MARK_AT + 4] == MARK or any(_begins(head, big, implicit) for implicit, big in ENCODINGS)


def guess(head: bytes) -> tuple[bool, bool]:
    """Return (whether value representations are implicit, whether numbers are big endian) of a bare data set."""
    return next((way for way in ENCODINGS if _begins(head, way[1], way[0])), (True, False))


def _begins(head: bytes, big: bool, implicit: bool) -> bool:
    """Say whether two data elements of a data set stand at the beginning."""
    first, at = _element(head, 0, big, implicit)
    if first is None or first >> 16 not in FIRST_GROUPS:
        return False
    second, _ = _element(head, at, big, implicit)
    return second is not None and first < second and second >> 16 in (*FIRST_GROUPS, 0x0010)


def _element(head: bytes, at: int, big: bool, implicit: bool) -> tuple[int | None, int]:
    """Read one element's tag; returns it, None where it makes no sense, and where the next one begins."""
    if len(head) < at + 8:
        return None, at

    def number(begin: int, end: int) -> int:
        return int.from_bytes(head[at + begin : at + end], "big" if big else "little")

    tag = number(0, 2) << 16 | number(2, 4)
    if implicit:
        length = number(4, 8)
        return (tag, at + 8 + length) if length <= 1024 else (None, at)
    vr = head[at + 4 : at + 6]
    if vr not in VRS:
        return None, at
    if vr in (b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC", b"UR"):
        length = number(8, 12) if len(head) >= at + 12 else 1 << 32
        return (tag, at + 12 + length) if length <= 1024 else (None, at)
    return tag, at + 8 + number(6, 8)
