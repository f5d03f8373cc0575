"""Processes that train together end together: one that fails tells the others why, and none waits for the dead."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
import torch.distributed as dist

from usfm import console
from usfm.engine.device import Ranks
from usfm.errors import RequestError, UsfmError, WorkError

FAILED = "usfm/failed"
_POLL_S, _GRACE_S = 0.3, 5.0
_BROKEN = ("gloo", "nccl", "closed by peer", "reset by peer", "broken pipe", "tcpstore", "timed out", "recvvalue")


def start_ranks(device: str = "auto") -> Ranks:
    """Join the process group that torchrun's environment describes, if there is one.

    Args:
        device: as `choose_device` takes it; only for CUDA does the group use NCCL.

    Raises:
        RequestError: the environment describes no group that can be joined.
    """
    try:
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "-1"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
    except ValueError:
        raise RequestError("WORLD_SIZE, RANK and LOCAL_RANK must be numbers; start with torchrun") from None
    if world == 1 or rank < 0:
        return Ranks()
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if on_gpu and torch.cuda.is_available():
        torch.cuda.set_device(local % max(1, torch.cuda.device_count()))
    try:
        store = next(dist.rendezvous("env://", rank=rank, world_size=world))[0]  # type: ignore[call-overload]
        if not dist.is_initialized():
            dist.init_process_group(
                "nccl" if on_gpu else "gloo", store=dist.PrefixStore("ranks", store), rank=rank, world_size=world
            )
    except (RuntimeError, ValueError) as error:
        raise RequestError(
            f"the {world} processes did not find one another ({_first_line(error)}); use torchrun"
        ) from None
    return Ranks(rank, world, local, store)


@contextmanager
def together(ranks: Ranks) -> Iterator[None]:
    """Let the failure of one process end all, each with the sentence of the one that failed.

    Raises:
        WorkError: another process failed; the exit code is that process's.
    """
    if ranks.world == 1 or ranks.store is None:
        yield
        return
    watch = _Watch(ranks)
    try:
        yield
    except BaseException as error:
        raise watch.failed(error) from None
    finally:
        watch.stop.set()
        with suppress(Exception):
            dist.destroy_process_group()


class _Watch:
    """A thread that looks whether another process has failed, and ends this one where it cannot notice by itself."""

    def __init__(self, ranks: Ranks):
        self.ranks, self.stop, self.word = ranks, threading.Event(), ""
        threading.Thread(target=self._look, name="usfm-group", daemon=True).start()

    def _look(self) -> None:
        while not self.stop.wait(_POLL_S):
            with suppress(Exception):  # the store is gone with the process that held it
                if self.ranks.store.check([FAILED]):
                    self.word = self.ranks.store.get(FAILED).decode()
                    self.ranks.store.set(f"usfm/heard/{self.ranks.rank}", "1")
                    break
        if self.word and not self.stop.wait(2 * _GRACE_S):  # the other one is gone by now; this one still waits for it
            error = self._of_another()
            console.error(str(error))
            sys.stderr.flush()
            os._exit(error.exit_code)

    def failed(self, error: BaseException) -> BaseException:
        """Tell the others, or learn from them what the error means."""
        if not isinstance(error, UsfmError) and _is_broken(error):
            end = time.monotonic() + _GRACE_S
            while not self.word and time.monotonic() < end:
                time.sleep(0.05)
            return self._of_another()
        code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", 1)
        code = code if isinstance(code, int) and code else 1
        words = str(error) if isinstance(error, UsfmError) else f"{type(error).__name__}: {_first_line(error)}"
        with suppress(Exception):
            self.ranks.store.set_timeout(timedelta(seconds=_GRACE_S))
            if not self.ranks.store.check([FAILED]):
                self.ranks.store.set(FAILED, f"{self.ranks.rank}\n{code}\n{words}")
            others = [f"usfm/heard/{k}" for k in range(self.ranks.world) if k != self.ranks.rank]
            self.ranks.store.wait(others, timedelta(seconds=_GRACE_S))  # the first one holds the store: not yet gone
        return error

    def _of_another(self) -> UsfmError:
        if not self.word:
            return WorkError(
                "another process of this training has ended and gave no reason (was it killed?); type the same command "
                "again to go on from the last checkpoint"
            )
        rank, code, words = self.word.split("\n", 2)
        error = UsfmError(f"process {rank} of this training failed: {words}")
        error.exit_code = int(code)
        return error


def _is_broken(error: BaseException) -> bool:
    """Whether an error only says that another process is no longer there."""
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _BROKEN)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
