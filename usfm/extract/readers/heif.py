"""Pictures in ISO boxes (HEIC, AVIF): their brands, and whether the picture is put together from tiles."""

from collections.abc import Iterator

JOINED = (b"grid", b"iovl")
HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1"})


def brands(head: bytes) -> tuple[bytes, ...]:
    r"""Return the brands that a file of ISO boxes claims, the major one first.

    Example:
        >>> brands(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif")
        (b'mif1', b'mif1', b'avif')
    """
    if head[4:8] != b"ftyp":
        return ()
    listed = head[16 : min(int.from_bytes(head[:4], "big"), 256)]
    return (head[8:12], *(listed[at : at + 4] for at in range(0, len(listed) - 3, 4)))


def is_tiled(head: bytes) -> bool:
    """Say whether a HEIC file's picture is a grid of tiles, each of which would pass for a picture of its own.

    Args:
        head: The beginning of the file, with its ``meta`` box.
    """
    if not HEIC & set(brands(head)):
        return False
    meta = next((body for name, body in _boxes(head) if name == b"meta"), b"")[4:]
    primary, kinds = None, {}
    for name, body in _boxes(meta):
        if name == b"pitm":
            primary = int.from_bytes(body[4:8] if body[:1] != b"\0" else body[4:6], "big")
        elif name == b"iinf":
            for _, entry in _boxes(body[6 if body[:1] == b"\0" else 8 :]):
                wide = 4 if entry[:1] == b"\3" else 2
                kinds[int.from_bytes(entry[4 : 4 + wide], "big")] = entry[6 + wide : 10 + wide]
    return kinds.get(primary) in JOINED


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        size = len(data) - at if size == 0 else size
        if size < 8:
            return
        yield data[at + 4 : at + 8], data[start : at + size]
        at += size
