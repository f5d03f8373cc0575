"""Regions and overlays of the frames of one part: a row and a packed mask each."""

import json
from collections.abc import Mapping

import numpy as np

from usfm.store import digest
from usfm.store.codec import compress, pack_mask, pixel_digest
from usfm.store.part import Chunks
from usfm.store.schema import TABLES, group_name


class Masks:
    """Rows of /regions or /overlay, each with a packed mask and a key; the same key twice is one row."""

    def __init__(self, table: str, chunks: Chunks):
        self.table, self.chunks = table, chunks
        self.rows: list[dict] = []
        self.digests: list[str] = []
        self._by_key: dict[str, int] = {}

    def find(self, key: str) -> int | None:
        """The row with a key."""
        return self._by_key.get(key)

    def add(self, key: str, mask: np.ndarray, row: Mapping) -> int:
        """Add a row, or find the one with its key.

        Args:
            key: what the row was found on.
            mask: bool (H, W).
            row: column -> value; what is not given has its missing value.

        Returns:
            Row in the table.
        """
        if key in self._by_key:
            return self._by_key[key]
        group, packed = group_name(mask.shape[:2]), pack_mask(mask)
        chunk = compress(packed)
        at = self.chunks.add(f"/{self.table}/mask/{group}", chunk)
        full = {name: one.missing for name, one in TABLES[self.table].items()}
        full.update(row, key=key, mask_group=group, mask_row=at)
        full["digest"] = digest.row_digest(full, pixel_digest(packed, chunk))
        self.rows.append(full)
        self.digests.append(full["digest"])
        self._by_key[key] = len(self.rows) - 1
        return len(self.rows) - 1


def region_row(region) -> dict:
    """The columns of /regions of an `imaging.region.Region`, but for its key and its mask."""
    geometry = region.geometry
    extra = dict(region.extra)
    row = {"shape": region.shape, "confidence": region.confidence, "evidence": region.evidence}
    if np.isfinite(region.predicted_iou):
        row["predicted_iou"] = float(region.predicted_iou)
    if geometry is not None:
        for name in ("apex_x_px", "apex_y_px", "radius_0_px", "radius_1_px", "angle_0_rad", "angle_1_rad"):
            row[name] = float(getattr(geometry, name))
        if geometry.shape != region.shape:
            extra["geometry_shape"] = geometry.shape
    return row | {"extra": json.dumps(extra, sort_keys=True)}
