"""Run the parts of one phase on an executor: in any order, each once, the troublesome ones again and alone."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from usfm import console
from usfm.errors import Interrupted, UsfmError, WorkError
from usfm.jobs.folder import stem
from usfm.jobs.interrupts import Interrupts
from usfm.jobs.parts import Part, Phase
from usfm.jobs.pool import WorkerDied
from usfm.jobs.worker import do_part, write_result

TRIES = 3
POLL_S = 0.25
SUSPECTS = 8
"""When nothing has succeeded yet and so many parts have failed, they are tried alone before any other."""


@dataclass
class Execution:
    """One phase under way.

    Args:
        phase: which.
        parts: all its parts.
        folder: where results go.
        executor: runs `do_part`.
        ahead: how many parts are handed over at once; bounds the memory of payloads.
        done: results that are there already, by the part's number.
        interrupts: asked between parts.
        advance: told of every finished part: its weight, and a note.
    """

    phase: Phase
    parts: Sequence[Part]
    folder: Path
    executor: Executor
    ahead: int
    done: dict[int, Path]
    interrupts: Interrupts
    advance: Callable[[float, str], None]
    poisoned: list[int] = field(default_factory=list)
    _running: dict[Future, int] = field(default_factory=dict)
    _tries: dict[int, int] = field(default_factory=dict)
    _suspects: deque[int] = field(default_factory=deque)
    _last_error: dict[int, BaseException] = field(default_factory=dict)
    _succeeded: int = 0

    def run(self) -> list[Path]:
        """Do all that is not done; returns the results in the order of the parts.

        Raises:
            Interrupted: after Ctrl-C; what was in flight is finished.
            UsfmError: what a part raised, or WorkError when parts die whatever they are.
        """
        todo = deque(number for number in range(len(self.parts)) if number not in self.done)
        self._succeeded = len(self.done)
        while todo or self._running or self._suspects:
            stopping = self.interrupts.asked > 0
            alone = not todo or (not self._succeeded and len(self._suspects) >= SUSPECTS)
            if stopping:
                self._give_up_waiting()
                if not self._running:
                    raise Interrupted("")
            elif not (alone and self._suspects):
                while todo and len(self._running) < self.ahead:
                    self._submit(todo.popleft())
            elif not self._running:
                self._submit(self._suspects.popleft())
            self._collect()
        if len(self.done) < len(self.parts):  # Ctrl-C took back the last ones before they began
            raise Interrupted("")
        return [self.done[number] for number in range(len(self.parts))]

    def _submit(self, number: int) -> None:
        part = self.parts[number]
        self._tries[number] = self._tries.get(number, 0) + 1
        future = self.executor.submit(
            do_part, self.phase.work, part.payload, str(self.folder), stem(self.phase.name, number, part), os.getcwd()
        )
        self._running[future] = number

    def _give_up_waiting(self) -> None:
        for future in list(self._running):
            if future.cancel():
                self._running.pop(future)

    def _collect(self) -> None:
        if not self._running:
            return
        ready, _ = wait(self._running, POLL_S, FIRST_COMPLETED)
        for future in ready:
            number = self._running.pop(future)
            try:
                name = future.result()
            except UsfmError:
                raise
            except CancelledError:
                continue
            except Exception as error:
                self._failed(number, error)
            else:
                self.done[number] = self.folder / name
                self._succeeded += 1
                self.advance(self.parts[number].weight, "")

    def _failed(self, number: int, error: Exception) -> None:
        self._last_error[number] = error
        part = self.parts[number]
        if self._tries[number] < TRIES and not getattr(error, "final", False):
            console.detail(f"part {part.name}: {reason_of(error)}; it is tried again, alone.")
            self._suspects.append(number)
            return
        if self.phase.poison is None:
            if isinstance(error, (WorkerDied, MemoryError)):
                raise WorkError(f"{part.source or part.name}: {reason_of(error)}, {TRIES} times.") from error
            raise error
        self.poisoned.append(number)
        if not self._succeeded and len(self.poisoned) >= TRIES:
            raise WorkError(
                f"the {self.phase.name} phase fails whatever the part ({reason_of(error)}); see it with --debug."
            ) from error
        console.warn(f"{part.source or part.name}: rejected, {reason_of(error)}, {TRIES} times.")
        result = self.phase.poison(part, reason_of(error))
        self.done[number] = self.folder / write_result(result, self.folder, stem(self.phase.name, number, part))
        self.advance(part.weight, "rejected")


def reason_of(error: BaseException) -> str:
    """Why a part failed, as a short phrase that is the same for the same cause.

    Examples:
        >>> reason_of(WorkerDied("died of signal 11")), reason_of(MemoryError())
        ('reader crashed: the worker died of signal 11', 'out of memory')
    """
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, WorkerDied):
        return f"reader crashed: the worker {error}"
    return f"failed: {type(error).__name__}: {error}".rstrip(": ")
