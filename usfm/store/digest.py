"""Digests of decoded content: what makes two parts, or two stores, the same whatever compressed them."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from usfm.store.dataset import Dataset
from usfm.store.schema import FRAMES, TABLES

Values = Sequence | np.ndarray
"""A column."""

_BY_CONTENT = {"source", "pixels_group", "pixels_row", "region_row", "overlay_row"}
"""Columns that point elsewhere: the digest takes what they point at, since rows move when parts are put together."""


def row_digest(row: Mapping, mask_digest: str = "") -> str:
    """Digest of one row of /sources, /regions or /overlay and its mask; values that are missing do not count.

    Args:
        row: column -> value.
        mask_digest: digest of the unpacked mask's bytes.

    Returns:
        The first 16 hex digits of a sha256.
    """
    plain = {}
    for name in sorted(row):
        value = row[name].item() if isinstance(row[name], np.generic) else row[name]
        if name.startswith("mask_") or name == "digest" or value in ("", "{}", -1) or value != value:
            continue
        if isinstance(value, (int, float)):
            value = float(np.float32(value)) if name in ("confidence", "predicted_iou") else float(value)
        plain[name] = value
    return hashlib.sha256(json.dumps([plain, mask_digest]).encode()).hexdigest()[:16]


def _feed(hasher, name: str, values) -> None:
    hasher.update(f"|{name}|{len(values)}|".encode())
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OS":
        hasher.update(np.ascontiguousarray(values))
        return
    for first in range(0, len(values), 65536):  # in blocks, so that a long table is never in memory as Python strings
        block = values[first : first + 65536]
        block = block.tolist() if isinstance(block, np.ndarray) else list(block)
        if isinstance(block[0], bytes):
            hasher.update(b"\0".join([*block, b""]))
        else:
            hasher.update("\0".join([*block, ""]).encode())


def all_missing(row: Dataset, values: Values) -> bool:
    """Whether a column says nothing about any row.

    Args:
        row: the column's row of the schema, which says what its missing value is.
        values: of the column.

    Returns:
        True also for a column without rows.
    """
    return not len(values) or bool((np.asarray(values) == row.missing).all())


def part_digest(columns: Mapping[str, Values], pointed: Mapping[str, Sequence[str]], labels: Sequence[str]) -> str:
    """Digest of a run of frames with all that belongs to them.

    Args:
        columns: column of /frames -> its values over the run, n long (the digest of the pixels is one of them);
            optional ones may lack.
        pointed: `source`, `region_row`, `overlay_row` -> digest of what each frame points at, "" = nothing, n long.
        labels: what `labels.token` makes of each frame's labels, n long.

    Returns:
        64 hex digits; it depends on neither compression, nor rows' places, nor the other parts of the store.
    """
    hasher = hashlib.sha256()
    for name, row in FRAMES.items():
        if name not in _BY_CONTENT:
            values = columns.get(name)
            if row.optional and (values is None or all_missing(row, values)):
                continue  # a column that older stores lack changes no digest until it says something
            _feed(hasher, name, values if row.dtype == "str" else np.asarray(values, row.dtype))
    for name in ("source", "region_row", "overlay_row"):
        _feed(hasher, name, pointed[name])
    _feed(hasher, "labels", labels)
    return hasher.hexdigest()


def table_digest(table: str, columns: Mapping[str, Values]) -> str:
    """Digest of /dropped or /rejected as a whole.

    Args:
        table: dropped or rejected.
        columns: column -> its values; one that is not there counts as empty.

    Returns:
        A sha256, hex.
    """
    hasher = hashlib.sha256()
    for name, row in TABLES[table].items():
        values = columns.get(name, [])
        _feed(hasher, name, values if row.dtype in ("str", "text") else np.asarray(values, row.dtype))
    return hasher.hexdigest()


def content_id(part_digests: Sequence[str]) -> str:
    """Digest of a store: over the digests of its parts, in order."""
    return hashlib.sha256("\n".join(part_digests).encode()).hexdigest()
