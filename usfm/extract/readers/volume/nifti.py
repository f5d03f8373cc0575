"""NIfTI-1 and -2 (.nii, .nii.gz, .hdr with .img) and Analyze 7.5 (.hdr with .img): headers through nibabel."""

import math
import zlib
from typing import Any, Literal

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume.grid import COLOUR, LIST, NAN, SPACE, TIME, Grid
from usfm.extract.readers.volume.header import default_steps

ONE, TWO = 348, 540  # bytes of the two headers
MAGIC_AT = {ONE: 344, TWO: 4}
GZIP = b"\x1f\x8b"
MM = {1: 1000.0, 3: 0.001}
SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}
ANALYZE = 7
"""Version of a header that is as long as NIfTI-1's, and has no magic."""
ANALYZE_BITS = {2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24}
"""Bits of each type of element that Analyze 7.5 has."""
VECTOR = (1007, 2003, 2004)  # intents: vector, RGB, RGBA


def recognises(head: bytes) -> bool:
    """Know it by the magic in its header, also where the file is compressed."""
    return bool(_version(_start(head)))


def _start(head: bytes) -> bytes:
    if not head.startswith(GZIP):
        return head
    try:
        return zlib.decompressobj(31).decompress(head, TWO)
    except zlib.error:
        return b""


def _version(start: bytes) -> int:
    """Return how long a header with a magic is, or `ANALYZE`; 0 where it is none."""
    for order in ("little", "big"):
        size = int.from_bytes(start[:4], order)
        if size == ONE and start[344:348] in (b"n+1\0", b"ni1\0"):
            return ONE
        if size == TWO and start[4:8] in (b"n+2\0", b"ni2\0"):
            return TWO
        if size == ONE and len(start) >= ONE and _is_analyze(start, order):
            return ANALYZE
    return 0


def _is_analyze(start: bytes, order: Literal["little", "big"]) -> bool:
    """Know a header without a magic by numbers that must fit each other: axes, the type of an element, its bits."""
    axes, kind, bits = (int.from_bytes(start[at : at + 2], order) for at in (40, 70, 72))
    return 1 <= axes <= 7 and ANALYZE_BITS.get(kind) == bits


def read(media: Media) -> Grid:
    """Read the header of a file.

    Raises:
        MediaError: If it cannot be understood.
    """
    with media.open() as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        head = file.read(1 << 14)
    start = _start(head)
    size = _version(start)
    if not size or len(start) < size:
        raise MediaError("damaged header", "its header cannot be understood.")
    single = size != ANALYZE and start[MAGIC_AT[size] + 1 : MAGIC_AT[size] + 2] == b"+"
    data = media if single else _pair(media)
    header = _parsed(start[: ONE if size == ANALYZE else size], size)
    begins = _begins(header, size + 4 if single else 0)
    return _grid(header, data, packed if single else data.name.endswith(".gz"), begins)


def _begins(header: Any, least: int) -> int:
    """Return the byte at which the pixels begin: in one file with the header, never inside that."""
    told = float(header["vox_offset"])
    return max(int(min(told, 1 << 40)), least) if not math.isnan(told) else least


def _pair(media: Media) -> Media:
    """Return the data file that belongs to a header of its own (``.hdr``)."""
    stem = media.name[:-3] if media.name.lower().endswith(".gz") else media.name
    stem = stem[:-4] if stem.lower().endswith(".hdr") else stem
    files = [media.beside(stem + end) for end in (".img", ".IMG", ".img.gz")]
    return next((file for file in files if _opens(file)), files[0])


def _opens(media: Media) -> bool:
    try:
        media.open().close()
    except OSError:
        return False
    return True


def _parsed(start: bytes, size: int) -> Any:
    import nibabel

    kinds = {ONE: nibabel.Nifti1Header, TWO: nibabel.Nifti2Header, ANALYZE: nibabel.Spm2AnalyzeHeader}
    try:
        return kinds[size](start, check=False)
    except (MemoryError, ImportError):
        raise
    except Exception:  # nibabel raises whatever a broken header makes it trip over
        raise MediaError("damaged header", "its header cannot be understood.") from None


def _grid(header: Any, data: Media, packed: bool, start: int) -> Grid:
    axes = int(header["dim"][0])
    if not 1 <= axes <= 7:
        raise MediaError("damaged header", "its header does not say one size for each dimension.")
    sizes = [int(size) for size in header["dim"][1 : axes + 1]]
    steps = [float(step) for step in header["pixdim"][1 : axes + 1]]
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    dtype, colours = _element(header)
    roles = [SPACE] * min(len(sizes), 3) + [TIME] * (len(sizes) > 3) + [LIST] * max(len(sizes) - 4, 0)
    if len(sizes) == 5 and (_code(header, "intent_code") in VECTOR or sizes[3] == 1):
        roles[4] = COLOUR
    units = _code(header, "xyzt_units")
    factor, seconds = MM.get(units & 7, 1.0), SECONDS.get(units & 56, NAN)
    known = default_steps([abs(step) * factor for step in steps[: roles.count(SPACE)]])
    known += [steps[3] * seconds if math.isfinite(steps[3]) and steps[3] > 0 else NAN] if len(sizes) > 3 else []
    known += [NAN] * (len(sizes) - len(known))
    cut = _code(header, "dim_info") >> 4 & 3
    slope, intercept = _scale(header)
    return Grid(
        format="NIfTI" if "magic" in header.keys() else "Analyze",
        sizes=((colours,) if colours > 1 else ()) + tuple(sizes),
        roles=((COLOUR,) if colours > 1 else ()) + tuple(roles),
        steps=((NAN,) if colours > 1 else ()) + tuple(known),
        dtype=dtype,
        data=data,
        offset=0 if packed else start,
        skip=start if packed else 0,
        coding="gzip" if packed else "raw",
        slices=cut - 1 + (colours > 1) if cut else -1,
        facts=_facts(header),
        slope=slope,
        intercept=intercept,
    )


def _code(header: Any, name: str) -> int:
    """Return a field that Analyze 7.5 does not have, 0 there."""
    return int(header[name]) if name in header.keys() else 0


def _element(header: Any) -> tuple[np.dtype, int]:
    """Return the type of a number, and how many of them an element has."""
    try:
        dtype = header.get_data_dtype()
    except Exception:  # nibabel raises whatever a broken header makes it trip over
        raise MediaError("unknown element type", "the type of its elements is none that is read.") from None
    if dtype.names and all(dtype[name] == np.uint8 for name in dtype.names):
        return np.dtype(np.uint8), len(dtype.names)
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise MediaError("unknown element type", "the type of its elements is none that is read.")
    return dtype, 1


def _scale(header: Any) -> tuple[float, float]:
    slope, shift = float(header["scl_slope"]), float(header["scl_inter"])
    if not math.isfinite(slope) or slope == 0:
        return 1.0, 0.0
    return slope, shift if math.isfinite(shift) else 0.0


def _facts(header: Any) -> dict:
    from nibabel.orientations import aff2axcodes

    if "magic" not in header.keys():
        return {}  # which way the axes of Analyze 7.5 run is said nowhere for certain
    try:
        affine = header.get_best_affine()
        codes = aff2axcodes(affine) if np.isfinite(affine).all() else ()
    except Exception:  # nibabel raises whatever a broken header makes it trip over
        return {}
    if not codes or None in codes:
        return {}
    return {"orientation": "".join(codes), "affine_mm": affine[:3].tolist()}
