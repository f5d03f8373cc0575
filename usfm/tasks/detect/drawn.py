"""Pictures of a detection: boxes against truth, worst first, and precision over recall."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from usfm.imaging.gray import to_gray
from usfm.pictures import curves, sheet
from usfm.store.reader import Store
from usfm.tasks.detect.measures import Matched, curve, of_class, overlap
from usfm.tasks.predictions import Predictions

TRUTH, PREDICTION = (80, 220, 80), (240, 70, 70)
SIDE_PX = 220


def recall_precision(classes: Sequence[Matched], names: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Precision over recall at IoU 0.5.

    Args:
        classes: C classes.
        names: of the classes.

    Returns:
        Name with AP@50 in brackets -> (recall, precision), of the classes that have a curve.
    """
    lines = {}
    for name, one in zip(names, classes, strict=True):
        recall, precision = curve(one)
        if len(recall):
            area = of_class(one, np.ones((1, len(one.truth))))["ap50"][0]
            lines[f"{name} ({area:.2f})"] = (recall, precision)
    return lines


def precision_recall(path: Path, classes: Sequence[Matched], names: Sequence[str]) -> None:
    """Draw precision over recall at IoU 0.5, where a class has a curve.

    Args:
        path: where to.
        classes: C classes.
        names: of the classes.
    """
    lines = recall_precision(classes, names)
    if lines:
        curves.curves(path, lines, "recall", "precision", xlim=(0, 1.02), ylim=(0, 1.02), size_in=(4.2, 3.9))


def of_frames(held: Predictions) -> np.ndarray:
    """How well the boxes of each frame fit.

    Each box of the truth counts with its best overlap with a predicted one of its class, each predicted one with its
    best overlap with the truth, in the weight of its score.

    Args:
        held: predictions of a run.

    Returns:
        (n,) 0 to 1; 1 where neither has boxes.
    """
    values = np.ones(len(held))
    a = held.arrays
    for n in range(len(held)):
        boxes, truth = (np.asarray(a[name][n], float).reshape(-1, 4) for name in ("boxes", "truth_boxes"))
        same = np.asarray(a["class"][n])[:, None] == np.asarray(a["truth_class"][n])[None]
        shares, score = overlap(boxes, truth) * same, np.asarray(a["score"][n], float)
        total = len(truth) + score.sum()
        if total > 0:
            values[n] = (shares.max(0, initial=0).sum() + (score * shares.max(1, initial=0)).sum()) / total
    return values


def outlined(frame: np.ndarray, truth: np.ndarray, said: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """A frame with the boxes of truth and prediction.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        truth: (t, 4) left, top, right, bottom, px.
        said: (k, 4), predicted.
        scores: (k,) of the predicted ones; a less sure one is darker.

    Returns:
        uint8 (h, w, 3), its longer side `SIDE_PX`.
    """
    scale = SIDE_PX / max(frame.shape[:2])
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    picture = cv2.resize(to_gray(frame), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    picture = np.repeat(picture[..., None], 3, 2)
    lines = [*((box, PREDICTION, score) for box, score in sorted(zip(said.tolist(), scores.tolist(), strict=True),
             key=lambda pair: pair[1])), *((box, TRUTH, 1.0) for box in truth.tolist())]  # fmt: skip
    for box, colour, share in lines:
        left, top, right, bottom = (round(value * scale) for value in box)
        tone = tuple(round(value * (0.3 + 0.7 * share)) for value in colour)
        cv2.rectangle(picture, (left, top), (max(left, right - 1), max(top, bottom - 1)), tone, 1)
    return picture


def worst(held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
    """The frames whose boxes fit worst, one a patient, then those whose boxes fit best.

    Args:
        held: predictions of the run.
        store: holds the frames.
        count: of each sort.

    Returns:
        The sheet, and how many of the run's frames the store has.
    """
    row_of = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
    known = np.array([k for k, name in enumerate(held.frame_id) if name in row_of], int)
    value, chosen = of_frames(held), []
    for order in (known[np.argsort(value[known], kind="stable")], known[np.argsort(-value[known], kind="stable")]):
        _, first = np.unique(held.group[order].astype(str), return_index=True)
        chosen += [k for k in order[np.sort(first)][:count].tolist() if k not in chosen]
    if not chosen:
        return np.zeros((8, 8, 3), np.uint8), 0
    pictures, a = [], held.arrays
    for k in chosen:
        truth, said = (np.asarray(a[name][k], float).reshape(-1, 4) for name in ("truth_boxes", "boxes"))
        pictures.append(outlined(store.frame(row_of[held.frame_id[k]]), truth, said, np.asarray(a["score"][k], float)))
    captions = [f"fit {value[k]:.2f}" for k in chosen]
    return sheet.contact_sheet(pictures, captions, 6, SIDE_PX), len(known)
