"""Put parts together into one store: raw chunks are copied, and the result appears whole or not at all."""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from usfm.errors import WorkError
from usfm.store import digest, hdf5, seal
from usfm.store.disk import disk_error, sync
from usfm.store.history import joined
from usfm.store.labels import KINDS
from usfm.store.labels.contract import Incoming
from usfm.store.opened import stored_file
from usfm.store.overlap import LEFT_OUT
from usfm.store.part import PartFile, column, open_part
from usfm.store.plan import StorePlan, plan_of
from usfm.store.rows import once, repeated, shared
from usfm.store.schema import FORMAT, FRAMES, LIBVER, PARTS, TABLES, VERSION, describe
from usfm.store.seal import Seal
from usfm.store.sink import Sink
from usfm.store.writer import PartWriter

Forget = Callable[[str, dict[str, np.ndarray]], np.ndarray]


def assemble(out: str | Path, parts: Sequence[tuple[str, Path]], *, inputs: Sequence = (),
             step: dict | Callable[[dict], dict], temporary: Path | None = None,
             between: Callable[[], None] | None = None, forget: Forget | None = None) -> dict:  # fmt: skip
    """Put parts together into a store.

    Args:
        out: path of the store; it appears by one rename, after everything is on the disk.
        parts: (name, path of what `PartWriter.to_bytes` made), in canonical order.
        inputs: stores that the step read; their /dropped, /rejected and history are carried forward.
        step: this step's entry for the history, or a function that makes it of the counts; `content_id` is added to it.
        temporary: where to write before the rename (same file system); default beside `out`.
        between: called before each part; may raise to stop.
        forget: (table, its columns) -> which rows of the inputs' /dropped and /rejected are not carried forward.

    Returns:
        frames, sources, content_id, step; of this step: dropped, rejected (frames), sources_rejected, reasons.

    Raises:
        WorkError: there is no frame, or the disk is full.
        OSError: anything else that the disk says.
    """
    out = Path(out)
    temporary = temporary or out.with_name(f"{out.name}.unfinished")
    plan = plan_of(parts)
    tables = {name: _carried(name, inputs, plan, forget) for name in ("dropped", "rejected")}
    own = _own(plan)
    if not plan.frames:
        raise WorkError(_nothing_left(out, own["reasons"]))
    _check_names(out, plan, tables["dropped"]["frame_id"])
    counts = {"frames": plan.frames, "sources": plan.tables["sources"], **own}
    step = dict(step(counts) if callable(step) else step)
    step["content_id"] = digest.content_id([one.digest for one in plan.parts])
    room = plan.bytes_needed + sum(column.nbytes + 64 * len(column) for t in tables.values() for column in t.values())
    sink = Sink(temporary, reserve=room)
    try:
        with h5py.File(sink, "w", libver=LIBVER) as file:
            file.attrs.update({"format": FORMAT, "version": VERSION, "content_id": step["content_id"]})
            steps = [json.dumps(one, sort_keys=True) for one in joined([*(s.history for s in inputs), [step]])]
            file.attrs.create("history", np.array(steps, object), dtype=h5py.string_dtype())
            file.attrs[seal.HISTORY_ATTRIBUTE] = seal.history_digest(steps)
            written = Seal()
            _Assembly(file, sink, plan, written).run(between or (lambda: None))
            for name, columns in (tables | {"parts": _parts(plan)}).items():
                for row in TABLES[name].values():
                    _write_whole(file, row, columns[row.name], written)
                if name != "parts":
                    file[name].attrs["digest"] = digest.table_digest(name, columns)
            file.attrs[seal.ATTRIBUTE] = written.attribute(_names(plan), hdf5.headings(file))
        sink.finish()
        os.replace(temporary, out)
        sync(out.parent)
    except Exception as error:
        cause = sink.error or error  # after a failed write HDF5 may stumble over anything
        if isinstance(cause, OSError):
            raise disk_error(cause, out) from error
        raise
    finally:
        sink.abandon()
        Path(temporary).unlink(missing_ok=True)
    return {**counts, "content_id": step["content_id"], "step": step}


def write_store(out: str | Path, part: PartWriter, command: str = "python") -> Path:
    """Write a store of one part, for those who make one by hand of what fits in memory.

    Args:
        out: path of the store; its folder exists.
        part: with at least one frame, and nothing drained.
        command: what the history says made it.

    Returns:
        `out`.
    """
    out = Path(out)
    piece = out.with_name(f"{out.name}.part.unfinished")
    try:
        piece.write_bytes(part.to_bytes())
        assemble(out, [("all", piece)], step={"command": command})
    finally:
        piece.unlink(missing_ok=True)
    return out


_NOWHERE = np.zeros(0, np.int32)

_HELD_FRAMES = 65536
"""Frames whose columns are held in memory before they are written: some 20 MB."""


