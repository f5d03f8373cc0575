"""What a compressed frame says about itself: size, depth, colour; read from its bytes and not from the DICOM header."""

from dataclasses import dataclass

SOI, SOC = b"\xff\xd8", b"\xff\x4f\xff\x51"
JP2 = b"\x00\x00\x00\x0cjP  "
LEAD_BYTES = 64
"""A codestream may follow so many bytes of padding."""


@dataclass(frozen=True)
class Codestream:
    """A compressed frame.

    Attributes:
        family: jpeg, jpeg-lossless, jpeg-ls or jpeg-2000.
        rows: Height in pixels.
        columns: Width in pixels.
        components: Samples of a pixel.
        bits: Of a sample.
        signed: Whether samples have a sign.
        colour: rgb or ybr where the bytes themselves say so, else "".
        guess: What libjpeg takes it for, rgb or ybr.
        at: Where the codestream begins in the frame.
    """

    family: str
    rows: int
    columns: int
    components: int
    bits: int
    signed: bool = False
    colour: str = ""
    guess: str = ""
    at: int = 0


def starts_frame(head: bytes) -> bool:
    """Say whether a fragment begins a frame: its first bytes are those of a codestream."""
    return head.startswith((SOI, SOC, JP2))


def look(data: bytes) -> Codestream | None:
    """Read the header of a JPEG, JPEG-LS or JPEG 2000 codestream; None where there is none."""
    try:
        if data[:8] == JP2 or SOC in data[:LEAD_BYTES]:
            return _jpeg_2000(data)
        at = data.find(SOI, 0, LEAD_BYTES)
        return _jpeg(data, at) if at >= 0 else None
    except IndexError:
        return None


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], "big")


def _jpeg_2000(data: bytes) -> Codestream | None:
    at = data.find(SOC)
    if at < 0:
        return None
    siz = at + 4  # of its length field
    columns = _number(data, siz + 4, 4) - _number(data, siz + 12, 4)
    rows = _number(data, siz + 8, 4) - _number(data, siz + 16, 4)
    components = _number(data, siz + 36, 2)
    depth = _number(data, siz + 38, 1)
    place, turned = siz + _number(data, siz, 2), False
    while _number(data, place, 1) == 0xFF and data[place + 1] not in (0x90, 0x93):  # up to the first tile
        if data[place + 1] == 0x52:  # coding style: whether the colours are turned into luminance and differences
            turned = bool(_number(data, place + 8, 1))
        place += 2 + _number(data, place + 2, 2)
    colour = "rgb" if turned else ""
    return Codestream("jpeg-2000", rows, columns, components, (depth & 0x7F) + 1, bool(depth & 0x80), colour, at=at)


def _jpeg(data: bytes, start: int) -> Codestream | None:
    place, jfif, adobe = start + 2, False, -1
    while True:
        if _number(data, place, 1) != 0xFF:
            return None
        code = _number(data, place + 1, 1)
        if code == 0xFF:  # fill byte
            place += 1
            continue
        length = _number(data, place + 2, 2)
        if code == 0xE0 and data[place + 4 : place + 8] == b"JFIF":
            jfif = True
        if code == 0xEE and data[place + 4 : place + 9] == b"Adobe" and length >= 14:
            adobe = data[place + 15]
        if (0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC)) or code == 0xF7:
            return _jpeg_frame(data, place, start, code, jfif, adobe)
        if code in (0xD9, 0xDA):
            return None
        place += 2 + length


def _jpeg_frame(data: bytes, place: int, start: int, code: int, jfif: bool, adobe: int) -> Codestream:
    bits, rows, columns = _number(data, place + 4, 1), _number(data, place + 5, 2), _number(data, place + 7, 2)
    components = _number(data, place + 9, 1)
    rest = [data[place + 10 + 3 * one : place + 13 + 3 * one] for one in range(components)]
    if any(len(one) < 3 for one in rest):
        raise IndexError
    family = "jpeg-ls" if code == 0xF7 else "jpeg-lossless" if code in (0xC3, 0xC7, 0xCB, 0xCF) else "jpeg"
    named = bytes(one[0] for one in rest) == b"RGB"
    reduced = len({one[1] for one in rest}) > 1  # differences of colour at a lower resolution than luminance
    said = {"rgb"} if adobe == 0 or named else set()
    said |= {"ybr"} if adobe == 1 or reduced or (jfif and family == "jpeg") else set()
    guess = "ybr" if jfif else "rgb" if adobe == 0 or (adobe < 0 and named) else "ybr"
    colour = said.pop() if len(said) == 1 and components == 3 else ""
    return Codestream(family, rows, columns, components, bits, False, colour, guess, start)


def predictor(data: bytes) -> int:
    """Return how a lossless JPEG predicts a sample from its neighbours, 1 to 7; 0 where its markers are damaged.

    Example:
        >>> predictor(bytes.fromhex("ffd8 ffc3000b08003000400101 1100 ffda0008 0101 00 06 0000"))
        6
    """
    place = 2
    while data[place : place + 1] == b"\xff" and place + 4 <= len(data):
        code, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if code == 0xDA:
            at = place + 5 + 2 * data[place + 4]
            return data[at] if at < min(place + 2 + length, len(data)) and data[at] <= 7 else 0
        place += 2 + length
    return 0
