"""What datasets a file holds, and where their bytes lie: read from HDF5's headers, checked before a value is read.

Nothing here follows a link out of the file, allocates what a header claims, or believes a size that the file's own
size contradicts.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import h5py
import numpy as np
from h5py.h5l import TYPE_HARD
from h5py.h5o import open as open_object

from usfm.store.damage import of_the_system, one_line
from usfm.store.labels import KINDS, row_of
from usfm.store.schema import BLOCKS, MANIFEST, SOURCES, TABLES, Dataset, group_shape, row_shape

MAX_FRAME_BYTES = 1 << 29
"""Decoded bytes of the largest frame or mask that is read: 16,384 x 16,384 in colour and more."""

MAX_TEXT_BYTES = 1 << 16
"""Length of the longest fixed-length text."""

_TEXT_BYTES = 16
"""What a text of any length takes in a dataset: its length and where it lies."""

_INDEX_BYTES = 16
"""What a chunk takes in the file at the very least, in an index and as itself."""

_GROUP = re.compile(r"[1-9]\d{0,6}x[1-9]\d{0,6}")
_PADDED = (h5py.h5t.STR_NULLTERM, h5py.h5t.STR_NULLPAD)
_HARD = TYPE_HARD


@dataclass(frozen=True)
class Column:
    """A dataset of a table.

    Attributes:
        row: what the schema says of it.
        dtype: of a value; None for text of any length.
        shape: of the dataset.
        offset: of its first byte in the file (0 where it holds nothing).
    """

    row: Dataset
    dtype: np.dtype | None
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Block:
    """A dataset of frames or masks.

    Attributes:
        shape: of the dataset, a frame or mask a row.
        offset: of its first byte where it is contiguous, None where it lies in gzip chunks of one row.
    """

    shape: tuple[int, ...]
    offset: int | None


@dataclass
class FileLayout:
    """All datasets of a store that a reader knows.

    Attributes:
        columns: path -> column.
        blocks: path -> frames or masks.
        problems: what is wrong, a clause each.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def length(self, path: str) -> int:
        """Rows of a column, 0 where it is not there."""
        return self.columns[path].shape[0] if path in self.columns else 0


def layout(file: h5py.File, size: int) -> FileLayout:
    """Look at the headers of all datasets.

    Args:
        file: open for reading.
        size: of the file, in bytes.

    Returns:
        What was found; a dataset that cannot be used stands in `problems` instead.
    """
    found, inside = FileLayout(), {"/"}
    labels = {row.path.rsplit("/", 1)[0] for kind in KINDS.values() for row in kind.datasets}
    parents = (
        {"/", "/pixels", "/regions/mask", "/overlay/mask", "/labels/masks"} | {f"/{table}" for table in TABLES} | labels
    )
    for parent in sorted(parents):  # a group before what is in it
        for name, group in _names(file, parent, found.problems) if parent in inside else ():
            path = f"{parent.rstrip('/')}/{name}"
            inside.add(path)
            row, block = _column(path), _block(parent)
            if row is None and block is None:
                continue
            try:
                dataset = open_object(group, name.encode())
                if not isinstance(dataset, h5py.h5d.DatasetID):
                    raise ValueError("is no dataset")
                _check_storage(dataset)
                if block is None and row is not None:
                    found.columns[path] = _read_column(dataset, row, size)
                else:
                    found.blocks[path] = _read_block(dataset, path, size)
            except Exception as error:  # a damaged header makes HDF5 and h5py raise nearly anything
                found.problems.append(f"{path} {one_line(error)}")
    return found


def _names(file: h5py.File, parent: str, problems: list[str]) -> Iterator[tuple[str, h5py.h5g.GroupID]]:
    """Names in a group that are links within it, and the group; any other link is a problem."""
    try:
        group = open_object(file.id, parent.encode())
        if not isinstance(group, h5py.h5g.GroupID):
            problems.append(f"{parent} is no group")
            return
        for name in list(group):
            text = name.decode()
            if group.links.get_info(name).type != _HARD:
                problems.append(f"{parent.rstrip('/')}/{one_line(Exception(text))} is a link to another place")
                continue
            yield text, group
    except Exception as error:
        if of_the_system(error):
            raise
        problems.append(f"{parent} cannot be read ({one_line(error)})")


