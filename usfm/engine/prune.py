"""An order that leaves out some frames that are learnt well, and lets the others of their kind count for them."""

import threading
from collections import deque

import numpy as np
import torch
import torch.distributed as dist

from usfm.seeding import stream as random_stream

UNSEEN = 3.0
"""Loss of a frame that was not seen yet. Source: SelectiveMAE's public code."""
LAG = 40
"""Steps that a pass looks back from its start: batches are planned so far ahead of the step that is taken."""
KEPT = 200


class Pruned:
    """Shuffled passes without some of the frames whose last loss is under the mean of all; a row of orders.

    A pass that starts at a step is decided by the losses up to `LAG` steps before it: these are known whenever the pass
    is planned, so that nothing depends on how far ahead a thread has come, and a run resumes exactly. From `until` on
    every pass is whole.

    Source: InfoBatch (Qin et al., ICLR 2024), as SelectiveMAE uses it: half of those frames are left out at random, and
    the loss of the other half counts twice, so that a pass's sum stays.

    Args:
        rows: of the store, ascending.
        batch: images a step.
        seed: of the run.
        share: of the frames learnt well that are left out.
        until: step from which none is.
    """

    def __init__(self, rows: np.ndarray, batch: int, seed: int, share: float, until: int):
        self.rows, self.places = np.asarray(rows), float(len(rows))
        self._batch, self._seed, self._share, self._until = batch, seed, share, until
        self._lock = threading.Lock()
        self._base = np.full(len(rows), UNSEEN)
        self._records: deque[tuple[int, int, np.ndarray, np.ndarray]] = deque()
        self._passes: list[tuple[int, int, np.ndarray, np.ndarray]] = []  # number, start, order, whether learnt well

    def at(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What stands at some places; the number of a time is that of its pass.

        Raises:
            ValueError: a place lies in a pass that is forgotten.
        """
        index = np.asarray(index, np.int64)
        with self._lock:
            self._plan_until(int(index.max()))
            if index.min() < self._passes[0][1]:
                raise ValueError(f"place {index.min()} lies too far back")
            rows, times = np.empty(len(index), np.int64), np.empty(len(index), np.int64)
            for number, start, order, _ in self._passes:
                here = (index >= start) & (index < start + len(order))
                rows[here], times[here] = self.rows[order[index[here] - start]], number
            return rows, times

    def _plan_until(self, place: int) -> None:
        number, start = (self._passes[-1][0] + 1, self._end()) if self._passes else (0, 0)
        while start <= place:
            self._passes.append(self._decided(number, start))
            number, start = number + 1, self._end()
        old = place - KEPT * self._batch
        while len(self._passes) > 1 and self._passes[0][1] + len(self._passes[0][2]) <= old:
            self._passes.pop(0)

    def _end(self) -> int:
        _, start, order, _ = self._passes[-1]
        return start + len(order)

    def _decided(self, number: int, start: int) -> tuple[int, int, np.ndarray, np.ndarray]:
        step = start // self._batch
        losses = self._losses(step - LAG)
        well = losses < losses.mean() if step < self._until else np.zeros(len(losses), bool)
        sure = np.flatnonzero(well)
        left_out = random_stream(self._seed, "prune", number).permutation(sure)[: int(self._share * len(sure))]
        kept = np.setdiff1d(np.arange(len(losses)), left_out)
        return number, start, kept[random_stream(self._seed, "order", number).permutation(len(kept))], well

    def _losses(self, cut: int) -> np.ndarray:
        """The last loss of each frame, of steps before `cut`."""
        losses = self._base.copy()
        for step, _, places, values in sorted(self._records, key=lambda record: record[:2]):
            if step < cut:
                losses[places] = values
        return losses

    def weights(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        """How much each sample counts: more where others of its kind were left out of its pass.

        Args:
            rows: (n,) of the store.
            times: (n,) as `at` gave them.

        Returns:
            (n,) float32, 1 or more.
        """
        with self._lock:
            well = {number: each for number, _, _, each in self._passes}
            places = np.searchsorted(self.rows, rows)
            counts = [well[int(time)][place] for place, time in zip(places, times, strict=True)]
        return np.where(counts, 1 / (1 - self._share), 1.0).astype(np.float32)

    def record(self, step: int, first: int, rows: np.ndarray, losses: np.ndarray) -> None:
        """Take in the losses of a part of a step's batch.

        Args:
            step: which.
            first: place of the part in the batch.
            rows: of the store.
            losses: one a row.
        """
        with self._lock:
            self._records.append((step, first, np.searchsorted(self.rows, rows), np.asarray(losses, np.float64)))
            while self._records[0][0] < step - KEPT:
                _, _, places, values = self._records.popleft()
                self._base[places] = values

    def state(self, step: int) -> dict:
        """What it takes to go on after some steps: plain values and tensors."""
        with self._lock:
            known = [one for one in self._passes if one[1] <= step * self._batch]
            return {
                "base": torch.from_numpy(self._base.copy()),
                "records": [[s, first, torch.from_numpy(p), torch.from_numpy(v)] for s, first, p, v in self._records],
                "passes": [[n, start, torch.from_numpy(o), torch.from_numpy(w)] for n, start, o, w in known],
            }

    def go_on(self, state: dict) -> None:
        """Take a saved state in.

        Args:
            state: from `state`; raises whatever it meets where it is not.

        Raises:
            ValueError: the state is of another number of frames.
        """
        base = state["base"].numpy().copy()
        if base.shape != self._base.shape:
            raise ValueError("losses of another number of frames")
        with self._lock:
            self._base = base
            self._records = deque((int(s), int(f), p.numpy(), v.numpy()) for s, f, p, v in state["records"])
            self._passes = [(int(n), int(start), o.numpy(), w.numpy()) for n, start, o, w in state["passes"]]


def gathered(first: int, losses: torch.Tensor) -> list[tuple[int, np.ndarray]]:
    """The losses of this process's part of a batch and of all others', with the place of each part.

    Args:
        first: place of this part in the batch.
        losses: (b,) on the device, as many on each process.

    Returns:
        (place, losses) of each process, on the host.
    """
    own = torch.cat([losses.detach().float(), losses.new_tensor([float(first)], dtype=torch.float32)])
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        parts = [own]
    else:
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own)
    return [(int(part[-1]), part[:-1].cpu().numpy()) for part in parts]
