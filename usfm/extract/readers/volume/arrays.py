"""Bare arrays of numbers: which of their axes are rows, columns, colours and frames, by their shape alone."""

from dataclasses import replace

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume.grid import COLOUR, LIST, NAN, SPACE, Grid

ROW, COLUMN, FRAME, PLANE = "row", "column", "frame", "plane"


def axes(shape: tuple[int, ...], *, frames_last: bool = False) -> tuple[str, ...]:
    """Say what each axis of an array is, in the order in which its users write them.

    An axis of 3 or 4 in the place of colours is colours. A fourth axis of space makes volumes over time.

    Args:
        shape: As its users write it.
        frames_last: Whether frames come last, as MATLAB's users have it, and not first, as NumPy's do.

    Returns:
        A name for each axis: row, column, frame, colour or plane.

    Raises:
        MediaError: If no picture has such a shape.

    Example:
        >>> axes((60, 480, 640)), axes((480, 640, 3)), axes((60, 3, 48, 64))
        (('frame', 'row', 'column'), ('row', 'column', 'colour'), ('frame', 'colour', 'row', 'column'))
        >>> axes((480, 640, 60), frames_last=True)
        ('row', 'column', 'frame')
    """
    colours, count = (1, 3, 4), len(shape)
    if count == 2:
        return ROW, COLUMN
    if count == 3:
        if shape[2] in (3, 4):
            return ROW, COLUMN, COLOUR
        return (ROW, COLUMN, FRAME) if frames_last else (FRAME, ROW, COLUMN)
    if count == 4 and frames_last:
        return ROW, COLUMN, COLOUR if shape[2] in colours else PLANE, FRAME
    if count == 4:
        if shape[3] in colours:
            return FRAME, ROW, COLUMN, COLOUR
        return (FRAME, COLOUR, ROW, COLUMN) if shape[1] in colours else (FRAME, PLANE, ROW, COLUMN)
    raise MediaError("not a picture", f"an array of {count} axes holds no frames that we know.")


def grid(
    format: str, shape: tuple[int, ...], dtype: np.dtype, data: Media, *, fortran: bool, frames_last: bool, **more
) -> Grid:
    """Describe an array.

    Args:
        format: Name of the format.
        shape: As its users write it.
        dtype: Of an element.
        data: Where it lies.
        fortran: Whether its first axis is the fastest in the file.
        frames_last: As in ``axes``.
        more: Further attributes of the grid.

    Returns:
        The grid; its axes in the order of the file, the fastest first.

    Raises:
        MediaError: If it holds no numbers, or no picture has such a shape.
    """
    names = axes(shape, frames_last=frames_last)
    order = list(range(len(shape))) if fortran else list(range(len(shape)))[::-1]
    names_in_file = [names[axis] for axis in order]
    over_time = PLANE in names
    roles = {ROW: SPACE, COLUMN: SPACE, PLANE: SPACE, COLOUR: COLOUR, FRAME: LIST if over_time else SPACE}
    acquired = PLANE if over_time else FRAME
    found = Grid(
        format=format,
        sizes=tuple(shape[axis] for axis in order),
        roles=tuple(roles[name] for name in names_in_file),
        steps=(NAN,) * len(shape),
        dtype=numbers(dtype),
        data=data,
        slices=names_in_file.index(acquired) if acquired in names_in_file else -1,
        counted=tuple(order.index(axis) for axis in range(len(shape))),
        rows_first=names_in_file.index(ROW) < names_in_file.index(COLUMN),
    )
    return replace(found, **more)


def numbers(dtype: np.dtype) -> np.dtype:
    """Return the type to read an array as.

    Raises:
        MediaError: If it does not hold plain numbers. Python objects above all: to read them is to run what they say.
    """
    if dtype.hasobject:
        raise MediaError("pickled objects", "it holds Python objects, which are never read; save plain numbers.")
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise MediaError("unknown element type", "the type of its elements is none that is read.")
    return dtype
