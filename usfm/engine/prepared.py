"""Frames of any store as a network takes them, with the regions and sectors that move along."""

import math

import numpy as np
import torch

from usfm.engine.augment import KINDS
from usfm.engine.data import Pixels
from usfm.imaging.framing import Framing
from usfm.imaging.gray import to_gray
from usfm.model.embedders import RESIZES, letterboxing
from usfm.model.network import Entry
from usfm.store.reader import Store

HELD_BYTES = 2 << 30
"""Prepared frames that are kept; more are prepared each time."""


class Prepared(Pixels):
    """Frames letterboxed (or stretched) to a network's size, as its embeddings see them.

    Args:
        store: any store.
        rows: those that will be asked for.
        entry: how frames enter the network.
        device: where batches are wanted.
    """

    def __init__(self, store: Store, rows: np.ndarray, entry: Entry, device: torch.device):
        self.store, self.device, self.entry = store, device, entry
        size, chans, samples = entry.image_size, entry.in_chans, self.samples(rows)
        self._place = np.full(self.count, -1)
        self._kept: torch.Tensor | None = None
        if len(samples) * chans * size[0] * size[1] <= HELD_BYTES:
            kept = torch.empty((len(samples), chans, *size), dtype=torch.uint8)
            for at in range(0, len(samples), 64):
                kept[at : at + 64] = self._made(samples[at : at + 64])
            self._place[samples], self._kept = np.arange(len(samples)), kept
        self._regions(rows)

    @property
    def count(self) -> int:
        """Samples that there may be."""
        return len(self.store)

    def samples(self, rows: np.ndarray) -> np.ndarray:
        """What the network sees of rows of the store, by number: here the frames themselves; see `Windows`."""
        return rows

    def row_of(self, samples: np.ndarray) -> np.ndarray:
        """The rows of the store that samples come from."""
        return samples

    def part(self, sample: int) -> Framing | None:
        """The map from the frame of a sample to the sample; None where it is stretched."""
        return self.framing(sample)

    def framing(self, row: int) -> Framing | None:
        """The map from a frame as it was given to the prepared one; None where it is stretched."""
        shape = int(self.store.column("height")[row]), int(self.store.column("width")[row])
        return letterboxing(shape, self.entry.image_size) if self.entry.resize == "letterbox" else None

    def read(self, rows: np.ndarray) -> torch.Tensor:
        """Prepared frames of some rows, (n, in_chans, H, W) uint8, on the device."""
        places = self._place[rows]
        if self._kept is not None and (places >= 0).all():
            return self.send(self._kept[torch.from_numpy(places)])
        return self.send(self._made(rows))

    def scene(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Sectors (n, 7), NaN where there is no fit, and regions (n, H, W) bool; None where the store has none."""
        if self._masks is None:
            return torch.full((len(rows), 7), math.nan, device=self.device), None
        at = self._region[rows]
        return self.send(self._geometry[at]), self.send(self._masks[at]).bool()

    def _made(self, rows: np.ndarray) -> torch.Tensor:
        fit, gray = RESIZES[self.entry.resize], self.entry.in_chans == 1
        made = np.zeros((len(rows), self.entry.in_chans, *self.entry.image_size), np.uint8)
        for k, frame in enumerate(self.store.frames(rows)):
            picture = fit(to_gray(frame) if gray else frame, self.entry.image_size)
            made[k] = picture if picture.ndim == 2 else picture.transpose(2, 0, 1)
        return torch.from_numpy(made)

    def _regions(self, rows: np.ndarray) -> None:
        """A mask and a sector for each region that occurs, moved as the frames are."""
        self._masks, size = None, self.entry.image_size
        if not self.store.has_regions:
            return
        of = np.asarray(self.store.column("region_row"))
        used, place = np.unique(of[rows], return_inverse=True)
        self._region = np.zeros(len(self.store), np.int64)
        self._region[rows] = place
        masks, geometry = np.ones((len(used), *size), np.uint8), np.full((len(used), 7), math.nan, np.float32)
        for k, row in enumerate(used):
            region = self.store.region(int(row)) if row >= 0 else None
            if region is None or not region.mask.any():
                continue
            if self.entry.resize != "letterbox":
                masks[k] = RESIZES["stretch"](region.mask.astype(np.float32), size) >= 0.5
                continue
            move = letterboxing(region.mask.shape, size)
            masks[k] = move.apply_mask(region.mask)
            if region.geometry is not None:
                g = move.apply_geometry(region.geometry)
                geometry[k] = (KINDS[g.shape], g.apex_x_px, g.apex_y_px, g.radius_0_px, g.radius_1_px,
                               g.angle_0_rad, g.angle_1_rad)  # fmt: skip
        self._masks, self._geometry = masks, geometry
