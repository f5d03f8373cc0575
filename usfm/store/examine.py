"""The one place that looks whether a store is sound when it is opened; what lies behind it may trust what it let in.

Headers, types, shapes, sizes, ranges, references between tables, text, digests of columns: all but the pixels and
masks themselves, which are checked against their digests when they are read.
"""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import h5py
import numpy as np

from usfm.errors import UsfmError
from usfm.store import digest, hdf5, history, notes, rows, seal
from usfm.store.columns import Columns
from usfm.store.damage import of_the_system, one_line
from usfm.store.labels import KINDS, empty_heads
from usfm.store.labels.contract import out_of_range
from usfm.store.labels.coverage import PATH as COVERAGE
from usfm.store.layout import FileLayout, layout
from usfm.store.schema import REGIONS, group_shape

_REQUIRED = ("/frames/frame_id", "/frames/source", "/frames/height", "/frames/width", "/frames/pixels_group",
             "/frames/pixels_row", "/sources/path", "/parts/name", "/parts/first_row", "/parts/rows",
             "/parts/digest")  # fmt: skip
_KEY = {"frames": "frame_id", "sources": "path", "regions": "key", "overlay": "key", "dropped": "frame_id",
        "rejected": "source", "parts": "name"}  # fmt: skip


@dataclass
class Facts:
    """What opening a store finds out.

    Attributes:
        layout: of its datasets.
        content_id: digest of its content.
        history: its steps.
        heads: kind of label -> its head, such as the names that its numbers count by.
        digests: of its columns and names; None in a store that was made before there were any.
        history_digest: of its history, or None.
        problems: what is wrong, a clause each.
    """

    layout: FileLayout = field(default_factory=FileLayout)
    content_id: str = ""
    history: list[dict] = field(default_factory=list)
    heads: dict[str, dict] = field(default_factory=empty_heads)
    digests: dict[str, str] | None = None
    history_digest: str | None = None
    problems: list[str] = field(default_factory=list)


def examine(file: h5py.File, path: str) -> tuple[Facts, Columns]:
    """Check an open store.

    Args:
        file: open for reading.
        path: of the file.

    Returns:
        What was found, problems among it, and the reader of its columns.
    """
    facts = Facts(layout(file, os.path.getsize(path)))
    facts.problems += facts.layout.problems
    _attempt(facts, "attributes", lambda: _attributes(file, facts))
    columns = Columns(path, facts.layout)
    columns.file = file
    facts.problems += [f"{name} is missing" for name in _REQUIRED if name not in facts.layout.columns]
    if not facts.problems:
        for check in (_lengths, _sealed, _text, _frames, _pixels, _masks, _labels, _parts, _ids):
            _attempt(facts, "tables", lambda check=check: facts.problems.extend(check(facts, columns)))
    columns.file = None
    return facts, columns


def _attempt(facts: Facts, what: str, action: Callable[[], None]) -> None:
    try:
        action()
    except UsfmError as error:
        facts.problems.append(str(error).split(": damaged, ")[-1].split("; ")[0])
    except Exception as error:  # whatever HDF5, NumPy or a decoder makes of damaged bytes
        if of_the_system(error):
            raise
        facts.problems.append(f"its {what} cannot be read ({one_line(error)})")


def _attributes(file: h5py.File, facts: Facts) -> None:
    facts.content_id = _text_attribute(file, "content_id") or ""
    steps = _texts_attribute(file, "history")
    facts.history_digest = _text_attribute(file, seal.HISTORY_ATTRIBUTE)
    if facts.history_digest is not None and facts.history_digest != seal.history_digest(steps):
        facts.problems.append("its history has changed since it was written")
    try:
        facts.history = [history.step_of(step) for step in steps]
    except ValueError as error:
        facts.problems.append(f"its history cannot be read ({one_line(error)})")
    for name, kind in KINDS.items():
        if kind.within(facts.layout.columns):
            facts.heads[name] = kind.head(lambda path, key: _attribute(file[path], key), facts.layout.columns)
    text = _text_attribute(file, seal.ATTRIBUTE)
    if text is not None:
        found = json.loads(text)
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise ValueError(seal.ATTRIBUTE)
        facts.digests = found


def _attribute(thing: h5py.HLObject, name: str) -> object:
    """A text, a number, a list of texts, or None. Raises ValueError for anything else."""
    value = hdf5.attribute(thing, name)
    if isinstance(value, np.ndarray):
        return _texts_attribute(thing, name)
    return value.item() if isinstance(value, np.generic) else _text_attribute(thing, name)


