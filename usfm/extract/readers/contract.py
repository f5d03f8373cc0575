"""What a reader of a source format is, and what it gives: one row of ``READERS``."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from usfm.errors import MediaError
from usfm.extract.sampling import Sampling

HEAD_BYTES = 4096
"""How much of a file's beginning a reader sees to recognise it by."""


@dataclass(frozen=True)
class Probe:
    """What a cheap look at a source says: enough to plan by, never to count by.

    Attributes:
        height: Rows of a frame, in pixels.
        width: Columns of a frame, in pixels.
        frames: About how many frames it holds (an upper guess).
        seconds: About how long it is; 0 for stills.
        fps: Frames per second, NaN where it has none.
        stamps: Times of all frames in ticks, in order, where the source is long enough to be read in ranges; else ().
        tick_s: Seconds per tick, as (numerator, denominator).
        lasts: Ticks that the last frame lasts.
        by_index: Whether the file's own time stamps are no guide (missing, repeated); then it is read from its start.
        full: Value of full brightness of all pages of a deep stack that is read in ranges; else 0.
        lead: How many of ``stamps``, from the first, are of frames that lean on a key frame which is not there.
    """

    height: int
    width: int
    frames: int
    seconds: float = 0.0
    fps: float = float("nan")
    stamps: tuple[int, ...] = ()
    tick_s: tuple[int, int] = (1, 1)
    lasts: int = 1
    by_index: bool = False
    full: float = 0.0
    lead: int = 0


@dataclass(frozen=True)
class Range:
    """Part of a long source.

    Attributes:
        indices: Frames to give, rising.
        stamps: Their times in ticks, rising.
        first_stamp: Time of the source's first frame in ticks.
        frames: Frames in the whole source.
        by_index: As in ``Probe``.
        last: Whether this is the source's last part.
        full: As in ``Probe``.
        lead: As in ``Probe``, to be told with this part; 0 in all but the first.
        lead_s: Seconds until the first good frame.
    """

    indices: tuple[int, ...]
    stamps: tuple[int, ...]
    first_stamp: int
    frames: int
    by_index: bool
    last: bool
    full: float = 0.0
    lead: int = 0
    lead_s: float = 0.0


@dataclass(frozen=True)
class Frame:
    """One frame that was due.

    Attributes:
        index: Number of the frame in its source, from 0, in the order of display.
        time_s: Seconds since the source's first frame; NaN for stills.
        pixels: uint8 (H, W) or RGB (H, W, 3); None where it could not be decoded.
        fault: Why there are no pixels, a short phrase.
    """

    index: int
    time_s: float
    pixels: np.ndarray | None
    fault: str = ""


@dataclass
class Notes:
    """What a reader learns about a source while it reads: it fills this in as it goes.

    Attributes:
        frames: Frames in the source; -1 unless it was read to its end.
        metadata: Facts that identify nobody, as JSON can hold them.
        faults: What a person should know about the source although frames came out of it; each becomes a row of
            ``/rejected``.
    """

    frames: int = -1
    metadata: dict = field(default_factory=dict)
    faults: list[MediaError] = field(default_factory=list)


class Reader(Protocol):
    """One source format.

    ``probe`` and ``read`` raise ``MediaError`` for a source that cannot be read. ``read`` may give frames first and
    raise then: the frames count, and the error says where it broke.
    """

    kind: str

    def recognises(self, head: bytes) -> bool:
        """Say whether a file that begins with these bytes is of this format; names and suffixes do not count."""
        ...

    def probe(self, path: str, *, stamps_above: int) -> Probe:
        """Look at a source; list ``stamps`` where a frame's pixels times frames pass ``stamps_above`` bytes."""
        ...

    def read(self, path: str, sampling: Sampling, notes: Notes, within: Range | None = None) -> Iterator[Frame]:
        """Give the frames that are due, in order, one at a time."""
        ...
