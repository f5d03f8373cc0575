"""Several stores as inputs of one step: frames that they share are one frame where they are equal, else refused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from usfm.errors import RequestError
from usfm.store import digest, rows
from usfm.store.schema import FRAMES, whole_id
from usfm.store.stored import StoredFile

_PLACES = {"pixels_group", "pixels_row", "source", "region_row", "overlay_row"}


LEFT_OUT = "select"
"""Stages of /dropped that begin so say that a frame was not wanted in that store: another may hold it."""


@dataclass(frozen=True)
class Unlike:
    """A frame that two files hold and that differs in them; that of the earlier file counts.

    Attributes:
        frame_id: of both.
        file: number of the later file.
        row: of the frame in it.
        differs: what differs, such as "labels" and "source".
    """

    frame_id: str
    file: int
    row: int
    differs: tuple[str, ...]


def kept_rows(files: Sequence[StoredFile], unlike: list[Unlike] | None = None) -> list[np.ndarray | None]:
    """The rows of each file that no earlier one has; None for all of them.

    Args:
        files: in order.
        unlike: takes the frames that are not the same in two files; without it such a frame is refused.

    Returns:
        For each file its rows, ascending.

    Raises:
        RequestError: two files hold a frame that is not the same in both, or one holds what the other has dropped.
    """
    kept: list[np.ndarray | None] = [None] * len(files)
    ids = [file.stored("/frames/frame_id") for file in files]
    for at, file in enumerate(files):
        for before in range(at):
            _refuse_dropped(file, files[before], ids[at])
            _refuse_dropped(files[before], file, ids[before])
            _refuse_views(files[before], file, ids[before], ids[at])
            known = kept[at]
            mine = np.arange(file.count) if known is None else known
            both = rows.shared(ids[before], ids[at][mine])
            if both:
                found = _compared(files[before], file, both, ids[before], ids[at])
                for name, row, differs in found:
                    if unlike is None:
                        raise RequestError(
                            f"{files[before].path} and {file.path}: frame {name} is in both and differs in "
                            f"{', '.join(differs)}; give one of them only, or merge them with usfm select."
                        )
                    unlike.append(Unlike(name, at, row, differs))
                kept[at] = mine[~np.isin(ids[at][mine], both)]
    return kept


def _refuse_views(first: StoredFile, second: StoredFile, ids: np.ndarray, others: np.ndarray) -> None:
    """Refuse a frame that is whole in one file and cut into its views in the other: it would count several times."""
    for file, names, other, wholes in ((first, ids, second, others), (second, others, first, ids)):
        if not file.has_column("/frames/part"):
            continue
        views = names[file.column("/frames/part") >= 0]
        both = rows.shared(np.array([whole_id(name.decode()).encode() for name in views], "S"), wholes)
        if both:
            raise RequestError(
                f"{other.path} and {file.path}: frame {both[0].decode()} is whole in the first and cut into its views "
                f"in the second ({len(both)} frames in all); give one of them only."
            )


def _refuse_dropped(file: StoredFile, other: StoredFile, ids: np.ndarray) -> None:
    dropped, stage = other.stored("/dropped/frame_id"), other.stored("/dropped/stage")
    if len(dropped):
        dropped = dropped[~np.char.startswith(stage, LEFT_OUT.encode())]
    both = rows.shared(ids, dropped)
    if both:
        raise RequestError(
            f"{file.path} and {other.path}: frame {both[0].decode()} is in the first and was dropped from the second "
            f"({len(both)} frames in all); give one of them only."
        )


def _compared(first: StoredFile, second: StoredFile, both: list[bytes], ids: np.ndarray,
              others: np.ndarray) -> list[tuple[str, int, tuple[str, ...]]]:  # fmt: skip
    """Name, row in the second file, and what differs, of each shared frame that is not the same in both."""
    places = [{name: row for row, name in enumerate(some.tolist())} for some in (ids, others)]
    found = []
    for name in both:
        one, two = (_facts(file, place[name]) for file, place in zip((first, second), places, strict=True))
        differs = tuple(fact for fact in one if one[fact] != two[fact])
        if differs:
            found.append((name.decode(), places[1][name], differs))
    return found


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
