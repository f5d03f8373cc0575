"""Where h5py is called: open, write columns and blocks, index chunks."""

import errno
import math
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from usfm.errors import RequestError
from usfm.store.codec import LEVEL
from usfm.store.damage import Damaged, damaged, reading
from usfm.store.schema import FORMAT, VERSION, Dataset, describe

_VARIABLE_BYTES = 16
"""What a text of any length takes beside its own bytes: how long it is, and where."""


def open_store(path: Path | str) -> h5py.File:
    """Open a store for reading, file locking off.

    Raises:
        RequestError: missing, not a file, not readable, not HDF5, not a store, or written by a newer version.
        Damaged: an HDF5 file that HDF5 cannot open, such as one that was cut short.
    """
    path = Path(path)
    _check_file(path)
    with reading(str(path), "its first bytes"):
        try:
            file = h5py.File(path, "r", locking=False)
        except OSError as error:
            raise _why_not(path, error) from None
    try:
        with reading(str(path), "its attributes"):
            found, version = attribute(file, "format"), attribute(file, "version")
            ours = "content_id" in file.attrs and "frames" in file and "pixels" in file
        if not isinstance(found, str) or found != FORMAT or not isinstance(version, (int, np.integer)) or version < 1:
            if ours:
                raise damaged(str(path), "its attributes format and version have changed")
            raise RequestError(f"{path}: an HDF5 file, but not a usfm store; make one with `usfm extract`.")
        if version > VERSION:
            raise RequestError(
                f"{path}: a store of version {version}, and this usfm reads up to version {VERSION}; install a newer "
                "usfm."
            )
    except BaseException:
        file.close()
        raise
    return file


def _check_file(path: Path) -> None:
    """Raise RequestError for what is no regular file: to open a pipe would wait without end."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise RequestError(f"{path}: no such file.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RequestError(f"{path}: cannot be opened ({why.lower()}); check the path.") from None
    if stat.S_ISDIR(mode):
        raise RequestError(f"{path}: a folder, not a store; make a store of it with `usfm extract`.")
    if not stat.S_ISREG(mode):
        raise RequestError(f"{path}: a pipe or a device, not a store; write it to a file first.")
    if not os.access(path, os.R_OK):
        raise RequestError(f"{path}: no permission to read it.")


def _why_not(path: Path, error: OSError) -> Exception:
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.EIO):
        return error
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(8)
    if head != b"\x89HDF\r\n\x1a\n":
        what = "an empty file" if not size else "not an HDF5 file"
        return RequestError(f"{path}: {what}, so not a store; make one with `usfm extract`.")
    if "truncated" in str(error):
        return Damaged(f"{path}: truncated ({size:,} bytes are left); copy it again or make it again.")
    return Damaged(f"{path}: damaged, HDF5 cannot open it; copy it again or make it again.")


def fixed_text(values: np.ndarray) -> np.ndarray:
    """Bytes as the fixed-length UTF-8 type that HDF5 knows."""
    return values.astype(h5py.string_dtype("utf-8", max(values.dtype.itemsize, 1)))


def dataset(file: h5py.File, path: str) -> h5py.Dataset:
    """The dataset at a path.

    Args:
        file: open.
        path: from the root.

    Returns:
        The dataset, open as the file is.

    Raises:
        KeyError: there is nothing.
        TypeError: there is something else.
    """
    found = file[path]
    if not isinstance(found, h5py.Dataset):
        raise TypeError(f"{path} is no dataset")
    return found


def document(dataset: h5py.Dataset, row: Dataset | None = None) -> None:
    """Write the attributes `unit` and `description` from the schema.

    Args:
        dataset: takes the attributes.
        row: of the schema; default: found by the dataset's name.
    """
    row = row or describe(str(dataset.name))
    dataset.attrs["unit"], dataset.attrs["description"] = row.unit, row.description


def attribute(thing: h5py.HLObject, name: str) -> Any:
    """An attribute's value, None where there is none; only text and numbers, one or a list.

    HDF5 and h5py trust the type that a damaged header claims, and some types end the process.

    Args:
        thing: group or dataset.
        name: of the attribute.

    Returns:
        A str, a number, a list of str, an array of numbers, or None.

    Raises:
        ValueError: it is of another type.
    """
    if name not in thing.attrs:
        return None
    found = thing.attrs.get_id(name)
    kind, count = found.get_type(), math.prod(found.shape or ())
    if kind.committed() or len(found.shape or ()) > 1:
        raise ValueError(f"attribute {name} is no text, number or list")
    if isinstance(kind, h5py.h5t.TypeStringID):
        size = _VARIABLE_BYTES if kind.is_variable_str() else kind.get_size()
        sound = kind.get_cset() in (h5py.h5t.CSET_ASCII, h5py.h5t.CSET_UTF8)
    else:
        size = kind.get_size()
        numbers = (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID, h5py.h5t.TypeEnumID)  # a truth value is an enum
        sound = isinstance(kind, numbers) and size in (1, 2, 4, 8)
    if not sound or found.get_storage_size() != size * count:
        raise ValueError(f"attribute {name} is no text, number or list")
    return thing.attrs[name]


def put_attributes(thing: h5py.HLObject, attributes: Mapping[str, object]) -> None:
    """Write attributes: texts, numbers, and lists of texts.

    Args:
        thing: group or dataset that takes them.
        attributes: name -> value.
    """
    for name, value in attributes.items():
        if isinstance(value, list):
            thing.attrs.create(name, np.array(value, object), dtype=h5py.string_dtype())
        else:
            thing.attrs[name] = value


def headings(file: h5py.File) -> dict[str, list]:
    """What the datasets of a store are headed with: path -> (attribute, value) of each, units and descriptions."""
    found = {}

    def look(name: str, thing) -> None:
        if isinstance(thing, h5py.Dataset):
            found[f"/{name}"] = [[key, str(attribute(thing, key))] for key in sorted(thing.attrs)]

    file.visititems(look)
    return found


def create_chunked(file: h5py.File, path: str, count: int, shape: tuple[int, ...]) -> h5py.Dataset:
    """Make a uint8 dataset (count, *shape) of one gzip chunk a row, without room for its chunks yet.

    Args:
        file: open for writing.
        path: from the root.
        count: rows.
        shape: of a row.

    Returns:
        The dataset, empty.
    """
    return file.create_dataset(
        path, (count, *shape), np.uint8, chunks=(1, *shape), compression="gzip", compression_opts=LEVEL
    )


def create_contiguous(file: h5py.File, path: str, count: int, shape: tuple[int, ...]) -> h5py.Dataset:
    """Make an uncompressed uint8 dataset (count, *shape): allocated now, filled with nothing, in one piece.

    Args:
        file: open for writing.
        path: from the root.
        count: rows.
        shape: of a row.

    Returns:
        The dataset, whose bytes are not set.
    """
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.CONTIGUOUS)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    space = h5py.h5s.create_simple((count, *shape))
    return h5py.Dataset(h5py.h5d.create(file.id, path.encode(), h5py.h5t.NATIVE_UINT8, space, plist, links))


def chunk_index(dataset: h5py.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the rows of a chunked dataset lie in the file.

    Returns:
        byte offsets, byte lengths (0 = the row was never written) and filter masks, (n,) int64 each, by row.

    Raises:
        ValueError: the index names a row twice, or one that is not there.
    """
    table, rows = np.zeros((3, len(dataset)), np.int64), len(dataset)
    if not rows:
        return table[0], table[1], table[2]

    def note(chunk) -> None:
        row = chunk.chunk_offset[0]
        if row >= rows or any(chunk.chunk_offset[1:]) or table[1, row]:
            raise ValueError("it names a row twice, or one that is not there")
        table[:, row] = chunk.byte_offset, chunk.size, chunk.filter_mask

    dataset.id.chunk_iter(note)
    return table[0], table[1], table[2]