class _Assembly:
    """Fill the output from the parts, one part at a time."""

    def __init__(self, file: h5py.File, sink: Sink, plan: StorePlan, written: Seal):
        self.file, self.sink, self.plan, self.written = file, sink, plan, written
        self.filled: Counter = Counter()  # rows so far, by dataset, those still held back among them
        self._held: dict[str, list[np.ndarray]] = {}
        self._held_frames = 0

    def run(self, between: Callable[[], None]) -> None:
        plan, file = self.plan, self.file
        for path, (count, dtype) in plan.columns.items():
            dataset = file.create_dataset(path, (count, *plan.widths.get(path, ())), dtype)
            hdf5.document(dataset)
            self.written.add(path, np.zeros(0, dtype))
        for path, block in plan.blocks.items():
            create = hdf5.create_contiguous if block.contiguous else hdf5.create_chunked
            hdf5.document(create(file, path, block.count, block.shape))
        self._names()
        for part in plan.parts:
            between()
            source = open_part(part.path)
            self._chunks(part, source)
            self._tables(part, source)
            self._labels(part, source)
            self._held_frames += part.frames
            if self._held_frames >= _HELD_FRAMES:
                self._write_held()
        self._write_held()

    def _names(self) -> None:
        """Write the attributes of the labels."""
        for name in self.plan.kinds:
            for path, attributes in KINDS[name].attributes(self.plan.heads[name]).items():
                hdf5.put_attributes(self.file[path], attributes)

    def _append(self, path: str, values: np.ndarray) -> None:
        """Hold rows back until there are many: a write of a few rows costs as much as one of thousands."""
        if len(values):  # a copy where it is a view: else all tables of its part would stay
            self._held.setdefault(path, []).append(values if values.base is None else values.copy())
            self.filled[path] += len(values)

    def _write_held(self) -> None:
        for path, pieces in self._held.items():
            dataset, values = hdf5.dataset(self.file, path), np.concatenate(pieces)
            values = values if values.dtype == object else values.astype(dataset.dtype)  # its text is UTF-8
            dataset[self.filled[path] - len(values) : self.filled[path]] = values
            self.written.add(path, values)
        self._held, self._held_frames = {}, 0

    def _chunks(self, part, source: PartFile) -> None:
        """Copy pixels and masks as they lie in the part's file."""
        view = source.bytes()
        for path in part.blocks:
            offsets, ends = source.chunks[path][:, 0], source.chunks[path].sum(axis=1)
            first, target = self.filled[path], hdf5.dataset(self.file, path)
            if self.plan.blocks[path].contiguous:
                at = target.id.get_offset() + first * int(ends[0] - offsets[0])
                breaks = np.flatnonzero(offsets[1:] != ends[:-1]) + 1  # where a mask came between two frames
                for begin, end in zip(offsets[np.r_[0, breaks]], ends[np.r_[breaks - 1, -1]], strict=True):
                    self.sink.put(at, view[begin:end])
                    at += int(end - begin)
                self.filled[path] += len(offsets)
                continue
            kept = part.keep.get(path, slice(None))
            runs = zip(offsets[kept].tolist(), ends[kept].tolist(), strict=True)
            self.filled[path] += hdf5.put_chunks(target, first, (view[begin:end] for begin, end in runs))

    def _tables(self, part, source: PartFile) -> None:
        first_of = {p: self.filled[p] - len(source.chunks[p]) for p in part.blocks if p.startswith("/pixels")}
        for name, row in FRAMES.items():
            if row.optional and row.path not in self.plan.columns:
                continue
            values = source.tables.get(row.path)
            values = np.full(part.frames, np.asarray(row.missing)) if values is None else values
            if name in ("source", "region_row", "overlay_row"):
                places = np.append(part.places[{"source": "sources", "region_row": "regions"}.get(name, "overlay")], -1)
                values = places[values].astype(np.int32)
            elif name == "pixels_row" and len(values):
                groups, values = source.tables["/frames/pixels_group"], values.copy()
                for path, first in first_of.items():
                    values[groups == path.rsplit("/", 1)[1].encode()] += first
            self._append(f"/frames/{name}", values)
        for table in ("sources", "regions", "overlay"):
            rows = part.new[table]
            for path in self.plan.columns:
                if path.rsplit("/", 1)[0] == f"/{table}":
                    self._append(path, self._new_rows(part, source, path, rows))

    def _new_rows(self, part, source: PartFile, path: str, rows: np.ndarray) -> np.ndarray:
        if path not in source.tables:
            row = describe(path)
            if row.dtype in ("str", "text"):
                return np.full(len(rows), str(row.missing).encode(), object if row.dtype == "text" else None)
            return np.full(len(rows), row.missing, self.plan.columns[path][1])
        values = source.tables[path][rows]
        if path.endswith("/mask_row") and len(rows):  # kept rows of a group follow one another in the output
            table = path.split("/")[1]
            groups = source.tables[f"/{table}/mask_group"][rows]
            for group in np.unique(groups):
                mine = np.flatnonzero(groups == group)
                block = f"/{table}/mask/{group.decode()}"
                values[mine] = self.filled[block] - len(mine) + np.arange(len(mine))
        return values

    def _labels(self, part, source: PartFile) -> None:
        plan = self.plan
        first = {path: self.filled[path] - len(source.chunks[path]) for path in part.blocks}
        for name in plan.kinds:
            incoming = Incoming(
                source.tables, part.frames, part.labels.get(name, _NOWHERE), plan.heads[name],
                frozenset(plan.columns), plan.widths, self.filled, first,
            )  # fmt: skip
            for path, values in KINDS[name].appended(incoming).items():
                self._append(path, values)


