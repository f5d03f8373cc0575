"""Small HDF5 tables beside the store: features and predictions, one dataset a column, written whole or not at all."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from usfm.errors import RequestError
from usfm.provenance import digest, json_text
from usfm.store.hdf5 import attribute, fixed_text
from usfm.store.schema import LIBVER
from usfm.store.whole import whole_file

VERSION = 1


def write(path: str | Path, format_: str, columns: Mapping[str, np.ndarray], attributes: Mapping[str, object]) -> None:
    """Write a table.

    Args:
        path: of the file; its folder exists; an existing file is replaced in one step.
        format_: what the table is, such as "usfm-features"; `read` asks for it.
        columns: name -> array of n rows; arrays of str are written as UTF-8. A name such as "training/frame_id" lies in
            a group of its own, whose columns have their own number of rows.
        attributes: anything JSON can hold, written as attributes of the file.
    """
    with whole_file(path) as temporary, h5py.File(temporary, "w", libver=LIBVER, locking=False) as file:
        # Text of one length, in columns and attributes: what has any length lies in heaps, and a damaged heap can hold
        # HDF5 up for ever.
        named = {name: _plain(value) for name, value in attributes.items()}
        named = {"format": format_, "version": VERSION, **named, DIGEST: _sealed(columns, named)}
        for name, value in named.items():
            file.attrs[name] = fixed_text(np.array(value.encode())) if isinstance(value, str) else value
        for name, values in columns.items():
            values = np.asarray(values)
            if values.dtype.kind in "OU":
                values = fixed_text(np.char.encode(values.astype(str), "utf-8"))
            file.create_dataset(name, data=values)


def read(path: str | Path, format_: str) -> tuple[dict[str, np.ndarray], dict]:
    """Read a table that `write` made, or anybody with the same layout.

    Args:
        path: of the file.
        format_: what kind of table it must be, the file's attribute "format".

    Returns:
        Columns (strings as arrays of str objects), and attributes with JSON decoded.

    Raises:
        RequestError: the file is missing, damaged, or of another kind or a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise RequestError(f"{path}: no such file")
    try:
        with h5py.File(path, "r", locking=False) as file:
            found, version = _text(attribute(file, "format")) or "", int(attribute(file, "version") or 0)
            if found != format_:
                raise RequestError(f"{path}: expected a {format_} file, this is {found or 'another kind of HDF5 file'}")
            if version > VERSION:
                raise RequestError(f"{path}: made by a newer usfm (version {version} of {format_}); update usfm")
            columns = {name: _values(path, name, item) for name, item in _datasets(path, file, "")}
            named = {name: _text(attribute(file, name)) for name in file.attrs}
    except _DAMAGE:
        raise RequestError(f"{path}: not a readable HDF5 file; was it cut short or damaged?") from None
    sealed = named.pop(DIGEST, None)
    if sealed is not None and sealed != _sealed(columns, {n: v for n, v in named.items() if n not in _HEAD}):
        raise RequestError(
            f"{path}: its content is not what usfm wrote, so it was damaged or changed; make it again, or remove its "
            f"attribute '{DIGEST}' to use it as it is"
        )
    return columns, {name: _decoded(value) for name, value in named.items()}


DIGEST = "digest"
"""Attribute that holds the digest of all columns and attributes; a table that somebody else made has none."""

_HEAD = ("format", "version")


_DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError, AttributeError)
"""What h5py raises for a damaged file."""

MOST_GROWTH = 2000
"""Bytes that a column may have for each byte of the file; gzip reaches about 1000."""


def _datasets(path: Path, group: h5py.Group, prefix: str) -> Iterator[tuple[str, h5py.Dataset]]:
    """The datasets of a file and of its groups, one level deep; nothing that lies in another file."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise RequestError(f"{path}: '{prefix}{name}' is a link to somewhere else, which is not followed")
        item = group[name]
        if isinstance(item, h5py.Dataset):
            yield prefix + name, item
        elif not isinstance(item, h5py.Group):
            raise TypeError(f"{prefix}{name} is neither data nor a group")
        elif not prefix:
            yield from _datasets(path, item, f"{name}/")


def _values(path: Path, name: str, item: h5py.Dataset) -> np.ndarray:
    """The values of a column, once it is certain that they lie in this file and can be as many as it claims."""
    if item.is_virtual or item.external:
        raise RequestError(f"{path}: the values of '{name}' lie in another file, which is not read")
    kind, shape = item.id.get_type(), item.id.shape
    number = isinstance(kind, (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID)) and kind.get_size() in (1, 2, 4, 8)
    if kind.committed() or not shape or not (number or isinstance(kind, h5py.h5t.TypeStringID)):
        raise RequestError(f"{path}: '{name}' is no column of numbers or text")
    if math.prod(shape) * kind.get_size() > MOST_GROWTH * path.stat().st_size:
        raise RequestError(f"{path}: '{name}' claims {math.prod(shape):,} values, more than the file can hold")
    return item[:] if number else item.asstr()[:]


def content_digest(columns: Mapping[str, np.ndarray]) -> str:
    """Digest of a table's content, whatever the order of its columns."""
    parts = []
    for name in sorted(columns):
        values = np.asarray(columns[name])
        data = "\0".join(map(str, values.ravel())).encode() if values.dtype.kind in "OU" else values.tobytes()
        parts.append([name, list(values.shape), digest(data)])
    return digest(parts)


def _sealed(columns: Mapping[str, np.ndarray], attributes: Mapping[str, object]) -> str:
    return digest([content_digest(columns), dict(attributes)])


def _plain(value: object) -> str | int | float:
    """An attribute as it is stored: text, a number, or anything else as JSON."""
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) else json_text(value)


def _text(value: object) -> object:
    """An attribute as it is stored, from what HDF5 gives."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def _decoded(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
