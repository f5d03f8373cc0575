"""The half of a Store that reads acoustic regions and overlays."""

import json
from collections.abc import Sequence

import numpy as np

from usfm.store.damage import reading
from usfm.store.files import Files
from usfm.store.schema import REGIONS
from usfm.store.stored import StoredFile


class RegionReader(Files):
    """Regions and overlays of a `reader.Store`, by rows that count over all its files."""

    @property
    def num_regions(self) -> int:
        """Rows of /regions."""
        return int(self.first_region[-1])

    @property
    def has_regions(self) -> bool:
        """Whether every frame's acoustic region is known."""
        rows = self.column("region_row")
        return len(rows) > 0 and bool((rows >= 0).all())

    def _row_of(self, first: np.ndarray, row: int) -> tuple[StoredFile, int]:
        if not 0 <= row < first[-1]:
            raise IndexError(f"row {row} of {int(first[-1])}")
        at = int(np.searchsorted(first, row, side="right")) - 1
        return self.files()[at], int(row - first[at])

    def region(self, row: int):
        """One acoustic region: `imaging.region.Region`."""
        from usfm.imaging import beam
        from usfm.imaging.fan import SectorGeometry
        from usfm.imaging.region import Region

        file, at = self._row_of(self.first_region, int(row))
        known = {name: file.column(f"/regions/{name}")[at] for name in REGIONS}
        with reading(file.path, f"row {at} of /regions"):
            extra = json.loads(known["extra"])
            geometry = None
            if np.isfinite(known["apex_x_px"]):
                names = ("apex_x_px", "apex_y_px", "radius_0_px", "radius_1_px", "angle_0_rad", "angle_1_rad")
                shape = extra.pop("geometry_shape", known["shape"])
                geometry = SectorGeometry(shape, *(float(known[n]) for n in names))
            for view in extra.get("views", ()):
                SectorGeometry(**view)
            beam.of_extra(extra)
        mask = file.mask("regions", at)
        expected = float(known["predicted_iou"])
        return Region(
            mask, known["shape"], geometry, float(known["confidence"]), known["evidence"], extra,
            expected if expected >= 0 else float("nan"),
        )  # fmt: skip

    def region_key(self, row: int) -> str:
        """The key that a region was stored under."""
        file, at = self._row_of(self.first_region, int(row))
        return file.column("/regions/key")[at]

    def region_masks(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Masks of regions of one size: bool (n, H, W)."""
        unique, inverse = np.unique(np.asarray(rows, np.int64).reshape(-1), return_inverse=True)
        masks = []
        for row in unique:
            file, at = self._row_of(self.first_region, int(row))
            masks.append(file.mask("regions", at))
        return np.stack(masks)[inverse] if masks else np.zeros((0, 0, 0), bool)

    def region_table(self) -> dict[str, np.ndarray]:
        """Columns of /regions without the masks."""
        tables = [file.table("regions") for file in self.files()]
        names = [name for name in REGIONS if not name.startswith("mask_")]
        return {name: np.concatenate([table[name] for table in tables]) for name in names}

    @property
    def num_overlays(self) -> int:
        """Rows of /overlay."""
        return int(self.first_overlay[-1])

    def overlay(self, row: int) -> np.ndarray:
        """Mask of one overlay: bool (H, W)."""
        file, at = self._row_of(self.first_overlay, int(row))
        return file.mask("overlay", at)

    def overlay_detail(self, row: int) -> dict:
        """What an overlay is made of, with its `key`."""
        file, at = self._row_of(self.first_overlay, int(row))
        return json.loads(file.column("/overlay/detail")[at]) | {"key": file.column("/overlay/key")[at]}