def _column(path: str) -> Dataset | None:
    """What the schema says of a dataset of a table, None for what it does not know."""
    parent, _, name = path.rpartition("/")
    table = TABLES.get(parent.strip("/"))
    if table is not None:
        return table.get(name, MANIFEST if table is SOURCES else None)
    return row_of(path)


def _block(parent: str) -> Dataset | None:
    return BLOCKS.get(f"{parent}/<HxW[x3]>" if parent == "/pixels" else f"{parent}/<HxW>")


def _check_storage(dataset: h5py.h5d.DatasetID) -> None:
    """Raise ValueError where the values lie elsewhere, or need code that not every reader has."""
    plist, kind = dataset.get_create_plist(), dataset.get_type()
    if plist.get_external_count():
        raise ValueError("lies in another file")
    if plist.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise ValueError("is virtual or compact")
    if kind.committed():
        raise ValueError("has a type that is stored elsewhere")
    filters = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
    if filters not in ([], [h5py.h5z.FILTER_DEFLATE]):
        raise ValueError("has a filter other than gzip")


def _read_column(dataset: h5py.h5d.DatasetID, row: Dataset, size: int) -> Column:
    kind, shape = dataset.get_type(), dataset.shape
    sides = row.shape.count(",") + (not row.shape.endswith(",)"))
    if dataset.get_space().get_simple_extent_type() != h5py.h5s.SIMPLE or len(shape) != sides:
        raise ValueError(f"has the shape {shape} instead of {row.shape}")
    if dataset.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS:
        raise ValueError("is not in one piece")
    dtype = _dtype_of(kind, row)
    count = math.prod(shape)
    offset, length = dataset.get_offset() if count else 0, count * (_TEXT_BYTES if dtype is None else dtype.itemsize)
    if offset is None:
        raise ValueError("was never written")
    if offset + length > size or dataset.get_storage_size() not in (0, length):
        raise ValueError("is larger than the file")
    return Column(row, dtype, shape, offset)


def _dtype_of(kind: h5py.h5t.TypeID, row: Dataset) -> np.dtype | None:
    """NumPy type of a column; raises ValueError where it is not the schema's."""
    if row.dtype in ("str", "text"):
        if not isinstance(kind, h5py.h5t.TypeStringID) or kind.is_variable_str() != (row.dtype == "text"):
            raise ValueError(f"is not of type {row.dtype}")
        if kind.get_cset() not in (h5py.h5t.CSET_ASCII, h5py.h5t.CSET_UTF8) or kind.get_strpad() not in _PADDED:
            raise ValueError("is text in an encoding that is not known")
        if row.dtype == "text":
            return None
        if not 0 < kind.get_size() <= MAX_TEXT_BYTES:
            raise ValueError(f"is text of {kind.get_size()} bytes")
        return np.dtype(f"S{kind.get_size()}")
    wanted = np.dtype(row.dtype)
    if not kind.equal(h5py.h5t.py_create(wanted)):
        raise ValueError(f"is not of type {row.dtype}")
    return wanted


def _read_block(dataset: h5py.h5d.DatasetID, path: str, size: int) -> Block:
    parent, _, name = path.rpartition("/")
    colour = parent == "/pixels" and name.endswith("x3") and name.count("x") == 2
    if not _GROUP.fullmatch(name.removesuffix("x3") if colour else name):
        raise ValueError("has a name that is no frame size")
    one = row_shape(path)
    if math.prod(group_shape(name)) > MAX_FRAME_BYTES:
        raise ValueError("holds frames larger than this usfm reads")
    if not dataset.rank or dataset.shape[1:] != one:
        raise ValueError(f"has the shape {dataset.shape} instead of (n, {', '.join(map(str, one))})")
    if not dataset.get_type().equal(h5py.h5t.STD_U8LE):
        raise ValueError("is not of type uint8")
    plist = dataset.get_create_plist()
    if plist.get_layout() == h5py.h5d.CHUNKED:
        if plist.get_chunk() != (1, *one) or not plist.get_nfilters():
            raise ValueError("is not in gzip chunks of one row, so not written by usfm")
        if dataset.shape[0] * _INDEX_BYTES > size:
            raise ValueError("is larger than the file")
        return Block(dataset.shape, None)
    if parent not in ("/pixels", "/labels/masks") or plist.get_nfilters():
        raise ValueError("is not in gzip chunks")
    offset, length = dataset.get_offset(), dataset.shape[0] * math.prod(one)
    if offset is None or offset + length > size:
        raise ValueError("is larger than the file")
    return Block(dataset.shape, offset)
