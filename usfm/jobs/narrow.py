"""Find the items that make a part fail, by trying ever smaller groups of them: one bad file costs only itself."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from usfm.jobs.parts import Result
from usfm.jobs.worker import one_thread

LIMIT_S = 600.0
HANG_S = 60.0
"""A group may take so long, and be without a sign of work for so long: less than a part, for there are many groups."""


def search(count: int, fault_of: Callable[[Sequence[int]], str]) -> dict[int, str]:
    """Find the items that fail by themselves, halving as long as a half fails.

    Args:
        count: of items, which fail together; two or more.
        fault_of: tries some of them; gives the reason why they fail, "" where they do not.

    Returns:
        Their numbers, ascending, each with its own reason; none where they fail only together.

    Examples:
        >>> search(8, lambda group: "odd" if {2, 5} & set(group) else "")
        {2: 'odd', 5: 'odd'}
    """
    bad: dict[int, str] = {}
    failing: list[Sequence[int]] = [range(count)]
    while failing:
        group = failing.pop()
        half = len(group) // 2
        for some in (group[:half], group[half:]):
            reason = fault_of(some)
            if reason and len(some) == 1:
                bad[some[0]] = reason
            elif reason:
                failing.append(some)
    return dict(sorted(bad.items()))


@contextmanager
def patience(executor: Executor) -> Iterator[None]:
    """Hold the executor to the limits of a group, where it has limits."""
    before = {name: getattr(executor, name) for name in ("limit_s", "hang_s") if hasattr(executor, name)}
    for name, most in (("limit_s", LIMIT_S), ("hang_s", HANG_S)):
        if name in before:
            setattr(executor, name, min(before[name], most))
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(executor, name, value)


def try_items(work: Callable[[Any], Result], payload: object, cwd: str) -> None:
    """Do the work for the sake of its end; what it gives is thrown away.

    Args:
        work: of the phase.
        payload: of the items.
        cwd: where the command was typed: what paths in the payload are relative to.
    """
    one_thread()
    if os.getcwd() != cwd:
        os.chdir(cwd)
    result = work(payload)
    if not isinstance(result, bytes):
        for _ in result:
            pass
