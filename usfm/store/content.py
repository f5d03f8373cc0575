"""Digests of what a store holds, part by part, as they were when it was written."""

from collections.abc import Sequence

import numpy as np

from usfm.store import digest
from usfm.store.codec import pack_mask, pixel_digest
from usfm.store.damage import damaged
from usfm.store.schema import FRAMES
from usfm.store.stored import StoredFile


def check_parts(file: StoredFile) -> None:
    """Compare all but the pixels with the digests of the parts: for stores that keep no digests of their columns.

    Raises:
        Damaged: something has changed.
    """
    for table in ("dropped", "rejected"):
        if table_changed(file, table):
            raise damaged(file.path, f"/{table} has changed since it was written")
    pointed = Pointed(file)
    for name, first, rows, wanted in zip(*file.table("parts").values(), strict=True):
        if pointed.digest(range(int(first), int(first + rows))) != wanted:
            raise damaged(file.path, f"columns, labels or masks of part {name} have changed since they were written")


def table_changed(file: StoredFile, table: str) -> bool:
    """Whether /dropped or /rejected has another digest than the one that it was written with.

    Args:
        file: the store.
        table: dropped or rejected.

    Returns:
        False also where the store keeps no digest of the table.
    """
    wanted = file.attribute(f"/{table}", "digest")
    return bool(wanted) and digest.table_digest(table, file.table(table)) != wanted


class Pointed:
    """The digests of what frames point at: sources, regions, overlays; and of the frames' parts by way of them.

    Args:
        file: the store.
    """

    def __init__(self, file: StoredFile):
        self._file = file
        table = {name: values.tolist() for name, values in file.table("sources").items()}
        sources = [digest.row_digest(dict(zip(table, row, strict=True))) for row in zip(*table.values(), strict=True)]
        self._tables = {
            "source": sources,
            "region_row": _mask_digests(file, "regions"),
            "overlay_row": _mask_digests(file, "overlay"),
        }

    def digest(self, rows: range) -> str:
        """Digest of a run of frames, their pixels by the digests that the store has of them."""
        columns = {name: self._file.column(f"/frames/{name}")[rows.start : rows.stop] for name in FRAMES}
        pointed = {name: self.of(name, columns[name]) for name in self._tables}
        return digest.part_digest(columns, pointed, [self._file.label_token(row) for row in rows])

    def of(self, name: str, values: np.ndarray) -> Sequence[str]:
        """Digests of what a column's values point at, "" for nothing, "?" for what cannot be read.

        Args:
            name: column of /frames that points elsewhere, such as source or region_row.
            values: (n,) rows that it points at, negative for nothing.

        Returns:
            A digest for each value.
        """
        return [self._tables[name][row] if row >= 0 else "" for row in values]


def _mask_digests(file: StoredFile, table: str) -> list[str]:
    """Digest of each row of /regions or /overlay, "?" where it is not what was written."""
    columns = {name: values.tolist() for name, values in file.table(table).items()}
    digests = []
    for at, values in enumerate(zip(*columns.values(), strict=True)):
        row = dict(zip(columns, values, strict=True))
        try:
            found = digest.row_digest(row, pixel_digest(pack_mask(file.mask(table, at))))
        except Exception:  # whatever damaged bytes lead to
            found = "?"
        digests.append(found if found == row["digest"] else "?")
    return digests
