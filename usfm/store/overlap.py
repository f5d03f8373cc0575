"""Several stores as inputs of one step: frames that they share are one frame where they are equal, else refused."""

from collections.abc import Sequence

import numpy as np

from usfm.errors import RequestError
from usfm.store import digest, rows
from usfm.store.schema import FRAMES
from usfm.store.stored import StoredFile

_PLACES = {"pixels_group", "pixels_row", "source", "region_row", "overlay_row"}


def kept_rows(files: Sequence[StoredFile]) -> list[np.ndarray | None]:
    """The rows of each file that no earlier one has; None for all of them.

    Args:
        files: in order.

    Raises:
        RequestError: two files hold a frame that is not the same in both, or one holds what the other has dropped.
    """
    kept: list[np.ndarray | None] = [None] * len(files)
    ids = [file.stored("/frames/frame_id") for file in files]
    for at, file in enumerate(files):
        for before in range(at):
            _refuse_dropped(file, files[before], ids[at])
            _refuse_dropped(files[before], file, ids[before])
            both = rows.shared(ids[before], ids[at])
            if both:
                _compare(files[before], file, both, ids[before], ids[at])
                known = kept[at]
                mine = np.arange(file.count) if known is None else known
                kept[at] = mine[~np.isin(ids[at][mine], both)]
    return kept


def _refuse_dropped(file: StoredFile, other: StoredFile, ids: np.ndarray) -> None:
    both = rows.shared(ids, other.stored("/dropped/frame_id"))
    if both:
        raise RequestError(
            f"{file.path} and {other.path}: frame {both[0].decode()} is in the first and was dropped from the second "
            f"({len(both)} frames in all); give one of them only."
        )


def _compare(first: StoredFile, second: StoredFile, both: list[bytes], ids: np.ndarray, others: np.ndarray) -> None:
    places = [{name: row for row, name in enumerate(some.tolist())} for some in (ids, others)]
    for name in both:
        one, two = (_facts(file, place[name]) for file, place in zip((first, second), places, strict=True))
        differ = [fact for fact in one if one[fact] != two[fact]]
        if differ:
            raise RequestError(
                f"{first.path} and {second.path}: frame {name.decode()} is in both and differs in "
                f"{', '.join(differ)}; give one of them only."
            )


def _facts(file: StoredFile, row: int) -> dict[str, str]:
    """Everything about a frame, whatever its place in the file."""
    known = file.row(row)
    found = {name: repr(known[name]) for name in FRAMES if name not in _PLACES}
    source = {name: file.column(f"/sources/{name}")[known["source"]] for name in file.source_columns}
    found["source"] = digest.row_digest(source)
    for table, name in (("regions", "region_row"), ("overlay", "overlay_row")):
        row_of = known[name]
        found[name.removesuffix("_row")] = "" if row_of < 0 else str(file.column(f"/{table}/digest")[row_of])
    return found | {"labels": file.label_token(row)}
