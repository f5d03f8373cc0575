"""One store file as a process sees it: columns on demand, chunks by their place in the file, no HDF5 handle kept."""

import math
from collections import OrderedDict

import numpy as np

from usfm.store import hdf5
from usfm.store.codec import compress, crc32, decompress, pack_mask, pixel_digest, unpack_mask
from usfm.store.damage import Damaged, damaged, reading
from usfm.store.digest import row_digest
from usfm.store.examine import examine
from usfm.store.labels import KINDS, Kind, token
from usfm.store.labels.coverage import PATH as COVERAGE
from usfm.store.schema import FRAMES, SOURCES, TABLES, group_shape
from usfm.store.seal import column_digest

BLOCK = 1024
"""Rows of /frames that are read at once for `StoredFile.row`."""

_AT_ONCE = 16
"""Frames that are copied out of the memory map and compared while they are in the processor's cache."""

_MOST_BYTES_OF_ONE = 1032
"""Bytes that deflate can make of one (RFC 1951)."""


class StoredFile:
    """One file. HDF5 opens it only while an index or text is read; all else comes by `pread` and memory maps.

    So there is no HDF5 handle that a fork could share or a pickle could carry, and HDF5's global lock is never held
    while frames are read or decompressed.

    Args:
        path: of the file.
        strict: refuse a damaged one; else `problems` says what is wrong with it.

    Raises:
        RequestError: it is no store.
        Damaged: it is one, and is not what was written.
    """

    def __init__(self, path: str, strict: bool = True):
        self.path = path
        with hdf5.open_store(path) as file:
            facts, self._values = examine(file, path)
        self.problems = facts.problems
        if strict and self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            raise damaged(path, f"{self.problems[0]}{more}")
        self.content_id, self.history, self.heads = facts.content_id, facts.history, facts.heads
        self.digests, self.history_covered = facts.digests, facts.history_digest is not None
        self.layout = facts.layout
        self.count = self.layout.length("/frames/frame_id")
        self.num_sources = self.layout.length("/sources/path")
        self.num_regions = self.layout.length("/regions/key")
        self.num_overlays = self.layout.length("/overlay/key")
        self.groups = {
            path.rsplit("/", 1)[1]: block.offset
            for path, block in self.layout.blocks.items()
            if path.startswith("/pixels/")
        }
        self.kinds = frozenset(name for name, kind in KINDS.items() if kind.within(self.layout.columns))
        self.source_columns = [path.split("/")[2] for path in self.layout.columns if path.startswith("/sources/")]
        self._columns: dict[str, np.ndarray] = {}
        self._rows: OrderedDict[int, dict[str, list]] = OrderedDict()
        self._last: tuple[int, dict] = -1, {}
        self._chunks: dict[str, tuple] = {}
        self._maps: dict[str, np.memmap] = {}
        self._places: tuple[list[str], np.ndarray, np.ndarray] | None = None
        self._crcs: np.ndarray | None = None
        self._seen = np.zeros(self.count, bool)
        self.masks_seen = np.zeros(self.count if "mask" in self.kinds else 0, bool)

    def column(self, path: str) -> np.ndarray:
        """A whole dataset by its path, kept for the next time; a column that is not there has its missing value."""
        if path not in self._columns:
            if path == COVERAGE:
                self._check_coverage()
            self._columns[path] = self._values.decoded(path)
        return self._columns[path]

    def stored(self, path: str) -> np.ndarray:
        """A column as it is stored: text as bytes, of one length or as objects."""
        return self._values.stored(path)

    def _check_coverage(self) -> None:
        if COVERAGE not in self.layout.columns:
            return
        values = self._values.stored(COVERAGE)
        bits = values.view(np.uint16) if values.size else np.zeros(0, np.uint16)
        if ((bits > 0x3C00) & (bits & 0x7FFF <= 0x7C00)).any():  # float16: above one or negative, and a number
            raise damaged(self.path, f"{COVERAGE} is out of range")
        if self.digests is not None and self.digests[COVERAGE] != column_digest(values):
            raise damaged(self.path, f"{COVERAGE} has changed since it was written")

    def place(self, i: int) -> tuple[str, int]:
        """Size group and row in it of frame `i`."""
        if self._places is None:
            names, codes = np.unique(self._values.stored("/frames/pixels_group"), return_inverse=True)
            rows = self._values.stored("/frames/pixels_row")
            self._places = [n.decode() for n in names.tolist()], codes.astype(np.int32), rows
        names, codes, rows = self._places
        return names[codes[i]], int(rows[i])

    def row(self, i: int) -> dict:
        """Everything in /frames about frame `i`, as Python values, for reading only; neighbours are read with it."""
        if self._last[0] == i:
            return self._last[1]
        block = i // BLOCK
        if block not in self._rows:
            first, last = block * BLOCK, (block + 1) * BLOCK
            self._rows[block] = {name: _plain(self._values.stored(f"/frames/{name}", first, last)) for name in FRAMES}
            while len(self._rows) > 16:
                self._rows.popitem(last=False)
        self._rows.move_to_end(block)
        columns, at = self._rows[block], i % BLOCK
        self._last = i, {name: values[at] for name, values in columns.items()}
        return self._last[1]

    def table(self, name: str) -> dict[str, np.ndarray]:
        """All columns of a table."""
        if name != "sources":
            return {n: self._values.decoded(f"/{name}/{n}") for n in TABLES[name]}
        names = set(self.source_columns)
        order = [n for n in SOURCES if n in names] + sorted(names - set(SOURCES))
        return {n: self._values.decoded(f"/sources/{n}") for n in order}

    def attribute(self, path: str, name: str) -> str:
        """A string attribute of a group, "" if absent.

        Args:
            path: of the group.
            name: of the attribute.

        Returns:
            The text.

        Raises:
            Damaged: HDF5 cannot read it.
        """
        with reading(self.path, f"attribute {name} of {path}"), hdf5.open_store(self.path) as file:
            return str(hdf5.attribute(file[path], name) or "") if path in file else ""

    def chunks(self, path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]:
        """Offsets, lengths and filter masks of a chunked dataset's rows, and the shape of a row.

        Raises:
            Damaged: the index is not whole, or points beyond the file, or twice at the same bytes.
        """
        if path not in self._chunks:
            if path not in self.layout.blocks:
                raise damaged(self.path, f"{path} is missing")
            with reading(self.path, f"the index of {path}"), hdf5.open_store(self.path) as file:
                found = hdf5.chunk_index(hdf5.dataset(file, path))
            shape = self.layout.blocks[path].shape[1:]
            wrong = hdf5.index_problem(*found, self._values.size(), int(np.prod(shape, dtype=np.int64)))
            if wrong:
                raise damaged(self.path, f"the index of {path} {wrong}")
            self._chunks[path] = (*found, shape)
        return self._chunks[path]

    def raw(self, path: str, row: int) -> bytes:
        """The compressed chunk of a row, as it lies in the file.

        Args:
            path: of the dataset, a chunked one.
            row: in it.

        Returns:
            A zlib stream.

        Raises:
            Damaged: the index of the dataset is wrong.
        """
        offsets, sizes, masks, _ = self.chunks(path)
        data = self._values.pread(int(offsets[row]), int(sizes[row]))
        return compress(data) if masks[row] else data  # stored without its filter by another program

    def decoded(self, path: str, row: int) -> np.ndarray:
        """One row of a chunked dataset.

        Args:
            path: of the dataset.
            row: in it.

        Returns:
            uint8, in the shape of a row.

        Raises:
            Damaged: the chunk is not whole.
        """
        return self._decode(path, row, self.raw(path, row))

    def _decode(self, path: str, row: int, chunk: bytes) -> np.ndarray:
        shape = self.chunks(path)[3]
        size = math.prod(shape)
        try:
            if size > _MOST_BYTES_OF_ONE * len(chunk):
                raise ValueError(f"damaged chunk: {len(chunk)} bytes cannot hold {size}")
            data = decompress(chunk, size)
        except ValueError as error:
            raise damaged(self.path, f"row {row} of {path}: {error}") from None
        return np.frombuffer(bytearray(data), np.uint8).reshape(shape)

    def map(self, group: str) -> np.memmap:
        """A contiguous size group as a read-only memory map (n, H, W[, 3])."""
        return self._mapped(f"/pixels/{group}")

    def _mapped(self, path: str) -> np.memmap:
        if path not in self._maps:
            block = self.layout.blocks[path]
            if block.offset is None:
                raise ValueError(f"{path} is compressed, so it cannot be mapped")
            self._maps[path] = np.memmap(self.path, np.uint8, "r", block.offset, block.shape)
        return self._maps[path]

    def frame(self, i: int) -> np.ndarray:
        """Decoded pixels of a frame. Raises `Damaged` where they are not what was written."""
        group, row = self.place(i)
        if self.groups[group] is not None:
            pixels = np.array(self.map(group)[row])
            self._check(np.array([i]), pixels[None])
            return pixels
        pixels = self.decoded(f"/pixels/{group}", row)
        self._check_frame(i, pixels)
        return pixels

    def pixels(self, i: int) -> np.ndarray:
        """Pixels of a frame as they are in the file, whole or not."""
        group, row = self.place(i)
        return self.map(group)[row] if self.groups[group] is not None else self.decoded(f"/pixels/{group}", row)

    def raw_frame(self, i: int) -> tuple[bytes, str]:
        """A frame's bytes as they lie in the file, compressed or not, and its digest, after it was checked."""
        group, row = self.place(i)
        wanted = self.row(i)["digest"]
        if self.groups[group] is not None:
            pixels = self.frame(i)
            return pixels.tobytes(), wanted or pixel_digest(pixels)
        path = f"/pixels/{group}"
        chunk = self.raw(path, row)
        found = pixel_digest(self._decode(path, row, chunk))
        if wanted and found != wanted:
            raise self._changed(i)
        return chunk, found

    def pixels_of(self, group: str, rows: np.ndarray) -> np.ndarray:
        """Pixels of frames of a contiguous group: uint8 (n, H, W[, 3]), each checked the first time.

        Args:
            group: the only one of the file.
            rows: (n,) frames of this file.

        Returns:
            The frames, in the order of `rows`.

        Raises:
            Damaged: a frame's CRC-32 is not what was written.
        """
        mapped = np.asarray(self.map(group))
        if self._seen[rows].all():
            return mapped[rows]
        out = np.empty((len(rows), *mapped.shape[1:]), np.uint8)
        for start in range(0, len(rows), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            np.take(mapped, rows[some], axis=0, out=out[some], mode="clip")  # "raise" would copy once more
            self._check(rows[some], out[some])
        return out

    def _check(self, rows: np.ndarray, frames: np.ndarray) -> None:
        """Compare pixels of a contiguous group with their CRC-32, those that this process has not compared before."""
        if self._crcs is None:
            self._crcs = crcs_of(self._values.stored("/frames/digest"))
        if len(self._crcs):
            wanted = self._crcs[rows].tolist()
            for k in np.flatnonzero(~self._seen[rows]).tolist():
                if crc32(frames[k]) != wanted[k]:
                    raise self._changed(int(rows[k]))
        self._seen[rows] = True

    def _check_frame(self, i: int, pixels: np.ndarray) -> None:
        wanted = self.row(i)["digest"]
        if wanted and pixel_digest(pixels) != wanted:
            raise self._changed(i)

    def _changed(self, i: int) -> Damaged:
        return damaged(self.path, f"the pixels of frame {self.row(i)['frame_id']} have changed since they were written")

    def mask(self, table: str, row: int) -> np.ndarray:
        """The mask of a row of /regions or /overlay.

        Args:
            table: regions or overlay.
            row: of the table.

        Returns:
            The mask, bool (H, W).

        Raises:
            Damaged: row or mask has changed since it was written.
        """
        known = {name: self.column(f"/{table}/{name}")[row] for name in TABLES[table]}
        group = known["mask_group"]
        mask = unpack_mask(self.decoded(f"/{table}/mask/{group}", int(known["mask_row"])).tobytes(), group_shape(group))
        if known["digest"] and row_digest(known, pixel_digest(pack_mask(mask))) != known["digest"]:
            raise damaged(self.path, f"row {row} of /{table} has changed since it was written")
        return mask

    def has_column(self, path: str) -> bool:
        """Whether the file holds a column."""
        return path in self.layout.columns

    def label_block(self, group: str, row: int) -> np.ndarray:
        """One row of /labels/masks, whether it is compressed or not.

        Args:
            group: size of the mask, such as "256x256".
            row: in that group.

        Returns:
            The mask, uint8 (H, W).
        """
        mapped = self.label_map(group)
        return self.decoded(f"/labels/masks/{group}", row) if mapped is None else np.array(mapped[row])

    def label_map(self, group: str) -> np.ndarray | None:
        """A contiguous dataset of /labels/masks as a read-only memory map (n, H, W), None where it is compressed."""
        block = self.layout.blocks.get(f"/labels/masks/{group}")
        return None if block is None or block.offset is None else self._mapped(f"/labels/masks/{group}")

    def label(self, kind: Kind, i: int):
        """What a frame has of a kind of label, by this file's numbers; None where it has nothing.

        Args:
            kind: one of `labels.KINDS`.
            i: frame of the file.

        Returns:
            The value as `Kind.of_frame` gives it.
        """
        return kind.of_frame(self, i) if kind.name in self.kinds else None

    def label_token(self, i: int) -> str:
        """All labels of a frame as text, "" where it has none."""
        return token({name: self.label(KINDS[name], i) for name in self.kinds}, self.heads) if self.kinds else ""


def crcs_of(digests: np.ndarray) -> np.ndarray:
    """The first half of each pixel digest as a number.

    Args:
        digests: (n,) bytes, 16 hex digits each; or empty texts, where a store has none.

    Returns:
        (n,) uint32, (0,) where there are none.

    Examples:
        >>> crcs_of(np.array([b"0000000a00000001"])).tolist()
        [10]
    """
    if digests.dtype.itemsize != 16:
        return np.zeros(0, np.uint32)
    return np.frombuffer(bytes.fromhex(digests.tobytes().decode()), ">u4")[::2].astype(np.uint32)


def _plain(values: np.ndarray) -> list:
    return [v.decode() for v in values.tolist()] if values.dtype.kind == "S" else values.tolist()
