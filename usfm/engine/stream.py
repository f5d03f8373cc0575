"""Which frames make which batch: a pure function of the seed and the step, so that a run resumes exactly."""

from dataclasses import dataclass

import numpy as np

from usfm.engine.counter import uniforms
from usfm.engine.crops import DRAWS, AreaTables, Crops, random_crops
from usfm.engine.order import Order, Shuffled
from usfm.errors import RequestError
from usfm.seeding import stream as random_stream
from usfm.seeding import torch_seed

WINDOW = 32  # batches, at most, that are sorted by their number of valid patches together; never over an epoch


@dataclass(frozen=True)
class BatchPlan:
    """One step's batch, before any pixel is read.

    Attributes:
        step: which step, from 0.
        rows: (B,) rows of the store.
        epochs: (B,) which time each comes; for a plain order how often it had been seen before.
        crops: B crops.
        candidates: tokens an image may draw from in this batch (K); the whole grid without a region.
        valid: (B,) patches inside the region, after augmentation.
    """

    step: int
    rows: np.ndarray
    epochs: np.ndarray
    crops: Crops
    candidates: int
    valid: np.ndarray


class Stream:
    """The endless sequence of batches over some rows of a store.

    Unless another order is given, each epoch is a fresh permutation; epochs follow one another without a gap, so no
    frame is dropped and none comes twice in an epoch, whatever the batch size. With regions, a window of batches is
    sorted by valid patches, so that each batch has one K and no image is left out for having too few.

    Args:
        rows: rows of the store to train on, or the order in which they come.
        batch: images a step, over all devices.
        frame: (height, width) of the stored frames, px.
        grid: (rows, columns) of patches.
        seed: the run's seed.
        crop: keywords for `random_crops`.
        areas: tables of the regions, or None for no region constraint.
        region_rows: (N,) region of each row of the store.
        tau: coverage from which a patch is valid.
        retries: how often at most a sample with fewer valid patches than its batch draws from is cropped again.
    """

    def __init__(
        self,
        rows: np.ndarray | Order,
        batch: int,
        frame: tuple[int, int],
        grid: tuple[int, int],
        seed: int,
        *,
        crop: dict | None = None,
        areas: AreaTables | None = None,
        region_rows: np.ndarray | None = None,
        tau: float = 0.1,
        retries: int = 0,
    ):
        order = Shuffled(rows, seed) if isinstance(rows, np.ndarray) else rows
        if batch > order.places:
            raise RequestError(
                f"a batch of {batch} is larger than the {int(order.places)} frames to train on: "
                f"use --batch-size {int(order.places)} or less"
            )
        self.order, self.rows = order, order.rows
        self.batch, self.frame, self.grid, self.seed = batch, frame, grid, seed
        self.crop, self.areas, self.region_rows, self.tau = crop or {}, areas, region_rows, tau
        self.retries = retries
        self.window = max(1, min(WINDOW, int(order.places) // batch))
        self._key = torch_seed(seed, "crops")
        self._planned: tuple[int, list[BatchPlan]] = (-1, [])

    @property
    def quantum(self) -> int:
        """Steps in which K is rounded: 16 of 196 tokens, and as coarse on other grids."""
        return max(1, round(self.grid[0] * self.grid[1] * 16 / 196))

    def plan(self, step: int) -> BatchPlan:
        """The batch of a step."""
        window = step // self.window
        if self._planned[0] != window:
            self._planned = (window, self._plan_window(window))
        return self._planned[1][step % self.window]

    def steps_per_epoch(self) -> float:
        """How many steps one pass takes; not a whole number in general."""
        return self.order.places / self.batch

    def _plan_window(self, window: int) -> list[BatchPlan]:
        first = window * self.window
        index = np.arange(first * self.batch, (first + self.window) * self.batch)
        rows, epochs = self.order.at(index)
        crops = random_crops(uniforms(self._key, rows, epochs, DRAWS), self.frame, **self.crop)
        total = self.grid[0] * self.grid[1]
        valid, order = np.full(len(rows), total), np.arange(len(rows))
        if self.areas is not None and self.region_rows is not None:
            valid = self._valid(self.areas, self.region_rows[rows], crops)
            sort = np.argsort(valid, kind="stable").reshape(self.window, self.batch)
            order = sort[random_stream(self.seed, "window", window).permutation(self.window)].ravel()
        plans = []
        for k in range(self.window):
            pick = order[k * self.batch : (k + 1) * self.batch]
            wanted = self.candidates(valid[pick])
            cut, inside = self._again(rows[pick], epochs[pick], crops.take(pick), valid[pick], wanted)
            plans.append(BatchPlan(first + k, rows[pick], epochs[pick], cut, wanted, inside))
        return plans

    def _again(
        self, rows: np.ndarray, epochs: np.ndarray, crops: Crops, valid: np.ndarray, wanted: int
    ) -> tuple[Crops, np.ndarray]:
        """Crop the samples again that have too few valid patches, until they have enough or the tries are over."""
        if self.areas is None or self.region_rows is None:
            return crops, valid
        valid = valid.copy()
        for k in range(self.retries):
            short = np.flatnonzero(valid < wanted)
            if not len(short):
                break
            key = torch_seed(self.seed, "crops", k + 1)
            tried = random_crops(uniforms(key, rows[short], epochs[short], DRAWS), self.frame, **self.crop)
            crops, valid[short] = (
                crops.instead(short, tried),
                self._valid(self.areas, self.region_rows[rows[short]], tried),
            )
        return crops, valid

    def _valid(self, areas: AreaTables, regions: np.ndarray, crops: Crops) -> np.ndarray:
        counts = np.empty(len(regions), np.int64)
        for start in range(0, len(regions), 512):  # small blocks: the corners of 512 crops fit the cache
            part = slice(start, start + 512)
            coverage = areas.coverage(regions[part], crops.take(part), self.grid)
            counts[part] = (coverage >= self.tau).sum((1, 2))
        return counts

    def candidates(self, valid: np.ndarray) -> int:
        """K of a batch: the lower edge of the bucket that holds the 20th percentile of its valid patches.

        At least four buckets' worth and at most the grid. Source: PolarMAE's code takes the 20th percentile over
        twenty crops of one image; here it is over the batch, whose images are alike because the window is sorted.
        """
        total = self.grid[0] * self.grid[1]
        if self.areas is None:
            return total
        bucket = int(np.percentile(valid, 20)) // self.quantum
        return min(total, max(bucket, 4) * self.quantum)
