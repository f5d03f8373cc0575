"""Times of a sequence, or of volumes over time; and which frames are due by them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from usfm.extract.readers.volume.grid import NAN, TIME, Grid, GridLayout
from usfm.extract.sampling import Clock, Sampling, choose

TICKS = 1_000_000  # in a second
LONGEST_S = 1e6


@dataclass(frozen=True)
class Times:
    """Times of the moments of a source.

    Attributes:
        stamps: Of each moment, in ticks; rising. Empty where there is no clock.
        lasts: Ticks that the last moment lasts.
    """

    stamps: tuple[int, ...] = ()
    lasts: int = 1

    @property
    def tick_s(self) -> tuple[int, int]:
        """Seconds of a tick, as (numerator, denominator)."""
        return (1, TICKS) if self.stamps else (1, 1)

    @property
    def seconds(self) -> float:
        """From the first moment to the end of the last; 0 without a clock."""
        return (self.stamps[-1] - self.stamps[0] + self.lasts) / TICKS if self.stamps else 0.0

    @property
    def fps(self) -> float:
        """Moments in a second; NaN without a clock."""
        return len(self.stamps) / self.seconds if self.stamps else NAN

    def ticks(self, cut: GridLayout) -> tuple[int, ...]:
        """Return the time of every frame, or its number where there is no clock."""
        if not self.stamps:
            return tuple(range(cut.frames))
        return tuple(stamp for stamp in self.stamps for _ in range(cut.planes))

    def seconds_of(self, moment: int) -> float:
        """Return seconds from the first moment to this one; NaN without a clock."""
        return (self.stamps[moment] - self.stamps[0]) / TICKS if self.stamps else NAN


def times(grid: Grid, cut: GridLayout) -> Times:
    """Find the times of a source's moments: its time stamps, else its step in time.

    Args:
        grid: From the header.
        cut: Which planes are pictures.

    Returns:
        The times; without stamps where they make no sense.
    """
    if cut.moments < 2:
        return Times()
    stamps = np.array(grid.sequence.times_s or [NAN])
    if grid.roles[cut.moment] == TIME and math.isfinite(grid.steps[cut.moment]):
        step = grid.steps[cut.moment]
        stamps = np.arange(cut.moments) * step if 0 < step * cut.moments < LONGEST_S else np.array([NAN])
    known = np.flatnonzero(np.isfinite(stamps))
    if len(stamps) != cut.moments or len(known) < 2:
        return Times()
    return _rising(np.interp(np.arange(cut.moments), known, stamps[known]))


def _rising(stamps: np.ndarray) -> Times:
    """Turn seconds into ticks that only rise; a stamp that does not is one usual step after the one before it.

    Example:
        >>> _rising(np.array([1.0, 1.5, 2.0, 2.0]))
        Times(stamps=(0, 500000, 1000000, 1500000), lasts=500000)
    """
    ticks = np.rint((stamps - stamps[0]) * TICKS)
    steps = np.diff(ticks)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    if not usual or np.abs(ticks).max() > LONGEST_S * TICKS:
        return Times()
    clock = Clock(int(usual))
    return Times(tuple(clock.ticks(int(tick)) for tick in ticks), clock.nominal)


def due(found: Times, cut: GridLayout, sampling: Sampling) -> list[int]:
    """List the frames that are due.

    With a clock, ``fps`` picks moments, and all planes of a moment are taken. Without one, or where every N-th frame
    is asked for, planes count as they come, moment by moment.

    Args:
        found: Times of the moments.
        cut: Which planes are pictures.
        sampling: Which frames are asked for.

    Returns:
        Numbers of frames, from 0.
    """
    if not found.stamps or sampling.fps is None:
        return list(range(cut.frames))[:: sampling.every][: sampling.limit]
    moments: Sequence[tuple[int, int, None]] = [(stamp, found.lasts, None) for stamp in found.stamps]
    chosen = [index for index, _, _ in choose(moments, replace(sampling, limit=None), Fraction(1, TICKS))]
    return [index * cut.planes + plane for index in chosen for plane in range(cut.planes)][: sampling.limit]
