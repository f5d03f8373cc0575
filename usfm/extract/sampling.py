"""Which frames are due: the one on screen at each instant k / fps, whatever the frame rate does in between."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from usfm.errors import RequestError

T = TypeVar("T")

ROUNDING_S = Fraction(1, 2000)  # containers that count in milliseconds round a time by up to this much


@dataclass(frozen=True)
class Sampling:
    """What is asked of every source.

    Args:
        fps: Instants per second; None for every frame.
        every: Take each N-th frame (only with ``fps=None``).
        limit: At most so many frames of a source; None for no limit.
    """

    fps: Fraction | None = Fraction(3)
    every: int = 1
    limit: int | None = None

    def without_clock(self) -> "Sampling":
        """Return what this asks of sources that have no time: every frame, unless ``every`` or ``limit`` says less."""
        return replace(self, fps=None)

    def about(self, frames: float, seconds: float) -> int:
        """Say about how many frames are due of a source with so many frames and seconds (never too few).

        Args:
            frames: In the source.
            seconds: That it takes; 0 for stills.

        Returns:
            How many.
        """
        due = frames if self.fps is None else min(frames, math.floor(seconds * float(self.fps)) + 1)
        due = math.ceil(due / self.every)
        return int(due if self.limit is None else min(due, self.limit))


def parse(fps: str, every: int | None, limit: int | None) -> Sampling:
    """Read ``--fps``, ``--every`` and ``--max-frames``.

    Args:
        fps: A number, a fraction such as "30000/1001", or "all".
        every: Take each N-th frame, None for all.
        limit: At most so many a source, None for any number.

    Returns:
        The sampling.

    Raises:
        RequestError: If fps is neither "all" nor a number above 0, or if both fps and every are given.

    Example:
        >>> parse("30000/1001", None, None).fps
        Fraction(30000, 1001)
        >>> parse("3", 10, None)
        Sampling(fps=None, every=10, limit=None)
    """
    text = fps.strip().lower()
    if text == "all":
        rate = None
    else:
        try:
            rate = Fraction(text)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if rate <= 0:
            raise RequestError(f"extract: --fps is {fps!r}; give a number of frames per second above 0, or all.")
    if every is not None:
        if text not in ("3", "all"):
            raise RequestError("extract: --fps and --every exclude each other; give one of them.")
        return Sampling(None, every, limit)
    return Sampling(rate, 1, limit)


class Clock:
    """Turns the time stamps of a stream, in ticks, into times that only go forward.

    A stamp that is missing, repeated or goes backwards becomes one nominal frame after the frame before it.

    Args:
        nominal: Ticks from one frame to the next when nothing better is known.

    Example:
        >>> clock = Clock(40)
        >>> [clock.ticks(stamp) for stamp in (100, None, 140, 500, 20)]
        [100, 140, 180, 500, 540]
        >>> clock.repaired
        3
    """

    def __init__(self, nominal: int):
        self.nominal = max(int(nominal), 1)
        self.repaired = 0
        self._last: int | None = None

    def ticks(self, stamp: int | None) -> int:
        """Return this frame's time in ticks."""
        if self._last is None:
            self._last = 0 if stamp is None else int(stamp)
            self.repaired += stamp is None
        elif stamp is None or stamp <= self._last:
            self._last += self.nominal
            self.repaired += 1
        else:
            self._last = int(stamp)
        return self._last


def choose(
    frames: Iterable[tuple[int, int, T]], sampling: Sampling, tick_s: Fraction
) -> Iterator[tuple[int, Fraction, T]]:
    """Pick the frames that are due out of a stream, holding one frame back at most.

    The frame due at instant ``first + k / fps`` is the one displayed then: the last whose time is not after it (give
    or take the rounding of the container's clock). A frame on screen at several instants is taken once.

    Args:
        frames: (time in ticks, strictly rising; how long it lasts in ticks, used for the last one; anything).
        sampling: What is asked for.
        tick_s: Seconds per tick.

    Yields:
        (index in the stream, seconds since the first frame, the thing itself).

    Example:
        >>> stream = [(i * 40, 40, f"frame {i}") for i in range(25)]  # 25 frames/s in milliseconds
        >>> [(index, float(t)) for index, t, _ in choose(stream, Sampling(Fraction(3)), Fraction(1, 1000))]
        [(0, 0.0), (8, 0.32), (16, 0.64)]
    """
    taken, start, index = 0, 0, -1
    held: tuple[int, int, T] | None = None
    # Instants k * step and frame times in one unit of which both are whole numbers, so that nothing is rounded.
    step = 1 / (sampling.fps * tick_s) if sampling.fps is not None else Fraction(1)
    slack = min(Fraction(1, 2), ROUNDING_S / tick_s)
    whole = math.lcm(step.denominator, slack.denominator)
    step_units, slack_units = int(step * whole), int(slack * whole)

    def due(number: int, begin: int, end: int) -> bool:
        if sampling.fps is None:
            return number % sampling.every == 0
        begin_units, end_units = begin * whole - slack_units, end * whole - slack_units
        instants_before = -(-begin_units // step_units)  # rounded up
        return instants_before * step_units < end_units

    for time, lasts, thing in frames:
        if held is not None:
            index += 1
            if due(index, held[0] - start, time - start):
                yield index, (held[0] - start) * tick_s, held[2]
                taken += 1
                if sampling.limit is not None and taken >= sampling.limit:
                    return
        else:
            start = time
        held = (time, lasts, thing)
    if held is not None:
        index += 1
        begin = held[0] - start
        if due(index, begin, begin + max(held[1], 1)):
            yield index, begin * tick_s, held[2]
