"""NRRD (.nrrd, .nhdr with its data file): the header through pynrrd, the pixels by ourselves."""

import math
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume import several
from usfm.extract.readers.volume.grid import COLOUR, LIST, NAN, SPACE, TIME, Grid
from usfm.extract.readers.volume.header import HEADER_BYTES, default_steps
from usfm.extract.readers.volume.sequence import FIELD, sequence

TYPES = {
    "i1": "signed char|int8|int8_t",
    "u1": "uchar|unsigned char|uint8|uint8_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i4": "int|signed int|int32|int32_t",
    "u4": "uint|unsigned int|uint32|uint32_t",
    "i8": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "f4": "float",
    "f8": "double",
}
CODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
CODINGS |= {"ascii": "text", "text": "text", "txt": "text"}
COLOURS = {"vector", "rgb-color", "rgba-color", "3-color", "4-color", "point", "covariant-vector", "3-vector"}
OTHER = {"complex", "2-vector", "hsv-color", "xyz-color", "quaternion", "normal", "3-normal", "4-vector", "3-gradient"}
DATA_FILE = re.compile(rb"data ?file\s*:(?!=)")
LISTED = re.compile(rb"data ?file\s*:(?!=)\s*LIST", re.IGNORECASE)
"""After this field, every line of a header is the name of a file."""
MOST_LINES = 100_000
MM = {"mm": 1.0, "millimeter": 1.0, "cm": 10.0, "um": 1e-3, "m": 1e3, "microns": 1e-3, "micrometer": 1e-3}


def recognises(head: bytes) -> bool:
    """Know it by its magic."""
    return re.match(rb"NRRD000\d", head) is not None


def read(media: Media) -> Grid:
    """Read the header of a file.

    Raises:
        MediaError: If it cannot be understood.
    """
    header, end = _header(media)
    sizes = tuple(int(size) for size in header["sizes"])
    dtype = next((name for name, words in TYPES.items() if header["type"].lower() in words.split("|")), None)
    if dtype is None:
        raise MediaError("unknown element type", "the type of its elements is none that is read.")
    coding = CODINGS.get(header["encoding"].lower())
    if coding is None:
        raise MediaError("no decoder", "the encoding of its pixels is not read; save it as raw or gzip.")
    text = {name: value for name, value in header.items() if isinstance(value, str)}
    vectors = _vectors(header, len(sizes))
    roles = _roles(header, sizes, vectors, any(FIELD.fullmatch(name) for name in text))
    frames = math.prod(size for size, role in zip(sizes, roles, strict=True) if role == LIST)
    data, offset, files = media, end, ()
    named = header["data file"]
    if named:
        files = _several(media, named, header["data files"], sizes, coding)
        data, offset = files[0] if files else media.beside(named), 0
    big = str(header.get("endian", "little")).lower() == "big" and coding != "text"
    found = Grid(
        format="NRRD",
        sizes=sizes,
        roles=roles,
        steps=_steps(header, vectors, roles),
        dtype=np.dtype((">" if big else "<") + dtype),
        data=data,
        files=files,
        coding=coding,
        sequence=sequence(text, frames if LIST in roles else 1),
        facts=_facts(header, vectors),
    )
    return _skipped(found, header, offset)


def _several(media: Media, named: str, names: list[str], sizes: tuple[int, ...], coding: str) -> tuple[Media, ...]:
    """Find the files of a list (``LIST``, then a name a line) or of a pattern; () where one file holds all."""
    if not (named.upper().startswith("LIST") or "%" in named):
        return ()
    if coding != "raw":
        raise MediaError("several data files", "its pixels lie compressed in several files; save it as one file.")
    names = names if named.upper().startswith("LIST") else several.numbered(named, sizes[-1])
    files = several.listed(media, names, 0)
    if math.prod(sizes) % len(files):
        raise MediaError("damaged header", f"its pixels cannot lie in {len(files)} files of one size.")
    return files


