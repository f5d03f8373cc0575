"""One part of a step's result in a file: chunks as they came, the tables behind them, at the end where those begin.

No library lies between a part and the disk: its chunks can be written while it is made, no table costs an open, and the
disk may be full at any byte. It lives in `<out>.parts/` until it is put together with the others.
"""

import json
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usfm.errors import WorkError
from usfm.store.schema import describe

_END = struct.Struct("<QQ8s")
"""Last bytes of the file: where the header begins, how long it is, and what kind of file this is."""
_MAGIC = b"usfmprt1"


class Chunks:
    """The chunks of a part in the order in which they come, and where each will lie in the file."""

    def __init__(self) -> None:
        self.size = 0
        self.drained = False
        self._fresh: list[bytes] = []
        self._places: dict[str, list[tuple[int, int]]] = {}

    def add(self, path: str, chunk: bytes) -> int:
        """Take the next chunk of a dataset.

        Args:
            path: of the dataset.
            chunk: its bytes, as they will lie in the file.

        Returns:
            Row of the chunk in its dataset.
        """
        places = self._places.setdefault(path, [])
        places.append((self.size, len(chunk)))
        self._fresh.append(chunk)
        self.size += len(chunk)
        return len(places) - 1

    def drain(self) -> list[bytes]:
        """Hand over what came since the last time, to be written and forgotten."""
        fresh, self._fresh = self._fresh, []
        self.drained = self.drained or bool(fresh)
        return fresh

    def index(self) -> dict[str, np.ndarray]:
        """Dataset -> (n, 2) int64: byte offset in the file and length of each row's chunk."""
        return {path: np.array(places, np.int64) for path, places in self._places.items()}


def column(path: str, values) -> np.ndarray:
    """Values of a dataset of the schema as an array; `str` as bytes of one length, `text` as objects, both UTF-8.

    Args:
        path: of the dataset, which says the dtype.
        values: a sequence of (n,) Python values, or an array.

    Returns:
        The values, (n, ...).

    Raises:
        ValueError: a text holds NUL, which neither HDF5 nor NumPy keeps.
    """
    dtype = describe(path).dtype
    if dtype not in ("str", "text"):
        return np.asarray(values, dtype)
    found = "\0".join(map(str, values)).encode().split(b"\0") if len(values) else []  # one by one takes thrice as long
    if len(found) != len(values):
        raise ValueError(f"{path}: a text holds NUL")
    if dtype == "str":
        return np.array(found, "S")
    texts = np.empty(len(found), object)
    texts[:] = found
    return texts


def tail(chunks: Chunks, tables: Mapping[str, np.ndarray], facts: Mapping) -> bytes:
    """What follows the chunks.

    Args:
        chunks: all of the part.
        tables: dataset -> its values, as `column` gives them.
        facts: digest, contiguous, heads.

    Returns:
        The tables, the header and, in the last bytes, where that begins.
    """
    layout, arrays, at = {}, [], chunks.size
    for kind, found in (("tables", tables), ("chunks", chunks.index())):
        layout[kind] = {}
        for path, values in found.items():
            arrays.append(b"\0".join([*values, b""]) if values.dtype == object else values.tobytes())
            layout[kind][path] = (at, len(arrays[-1]), values.dtype.str, values.shape)
            at += len(arrays[-1])
    header = json.dumps({**layout, **facts}).encode()
    return b"".join([*arrays, header, _END.pack(at, len(header), _MAGIC)])


@dataclass(frozen=True)
class PartFile:
    """A part as it is read.

    Attributes:
        path: of the file.
        digest: of its decoded content.
        tables: dataset -> its values, as `column` gives them.
        chunks: dataset of pixels or masks -> (n, 2) int64, byte offset and length of each row's chunk.
        contiguous: whether the pixels are not compressed.
        heads: kind of label -> its head, such as the names that its numbers count by.
    """

    path: Path
    digest: str
    tables: dict[str, np.ndarray]
    chunks: dict[str, np.ndarray]
    contiguous: bool
    heads: dict[str, dict]

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return len(self.tables["/frames/frame_id"])

    def column(self, table: str, name: str) -> np.ndarray:
        """A column of one of the part's tables as a store gives it: text as objects; (0,) where it has none.

        Args:
            table: group of the schema, such as frames or dropped.
            name: of the column.

        Returns:
            The values, (n, ...).
        """
        values = self.tables.get(f"/{table}/{name}")
        if values is None:
            return column(f"/{table}/{name}", [])
        if values.dtype.kind not in "SO":
            return values
        texts = np.empty(len(values), object)
        texts[:] = [value.decode() for value in values.tolist()]
        return texts

    def has(self, table: str) -> bool:
        """Whether there is a row of `dropped` or `rejected`."""
        return any(path.startswith(f"/{table}/") for path in self.tables)

    def bytes(self) -> memoryview:
        """The whole file, mapped."""
        with open(self.path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def open_part(path: Path | str) -> PartFile:
    """Read the tables of a part.

    Raises:
        WorkError: it is not a finished part.
    """
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        try:
            file.seek(max(size - _END.size, 0))
            at, length, magic = _END.unpack(file.read())
            if magic != _MAGIC or at + length + _END.size != size:
                raise ValueError(magic)
            file.seek(at)
            header = json.loads(file.read(length))
            begins = [place[0] for place in (*header["tables"].values(), *header["chunks"].values())]
            first = min(begins, default=at)
            file.seek(first)
            data = memoryview(file.read(at - first))
            tables, chunks = (
                {name: _values(data[begin - first : begin - first + length], dtype, tuple(shape))
                 for name, (begin, length, dtype, shape) in header[kind].items()}
                for kind in ("tables", "chunks")
            )  # fmt: skip
            facts = [header[name] for name in ("digest", "contiguous", "heads")]
            if "/frames/frame_id" not in tables:
                raise ValueError("no frames")
        except (struct.error, ValueError, KeyError, TypeError, OverflowError, MemoryError):
            raise WorkError(f"{path}: not a whole part of a run; start the run afresh with --overwrite.") from None
    digest, contiguous, heads = facts
    return PartFile(Path(path), digest, tables, chunks, contiguous, heads)


def _values(data: memoryview, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if np.dtype(dtype) != object:
        return np.ndarray(shape, dtype, data)
    texts = np.empty(shape, object)
    texts[:] = bytes(data).split(b"\0")[:-1]
    return texts
