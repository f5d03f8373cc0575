"""What a set of parts adds up to: the sizes of every dataset before the first byte is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from usfm.errors import WorkError
from usfm.store import digest
from usfm.store.labels import KINDS, empty_heads, row_of
from usfm.store.part import PartFile, open_part
from usfm.store.schema import FRAMES, OVERLAYS, REGIONS, SOURCES, describe, row_shape

_CHUNK_ENTRY = 160
"""Bytes of HDF5's index a chunk may take, with room to spare; measured 56 for 2-D frames."""
_PER_DATASET = 8192
_ROW_TABLES = {"sources": SOURCES, "regions": REGIONS, "overlay": OVERLAYS}
_BY_FRAME = {"N": 0, "N + 1": 1}
"""Rows of a column -> how many more than frames."""
_BLOCK_PARENTS = ("/pixels", "/labels/masks", "/regions/mask", "/overlay/mask")


@dataclass
class Block:
    """A dataset of frames or masks in the output."""

    shape: tuple[int, ...]
    contiguous: bool
    count: int = 0


@dataclass
class PartPlan:
    """One part: its size, and where its rows go in the output."""

    name: str
    path: Path
    digest: str
    frames: int
    blocks: list[str] = field(default_factory=list)
    keep: dict[str, np.ndarray] = field(default_factory=dict)
    places: dict[str, np.ndarray] = field(default_factory=dict)
    new: dict[str, np.ndarray] = field(default_factory=dict)
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    has: dict[str, bool] = field(default_factory=dict)


@dataclass
class StorePlan:
    """The output: every dataset's size and type."""

    parts: list[PartPlan] = field(default_factory=list)
    frames: int = 0
    tables: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ROW_TABLES, 0))
    columns: dict[str, tuple[int, np.dtype]] = field(default_factory=dict)
    widths: dict[str, tuple[int, ...]] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    heads: dict[str, dict] = field(default_factory=empty_heads)
    kinds: list[str] = field(default_factory=list)
    bytes_needed: int = 1 << 20
    frame_ids: list[np.ndarray] = field(default_factory=list)


def plan_of(parts: Sequence[tuple[str, Path]]) -> StorePlan:
    """Read the parts' sizes and keys, and lay out the output.

    Args:
        parts: (name, path), in canonical order.
    """
    plan = StorePlan()
    seen: dict[str, dict[str, int]] = {table: {} for table in _ROW_TABLES}
    widest: dict[str, np.dtype] = {}
    for name, path in parts:
        file = open_part(path)
        part = PartPlan(name, file.path, file.digest, file.frames)
        part.has = {table: file.has(table) for table in ("dropped", "rejected")}
        _rows(plan, part, file, seen)
        _names(plan, part, file)
        _blocks(plan, part, file)
        _columns(plan, part, file, widest)
        plan.parts.append(part)
        plan.frames += part.frames
        plan.frame_ids.append(file.tables["/frames/frame_id"].copy())
    _finish(plan, widest)
    return plan


def _rows(plan: StorePlan, part: PartPlan, file: PartFile, seen: dict[str, dict[str, int]]) -> None:
    """Give each source, region and overlay its row in the output; one that another part has brought is not new."""
    for table in _ROW_TABLES:
        keys = _keys(file, table)
        places, new = np.zeros(len(keys), np.int64), []
        for row, key in enumerate(keys):
            if key not in seen[table]:
                seen[table][key] = len(seen[table])
                new.append(row)
            places[row] = seen[table][key]
        part.places[table], part.new[table] = places, np.array(new, np.int64)
        plan.tables[table] = len(seen[table])


def _keys(file: PartFile, table: str) -> list[str]:
    if table != "sources":
        return [key.decode() for key in file.tables.get(f"/{table}/digest", np.zeros(0, "S")).tolist()]
    columns = {path.rsplit("/", 1)[1]: _plain(values) for path, values in file.tables.items() if _of(path) == table}
    rows = zip(*columns.values(), strict=True)
    return [digest.row_digest(dict(zip(columns, row, strict=True))) for row in rows]