def _header(media: Media) -> tuple[dict[str, Any], int]:
    """Read the fields; returns them and where the header ends."""
    import nrrd

    lines, names, held = [], [], 0
    with media.open() as file:
        while held < HEADER_BYTES:
            line = file.readline(1 << 20)
            held += len(line)
            if not line or not line.strip(b"\r\n"):
                break
            (names if lines and LISTED.match(lines[-1]) else lines).append(line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dict(nrrd.read_header(lines))
        sizes = [int(size) for size in header["sizes"]]
        named = next((line for line in lines if DATA_FILE.match(line)), b":").partition(b":")[2].strip()
        header = {"type": "", "encoding": "", **header, "data file": named.decode("utf-8", "surrogateescape")}
        header["data files"] = [name.decode("utf-8", "surrogateescape").strip() for name in names]
    except (MemoryError, ImportError):
        raise
    except Exception:  # pynrrd raises whatever a broken header makes it trip over
        raise MediaError("damaged header", "its header cannot be understood.") from None
    if not sizes or len(sizes) > 16 or int(header.get("dimension", len(sizes))) != len(sizes):
        raise MediaError("damaged header", "its header does not say one size for each dimension.")
    return header, held


def _vectors(header: dict[str, Any], axes: int) -> list[np.ndarray | None]:
    """Return the direction of each axis in space, None where it has none."""
    rows = header.get("space directions")
    if rows is None or len(rows) != axes:
        return [None] * axes
    vectors = [None if row is None else np.asarray(row, float) for row in rows]
    return [None if row is None or not np.isfinite(row).all() else row for row in vectors]


def _roles(header: dict[str, Any], sizes: tuple[int, ...], vectors: list, tracked: bool) -> tuple[str, ...]:
    kinds = [str(kind).lower() for kind in header.get("kinds", [])]
    if len(kinds) != len(sizes):
        first_is_colour = len(sizes) > 2 and sizes[0] in (3, 4) and not any(vector is not None for vector in vectors)
        return (COLOUR if first_is_colour else SPACE,) + (SPACE,) * (len(sizes) - 1)
    roles = []
    for kind, size, vector in zip(kinds, sizes, vectors, strict=True):
        if kind in OTHER or (kind.endswith("matrix") and size > 1):
            raise MediaError("not a picture", "its elements are no gray levels or colours.")
        if kind in COLOURS:
            roles.append(COLOUR)
        elif kind == "time":
            roles.append(TIME)
        elif kind == "list" and (tracked or vector is None):
            roles.append(LIST)
        else:
            roles.append(SPACE)
    if roles.count(SPACE) > 3 and LIST not in roles and TIME not in roles:
        roles[len(roles) - 1 - roles[::-1].index(SPACE)] = LIST
    return tuple(roles)


def _steps(header: dict[str, Any], vectors: list, roles: tuple[str, ...]) -> tuple[float, ...]:
    spacings = [float(step) for step in header.get("spacings", [])] or [NAN] * len(roles)
    spacings = spacings if len(spacings) == len(roles) else [NAN] * len(roles)
    lengths = [math.hypot(*v) if v is not None else abs(s) for v, s in zip(vectors, spacings, strict=True)]
    units = [str(unit).lower().strip('"') for unit in header.get("space units", header.get("units", []))]
    factor = MM.get(units[0], NAN) if units and units[0] else 1.0
    space = [n for n, role in enumerate(roles) if role == SPACE]
    known = dict(zip(space, default_steps([lengths[n] * factor for n in space]), strict=True))
    seconds = {n: spacings[n] for n, role in enumerate(roles) if role == TIME}
    return tuple({**known, **seconds}.get(number, NAN) for number in range(len(roles)))


def _facts(header: dict[str, Any], vectors: list) -> dict:
    facts: dict = {}
    space = str(header.get("space", "")).lower()
    if re.fullmatch("[a-z3-]{3,40}", space):
        facts["orientation"] = space
    rows = [vector.tolist() for vector in vectors if vector is not None]
    if rows:
        facts["directions"] = rows
    origin = header.get("space origin")
    if origin is not None and np.isfinite(np.asarray(origin, float)).all():
        facts["origin_mm"] = np.asarray(origin, float).tolist()
    return facts


def _skipped(found: Grid, header: dict[str, Any], offset: int) -> Grid:
    lines = int(header.get("line skip", header.get("lineskip", 0)))
    skip = int(header.get("byte skip", header.get("byteskip", 0)))
    if found.files and lines > 0:
        raise MediaError("no decoder", "it skips lines in each of its data files, which is not read; save it as one.")
    if found.files:
        return replace(found, offset=max(skip, -1))
    if skip == -1 and found.coding == "raw":
        return replace(found, offset=-1)
    if lines > 0 and found.coding not in ("raw", "text"):
        raise MediaError("no decoder", "it skips lines of compressed pixels, which is not read; save it as raw.")
    if lines > 0:
        try:
            with found.data.open() as file:
                file.seek(offset)
                for _ in range(min(lines, MOST_LINES)):
                    file.readline(1 << 20)
                offset = file.tell()
        except OSError:
            pass  # it is told when its size is looked at
    return replace(found, offset=offset, skip=max(skip, 0))