def _parts(plan: StorePlan) -> dict[str, np.ndarray]:
    """The columns of /parts."""
    counts = [part.frames for part in plan.parts]
    values = {"name": [part.name for part in plan.parts], "first_row": np.cumsum([0, *counts])[:-1],
              "rows": counts, "digest": [part.digest for part in plan.parts]}  # fmt: skip
    return {name: column(row.path, values[name]) for name, row in PARTS.items()}


def _names(plan: StorePlan) -> dict[str, object]:
    """What the attributes of the labels hold."""
    there = {name: plan.heads[name] if name in plan.kinds else kind.empty() for name, kind in KINDS.items()}
    return seal.names_of(there)


def _write_whole(file: h5py.File, row, values: np.ndarray, written: Seal) -> None:
    if row.dtype == "text":
        dataset = file.create_dataset(row.path, data=values, dtype=h5py.string_dtype())
    elif row.dtype == "str":
        values = hdf5.fixed_text(values)
        dataset = file.create_dataset(row.path, data=values)
    else:
        dataset = file.create_dataset(row.path, data=values)
    written.add(row.path, values)
    hdf5.document(dataset, row)


def _carried(table: str, inputs: Sequence, plan: StorePlan, forget: Forget | None) -> dict[str, np.ndarray]:
    """Rows of /dropped or /rejected of all inputs, then of the parts; a row that several inputs share appears once.

    A frame that one input had left out (`overlap.LEFT_OUT`) and another brings is not dropped.
    """
    pieces: dict[str, list[np.ndarray]] = {name: [] for name in TABLES[table]}
    paths = list(dict.fromkeys(path for store in inputs for path in store.paths))
    for path in paths:
        file = stored_file(path)
        rows = {name: file.stored(row.path) for name, row in TABLES[table].items()}
        gone = np.zeros(len(rows["frame_id"]), bool) if forget is None else forget(table, rows)
        if table == "dropped" and len(gone):
            left_out = np.char.startswith(rows["stage"], LEFT_OUT.encode())
            gone = gone | (left_out & np.isin(rows["frame_id"], np.concatenate(plan.frame_ids)))
        for name, values in rows.items():
            pieces[name].append(values[~gone])
    for part in plan.parts:
        if part.has[table]:
            tables = open_part(part.path).tables
            for name, row in TABLES[table].items():
                pieces[name].append(tables[row.path])
    columns = {}
    for name, row in TABLES[table].items():
        empty = np.zeros(0, object if row.dtype == "text" else "S1" if row.dtype == "str" else row.dtype)
        columns[name] = np.concatenate([empty, *pieces[name]])
    return once(columns) if len(paths) > 1 else columns


def _check_names(out: Path, plan: StorePlan, dropped: np.ndarray) -> None:
    """Raise WorkError where two frames have one name, or one was also dropped."""
    ids = np.concatenate(plan.frame_ids)
    for names, what in ((repeated(ids), "comes twice"), (shared(ids, dropped), "was dropped as well")):
        if names:
            raise WorkError(
                f"{out}: frame {names[0].decode()} {what} ({len(names)} frames in all); this is a fault of usfm, so "
                "nothing was written."
            )


def _own(plan: StorePlan) -> dict:
    """Counts of what this step dropped and rejected."""
    dropped, rejected, sources, reasons = 0, 0, 0, Counter()
    for part in plan.parts:
        if not (part.has["dropped"] or part.has["rejected"]):
            continue
        tables = open_part(part.path).tables
        dropped += len(tables["/dropped/frame_id"]) if part.has["dropped"] else 0
        if part.has["rejected"]:
            ids = tables["/rejected/frame_id"]
            rejected += int((ids != b"").sum())
            sources += int((ids == b"").sum())
            reasons.update(reason.decode() for reason in tables["/rejected/reason"].tolist())
    return {"dropped": dropped, "rejected": rejected, "sources_rejected": sources, "reasons": reasons}


def _nothing_left(out: Path, reasons: Counter) -> str:
    if not reasons:
        return f"{out}: no frame is left, so nothing was written; loosen the options that drop frames."
    listed = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(5))
    return f"{out}: no frame is left, so nothing was written; all were rejected: {listed}."
