"""What goes beside exported frames, so that `extract` can put a store's own columns back: ``usfm-export.json``."""

import dataclasses
import math
import re

import numpy as np

from usfm.imaging import rle
from usfm.store.reader import Store
from usfm.store.schema import FRAMES

FILE = "usfm-export.json"
SAYS = {"format": "usfm-export", "version": 1}
_OWN = ("frame_id", "source", "height", "width", "pixels_group", "pixels_row", "region_row", "overlay_row")
COLUMNS = tuple(name for name in FRAMES if name not in _OWN)
"""Columns of /frames that go along as they are, the digest of the pixels among them."""


def stem_of(path: str, row: int) -> str:
    """Return a name for what is made of a frame, or of the clip that begins with it.

    Args:
        path: What its source is called in the store, which is a hash wherever the store hides names.
        row: Of the frame.

    Returns:
        ASCII letters, digits, dashes and an underscore; no two frames of a store share one.

    Example:
        >>> stem_of("clips/liver 3.mp4", 12)
        '0000012_liver-3'
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", path.rsplit("/", 1)[-1].rsplit(".", 1)[0]).strip("-")[:40]
    return f"{row:07d}_{name}" if name else f"{row:07d}"


def head(store: Store, to: str) -> dict:
    """Return what holds for all frames: names, sources, regions, and what the export does not hold.

    Args:
        store: what is exported.
        to: the format.

    Returns:
        What JSON can hold.
    """
    return {
        **SAYS,
        "to": to,
        "content_id": store.content_id,
        "names": {
            "class": store.class_names,
            "multi": store.multi_names,
            "boxes": store.box_names,
            "masks": store.mask_names,
            "mask_kind": store.mask_kind,
            "scores": store.score_runs,
        },
        "sources": [
            {key: _plain(value) for key, value in store.source_row(s).items() if key != "name_hashes"}  # never exported
            for s in range(store.num_sources)
        ],
        "regions": [_region(store, row) for row in range(store.num_regions)],
    }


def _source(row: dict) -> dict:
    return {key: _plain(value) for key, value in row.items()}


def _region(store: Store, row: int) -> dict:
    region = store.region(row)
    geometry = None if region.geometry is None else dataclasses.asdict(region.geometry)
    return {
        "key": store.region_key(row),
        "mask": {"size": list(region.mask.shape), "counts": rle.encode_text(region.mask)},
        "shape": region.shape,
        "geometry": geometry,
        "confidence": _plain(region.confidence),
        "predicted_iou": _plain(region.predicted_iou),
        "evidence": region.evidence,
        "extra": region.extra,
    }


class Rows:
    """Gives the sidecar's row of each frame.

    Args:
        store: What is exported.
        boxes: Whether the row holds the boxes, since no file of annotations does.
    """

    def __init__(self, store: Store, *, boxes: bool):
        self._store, self._boxes = store, boxes
        self._columns = {
            name: store.column(name) for name in (*COLUMNS, "frame_id", "source", "region_row", "pixels_group")
        }
        self._class, self._multi, self._split = store.labels_class(), store.labels_multi(), store.split()
        self._values = {name: store.values(name) for name in store.value_names}
        self._scores = {name: store.scores(name) for name in store.score_names}
        self._masked, self._boxed = store.has_masks(), store.has_boxes()

    def row(self, i: int, file: str, page: int) -> dict:
        """Return what is known of frame ``i``, whose pixels are page ``page`` of a file.

        Args:
            i: frame of the store.
            file: that holds the pixels, relative to the folder.
            page: which frame of that file, from 0.

        Returns:
            What JSON can hold; labels that are not known are left out or empty.
        """
        store, columns = self._store, self._columns
        found = {"file": file, "page": page, "frame_id": str(columns["frame_id"][i])}
        found |= {name: _plain(columns[name][i]) for name in ("source", *COLUMNS)}
        found["channels"] = 3 if str(columns["pixels_group"][i]).count("x") > 1 else 1
        found["region"] = int(columns["region_row"][i])
        found["label"] = store.class_names[self._class[i]] if self._class[i] >= 0 else ""
        found["split"] = str(self._split[i])
        if self._multi is not None:
            names = zip(store.multi_names, self._multi[i].tolist(), strict=True)
            found["multi"] = {name: value for name, value in names if value != 255}
        found["values"] = {name: _plain(all_[i]) for name, all_ in self._values.items() if not np.isnan(all_[i])}
        found["scores"] = {name: _plain(all_[i]) for name, all_ in self._scores.items() if not np.isnan(all_[i])}
        found |= {"masked": bool(self._masked[i]), "boxed": bool(self._boxed[i])}
        if self._boxes and found["boxed"]:
            xyxy, classes = store.boxes(i)
            found["boxes"] = xyxy.tolist()
            found["box_classes"] = [store.box_names[c] if c >= 0 else "" for c in classes]
        if found["boxed"] and (numbers := store.instances(i)).size and (numbers >= 0).any():
            found["instances"] = numbers.tolist()
        return found


def lost(store: Store) -> list[str]:
    """Return what of a store no export holds, a clause each."""
    found = []
    overlays = int((store.column("overlay_row") >= 0).sum())
    found += [f"masks of overlays ({overlays:,} frames)"] if overlays else []
    found += ["the coverage of patches"] if store.patch_coverage() is not None else []
    for name, table in (("dropped", store.dropped()), ("rejected", store.rejected())):
        rows = len(table["frame_id"])
        found += [f"{rows:,} rows of /{name}"] if rows else []
    return found


def _plain(value: object) -> object:
    """A value as JSON can hold it; NaN as null."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