def _of(path: str) -> str:
    """The table that a dataset is a column of."""
    return path.rsplit("/", 1)[0][1:]


def _plain(values: np.ndarray) -> list:
    return [value.decode() for value in values.tolist()] if values.dtype.kind in "SO" else values.tolist()


def _names(plan: StorePlan, part: PartPlan, file: PartFile) -> None:
    for name, kind in KINDS.items():
        if kind.within(file.tables):
            plan.heads[name], part.labels[name] = kind.joined(plan.heads[name], file.heads[name])


def _blocks(plan: StorePlan, part: PartPlan, file: PartFile) -> None:
    """Count the rows of pixels and masks; of regions and overlays only those that are new."""
    for path in sorted(file.chunks, key=lambda path: (_BLOCK_PARENTS.index(path.rsplit("/", 1)[0]), path)):
        parent, group = path.rsplit("/", 1)
        table, count = path.split("/")[1], len(file.chunks[path])
        if parent.endswith("/mask"):
            groups = file.tables[f"/{table}/mask_group"][part.new[table]]
            mine = part.new[table][groups == group.encode()]
            part.keep[path] = file.tables[f"/{table}/mask_row"][mine]
            count = len(mine)
            if not count:
                continue
        contiguous = file.contiguous and table in ("pixels", "labels")
        block = plan.blocks.setdefault(path, Block(row_shape(path), contiguous))
        if block.contiguous != contiguous:
            raise WorkError(f"{part.path}: some parts are compressed and others not, so they are not of one run.")
        block.count += count
        part.blocks.append(path)
        plan.bytes_needed += int(file.chunks[path][:, 1].sum()) + (0 if contiguous else _CHUNK_ENTRY * count)


def _columns(plan: StorePlan, part: PartPlan, file: PartFile, widest: dict[str, np.dtype]) -> None:
    """Find the widest type of each column, and add up the lengths of text."""
    for path, values in file.tables.items():
        label = row_of(path)
        if _of(path) not in ("frames", *_ROW_TABLES) and label is None:
            continue
        before = widest.get(path, values.dtype)
        widest[path] = values.dtype if values.dtype.itemsize > before.itemsize else before
        if values.ndim > 1:
            plan.widths[path] = values.shape[1:]
        if describe(path).dtype == "text":
            plan.bytes_needed += sum(len(value) + 24 for value in values)
        if label is not None and label.rows not in _BY_FRAME:
            count = plan.columns.get(path, (0, None))[0]
            plan.columns[path] = count + len(values), values.dtype


def _in_hdf5(path: str, dtype: np.dtype) -> np.dtype:
    """The type of a column in the output: text is UTF-8, of one length or of any."""
    if dtype.kind not in "SO":
        return dtype
    return h5py.string_dtype() if dtype.kind == "O" else h5py.string_dtype("utf-8", dtype.itemsize)


def _finish(plan: StorePlan, widest: dict[str, np.dtype]) -> None:
    widest = {path: _in_hdf5(path, dtype) for path, dtype in widest.items()}
    for table, rows in (("frames", FRAMES), *_ROW_TABLES.items()):
        count = plan.frames if table == "frames" else plan.tables[table]
        if not count and table != "sources":
            continue
        names = [path.rsplit("/", 1)[1] for path in widest if path.rsplit("/", 1)[0] == f"/{table}"]
        order = [name for name in rows if name in names] + sorted(set(names) - set(rows))
        for name in order:
            plan.columns[f"/{table}/{name}"] = count, widest[f"/{table}/{name}"]
    for path in sorted(widest):
        row = row_of(path)
        if row is not None and row.rows in _BY_FRAME:
            plan.columns[path] = plan.frames + _BY_FRAME[row.rows], widest[path]
    for name, kind in KINDS.items():
        if kind.within(plan.columns):
            plan.kinds.append(name)
            plan.widths.update(kind.widths(plan.heads[name]))
    for path, (count, dtype) in plan.columns.items():
        size = np.prod((count, *plan.widths.get(path, ()))) * dtype.itemsize
        plan.bytes_needed += int(size) + _PER_DATASET
