"""From a store to batches on the device: uint8 from the memory map, prefetched by a thread, or resident."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from usfm.engine.stream import BatchPlan, Stream
from usfm.engine.truth import Truth
from usfm.errors import RequestError
from usfm.screening.groups import group_frames
from usfm.seeding import stream as random_stream
from usfm.store.reader import Store

AHEAD = 3  # batches that wait, ready
LEAST_HELD = 3  # patients or sources that are held out of a store with at least six times as many
_GOLDEN = (5**0.5 - 1) / 2  # multiples of it, modulo 1, are evenly spread for any count


@dataclass(frozen=True)
class Batch:
    """One rank's part of a step's batch, on the device.

    Attributes:
        plan: the whole step's plan, on the host.
        part: which of its samples are here.
        frames: (b, C, H, W) uint8.
        crops: (b, 7) float32.
        regions: (b,) int64, rows of the region tables; -1 for none.
        truth: what is known of the stored frames: not yet moved by the crops; None where a job needs none.
    """

    plan: BatchPlan
    part: slice
    frames: torch.Tensor
    crops: torch.Tensor
    regions: torch.Tensor
    truth: Truth | None = None

    def head(self, n: int) -> "Batch":
        """Its first n samples, or all where it has fewer."""
        part = slice(self.part.start, min(self.part.stop, self.part.start + n))
        truth = None if self.truth is None else self.truth.head(n)
        return Batch(self.plan, part, self.frames[:n], self.crops[:n], self.regions[:n], truth)


class Pixels:
    """Frames of a fixed-size store by row, from where they wait: the memory map, the RAM, or the GPU.

    Args:
        store: a store with one frame size.
        device: where batches are wanted.
        cache: gpu, ram, none, or auto (the GPU when the frames take under 40 % of its free memory, else the map).
    """

    def __init__(self, store: Store, device: torch.device, cache: str = "auto"):
        self.store, self.device = store, device
        shape = store.fixed_shape or ()
        size = len(store) * int(np.prod(shape))
        if cache == "auto":
            cache = "gpu" if device.type == "cuda" and size < 0.4 * torch.cuda.mem_get_info(device)[0] else "none"
        if cache == "gpu" and device.type == "cpu":
            cache = "ram"
        self.cache = cache
        self._frames: torch.Tensor | None = None
        if cache in ("gpu", "ram"):
            target = device if cache == "gpu" else torch.device("cpu")
            self._frames = torch.empty((len(store), *shape), dtype=torch.uint8, device=target)
            for start in range(0, len(store), 1024):
                rows = np.arange(start, min(start + 1024, len(store)))
                self._frames[start : start + len(rows)] = torch.from_numpy(store.pixels(rows)).to(target)

    def read(self, rows: np.ndarray) -> torch.Tensor:
        """Frames of some rows, (n, C, H, W) uint8, on the device or on their way to it."""
        if self._frames is not None and self.cache == "gpu":
            frames = self._frames[self.send(rows)]
        elif self._frames is not None:
            frames = self.send(self._frames[torch.from_numpy(rows)])
        else:
            frames = self.send(self.store.pixels(rows))
        return frames.unsqueeze(1) if frames.ndim == 3 else frames.permute(0, 3, 1, 2)

    def send(self, values: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Copy to the device without waiting for it."""
        tensor = torch.from_numpy(np.ascontiguousarray(values)) if isinstance(values, np.ndarray) else values
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


class Feed:
    """Batches of a stream from one step on, made ahead by a thread, with a meter of how long they were waited for.

    What is in a batch depends on the stream and the step only: not on this thread, nor on how many ranks share it.

    Args:
        stream: decides what is in each batch.
        pixels: reads the frames.
        region_rows: (N,) region of each row of the store, or None.
        rank: this process; it gets the rank-th of `world` equal parts.
        world: processes.
        accumulate: parts that each rank's share is cut into.
        truth: rows of the store -> what is known of these frames, as arrays; None where a job needs none.
    """

    def __init__(
        self,
        stream: Stream,
        pixels: Pixels,
        region_rows: np.ndarray | None = None,
        *,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
        truth: Callable[[np.ndarray], Truth] | None = None,
    ):
        self.stream, self.pixels, self.region_rows, self.truth = stream, pixels, region_rows, truth
        self.rank, self.world, self.accumulate = rank, world, accumulate
        self.waited_s = 0.0

    def make(self, step: int) -> list[Batch]:
        """The parts of one step for this rank."""
        plan = self.stream.plan(step)
        share = len(plan.rows) // (self.world * self.accumulate)
        parts = []
        for k in range(self.accumulate):
            start = (self.rank * self.accumulate + k) * share
            part = slice(start, start + share)
            rows = plan.rows[part]
            regions = np.full(len(rows), -1) if self.region_rows is None else self.region_rows[rows]
            send = self.pixels.send
            crops, place = plan.crops.take(part).stacked(), send(regions.astype(np.int64))
            truth = None if self.truth is None else self.truth(rows).each(send)
            parts.append(Batch(plan, part, self.pixels.read(rows), send(crops), place, truth))
        return parts

    def batches(self, first: int, end: int) -> Iterator[list[Batch]]:
        """The parts of steps first .. end - 1, in order.

        Args:
            first: step to begin with.
            end: step behind the last.

        Yields:
            The parts of one step, for this rank.
        """
        ready: queue.Queue = queue.Queue(AHEAD)
        stop = threading.Event()

        def put(item: object) -> None:
            while not stop.is_set():
                try:
                    return ready.put(item, timeout=0.2)
                except queue.Full:
                    continue

        def work() -> None:
            if self.pixels.device.type == "cuda":
                torch.cuda.set_device(self.pixels.device)  # or pinned memory would open a context on the first GPU
            try:
                for step in range(first, end):
                    if stop.is_set():
                        return
                    put(self.make(step))
            except BaseException as error:
                put(error)

        thread = threading.Thread(target=work, name="usfm-feed", daemon=True)
        thread.start()
        try:
            for _ in range(first, end):
                started = time.perf_counter()
                item = ready.get()
                self.waited_s += time.perf_counter() - started
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            thread.join()