def index_problem(offsets: np.ndarray, sizes: np.ndarray, masks: np.ndarray, size: int, row_bytes: int) -> str:
    """What is wrong with a `chunk_index`, "" where nothing is.

    Args:
        offsets: of the chunks.
        sizes: of the chunks.
        masks: of the chunks.
        size: of the file, in bytes.
        row_bytes: decoded bytes of a row.

    Returns:
        A clause that follows "the index of ...".

    Examples:
        >>> index_problem(np.array([8, 12]), np.array([8, 4]), np.array([0, 0]), 100, 4)
        'points twice at the same bytes'
    """
    if not (sizes > 0).all():
        return f"lacks {int((sizes <= 0).sum())} rows, which were never written"
    if (offsets < 0).any() or (offsets + sizes > size).any():
        return "points beyond the end of the file"
    if ((masks != 0) & ((masks != 1) | (sizes != row_bytes))).any():
        return "names filters that are not there"
    if (sizes > row_bytes + row_bytes // 100 + 1024).any():
        return "names chunks that are too large"
    order = np.argsort(offsets, kind="stable")
    if (offsets[order][1:] < (offsets + sizes)[order][:-1]).any():
        return "points twice at the same bytes"
    return ""


def put_chunks(dataset: h5py.Dataset, first: int, chunks: Iterable) -> int:
    """Write finished gzip chunks one after another.

    Args:
        dataset: chunked, one row a chunk.
        first: row of the first chunk.
        chunks: compressed, in order.

    Returns:
        How many there were.
    """
    write, tail = dataset.id.write_direct_chunk, (0,) * (dataset.ndim - 1)
    row = first
    for chunk in chunks:
        write((row, *tail), chunk, 0)
        row += 1
    return row - first
