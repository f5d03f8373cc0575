"""Datasets of HDF5 files and of MATLAB 7.3, by the path that a user names; nothing outside the file is followed."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume.arrays import grid
from usfm.extract.readers.volume.grid import Grid
from usfm.store.schema import FORMAT

SIGNATURE = b"\x89HDF\r\n\x1a\n"
PLACES = (0, 512, 1024, 2048)
CHUNK_BYTES = 256 << 20
"""A chunk is unpacked as a whole."""
DEFLATE_RATIO = 1032
DAMAGED = "HDF5 cannot read what the name leads to."
SPAN = re.compile(r"(.+)\[(\d{1,12}):(\d{1,12})\]")
"""Frames of a dataset, along its first axis."""
FILTERS = {1, 2, 3, 4, 6, 32000}
"""Deflate, shuffle, checksum, szip, scale-offset, LZF: what HDF5 and h5py bring along."""


def recognises(head: bytes) -> bool:
    """Know it by its signature, which may come after a block of the user's."""
    return any(head[place : place + 8] == SIGNATURE for place in PLACES)


def read(media: Media) -> Grid:
    """Describe a dataset.

    Raises:
        MediaError: If none is named or there is none of that name, or its numbers lie outside the file.
    """
    with _dataset(media) as (dataset, _):
        try:
            matlab, shape = "MATLAB_class" in dataset.attrs, tuple(int(size) for size in dataset.shape)
            dtype, held, chunks = dataset.dtype, dataset.id.get_storage_size(), dataset.chunks or (1,)
        except MemoryError:
            raise
        except Exception:  # h5py raises whatever a broken file makes it trip over
            raise MediaError("damaged", DAMAGED) from None
    whole = math.prod(shape) * dtype.itemsize
    shape = _cut(shape, media.item, matlab)
    size, chunk = math.prod(shape) * dtype.itemsize, math.prod(chunks) * dtype.itemsize
    found = grid(
        "MATLAB 7.3" if matlab else "HDF5",
        shape[::-1] if matlab else shape,
        dtype,
        media,
        fortran=matlab,
        frames_last=matlab,
        coding="hdf5",
    )
    if held * DEFLATE_RATIO < whole or not size:
        raise MediaError("truncated", f"its dataset says {whole} bytes of numbers, and {held} are there.")
    if chunk > CHUNK_BYTES:
        raise MediaError("too large", f"its chunks have {chunk} bytes; save it in smaller ones.")
    return found


@contextmanager
def opened(found: Grid) -> Iterator[Any]:
    """Open a dataset to read pieces of it."""
    with _dataset(found.data) as (dataset, span):
        yield dataset if span is None else _Part(dataset, span[0])


class _Part:
    """A dataset from some frame on."""

    def __init__(self, dataset: Any, start: int):
        self._dataset, self._start = dataset, start

    def __getitem__(self, what: tuple) -> Any:
        first, *rest = what
        if isinstance(first, slice):
            moved: Any = slice(first.start + self._start, first.stop + self._start)
        else:
            moved = first + self._start
        return self._dataset[(moved, *rest)]


def span_of(item: str) -> tuple[str, tuple[int, int] | None]:
    """Cut the range of frames from the name of a dataset.

    Example:
        >>> span_of("/image[3:9]"), span_of("/image")
        (('/image', (3, 9)), ('/image', None))
    """
    match = SPAN.fullmatch(item)
    return (match[1], (int(match[2]), int(match[3]))) if match else (item, None)


def _cut(shape: tuple[int, ...], item: str, matlab: bool) -> tuple[int, ...]:
    """Return the shape of the frames that are meant."""
    _, span = span_of(item)
    if span is None:
        return shape
    if matlab or len(shape) < 3 or not 0 <= span[0] < span[1] <= shape[0]:
        raise MediaError("no such frames", "its dataset does not have the range of frames that was given.")
    return (span[1] - span[0], *shape[1:])


@contextmanager
def _dataset(media: Media) -> Iterator[tuple[Any, tuple[int, int] | None]]:
    """Give the dataset, and the range of its frames that is meant; None for all."""
    import h5py

    item, span = span_of(media.item)

    with media.local() as path:
        try:
            file = h5py.File(path, "r", locking=False)
        except OSError:
            raise MediaError("truncated or damaged", "HDF5 cannot open it.") from None
        with file:
            try:
                dataset = _found(file, item)
            except (MediaError, MemoryError):
                raise
            except Exception:  # h5py raises whatever a broken file makes it trip over
                raise MediaError("damaged", DAMAGED) from None
            yield dataset, span


def _found(file: Any, item: str) -> Any:
    """Follow a path step by step, through hard links only."""
    import h5py

    if str(file.attrs.get("format", "")) == FORMAT:
        raise MediaError("a store of usfm", "it is a store already; give it to the command that comes after extract.")
    if not item:
        raise MediaError("no dataset named", "it may hold many things; name one, as in file.h5:/images.")
    place: Any = file
    for part in item.strip("/").split("/"):
        if not isinstance(place, h5py.Group) or part in (".", "..") or part not in place:
            raise MediaError("no such dataset", "it holds no dataset of the name that was given.")
        if not isinstance(place.get(part, getlink=True), h5py.HardLink):
            raise MediaError("link elsewhere", "the name that was given leads through a link, which is not followed.")
        place = place[part]
    if not isinstance(place, h5py.Dataset) or place.shape is None:
        raise MediaError("no such dataset", "the name that was given is that of a group or of nothing.")
    if place.external or place.is_virtual:
        raise MediaError("link elsewhere", "its numbers lie in other files, which are not opened; copy them into one.")
    pipeline = place.id.get_create_plist()
    if not {pipeline.get_filter(n)[0] for n in range(pipeline.get_nfilters())} <= FILTERS:
        raise MediaError("no decoder", "it is packed by a filter that is not read; repack it with gzip.")
    return place
