"""Where a training runs: the device, the arithmetic, and the ranks that torchrun started."""

import math
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist

from usfm.config import cores

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_precision(name: str, device: torch.device) -> str:
    """fp32, bf16 or fp16; auto is bf16 on a GPU that has it, fp32 elsewhere.

    Args:
        name: auto, fp32, bf16 or fp16.
        device: where the training runs.

    Returns:
        fp32, bf16 or fp16.
    """
    if name != "auto":
        return name
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def crowded(device: torch.device) -> str:
    """A sentence when other work fills the cores that PyTorch is about to share, else "".

    Measured on two cores: two trainings of two threads each take 1.8 times as long as one alone, since waiting threads
    sleep (`usfm.waiting`).
    """
    if device.type != "cpu" or not hasattr(os, "getloadavg"):
        return ""
    load, count, threads = os.getloadavg()[0], cores(), torch.get_num_threads()
    if threads == 1 or load < 0.5 * count or load + threads <= count + 0.5:
        return ""
    return (
        f"other work keeps this machine busy (load {load:.1f} on {count} cores) and this run shares the cores with "
        "it: two runs take about twice as long each"
    )


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context to run a forward pass in.

    Args:
        precision: fp32, bf16 or fp16.
        device: where the pass runs.

    Returns:
        A context; for fp32 one that does nothing.
    """
    return torch.autocast(device.type, TYPES[precision]) if precision in TYPES else nullcontext()


@dataclass(frozen=True)
class Ranks:
    """This process among those that `torchrun` started; (0, 1, 0) without it."""

    rank: int = 0
    world: int = 1
    local: int = 0
    store: Any = field(default=None, compare=False)

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set on any rank; every rank must call this.

        Args:
            flag: of this rank.
            device: of this rank.

        Returns:
            The same on every rank.
        """
        if self.world == 1:
            return flag
        value = torch.tensor([float(flag)], device=device if device.type == "cuda" else "cpu")
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value.item())

    def told(self, value: float | None, device: torch.device) -> float | None:
        """What the first rank's value is; every rank must call this.

        Args:
            value: of this rank; only that of the first counts.
            device: of this rank.

        Returns:
            The same on every rank.
        """
        if self.world == 1:
            return value
        number = [math.nan if value is None else value, float(value is None)]
        shared = torch.tensor(number, dtype=torch.float64, device=device if device.type == "cuda" else "cpu")
        dist.broadcast(shared, 0)
        return None if shared[1].item() else float(shared[0].item())

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of a tensor over the ranks."""
        if self.world == 1:
            return value
        value = value.clone()
        dist.all_reduce(value)
        return value / self.world

    def wait(self) -> None:
        """Until every rank is here."""
        if self.world > 1:
            dist.barrier()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a GPU or here."""
    text = str(error)
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in text
