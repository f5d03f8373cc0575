"""The boxes of a store's frames, and what learns them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from usfm.store.reader import Store

if TYPE_CHECKING:  # these bring PyTorch with them
    from usfm.model.network import Entry
    from usfm.tasks.detect.learner import BoxLearner


def shape_of(store: Store, row: int) -> tuple[int, int]:
    """The size of a frame.

    Args:
        store: any store.
        row: of it.

    Returns:
        Rows and columns, px.
    """
    return int(store.column("height")[row]), int(store.column("width")[row])


def boxes_of(store: Store, row: int, classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of a frame, clipped to it.

    Args:
        store: with boxes.
        row: of the store.
        classes: of the store, those that occur; they are counted from 0 on.

    Returns:
        (k, 4) float32 left, top, right, bottom, px, and classes (k,) int.
    """
    boxes, kinds = store.boxes(row)
    height, width = shape_of(store, row)
    return np.clip(boxes, 0, (width, height) * 2).astype(np.float32), np.searchsorted(classes, kinds)


def mean_boxes(store: Store, rows: np.ndarray, classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The mean box of each class, and in which share of the frames the class is.

    Args:
        store: with boxes.
        rows: to train on.
        classes: of the store, those that occur.

    Returns:
        (C, 4) as shares of width and height, NaN for a class that the rows lack; (C,).
    """
    total, count, frames = np.zeros((len(classes), 4)), np.zeros(len(classes)), np.zeros(len(classes))
    for row in rows.tolist():
        boxes, kinds = boxes_of(store, row, classes)
        height, width = shape_of(store, row)
        np.add.at(total, kinds, boxes / np.array([width, height] * 2))
        np.add.at(count, kinds, 1)
        frames[np.unique(kinds)] += 1
    mean = np.divide(total, count[:, None], out=np.full(total.shape, np.nan), where=count[:, None] > 0)
    return mean, frames / max(1, len(rows))


def learner_of(
    store: Store, rows: np.ndarray, names: Sequence[str], classes: list[int], entry: "Entry"
) -> "BoxLearner":
    """What learns the boxes of some rows.

    Args:
        store: with boxes.
        rows: (n,) int, those that will be asked for.
        names: of the classes that occur.
        classes: of the store, those that occur.
        entry: how frames enter the network.

    Returns:
        The learner.
    """
    from usfm.model.embedders import letterboxing
    from usfm.tasks.detect.learner import BoxLearner

    letterboxed = entry.resize == "letterbox"
    shapes = {row: shape_of(store, row) for row in rows.tolist()}
    return BoxLearner(
        lambda row: boxes_of(store, row, classes),
        names,
        shapes.__getitem__,
        lambda row: letterboxing(shapes[row], entry.image_size) if letterboxed else None,
        entry.image_size,
    )
