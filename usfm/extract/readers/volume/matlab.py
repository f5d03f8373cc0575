"""Arrays of MATLAB 4 to 7 (.mat) through SciPy; objects, structs, cells and functions are never loaded."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume.arrays import axes, grid
from usfm.extract.readers.volume.grid import Grid

START = b"MATLAB 5.0 MAT-file"
LARGEST_BYTES = 512 << 20
"""SciPy loads an array as a whole."""
CLASSES = {"single": "f4", "double": "f8", "logical": "u1"}
CLASSES |= {f"{sign}int{8 * size}": f"{sign or 'i'}{size}" for sign in ("", "u") for size in (1, 2, 4, 8)}


def recognises(head: bytes) -> bool:
    """Know it by the text that it begins with."""
    return head.startswith(START)


def items(media: Media) -> tuple[str, ...]:
    """List the arrays that may be pictures.

    Raises:
        MediaError: If the file cannot be read.
    """
    return tuple(f"/{name}" for name, (shape, kind) in _listed(media).items() if kind in CLASSES and _is_picture(shape))


def read(media: Media) -> Grid:
    """Describe an array.

    Raises:
        MediaError: If there is none of that name, or it is no array of numbers.
    """
    listed = _listed(media)
    name = media.item[1:] if media.item else next((one[1:] for one in items(media)), next(iter(listed), ""))
    if name not in listed:
        raise MediaError("no such dataset", "it holds no array of the name that was given.")
    shape, kind = listed[name]
    if kind not in CLASSES:
        raise MediaError("unknown element type", "it is no array of numbers; objects, structs and cells are not read.")
    dtype = np.dtype(CLASSES[kind])
    if int(np.prod(shape, dtype=float)) * dtype.itemsize > LARGEST_BYTES:
        most = LARGEST_BYTES >> 20
        raise MediaError("too large", f"arrays of up to {most} MiB are read; save it with -v7.3.")
    named = replace(media, item=f"/{name}")
    return grid("MATLAB", shape, dtype, named, fortran=True, frames_last=True, coding="matlab")


@contextmanager
def opened(found: Grid) -> Iterator[io.BytesIO]:
    """Give the numbers of an array in the order of the file.

    Raises:
        MediaError: If the array cannot be read, or is not the one that was listed.
    """
    from scipy.io import loadmat

    name = found.data.item[1:]
    with found.data.open() as file:
        try:
            values = loadmat(file, variable_names=[name], mat_dtype=False)[name]
        except Exception:  # SciPy raises whatever a broken file makes it trip over, MemoryError for sizes that lie
            raise MediaError("damaged", "its array cannot be read.") from None
    if values.shape != found.sizes or values.dtype.kind not in "iufb":
        raise MediaError("damaged", "its array is not the one that its list of arrays says.")
    yield io.BytesIO(values.astype(found.dtype).tobytes(order="F"))


def _listed(media: Media) -> dict[str, tuple[tuple[int, ...], str]]:
    from scipy.io import whosmat

    with media.open() as file:
        try:
            return {name: (tuple(int(size) for size in shape), kind) for name, shape, kind in whosmat(file)}
        except Exception:  # SciPy raises whatever a broken file makes it trip over, MemoryError for sizes that lie
            raise MediaError("truncated or damaged", "its list of arrays cannot be read.") from None


def _is_picture(shape: tuple[int, ...]) -> bool:
    try:
        axes(shape, frames_last=True)
    except MediaError:
        return False
    return min(shape[:2]) > 1
