"""The numbers behind a header, a bounded piece at a time, put together into planes."""

import gzip
from collections.abc import Iterator
from typing import Any

import numpy as np

from usfm.errors import MediaError
from usfm.extract.readers.volume.grid import Grid, GridLayout
from usfm.extract.readers.volume.packed import FAULTS, opened

BLOCK_BYTES = 8 << 20
"""So much of the array is looked at in one go."""
BATCH_BYTES = 32 << 20
"""So many bytes of planes are put together in one pass through the file, at least one plane."""


def blocks(grid: Grid, wanted: "Wanted | None" = None) -> Iterator[tuple[tuple[int, ...], int, np.ndarray]]:
    """Read the array in pieces, in the order of the file.

    Args:
        grid: What the header says.
        wanted: Which pieces are wanted at all; None for all.

    Yields:
        (indices along the slowest axes, where the piece begins along the next axis, the piece in C order with that
        axis first).

    Raises:
        MediaError: If the file ends before its elements do, or cannot be decompressed.
    """
    with opened(grid) as (file, start):
        yield from _walk(grid, file, start, wanted)


def _walk(grid: Grid, file: Any, start: int, wanted: "Wanted | None"):
    shape, size = grid.sizes[::-1], grid.dtype.itemsize
    inner, split = size, len(shape)
    while split > 0 and inner * shape[split - 1] <= BLOCK_BYTES:
        split -= 1
        inner *= shape[split]
    split = max(split, 1)
    inner = size * int(np.prod(shape[split:], dtype=np.int64))
    step, axis = max(BLOCK_BYTES // inner, 1), split - 1
    for number, lead in enumerate(np.ndindex(*shape[:axis])):
        for begin in range(0, shape[axis], step):
            span = (begin, min(begin + step, shape[axis]))
            span = span if wanted is None else wanted.span(lead, *span)
            if span is None:
                continue
            if grid.coding == "hdf5":
                yield lead, span[0], _selected(file, (*lead, slice(*span)), grid)
                continue
            at = start + grid.skip + (number * shape[axis] + span[0]) * inner
            yield lead, span[0], _piece(file, at, (span[1] - span[0], *shape[split:]), grid)


def _selected(dataset: Any, what: tuple, grid: Grid) -> np.ndarray:
    try:
        return dataset[what].astype(grid.dtype, copy=False)
    except MemoryError:
        raise
    except Exception:  # h5py raises whatever a broken file makes it trip over
        raise MediaError("damaged", "a chunk of its numbers cannot be read.") from None


def _piece(file: Any, at: int, shape: tuple[int, ...], grid: Grid) -> np.ndarray:
    values = np.empty(shape, grid.dtype)
    view, filled = values.reshape(-1).view(np.uint8).data, 0
    try:
        file.seek(at)
        while filled < len(view):
            got = file.readinto(view[filled:])
            if not got:
                break
            filled += got
        if grid.coding != "raw" and at + filled == grid.skip + grid.bytes:
            file.read(1)  # the checksum comes after the last byte
    except FAULTS as error:
        if isinstance(error, gzip.BadGzipFile) and filled == len(view) and "Not a gzipped" in str(error):
            return values  # what stands behind a whole file is no part of it
        if isinstance(error, EOFError):
            raise MediaError("truncated", "its compressed pixels end before all are there.") from None
        raise MediaError("damaged", "its compressed pixels are damaged.") from None
    if filled < len(view):
        raise MediaError("truncated", "its pixels end before all are there.")
    return values


class Wanted:
    """Some frames of a layout: which pieces of the file they need, and how those are put together.

    Args:
        grid: What the header says.
        cut: Which of its axes are what.
        numbers: The frames, rising.
    """

    def __init__(self, grid: Grid, cut: GridLayout, numbers: list[int]):
        self.grid, self.cut, self.numbers = grid, cut, numbers
        self.axes = len(grid.sizes)
        self._fixed = [self._of(number) for number in numbers]

    def _of(self, number: int) -> dict[int, int]:
        """Return the index along each axis (in C order) that a frame does not run through."""
        fixed = {}
        if self.cut.plane >= 0:
            fixed[self.axes - 1 - self.cut.plane] = number % self.cut.planes
        if self.cut.moment >= 0:
            fixed[self.axes - 1 - self.cut.moment] = number // self.cut.planes
        return fixed

    def _running(self, axis: int) -> bool:
        return self.axes - 1 - axis in (self.cut.column, self.cut.row, self.cut.colour)

    def span(self, lead: tuple[int, ...], begin: int, end: int) -> tuple[int, int] | None:
        """Return what is needed of a piece along its first axis; None where none of the frames lies in it.

        Args:
            lead: Place of the piece along the axes before the one that it is cut along.
            begin: Its first place along that axis.
            end: The place behind its last.

        Returns:
            (first, behind the last), or None.
        """
        inside = [fixed for fixed in self._fixed if self._inside(fixed, lead, begin, end)]
        places = [fixed[len(lead)] for fixed in inside if len(lead) in fixed]
        if places:
            return min(places), max(places) + 1
        return (begin, end) if inside else None

    def _inside(self, fixed: dict[int, int], lead: tuple[int, ...], begin: int, end: int) -> bool:
        at = len(lead)
        if not all(lead[axis] == index for axis, index in fixed.items() if axis < at):
            return False
        return begin <= fixed[at] < end if at in fixed else True

    def planes(self) -> np.ndarray:
        """Read them: (frames, rows, columns) or (frames, rows, columns, colours), in the numbers of the file."""
        running = [axis for axis in range(self.axes) if self._running(axis)]
        sizes = self.grid.sizes[::-1]
        out = np.empty((len(self.numbers), *(sizes[axis] for axis in running)), self.grid.dtype)
        for lead, begin, piece in blocks(self.grid, self):
            at, end = len(lead), begin + len(piece)
            for place, fixed in enumerate(self._fixed):
                if not self._inside(fixed, lead, begin, end):
                    continue
                into = [lead[axis] for axis in running if axis < at]
                into += [slice(begin, end)] if at in running else []
                source: list[int | slice] = [slice(None) if at in running else fixed.get(at, 0) - begin]
                source = [0] if at not in running and at not in fixed else source
                for axis in range(at + 1, self.axes):
                    source.append(slice(None) if axis in running else fixed.get(axis, 0))
                out[(place, *into)] = piece[tuple(source)]
        return self._ordered(out, running)

    def _ordered(self, out: np.ndarray, running: list[int]) -> np.ndarray:
        cut = self.cut
        order = [1 + running.index(self.axes - 1 - axis) for axis in (cut.row, cut.column)]
        colour = [1 + running.index(self.axes - 1 - cut.colour)] if cut.colour >= 0 else []
        out = out.transpose(0, *order, *colour)
        out = out[..., 0] if colour and out.shape[-1] == 1 else out
        out = out[:, :, ::-1] if cut.mirrored else out
        return out[:, ::-1] if cut.flipped else out


def planes(grid: Grid, cut: GridLayout, numbers: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Give frames one at a time, holding a bounded number of them.

    Args:
        grid: What the header says.
        cut: Which of its axes are what.
        numbers: The frames, rising.

    Yields:
        (frame, its numbers as in the file, (rows, columns) or (rows, columns, colours)).

    Raises:
        MediaError: If the file ends before its elements do, or cannot be decompressed.
    """
    size = grid.bytes // max(cut.frames, 1)
    step = max(BATCH_BYTES // max(size, 1), 1)
    for start in range(0, len(numbers), step):
        batch = numbers[start : start + step]
        try:
            yield from zip(batch, Wanted(grid, cut, batch).planes(), strict=True)
        except MediaError:
            if len(batch) == 1:
                raise
            for number in batch:  # those before the fault are good
                yield number, Wanted(grid, cut, [number]).planes()[0]
