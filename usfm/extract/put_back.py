"""Put an exported frame back into a part of a store, with the columns that it had."""

from collections import Counter

import numpy as np

from usfm.extract.restored import CHANGED, Entry, Restored, region_of
from usfm.store.codec import pixel_digest
from usfm.store.writer import PartWriter

REGION = "region that does not fit its frame"


def put_back(part: PartWriter, restored: Restored, page: int, pixels: np.ndarray, labels: dict, left: Counter) -> bool:
    """Add a frame as the store had it from which it was exported; labels may have been edited since.

    Args:
        part: Where it goes.
        restored: What is known of its file.
        page: Which of the file's frames it is.
        pixels: uint8 (H, W) or (H, W, 3), as the file has it.
        labels: ``boxes`` and ``mask`` that annotations and mask files say.
        left: Where it is counted what could not be put back.

    Returns:
        False where the export does not know the frame, or its pixels are others.
    """
    entry = restored.entries.get(page)
    pixels = pixels if entry is None else _as_exported(pixels, entry.channels)
    if entry is None or pixel_digest(np.ascontiguousarray(pixels)) != entry.digest:
        left[CHANGED] += 1
        return False
    part.frame(
        pixels,
        frame_id=entry.frame_id,
        source=part.source(**restored.sources[entry.source]),
        region_row=_region_row(part, restored, entry, pixels.shape[:2], left),
        label=entry.label or None,
        split=entry.split,
        multi=entry.multi,
        values=entry.values or None,
        scores=entry.scores or None,
        boxes=_boxes(entry, labels),
        mask=_mask(entry, labels, pixels.shape[:2]),
        **entry.columns,
    )
    return True


def _as_exported(pixels: np.ndarray, channels: int) -> np.ndarray:
    if channels == 1 and pixels.ndim == 3:
        return pixels[..., 1]
    return np.repeat(pixels[..., None], 3, 2) if channels == 3 and pixels.ndim == 2 else pixels


def _region_row(part: PartWriter, restored: Restored, entry: Entry, size: tuple[int, int], left: Counter) -> int:
    if entry.region < 0:
        return -1
    row = restored.regions[entry.region]
    try:
        region = region_of(row, size)
        if region is not None:
            return part.region(region, key=str(row["key"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    left[REGION] += 1
    return -1


def _boxes(entry: Entry, labels: dict) -> tuple | None:
    found = labels.get("boxes")
    if entry.boxes is not None:
        found = np.array(entry.boxes, np.float32).reshape(-1, 4), list(entry.box_classes)
    if found is None or (not entry.boxed and not len(found[1])):
        return None
    same = len(entry.instances) == len(found[1]) and len(found[1]) > 0
    return (*found, np.array(entry.instances, np.int32)) if same else found


def _mask(entry: Entry, labels: dict, size: tuple[int, int]) -> np.ndarray | None:
    """Return a frame's mask.

    One on which nothing is has no annotation: it is put back where the annotations know the frame. In the masks of a
    clip a frame without a mask is black: it stays without, unless somebody has drawn on it.
    """
    found = labels.get("mask")
    if found is not None and not entry.masked and not found.any():
        return None
    return np.zeros(size, np.uint8) if found is None and entry.masked and labels.get("in_annotations") else found
