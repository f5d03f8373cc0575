"""When each frame was on screen: by what FrameIncrementPointer names, else by the next best that the header says."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, repeat

from usfm.extract.readers.dicom.headers import Header

TICK_S = Fraction(1, 1_000_000)
POINTED = {0x00181063: "FrameTime", 0x00181065: "FrameTimeVector"}
"""Data elements that FrameIncrementPointer may name for time; any other counts planes, angles or slices."""
LONGEST_MS = 3_600_000


@dataclass(frozen=True)
class Clock:
    """The times of the frames of one source.

    Attributes:
        steps_ms: From each frame to the next, in milliseconds, where they differ; the last one goes on for ever.
        step_ms: The same where it is one for all; 0 where there is no time.
        source: The data element that says so, "" where none does.
    """

    step_ms: Fraction = Fraction(0)
    steps_ms: tuple[Fraction, ...] = ()
    source: str = ""

    @property
    def runs(self) -> bool:
        """Whether frames have times."""
        return self.step_ms > 0

    @property
    def fps(self) -> float:
        """Frames per second, NaN without a clock."""
        return float(1000 / self.step_ms) if self.runs else float("nan")

    def ticks(self, frames: int) -> list[int]:
        """Return the times of so many frames, in ticks from the first."""
        return list(islice(self.running(), frames))

    def running(self) -> Iterator[int]:
        """Give the times of all frames there may be, in ticks from the first."""
        now = Fraction(0)
        for step in chain(self.steps_ms, repeat(self.step_ms)):
            yield round(now / 1000 / TICK_S)
            now += step

    @property
    def lasts(self) -> int:
        """Ticks that the last frame lasts."""
        return max(round(self.step_ms / 1000 / TICK_S), 1)


def clock(header: Header) -> Clock:
    """Find the clock of a source with several frames.

    A time that is missing, 0, negative or longer than an hour is as good as none, and the next best counts. Where the
    pointer names something else than time, such as the places of slices, there is no clock.
    """
    pointed = [int(one) for one in header.numbers("FrameIncrementPointer")]
    if pointed and not any(tag in POINTED for tag in pointed):
        return Clock()
    order = [POINTED[tag] for tag in pointed if tag in POINTED]
    order += [one for one in ("FrameTimeVector", "FrameTime", "ActualFrameDuration") if one not in order]
    for keyword in order:
        if keyword == "FrameTimeVector":
            found = _by_vector(header)
            if found.runs:
                return found
            continue
        step = _milliseconds(header.number(keyword))
        if step:
            return Clock(step, source=keyword)
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        rate = header.number(keyword)
        step = _milliseconds(1000 / rate) if rate > 0 else Fraction(0)
        if step:
            return Clock(Fraction(1000) / Fraction(str(rate)), source=keyword)
    return Clock()


def _by_vector(header: Header) -> Clock:
    """Read FrameTimeVector: its first value is the time before the first frame, and says nothing."""
    steps = [_milliseconds(value) for value in header.numbers("FrameTimeVector")[1:]]
    good = sorted(step for step in steps if step)
    if not good:
        return Clock()
    middle = good[len(good) // 2]
    return Clock(middle, tuple(step or middle for step in steps), "FrameTimeVector")


def _milliseconds(value: float) -> Fraction:
    return Fraction(str(value)) if 1e-3 <= value <= LONGEST_MS else Fraction(0)
