"""Predictions as CSV: a line a frame, a clip, a patient."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from usfm import escape
from usfm.errors import RequestError
from usfm.predict.copy import Columns
from usfm.screening.groups import group_frames
from usfm.store.reader import Store
from usfm.store.whole import place, whole_file

FIRST = {"frames": "frame_id", "clips": "path", "patients": "patient", "boxes": "frame_id", "masks": "frame_id"}
"""The first head of each table; those of boxes and masks are there where a run predicts them."""


def files(table: str | Path) -> dict[str, Path]:
    """The files of a table.

    Args:
        table: as given.

    Examples:
        >>> {name: path.name for name, path in files("out.csv").items()}
        {'frames': 'out.csv', 'clips': 'out.clips.csv', 'patients': 'out.patients.csv',
         'boxes': 'out.boxes.csv', 'masks': 'out.masks.csv'}
    """
    path = place(table)
    return {
        "frames": path,
        **{name: path.with_name(f"{path.stem}.{name}{path.suffix}") for name in FIRST if name != "frames"},
    }


def check_free(table: str, overwrite: bool, made: bool) -> None:
    """Refuse before the work what may not be replaced.

    Args:
        table: as given.
        overwrite: whether older tables may be replaced.
        made: whether the store is there already; then the tables are compared when they are made.

    Raises:
        RequestError: a file is in the way.
    """
    for kind, path in files(table).items():
        if path.is_dir():
            raise RequestError(f"{path}: is a folder; choose another --table")
        if path.exists() and not overwrite and not made:
            raise RequestError(f"{path}: exists; replace it with --overwrite, or choose another --table")
        if path.exists() and not _ours(path, kind):
            raise RequestError(f"{path}: exists and this command did not make it; choose another --table")


def write(
    table: str, store: Store, columns: Columns, classes: tuple[str, ...], ranked: str | None, overwrite: bool
) -> None:
    """Write the tables.

    Args:
        table: of the frames.
        store: with the predictions.
        columns: all that is predicted.
        classes: of which a frame has one, the first of the columns; () for none.
        ranked: the column of ranks, which only frames have; None for none.
        overwrite: whether older tables may be replaced.

    Raises:
        RequestError: another table is there.
    """
    names = [name for name in columns.scores if name != ranked]
    scores = np.stack([store.scores(name) for name in names], axis=1).astype(np.float64)
    ranks = [[]] * len(scores) if ranked is None else [["" if np.isnan(r) else int(r)] for r in store.scores(ranked)]
    path, patient = store.of_frames("path"), store.of_frames("patient")
    best = [[classes[c]] for c in scores[:, : len(classes)].argmax(1)] if classes else [[]] * len(scores)
    heads = [*names, *(["predicted"] if classes else [])]
    known = zip(store.column("frame_id").tolist(), path.tolist(), patient.tolist(), strict=True)
    lines = [[*one, *_short(s), *b, *r] for one, s, b, r in zip(known, scores, best, ranks, strict=True)]
    found, last = files(table), [] if ranked is None else [ranked]
    _put(found["frames"], ["frame_id", "path", "patient", *heads, *last], lines, overwrite)
    clip, groups = store.column("source"), group_frames(patient, path)
    _put(found["clips"], ["path", "patient", "frames", *heads],
         _means(clip, scores, classes, lambda k: [path[k], patient[k]]), overwrite)  # fmt: skip
    _put(found["patients"], ["patient", "frames", *heads],
         _means(groups.code, scores, classes, lambda k: [groups.names[groups.code[k]]]), overwrite)  # fmt: skip
    about = list(zip(store.column("frame_id").tolist(), path.tolist(), patient.tolist(), strict=True))
    if columns.boxes:
        _put(found["boxes"], ["frame_id", "path", "patient", "class", "score", *EDGES], _boxes(store, about), overwrite)
    if columns.masks:
        _put(found["masks"], ["frame_id", "path", "patient", "structure", "area_px", "area_mm2"],
             _areas(store, about, columns), overwrite)  # fmt: skip


EDGES = ("left_px", "top_px", "right_px", "bottom_px")


def _boxes(store: Store, about: list[tuple]) -> list[list]:
    """A line a box, surest first within a frame."""
    lines: list[list] = []
    for row, one in enumerate(about):
        for box, kind, score in zip(*store.boxes(row), store.box_scores(row), strict=True):
            lines.append([*one, store.box_names[kind], *_short(np.array([score, *box]))])
    return lines


def _areas(store: Store, about: list[tuple], columns: Columns) -> list[list]:
    """A line a frame and structure; mm2 where the spacing is known."""
    spacing = [np.asarray(store.column(f"{side}_spacing_mm"), float) for side in ("row", "col")]
    lines: list[list] = []
    for row, one in enumerate(about):
        mask, pixel_mm2 = store.label_mask(row), float(spacing[0][row] * spacing[1][row])
        assert mask is not None  # every frame was given one
        for k, name in enumerate(columns.masks):
            area = int((mask == k + 1 if columns.mask_kind == "index" else mask >> k & 1).sum())
            known = np.isfinite(pixel_mm2) and pixel_mm2 > 0
            lines.append([*one, name, area, float(f"{area * pixel_mm2:.6g}") if known else ""])
    return lines


def _means(code: np.ndarray, scores: np.ndarray, classes: tuple[str, ...], about: Callable) -> list[list]:
    """A line a group: the mean over its frames."""
    _, first, group, count = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(group, column) / count for column in scores.T], axis=1)
    ends = [[classes[c]] for c in means[:, : len(classes)].argmax(1)] if classes else [[]] * len(means)
    return [[*about(k), n, *_short(m), *e] for k, n, m, e in zip(first, count.tolist(), means, ends, strict=True)]


def _short(values: np.ndarray) -> list[float]:
    """With the digits that float32 has."""
    return [float(str(value)) for value in values.astype(np.float32)]


def _ours(path: Path, kind: str) -> bool:
    if not path.is_file():  # a pipe would hold the command up
        return False
    with open(path, "rb") as file:
        return file.read(64).startswith(f"{FIRST[kind]},".encode())


def _put(path: Path, heads: list[str], lines: list[list], overwrite: bool) -> None:
    text = io.StringIO(newline="")
    escape.write_csv(text, heads, lines)
    data = text.getvalue().encode("utf-8")
    if path.exists():
        if path.read_bytes() == data:
            return
        if not overwrite:
            raise RequestError(
                f"{path}: exists, made otherwise; replace it with --overwrite, or choose another --table"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_bytes(data)