def _text_attribute(thing: h5py.HLObject, name: str) -> str | None:
    value = hdf5.attribute(thing, name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    if value is not None:
        value.encode()  # raises where it was no UTF-8
    return value


def _texts_attribute(thing: h5py.HLObject, name: str) -> list[str]:
    values = hdf5.attribute(thing, name)
    if values is None:
        return []
    if not isinstance(values, np.ndarray) or values.ndim != 1 or not (values.dtype.kind in "SO" or not len(values)):
        raise ValueError(f"{name} is no list of texts")
    return [value.decode() if isinstance(value, bytes) else value.encode().decode() for value in values]


def _lengths(facts: Facts, columns: Columns) -> list[str]:
    """Columns of one table are as long as one another, those of the labels as the frames."""
    found, problems = facts.layout, []
    for table, key in _KEY.items():
        count = found.length(f"/{table}/{key}")
        for path, column in found.columns.items():
            if path.startswith(f"/{table}/") and column.shape[0] != count:
                problems.append(f"{path} has {column.shape[0]:,} rows instead of {count:,}")
    count = found.length("/frames/frame_id")
    wanted = {"N": count, "N + 1": count + 1, "B": found.length("/labels/boxes/class")}
    for path, column in found.columns.items():
        if path.startswith(("/labels/", "/patches/")) and column.shape[0] != wanted[column.row.rows]:
            problems.append(f"{path} has {column.shape[0]:,} rows instead of {wanted[column.row.rows]:,}")
    for kind in KINDS.values():
        needed = {row.path for row in kind.datasets if not row.optional}
        if needed & set(found.columns):
            problems += [f"{path} is missing" for path in sorted(needed - set(found.columns))]
    return problems


def _sealed(facts: Facts, columns: Columns) -> list[str]:
    """Columns and names have the digests that the store was written with."""
    if facts.digests is None:
        return []
    wanted = {path: value for path, value in facts.digests.items() if path != seal.HEADINGS}
    problems = []
    for key, found in seal.name_digests(seal.names_of(facts.heads)).items():
        if wanted.pop(key, found if key in seal.LATER else None) != found:
            problems.append(f"the {key[1:]} have changed since it was written")
    known = set(facts.layout.columns)
    problems += [f"{path} is missing" for path in sorted(set(wanted) - known)]
    problems += [f"{path} was not there when it was written" for path in sorted(known - set(wanted))]
    for path in sorted(known & set(wanted) - {COVERAGE}):  # as large as pixels: checked when it is read
        if seal.column_digest(columns.stored(path)) != wanted[path]:
            problems.append(f"{path} has changed since it was written")
    return problems


def _text(facts: Facts, columns: Columns) -> list[str]:
    """Text is UTF-8, and JSON where it should be."""
    problems = []
    for path, column in facts.layout.columns.items():
        if column.row.dtype not in ("str", "text"):
            continue
        values = columns.stored(path)
        plain = values.dtype != object and values.size and values.view(np.uint8).max() < 128
        try:
            if not plain:
                b"\0".join(values.tolist()).decode()  # no text is whole only together with the next
            if path in notes.RULES and not all(notes.fits(path, value) for value in set(values.tolist())):
                raise ValueError("not the JSON that it should be")
        except ValueError as error:
            problems.append(f"{path} holds text that cannot be read ({one_line(error)})")
    return problems


def _frames(facts: Facts, columns: Columns) -> list[str]:
    found, problems = facts.layout, []
    references = {"source": (0, found.length("/sources/path")), "region_row": (-1, found.length("/regions/key")),
                  "overlay_row": (-1, found.length("/overlay/key"))}  # fmt: skip
    huge = math.inf
    ranges = {"time_s": (-1e12, 1e12), "crop_row_px": (-1e9, 1e9), "crop_col_px": (-1e9, 1e9),
                           "scale": (1e-9, 1e9), "row_spacing_mm": (0, 1e9), "col_spacing_mm": (0, 1e9)}  # fmt: skip
    for name, (least, end) in references.items():
        values = columns.stored(f"/frames/{name}")
        wrong = int(((values < least) | (values >= end)).sum())
        problems += [f"/frames/{name} of {wrong:,} frames points at a row that is not there"] if wrong else []
    for name, (least, end) in ranges.items():
        problems += out_of_range(f"/frames/{name}", columns.stored(f"/frames/{name}"), least, end)
    for name, least in (("part", -1), ("views", 0)):
        if f"/frames/{name}" in found.columns:
            problems += out_of_range(f"/frames/{name}", columns.stored(f"/frames/{name}"), least, 1 << 16)
    for name in ("crop_row_px", "crop_col_px", "scale"):
        if np.isnan(columns.stored(f"/frames/{name}")).any():
            problems.append(f"/frames/{name} is no number")
    for path, least, end in (("/sources/fps", 0, 1e9), ("/sources/frames", -1, huge), ("/sources/copy", 0, huge),
                             ("/regions/confidence", 0, 1.001),
                             *((f"/regions/{n}", -1e12, 1e12) for n, row in REGIONS.items() if row.dtype == "float64"),
                             ("/dropped/similarity", -2, 2)):  # fmt: skip
        if path in found.columns:
            problems += out_of_range(path, columns.stored(path), least, end)
    return problems


def _pixels(facts: Facts, columns: Columns) -> list[str]:
    """Each frame has its own row in the group of its size."""
    blocks = {path[8:]: block for path, block in facts.layout.blocks.items() if path.startswith("/pixels/")}
    names, which = np.unique(columns.stored("/frames/pixels_group"), return_inverse=True)
    height, width = columns.stored("/frames/height"), columns.stored("/frames/width")
    row = columns.stored("/frames/pixels_row")
    if set(blocks) != {name.decode() for name in names.tolist()}:
        return ["/frames/pixels_group does not fit the groups of /pixels"]
    sizes = np.array([group_shape(name.decode())[:2] for name in names.tolist()], np.int64).reshape(-1, 2)
    counts = np.array([blocks[name.decode()].shape[0] for name in names.tolist()], np.int64)
    if (sizes[which] != np.stack([height, width], 1)).any():
        return ["/frames/height and width do not fit the groups of /pixels"]
    if ((row < 0) | (row >= counts[which])).any():
        return ["/frames/pixels_row points at rows that are not there"]
    first = np.cumsum([0, *counts.tolist()])
    if first[-1] != len(row) or (np.bincount(first[:-1][which] + row, minlength=len(row)) != 1).any():
        return ["/frames/pixels_row does not give each frame a row of its own"]
    if any(block.offset is not None for block in blocks.values()) and (row != np.arange(len(row))).any():
        return ["/frames/pixels_row is not in order"]
    return _digests_of_pixels(facts, columns)


def _digests_of_pixels(facts: Facts, columns: Columns) -> list[str]:
    for path in ("/frames/digest", "/labels/mask_digest"):
        if path in facts.layout.columns:
            values = columns.stored(path)
            values = values[values != b""] if path.startswith("/labels") else values
            if len(values) and (values.dtype.itemsize != 16 or not set(values.tobytes()) <= set(b"0123456789abcdef")):
                return [f"{path} holds what is no digest"]
    return []


def _masks(facts: Facts, columns: Columns) -> list[str]:
    """Rows of /regions and /overlay point at masks that are there."""
    problems = []
    for table in ("regions", "overlay"):
        if not facts.layout.length(f"/{table}/key"):
            continue
        groups, row = columns.stored(f"/{table}/mask_group"), columns.stored(f"/{table}/mask_row")
        for group in np.unique(groups).tolist():
            block = facts.layout.blocks.get(f"/{table}/mask/{group.decode()}")
            mine = row[groups == group]
            if block is None or mine.min() < 0 or mine.max() >= block.shape[0]:
                problems.append(f"/{table}/mask_row points at masks that are not there")
    rows_of = {name: columns.stored(f"/frames/{name}") for name in ("region_row", "overlay_row")}
    for (name, mine), table in zip(rows_of.items(), ("regions", "overlay"), strict=True):
        problems += _same_size(facts, columns, name, mine, table) if not problems and (mine >= 0).any() else []
    return problems


def _same_size(facts: Facts, columns: Columns, name: str, mine: np.ndarray, table: str) -> list[str]:
    """A frame's region or overlay is as large as the frame."""
    there = mine >= 0
    sizes = {group: group_shape(group.decode()) for group in np.unique(columns.stored(f"/{table}/mask_group")).tolist()}
    of_mask = np.array([sizes[group] for group in columns.stored(f"/{table}/mask_group").tolist()], np.int64)
    frame = np.stack([columns.stored("/frames/height"), columns.stored("/frames/width")], 1)
    if (of_mask[mine[there]] != frame[there]).any():
        return [f"/frames/{name} points at masks of another size"]
    return []


def _labels(facts: Facts, columns: Columns) -> list[str]:
    problems = []
    for name, kind in KINDS.items():
        if kind.within(facts.layout.columns):
            problems += kind.problems(facts.heads[name], columns.stored, facts.layout)
    return problems


def _parts(facts: Facts, columns: Columns) -> list[str]:
    count, problems = facts.layout.length("/frames/frame_id"), []
    first, many = columns.stored("/parts/first_row"), columns.stored("/parts/rows")
    if ((many < 0) | (many > count)).any() or many.sum() != count or (first != np.cumsum([0, *many])[:-1]).any():
        problems.append("/parts does not cover the frames")
    if digest.content_id(columns.decoded("/parts/digest").tolist()) != facts.content_id:
        problems.append("its content_id does not fit the digests of /parts")
    return problems


def _ids(facts: Facts, columns: Columns) -> list[str]:
    ids = columns.stored("/frames/frame_id")
    twice = rows.repeated(ids)
    problems = [f"{len(twice)} frames have the same frame_id as another, such as {twice[0].decode()}"] if twice else []
    if facts.layout.length("/dropped/frame_id"):
        both = rows.shared(ids, columns.stored("/dropped/frame_id"))
        if both:
            problems.append(f"{len(both)} frames are both in /frames and in /dropped, such as {both[0].decode()}")
    return problems
