"""What a header says of the numbers behind it, the same for every format; and which planes of them are pictures."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media

SPACE, TIME, LIST, COLOUR = "space", "time", "list", "colour"
LARGEST_PX = 1 << 27  # rows times columns of a plane
MOST_PLANES = 1_000_000
NAN = float("nan")


@dataclass(frozen=True)
class Sequence:
    """What a tracked sequence says of each of its frames.

    Attributes:
        times_s: Time of each frame, NaN where it has none.
        invalid: Frames whose picture the recorder marked as not valid.
        orientation: Where the axes of a picture point, such as ``MF``; "" where nothing is said.
        facts: What is kept of the sequence, as JSON can hold it.
        poses: What is kept of each frame: its transforms.
    """

    times_s: tuple[float, ...] = ()
    invalid: frozenset[int] = frozenset()
    orientation: str = ""
    facts: dict = field(default_factory=dict)
    poses: tuple[dict, ...] = ()


@dataclass(frozen=True)
class Grid:
    """An array in a file. Axes are numbered as they lie there, the fastest first.

    Attributes:
        format: Name of the format.
        sizes: Elements along each axis.
        roles: What each axis is: ``space``, ``time``, ``list`` (of frames) or ``colour``.
        steps: From one element to the next along each axis: mm in space, seconds in time; NaN where nothing is said.
        dtype: Of an element, in the byte order of the file.
        data: The file that holds the elements, or the first of them.
        offset: Where they begin in it; -1 where they are the last bytes of the file.
        skip: Bytes before them once they are decompressed.
        coding: ``raw``, ``zlib``, ``gzip``, ``bzip2``, ``deflate`` or ``text``; ``hdf5`` and ``matlab`` go
            through libraries.
        slope: What a stored value is multiplied with.
        intercept: What is added then.
        slices: Axis along which the planes were acquired one by one; -1 where the header does not know.
        counted: The axes in the order in which users count them; empty where that is the order of the file.
        rows_first: Whether the first axis of a plane runs down, as in arrays of MATLAB, and not to the right.
        sequence: What a tracked sequence says of its frames.
        facts: Further facts that identify nobody, as JSON can hold them.
        files: Where several hold the elements, all of these, one after another, each with as many.
    """

    format: str
    sizes: tuple[int, ...]
    roles: tuple[str, ...]
    steps: tuple[float, ...]
    dtype: np.dtype
    data: Media
    offset: int = 0
    skip: int = 0
    coding: str = "raw"
    slope: float = 1.0
    intercept: float = 0.0
    slices: int = -1
    counted: tuple[int, ...] = ()
    rows_first: bool = False
    sequence: Sequence = field(default_factory=Sequence)
    facts: dict = field(default_factory=dict)
    files: tuple[Media, ...] = ()

    @property
    def elements(self) -> int:
        """Numbers in the array."""
        return math.prod(self.sizes)

    @property
    def bytes(self) -> int:
        """Bytes of the array, decompressed."""
        return self.elements * self.dtype.itemsize


@dataclass(frozen=True)
class GridLayout:
    """Which axes of a grid become what; -1 where there is no such axis.

    Attributes:
        column: The axis that runs to the right.
        row: The axis that runs down.
        plane: The axis along which a volume is cut into planes.
        moment: The axis of time, or of frames.
        colour: The axis of the colours.
        planes: Planes of one moment.
        moments: Moments.
        transposed: Whether rows and columns changed places, because scan lines lie along the rows of the file.
        mirrored: Whether left and right change places.
        flipped: Whether up and down change places.
    """

    column: int
    row: int
    plane: int = -1
    moment: int = -1
    colour: int = -1
    planes: int = 1
    moments: int = 1
    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @property
    def frames(self) -> int:
        """Frames in all, moment by moment."""
        return self.planes * self.moments


def layout(grid: Grid, axis: int | None = None) -> GridLayout:
    """Say which planes of a grid are its pictures.

    The axis that runs to the right is the first of those that stay, as every format of volumes has it; the other one
    runs down.

    Args:
        grid: From a header.
        axis: Which axis of space to cut a volume along, from 0; None for the one the planes were acquired along where
            the header knows, else the last.

    Returns:
        Which axes are rows, columns, planes and moments, and how many there are.

    Raises:
        MediaError: If it holds no planes, or planes that are too large.

    Example:
        >>> three = Grid("MetaImage", (30, 20, 10), (SPACE,) * 3, (1.0,) * 3, np.dtype("u1"), Media("a.mha"))
        >>> [(cut.column, cut.row, cut.planes) for cut in (layout(three, axis) for axis in (None, 0, 1))]
        [(0, 1, 10), (1, 2, 30), (0, 2, 20)]
    """
    space = _space(grid)
    moments = [number for number, role in enumerate(grid.roles) if role in (TIME, LIST) and grid.sizes[number] > 1]
    colours = [number for number, role in enumerate(grid.roles) if role == COLOUR]
    if len(space) > 3 or len(moments) > 1 or len(colours) > 1:
        raise MediaError("too many dimensions", f"it has the sizes {_sizes(grid)}; at most volumes over time are read.")
    if len(space) < 2:
        raise MediaError("not a picture", f"it has the sizes {_sizes(grid)}, which hold no plane.")
    if colours and grid.sizes[colours[0]] not in (1, 3, 4):
        count = grid.sizes[colours[0]]
        raise MediaError("unknown colours", f"its elements have {count} components; gray, RGB and RGBA are read.")
    plane = -1
    if len(space) == 3:
        plane = grid.slices if grid.slices in space else space[-1]
        if axis is not None:
            plane = [number for number in grid.counted or space if number in space][axis]
    column, row = (number for number in (space[::-1] if grid.rows_first else space) if number != plane)
    found = GridLayout(
        column=column,
        row=row,
        plane=plane,
        moment=moments[0] if moments else -1,
        colour=colours[0] if colours else -1,
        planes=grid.sizes[plane] if plane >= 0 else 1,
        moments=grid.sizes[moments[0]] if moments else 1,
    )
    if grid.sizes[row] * grid.sizes[column] > LARGEST_PX:
        raise MediaError("too large", f"its planes have {grid.sizes[column]}x{grid.sizes[row]} pixels.")
    if found.frames > MOST_PLANES:
        raise MediaError("too large", f"it has {found.frames} planes; at most {MOST_PLANES} of a file are read.")
    return _turned(found, grid.sequence.orientation) if plane in (-1, space[-1]) else found


def _space(grid: Grid) -> list[int]:
    """List the axes of space; those of size one that come last count only where fewer than three would be left."""
    space = [number for number, role in enumerate(grid.roles) if role == SPACE]
    while len(space) > 3 and any(grid.sizes[number] == 1 for number in space[2:]):
        space.remove(next(number for number in reversed(space) if grid.sizes[number] == 1))
    return space


def _turned(found: GridLayout, orientation: str) -> GridLayout:
    """Turn pictures so that the marked side is on the left and depth runs down (``MF``)."""
    first, second = (orientation + "  ")[:2]
    transposed = first in "FN" and second in "MU" and first + second != "  "
    if transposed:
        found = replace(found, column=found.row, row=found.column, transposed=True)
        first, second = second, first
    return replace(found, mirrored=first == "U", flipped=second == "N")


def _sizes(grid: Grid) -> str:
    return "x".join(str(size) for size in grid.sizes)
