"""What a step is made of: phases, each cut into parts that give the same result whoever makes them, and when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Result = bytes | Iterable[bytes]
"""What a part's work gives: the bytes of a file, or pieces of them in order, written as they come."""


Done = Mapping[str, Sequence[Path]]
"""Names of the phases that are done -> their result files, one a part."""


@dataclass(frozen=True)
class Part:
    """One piece of work.

    Attributes:
        name: unique in its phase, the same in every run; stands in /parts, so it must not identify a patient.
        payload: picklable argument of the phase's `work`.
        source: what to name in messages when the part cannot be done.
        weight: how much of the progress it is, in the phase's unit.
    """

    name: str
    payload: Any
    source: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class Items:
    """How a part is taken apart, to find which of its items make it fail: one file of many that crashes a decoder.

    Attributes:
        count: payload -> how many items it has.
        only: (payload, numbers of items) -> the payload of these items alone.
        without: (payload, number of item -> reason) -> the payload in which these items are marked as failed, so that
            the work passes over them and says why.
    """

    count: Callable[[Any], int]
    only: Callable[[Any, Sequence[int]], Any]
    without: Callable[[Any, Mapping[int, str]], Any]


@dataclass(frozen=True)
class Phase:
    """One round of parts.

    Attributes:
        name: short, such as "survey" or "frames"; part of file names.
        plan: earlier phases' result files by phase name -> the parts of this one. Runs in the parent process; must give
            the same parts for the same inputs and options.
        work: payload -> result. A top-level function; runs in a worker, one thread. May raise WorkError or RequestError
            to end the run; whatever else it raises or does to its process costs its own part.
        poison: (part, reason) -> the result to put in the part's place once it has killed its worker, hung, or failed
            three times; without it such a part ends the run. Runs in the parent, so it must not touch what may crash.
        unit: of the parts' weight.
        limit_s: a part that takes longer is stopped, s.
        hang_s: a part whose worker has used no processor time for so long is stopped, s.
        items: how to find the items that make a part fail, so that the others need not be rejected with them.
    """

    name: str
    plan: Callable[[Mapping[str, Sequence[Path]]], list[Part]]
    work: Callable[[Any], Result]
    poison: Callable[[Part, str], Result] | None = None
    unit: str = "frames"
    limit_s: float = 3600.0
    hang_s: float = 300.0
    items: Items | None = None
