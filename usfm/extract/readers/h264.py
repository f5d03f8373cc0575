"""What H.264 says before it is decoded: whether it is made of whole frames, and whether any leans on this one."""

SLICES, PLAIN_UNITS = (1, 5), frozenset(range(1, 13))
"""Types of NAL units: parts of a frame; those that know nothing of layers."""
WITH_CHROMA = (44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244)
"""Profiles whose parameters say how colours are stored."""
MOST_ZEROS = 32


def length_size(extra: bytes) -> int:
    """Return how many bytes stand before each NAL unit and give its length; 0 where there are none.

    Args:
        extra: What the container keeps of the decoder's settings.
    """
    return (extra[4] & 3) + 1 if len(extra) > 8 and extra[0] == 1 else 0


def in_frames(extra: bytes) -> bool:
    """Say whether a stream holds whole frames only, and no fields; False where that cannot be seen.

    Args:
        extra: What the container keeps of the decoder's settings.

    Returns:
        Whether it does (H.264, 7.3.2.1.1: frame_mbs_only_flag of its only set of parameters).
    """
    if not length_size(extra) or extra[5] & 31 != 1:
        return False
    size = int.from_bytes(extra[6:8], "big")
    unit = extra[8 : 8 + size].replace(b"\0\0\3", b"\0\0")
    try:
        return len(extra) >= 8 + size and _only_frames(_Bits(unit[1:]))
    except ValueError:
        return False


def _only_frames(bits: "_Bits") -> bool:
    profile = bits.take(8)
    bits.take(16)
    bits.number()
    if profile in WITH_CHROMA:
        if bits.number() == 3:
            bits.take(1)
        bits.skip(2)
        bits.take(1)
        if bits.take(1):
            return False  # tables of its own, which are not worth reading
    bits.number()
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        return False  # hardly anybody writes it
    bits.skip(1)
    bits.take(1)
    bits.skip(2)
    return bits.take(1) == 1


class _Bits:
    """Bits from the highest of the first byte on."""

    def __init__(self, data: bytes):
        self._bits, self._at = "".join(f"{byte:08b}" for byte in data[:256]), 0

    def take(self, count: int) -> int:
        """Read a number of so many bits."""
        piece = self._bits[self._at : self._at + count]
        if len(piece) < count:
            raise ValueError("no bits are left")
        self._at += count
        return int(piece, 2)

    def skip(self, count: int) -> None:
        """Pass over so many of those numbers that say themselves how long they are."""
        for _ in range(count):
            self.number()

    def number(self) -> int:
        """Read a number that says itself how long it is (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > MOST_ZEROS:
                raise ValueError("no number")
        return (1 << zeros) - 1 + (self.take(zeros) if zeros else 0)


def is_leaf(data: memoryview, length: int) -> bool:
    """Say whether no other frame leans on this one; False where that cannot be seen.

    Args:
        data: A packet.
        length: As `length_size` gives it.

    Returns:
        Whether every part of the frame says so.
    """
    at, slices = 0, 0
    while at + length < len(data):
        size, head = int.from_bytes(data[at : at + length], "big"), data[at + length]
        at += length + size
        if size == 0 or at > len(data) or head & 31 not in PLAIN_UNITS:
            return False
        if head & 31 in SLICES:
            slices += 1
            if head >> 5 & 3:
                return False
    return slices > 0 and at == len(data)