def hold_out(store: Store, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split a store's rows into training rows and held-out rows, by whole sources, and by patient where one is known.

    Patients or sources that share a file stay on one side.

    Args:
        store: any store.
        share: share of the sources to hold out; at least one is, unless the store has a single group. A small store
            gives up to three patients (or sources), at most one in six of them: figures of one patient mean little.
        seed: of the choice.

    Returns:
        (training rows, held-out rows), both sorted.
    """
    rows = np.arange(len(store))
    source, group = store.column("source"), groups_of(store)
    groups = np.unique(group)
    if len(groups) < 2 or share <= 0:
        return rows, rows[:0]
    wanted, least = max(1, round(share * len(np.unique(source)))), min(LEAST_HELD, len(groups) // 6)
    chosen, count = [], 0
    for name in random_stream(seed, "held out").permutation(groups):
        if (count >= wanted and len(chosen) >= least) or len(chosen) == len(groups) - 1:
            break
        chosen.append(name)
        count += len(np.unique(source[group == name]))
    out = np.isin(group, chosen)
    return rows[~out], rows[out]


def fold_out(store: Store, folds: int, fold: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split a store's rows into training rows and one of several parts that are alike in size.

    Args:
        store: any store.
        folds: parts; whole patients (or sources, as in `hold_out`) go to the part that has the fewest frames so far.
        fold: which part is held out, from 0.
        seed: of the order in which they go.

    Returns:
        (training rows, held-out rows), both sorted.

    Raises:
        RequestError: there is no such part, or there are fewer patients than parts.
    """
    code = groups_of(store)
    groups, sizes = np.unique(code, return_counts=True)
    if not 0 <= fold < folds or folds > len(groups):
        raise RequestError(
            f"{store.paths[0]}: part {fold} of {folds} cannot be held out of {len(groups)} patients or sources; "
            "give fewer --folds"
        )
    parts, filled = np.zeros(len(groups), int), np.zeros(folds, int)
    for at in random_stream(seed, "folds").permutation(len(groups)):
        parts[at] = filled.argmin()
        filled[parts[at]] += sizes[at]
    out = np.isin(code, groups[parts == fold])
    return np.flatnonzero(~out), np.flatnonzero(out)


def spread(store: Store, rows: np.ndarray, limit: int) -> np.ndarray:
    """Take at most `limit` rows: evenly over patients, over the sources of each, and over the length of each source.

    Args:
        store: any store.
        rows: rows of it, ascending.
        limit: most rows wanted.

    Returns:
        Ascending rows; all of them where they are no more than `limit`. With at least as many rows as patients
        wanted, every patient has one.
    """
    if len(rows) <= limit:
        return rows
    source = store.column("source")[rows]
    in_source = _turn(source, (np.arange(len(rows)) * _GOLDEN) % 1)
    in_patient = _turn(groups_of(store)[rows], source, in_source)
    return np.sort(rows[np.argsort(in_patient, kind="stable")[:limit]])


def _turn(group: np.ndarray, *keys: np.ndarray) -> np.ndarray:
    """The place of each row in its group, from 0, when each group is sorted by the last key, then those before."""
    code = np.unique(group, return_inverse=True)[1]
    by = np.lexsort((*keys, code))
    first = np.searchsorted(code[by], code[by])
    turn = np.empty(len(code), np.int64)
    turn[by] = np.arange(len(code)) - first
    return turn


def groups_of(store: Store) -> np.ndarray:
    """(N,) int: the patient of each frame, or its source where none is known; who shares a file counts as one."""
    source = np.char.add("source ", store.column("source").astype(str))
    return group_frames(store.of_frames("patient"), source, [store.of_frames("sha256")]).code
