"""MetaImage (.mha, .mhd with its data file): the text header, read by ourselves so that no field of a frame is lost."""

import io
import math
import re
from dataclasses import replace

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume import several
from usfm.extract.readers.volume.grid import COLOUR, LIST, NAN, SPACE, Grid
from usfm.extract.readers.volume.header import HEADER_BYTES, default_steps, integers, numbers
from usfm.extract.readers.volume.sequence import FIELD, sequence

START = re.compile(rb"\s*(?:Comment\s*=[^\n]*\n\s*)?(?:ObjectType\s*=\s*Image\b|NDims\s*=\s*\d)")
TYPES = {
    "CHAR": "i1",
    "UCHAR": "u1",
    "SHORT": "i2",
    "USHORT": "u2",
    "INT": "i4",
    "UINT": "u4",
    "LONG": "i4",  # eight bytes where the size of the file says so
    "ULONG": "u4",
    "LONG_LONG": "i8",
    "ULONG_LONG": "u8",
    "FLOAT": "f4",
    "DOUBLE": "f8",
}


def recognises(head: bytes) -> bool:
    """Know a header by its first field, and by fields that every picture has."""
    return START.match(head) is not None and re.search(rb"^\s*(NDims|DimSize)\s*=", head, re.MULTILINE) is not None


def read(media: Media) -> Grid:
    """Read the header of a file; what it says of the data file is believed here, and checked before it is read.

    Raises:
        MediaError: If it cannot be understood.
    """
    fields, end = _fields(media)
    sizes = integers(fields.get("DimSize", ""))
    if not sizes or len(sizes) != (integers(fields.get("NDims", "")) or [len(sizes)])[0]:
        raise MediaError("damaged header", "its header does not say one size for each dimension.")
    kind = fields.get("ElementType", "").removeprefix("MET_").removesuffix("_ARRAY")
    if kind not in TYPES:
        raise MediaError("unknown element type", "the type of its elements is none that is read.")
    channels = (integers(fields.get("ElementNumberOfChannels", "1")) or [1])[0]
    axes = [SPACE] * len(sizes)
    tracked = any(FIELD.fullmatch(name) for name in fields)
    last_is_list = fields.get("Kinds", "").split()[-1:] == ["list"]
    if len(sizes) > 2 and (tracked or (last_is_list and len(sizes) > 3)):  # volumes are often called lists
        axes[-1] = LIST
    steps = numbers(fields.get("ElementSpacing", "") or fields.get("ElementSize", ""))
    steps = [abs(step) for step in steps] if len(steps) == len(sizes) else [NAN] * len(sizes)
    steps = [NAN if role == LIST else step for step, role in zip(default_steps(steps), axes, strict=True)]
    text = _is(fields, "BinaryData", True) is False
    slope, intercept = _scale(fields)
    grid = Grid(
        format="MetaImage",
        sizes=((channels,) if channels != 1 else ()) + tuple(sizes),
        roles=((COLOUR,) if channels != 1 else ()) + tuple(axes),
        steps=((NAN,) if channels != 1 else ()) + tuple(steps),
        dtype=_dtype(fields, kind, text),
        data=media,
        coding="text" if text else "zlib" if _is(fields, "CompressedData", False) else "raw",
        sequence=sequence(fields, sizes[-1] if axes[-1] == LIST else 1),
        facts=_facts(fields),
        slope=slope,
        intercept=intercept,
    )
    return _located(grid, fields, end, kind)


def _fields(media: Media) -> tuple[dict[str, str], int]:
    """Read the fields; returns them and where the header ends."""
    fields: dict[str, str] = {}
    with media.open() as file:
        while file.tell() < HEADER_BYTES:
            line = file.readline(1 << 16)
            name, equals, value = line.decode("utf-8", "surrogateescape").partition("=")  # a file name may be any bytes
            if not line:
                break
            if equals:
                fields[name.strip()] = value.strip()
            if equals and name.strip() == "ElementDataFile":
                return fields, file.tell()
    raise MediaError("damaged header", "its header ends before it says where the pixels are (ElementDataFile).")


def _is(fields: dict[str, str], name: str, otherwise: bool) -> bool:
    return fields.get(name, str(otherwise)).lower() in ("true", "1", "t", "yes")


def _dtype(fields: dict[str, str], kind: str, text: bool) -> np.dtype:
    big = _is(fields, "BinaryDataByteOrderMSB", False) or _is(fields, "ElementByteOrderMSB", False)
    return np.dtype((">" if big and not text else "<") + TYPES[kind])


def _scale(fields: dict[str, str]) -> tuple[float, float]:
    slope = (numbers(fields.get("ElementToIntensityFunctionSlope", "")) or [1.0])[0]
    shift = (numbers(fields.get("ElementToIntensityFunctionOffset", "")) or [0.0])[0]
    return (slope, shift) if slope and math.isfinite(slope + shift) else (1.0, 0.0)


def _facts(fields: dict[str, str]) -> dict:
    facts: dict = {}
    anatomical = fields.get("AnatomicalOrientation", "")
    if re.fullmatch("[RLAPSI]{2,3}", anatomical):
        facts["orientation"] = anatomical
    for name, key in (("TransformMatrix", "direction"), ("Offset", "origin_mm")):
        values = numbers(fields.get(name, ""))
        if values and len(values) <= 16 and all(math.isfinite(value) for value in values):
            facts[key] = values
    return facts


def _located(grid: Grid, fields: dict[str, str], end: int, kind: str) -> Grid:
    name, skipped = fields["ElementDataFile"], (integers(fields.get("HeaderSize", "0")) or [0])[0]
    if name.upper() == "LOCAL":
        grid = replace(grid, offset=end)
    elif name.upper().startswith("LIST") or "%" in name:
        grid = _of_several(grid, fields, end, skipped)
    else:
        grid = replace(grid, data=grid.data.beside(name), offset=max(skipped, -1))
    if kind in ("LONG", "ULONG") and grid.coding == "raw" and _held(grid) >= 2 * grid.bytes:
        grid = replace(grid, dtype=np.dtype(grid.dtype.str.replace("4", "8")))  # what some programs mean by the name
    return grid


def _of_several(grid: Grid, fields: dict[str, str], end: int, skipped: int) -> Grid:
    """Find the files of a list (``LIST 2D`` and a name a line) or of a pattern; each has a plane, or so many axes."""
    if grid.coding != "raw":
        raise MediaError("several data files", "its pixels lie compressed in several files; save it as one file.")
    name, axes = fields["ElementDataFile"], grid.sizes[1:] if COLOUR in grid.roles else grid.sizes
    told = re.fullmatch(r"LIST\s*(\d)?D?", name.upper())
    wanted = math.prod(axes[int(told[1]) if told and told[1] else len(axes) - 1 :])
    if told:
        with grid.data.open() as file:
            file.seek(end)
            lines = file.read(HEADER_BYTES).decode("utf-8", "surrogateescape").splitlines()
        names = [line.strip() for line in lines if line.strip()]
    else:
        names = several.numbered(name, axes[-1])
    files = several.listed(grid.data, names, wanted)
    return replace(grid, data=files[0], files=files, offset=max(skipped, -1))


def _held(grid: Grid) -> int:
    try:
        with grid.data.open() as file:
            return file.seek(0, io.SEEK_END) - max(grid.offset, 0)
    except OSError:
        return 0
