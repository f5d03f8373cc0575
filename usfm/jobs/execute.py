"""Run the parts of one phase on an executor: in any order, each once, the troublesome ones again and alone."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from usfm import console
from usfm.errors import Interrupted, WorkError
from usfm.jobs import narrow
from usfm.jobs.failure import PartFailed, ends_run, local, reason_of, said
from usfm.jobs.folder import stem
from usfm.jobs.interrupts import Interrupts
from usfm.jobs.parts import Part, Phase
from usfm.jobs.worker import do_part, write_result

TRIES = 3
POLL_S = 0.25
SUSPECTS = 8
"""When nothing has succeeded yet and so many parts have failed, the user is told; and so many, from all over the list,
must fail alone, after every part has had its turn, before the run ends."""


@dataclass
class Execution:
    """One phase under way.

    Every part has a turn before any has its second. So whichever parts crash, and wherever in the list they stand, the
    others are done; "whatever the part" is said only when not one of them was.

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
    _running: dict[Future, int] = field(default_factory=dict)
    _tries: dict[int, int] = field(default_factory=dict)
    _suspects: deque[int] = field(default_factory=deque)
    _condemned: dict[int, str] = field(default_factory=dict)
    _alone: bool = False
    _succeeded: int = 0

    def run(self) -> list[Path]:
        """Do all that is not done; returns the results in the order of the parts.

        Raises:
            Interrupted: after Ctrl-C; what was in flight is finished.
            UsfmError: what a part raised to end the run, or WorkError when parts fail whatever they are.
        """
        todo = deque(number for number in range(len(self.parts)) if number not in self.done)
        self._succeeded = len(self.done)
        while todo or self._running or self._suspects:
            if self.interrupts.asked:
                self._give_up_waiting()
                if not self._running:
                    raise Interrupted("")
            elif todo:
                while todo and len(self._running) < self.ahead:
                    self._submit(todo.popleft())
            elif not self._running:
                self._next_alone()
            self._collect()
        self._reject_condemned()
        if len(self.done) < len(self.parts):  # Ctrl-C took back the last ones before they began
            raise Interrupted("")
        return [self.done[number] for number in range(len(self.parts))]

    def _next_alone(self) -> None:
        if not self._alone:
            self._alone = True
            self._suspects = deque(spread(sorted(self._suspects)))
        self._submit(self._suspects.popleft())

    def _submit(self, number: int) -> None:
        self._tries[number] = self._tries.get(number, 0) + 1
        self._running[self._start(number, self.parts[number].payload)] = number

    def _start(self, number: int, payload: object) -> Future:
        name = stem(self.phase.name, number, self.parts[number])
        return self.executor.submit(do_part, self.phase.work, payload, str(self.folder), name, os.getcwd())

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
            if future.cancelled():
                continue
            # Asked for, not raised: a SystemExit or KeyboardInterrupt of a part is a failure of that part.
            error = future.exception()
            if error is None:
                self._finished(number, future.result(), "")
            else:
                self._failed(number, local(error))

    def _finished(self, number: int, name: str, note: str) -> None:
        self.done[number] = self.folder / name
        self._succeeded += 1
        self.advance(self.parts[number].weight, note)

    def _failed(self, number: int, error: Exception) -> None:
        if ends_run(error):
            raise error
        part = self.parts[number]
        if self._tries[number] < TRIES and not (self._alone and getattr(error, "final", False)):
            words = f" ({said(error)})" if isinstance(error, PartFailed) else ""
            console.detail(f"part {part.name}: {reason_of(error)}{words}; it is tried again, alone.")
            if self._alone:
                self._suspects.appendleft(number)
            else:
                self._suspects.append(number)
                self._tell_if_all_fail(error)
            return
        reason = reason_of(error)
        if self.phase.poison is None:
            raise WorkError(
                f"{part.source or part.name}: {reason}, {TRIES} times; see it with --debug, and type the same command "
                "to go on from here."
            ) from error
        if self.phase.items is not None and self._narrowed(number, reason):
            return
        self._condemned[number] = reason
        if self._succeeded:
            self._reject_condemned()
        elif len(self._condemned) >= max(TRIES, min(SUSPECTS, len(self.parts))):
            raise WorkError(
                f"the {self.phase.name} phase fails whatever the part ({reason}); see it with --debug."
            ) from error

    def _tell_if_all_fail(self, error: Exception) -> None:
        if not self._succeeded and len(self._suspects) == SUSPECTS and len(self.parts) > SUSPECTS:
            console.warn(
                f"the first {SUSPECTS} parts of the {self.phase.name} phase failed (the last one: {reason_of(error)}); "
                "the others are tried all the same."
            )

    def _reject_condemned(self) -> None:
        """Write what stands in the place of parts that cannot be made.

        Only once something has succeeded, or all parts are through: a run that ends because nothing works must not
        leave rejections behind, which the same command would find and believe when the cause is mended.
        """
        assert self.phase.poison is not None or not self._condemned
        while self._condemned:
            number, reason = self._condemned.popitem()
            part = self.parts[number]
            console.warn(f"{part.source or part.name}: rejected, {reason}, {TRIES} times.")
            result = self.phase.poison(part, reason)  # type: ignore[misc]
            self.done[number] = self.folder / write_result(result, self.folder, stem(self.phase.name, number, part))
            self.advance(part.weight, "rejected")

    def _narrowed(self, number: int, reason: str) -> bool:
        """Make a part without the items that make it fail; False where none of them can be done."""
        part, items = self.parts[number], self.phase.items
        assert items is not None
        count = items.count(part.payload)
        if count < 2:
            return False
        console.detail(f"part {part.name}: looking for those of its {count} items that make it fail.")
        with narrow.patience(self.executor):
            bad = narrow.search(count, lambda group: self._fault_of(items.only(part.payload, group), count))
            if len(bad) in (0, count):  # or only all of them together are too much
                return False
            last = self._outcome(self._start(number, items.without(part.payload, bad)))
        if isinstance(last, Exception):
            return False
        console.warn(
            f"{part.source or part.name}: {len(bad)} of {count} rejected ({'; '.join(sorted({*bad.values()}))})."
        )
        self._finished(number, last, "in part")
        return True

    def _fault_of(self, payload: object, count: int) -> str:
        """Try some items of a part by themselves; says why they fail, and throws away what comes of it."""
        self.advance(0, f"looking for what fails among {count}")
        outcome = self._outcome(self.executor.submit(narrow.try_items, self.phase.work, payload, os.getcwd()))
        return reason_of(outcome) if isinstance(outcome, Exception) else ""

    def _outcome(self, future: Future):
        """Wait for one task that runs by itself: its answer, or its failure; Ctrl-C is heard when it ends.

        Raises:
            Interrupted: Ctrl-C.
            UsfmError: what ends the run.
        """
        while not wait([future], POLL_S).done:
            pass
        if self.interrupts.asked or future.cancelled():
            raise Interrupted("")
        error = future.exception()
        if error is None:
            return future.result()
        mine = local(error)
        if ends_run(mine):
            raise mine
        return mine


def spread(numbers: Sequence[int]) -> list[int]:
    """Order numbers so that the first few come from all over the list.

    Examples:
        >>> spread(range(8))
        [0, 4, 2, 6, 1, 5, 3, 7]
    """
    bits = max(len(numbers) - 1, 1).bit_length()
    places = sorted(range(len(numbers)), key=lambda place: int(f"{place:0{bits}b}"[::-1], 2))
    return [numbers[place] for place in places]
