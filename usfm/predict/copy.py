"""Take frames over with their predictions; a module of its own, so that a worker loads little."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from usfm.store.codec import decompress
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

AT_ONCE = 16
"""Frames that are handed over to be written together."""


@dataclass(frozen=True)
class Columns:
    """What is written beside the frames.

    Attributes:
        run: id of the run.
        scores: names of the columns of scores.
        masks: structures of the predicted masks, in the order of their numbers; () for none.
        mask_kind: index or bits.
        boxes: classes of the predicted boxes; () for none.
    """

    run: str
    scores: tuple[str, ...]
    masks: tuple[str, ...] = ()
    mask_kind: str = "index"
    boxes: tuple[str, ...] = ()


def copy_part(payload: tuple) -> Iterator[bytes]:
    """Take the frames of one part over, with their predictions (runs in a worker)."""
    paths, rows, scores, masks, boxes, names = payload
    store, runs = Store.open(paths), {str(name): str(names.run) for name in names.scores}
    part = PartWriter(
        like=store, score_runs=runs, contiguous=store.fixed_shape is not None,
        mask_names=names.masks, mask_kind=names.mask_kind, mask_run=names.run if names.masks else "",
        box_names=names.boxes, box_run=names.run if names.boxes else "",
    )  # fmt: skip
    without = {kind for kind, some in (("mask", names.masks), ("boxes", names.boxes)) if some}
    for at, row in enumerate(rows.tolist()):
        more: dict[str, Any] = {"scores": dict(zip(names.scores, scores[at].tolist(), strict=True))}
        if names.masks:
            shape, data = masks[at]
            more["mask"] = np.frombuffer(decompress(data, shape[0] * shape[1]), np.uint8).reshape(shape)
        if names.boxes:
            xyxy, classes, sure = boxes[at]
            more["boxes"] = xyxy, classes, np.full(len(classes), -1, np.int32), sure
        part.copy(store, row, without=without, **more)
        if at % AT_ONCE == AT_ONCE - 1:
            yield from part.drain()
    yield from part.pieces()
