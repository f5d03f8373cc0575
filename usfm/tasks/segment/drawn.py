"""Pictures of a segmentation: outlines of truth and prediction, worst first, and Dice against size."""

from pathlib import Path

import cv2
import numpy as np

from usfm.imaging.gray import to_gray
from usfm.pictures import curves, sheet
from usfm.store.reader import Store
from usfm.tasks.predictions import Predictions
from usfm.tasks.segment.measures import dice
from usfm.tasks.segment.moving import planes, unpacked
from usfm.tasks.segment.scored import by_size, scored

TRUTH, PREDICTION = (80, 220, 80), (240, 70, 70)
SIDE_PX = 220
_STRUCTURES = 8
"""Structures that have worst frames of their own; a sheet of more is not looked at."""


def of_frames(held: Predictions) -> np.ndarray:
    """Mean Dice of each frame over the structures that truth or prediction hold; 1 where neither holds any.

    Args:
        held: predictions of a run.

    Returns:
        (n,) float.
    """
    first = int(held.facts.get("mask_kind", "index") == "index")
    a = held.arrays
    values = dice(*(a[name][:, first:] for name in ("both", "truth", "predicted")))
    known = np.isfinite(values)
    return np.where(known.any(1), np.where(known, values, 0).sum(1) / np.maximum(1, known.sum(1)), 1.0)


def outlines(
    frame: np.ndarray, truth: np.ndarray, said: np.ndarray, classes: int, kind: str, plane: int | None = None
) -> np.ndarray:
    """A frame with the outlines of both masks.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        truth: uint8 (H, W) label mask.
        said: uint8 (H, W) label mask.
        classes: K, with the background for `index`.
        kind: index or bits.
        plane: the one class to outline; None for all.

    Returns:
        uint8 (h, w, 3), its longer side `SIDE_PX`.
    """
    scale = SIDE_PX / max(frame.shape[:2])
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    kinds = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = np.repeat(cv2.resize(to_gray(frame), size, interpolation=kinds)[..., None], 3, 2)
    for mask, colour in ((truth, TRUTH), (said, PREDICTION)):
        every = planes(mask, classes, kind)[0]
        for each in every[1 if kind == "index" else 0 :] if plane is None else every[plane : plane + 1]:
            large = cv2.resize(each.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            edges, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, edges, -1, colour, 1)
    return picture


def worst(held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
    """The frames with the lowest Dice of each structure, one a patient, then those with the highest mean Dice.

    Args:
        held: predictions of the run.
        store: holds the frames and their masks.
        count: of each sort; where there are several structures, half as many of each, but three at least.

    Returns:
        The sheet, and how many of the run's frames the store has.
    """
    row_of = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
    known = np.array([k for k, name in enumerate(held.frame_id) if name in row_of], int)
    kind = str(held.facts.get("mask_kind", "index"))
    pictures, captions = [], []
    for k, plane, caption in _chosen(held, known, kind, count):
        row = row_of[held.frame_id[k]]
        truth, said = store.label_mask(row), unpacked(held.arrays["mask"][k])
        frame = store.frame(row)
        if truth is None or said is None or said.shape != frame.shape[:2]:
            continue
        pictures.append(outlines(frame, truth, said, len(held.class_names), kind, plane))
        captions.append(caption)
    if not pictures:
        return np.zeros((8, 8, 3), np.uint8), 0
    return sheet.contact_sheet(pictures, captions, 6, SIDE_PX), len(known)


def _chosen(held: Predictions, known: np.ndarray, kind: str, count: int) -> list[tuple[int, int | None, str]]:
    """Which frames are shown: place in the predictions, the one plane that is drawn (None: all), and the caption."""
    first, whole = int(kind == "index"), of_frames(held)
    names = list(enumerate(held.class_names))[first:]
    shown: list[tuple[int, int | None, str]] = []
    if len(names) > 1:
        each = dice(*(held.arrays[name] for name in ("both", "truth", "predicted")))
        for plane, name in names[:_STRUCTURES]:
            there = known[np.isfinite(each[known, plane])]
            some = _firsts(held, there[np.argsort(each[there, plane], kind="stable")], max(3, count // 2))
            shown += [(k, plane, f"{name}: Dice {each[k, plane]:.2f}") for k in some]
    else:
        some = _firsts(held, known[np.argsort(whole[known], kind="stable")], count)
        shown += [(k, None, f"Dice {whole[k]:.2f}") for k in some]
    best = _firsts(held, known[np.argsort(-whole[known], kind="stable")], count)
    alone = {k for k, plane, _ in shown if plane is None}
    return shown + [(k, None, f"Dice {whole[k]:.2f}") for k in best if k not in alone]


def _firsts(held: Predictions, order: np.ndarray, count: int) -> list[int]:
    """The first frames of an order, one a patient."""
    _, first = np.unique(held.group[order].astype(str), return_index=True)
    return order[np.sort(first)][:count].tolist()


def of_directory(folder: Path, whole: Predictions) -> None:
    """Draw Dice against size.

    Args:
        folder: where to.
        whole: predictions of a run.
    """
    cases = scored(whole, "frame")
    lines = by_size(cases.counts, cases.names, int(cases.background))
    if lines:
        curves.curves(folder / "size.png", lines, "size of the structure, px", "Dice", markers=True, ylim=(0, 1.02))
