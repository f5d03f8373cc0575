"""What a reader of a source format is, and what it gives: one row of ``READERS``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.sampling import Sampling

HEAD_BYTES = 4096
"""How much of a file's beginning a reader sees to recognise it by."""
LARGEST_PX = 1 << 26
"""Rows times columns of a frame of a clip that we try to hold."""


def check_size(height: int, width: int) -> None:
    """Refuse a clip whose frames are too large to hold.

    Args:
        height: Rows of a frame.
        width: Columns of a frame.

    Raises:
        MediaError: If they are.
    """
    if height * width > LARGEST_PX:
        raise MediaError("too large", f"its frames are {width}x{height} pixels.")


@dataclass(frozen=True)
class Options:
    """What a user asks of every reader; each takes what concerns it.

    Attributes:
        axis: Axis along which a volume is cut into frames; "" for the planes that were acquired.
        keep_tags: Tags to keep in ``Notes.metadata`` although they are on no whitelist.
        color: Unless it is True, a reader may give a frame that has no colour as gray, which is faster.
    """

    axis: str = ""
    keep_tags: tuple[str, ...] = ()
    color: bool | None = True


NO_OPTIONS = Options()
"""Nothing asked for."""


@dataclass(frozen=True)
class Identity:
    """Whom a source belongs to, as its file says it. It stays in a worker's memory: only pseudonyms are written.

    Attributes:
        patient: Such as PatientID; "" where the file does not say.
        exam: Such as StudyInstanceUID.
    """

    patient: str = field(default="", repr=False)
    exam: str = field(default="", repr=False)


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
        low: Value that becomes 0, where ``full`` is not enough.
        planes: Frames that share a time, as the planes of a volume do; ``--fps`` takes all of them or none.
        identity: Whom it belongs to.
        item: Its name among the ``items`` of one file, as ``Media.item`` will have it; starts with a slash.
        items: One probe for each of several sources in one file. Each becomes a source of its own, whose path is
            ``file:/item``, and what else is said here does not count. Empty where the file is one source.
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
    low: float = 0.0
    planes: int = 1
    identity: Identity = Identity()
    item: str = ""
    items: tuple["Probe", ...] = ()


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
        low: As in ``Probe``.
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
    low: float = 0.0


@dataclass(frozen=True)
class Frame:
    """One frame that was due.

    Attributes:
        index: Number of the frame in its source, from 0, in the order of display.
        time_s: Seconds since the source's first frame; NaN for stills.
        pixels: uint8 (H, W) or RGB (H, W, 3); None where it could not be decoded.
        fault: Why there are no pixels, a short phrase.
        kind: What it shows, one of ``KINDS``; "" where the reader does not know, then ``Notes.kind`` counts.
        spacing_mm: (between rows, between columns), mm; NaN where unknown.
        mask: uint8 (H, W) classes of the pixels, 0 for background; None where there are none.
        facts: More about this frame that identifies nobody, as JSON can hold it, such as the pose of a probe. Kept in
            the source's metadata under ``frames``, by index.
    """

    index: int
    time_s: float
    pixels: np.ndarray | None
    fault: str = ""
    kind: str = ""
    spacing_mm: tuple[float, float] = (float("nan"), float("nan"))
    mask: np.ndarray | None = None
    facts: dict = field(default_factory=dict)


@dataclass
class Notes:
    """What a reader learns about a source while it reads: it fills this in as it goes.

    A long source is read in ranges, each with notes of its own, and the notes must be the same for all of them.

    Attributes:
        frames: Frames in the source; -1 unless it was read to its end.
        metadata: Facts that identify nobody, as JSON can hold them.
        faults: What a person should know about the source although frames came out of it; each becomes a row of
            ``/rejected``.
        kind: What its frames show where they do not say so themselves, one of ``KINDS``.
        dicom_regions: Items of SequenceOfUltrasoundRegions, as ``docs/extend.md`` lays them out.
        names: Names of people in the file, for ``--keep-name-hashes``; they stay in a worker's memory.
    """

    frames: int = -1
    metadata: dict = field(default_factory=dict)
    faults: list[MediaError] = field(default_factory=list)
    kind: str = ""
    dicom_regions: list[dict] = field(default_factory=list)
    names: list[str] = field(default_factory=list, repr=False)


class Reader(Protocol):
    """One source format.

    ``probe`` and ``read`` raise ``MediaError`` for a source that cannot be read. ``read`` may give frames first and
    raise then: the frames count, and the error says where it broke. No message holds a name, an id or a path.

    Attributes:
        kind: Its row of ``READERS``.
        suffixes: Of files that claim to be of this format, in lower case: such a file is rejected with a reason, and
            not passed over, where nothing recognises its bytes.
        identifies: Whether its files may say who the patient is; then paths are hashed unless a user says otherwise.
    """

    @property
    def kind(self) -> str:
        """Name of its row."""
        ...

    @property
    def suffixes(self) -> frozenset[str]:
        """Endings of its files."""
        ...

    identifies: ClassVar[bool]

    def recognises(self, head: bytes, suffix: str = "") -> bool:
        """Say whether a file that begins with these bytes is of this format.

        Args:
            head: Its first ``HEAD_BYTES`` bytes.
            suffix: Of its name, in lower case: it may support thin evidence in the bytes and never stands for it.

        Returns:
            Whether it is.
        """
        ...

    def companions(self, media: Media) -> Sequence[Media]:
        """Return the other files that a source is read from (``Media.beside``), so that they are no sources.

        Raises nothing for a damaged header: then there are none, and ``probe`` says what is wrong.
        """
        ...

    def probe(self, media: Media, *, stamps_above: int, options: Options = NO_OPTIONS) -> Probe:
        """Look at a source.

        Args:
            media: The source.
            stamps_above: Bytes of a frame's pixels times the number of frames, above which ``stamps`` are listed.
            options: What the user asks of readers.

        Returns:
            What the look says.

        Raises:
            MediaError: If it cannot be read.
        """
        ...

    def read(
        self, media: Media, sampling: Sampling, notes: Notes, within: Range | None = None, options: Options = NO_OPTIONS
    ) -> Iterator[Frame]:
        """Give the frames that are due, in order, one at a time.

        Args:
            media: The source.
            sampling: Which frames are due.
            notes: Filled in as it goes.
            within: Part to read, None for the whole source; then its frames are due, and ``sampling`` does not count.
            options: What the user asks of readers.

        Yields:
            A frame that is due.

        Raises:
            MediaError: If it cannot be read, or no further.
        """
        ...
