"""The reader of DICOM: one row of ``READERS``."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice, takewhile
from typing import ClassVar

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.contract import NO_OPTIONS, Frame, Notes, Options, Probe, Range
from usfm.extract.readers.dicom import facts, planes, video
from usfm.extract.readers.dicom.frames import Native, Pictures, pictures
from usfm.extract.readers.dicom.headers import Header, opened
from usfm.extract.readers.dicom.layout import PixelLayout, layout
from usfm.extract.readers.dicom.recognise import recognises
from usfm.extract.readers.dicom.times import TICK_S, Clock, clock
from usfm.extract.sampling import Sampling, choose

NAN = float("nan")
ENDS = ("too large", "truncated")
"""A deflated data set that grows without end, or that ends too early: what comes next is no better."""


class DicomReader:
    """Reader of DICOM objects that hold ultrasound pictures."""

    kind = "dicom"
    suffixes = frozenset((".dcm", ".dicom", ".ima"))
    identifies: ClassVar[bool] = True

    def recognises(self, head: bytes, suffix: str = "") -> bool:
        """See `Reader`: by DICOM's mark, or by its first data elements where the mark is gone."""
        return recognises(head)

    def companions(self, media: Media) -> Sequence[Media]:
        """Return nothing: an object is one file."""
        return ()

    def probe(self, media: Media, *, stamps_above: int, options: Options = NO_OPTIONS) -> Probe:
        """See `Reader`: read the header, and decode the first frame."""
        with opened(media) as header:
            facts.check_ultrasound(header)
            told = layout(header)
            if video.is_video(header):
                return replace(video.probe(header, stamps_above), identity=facts.identity(header))
            frames = pictures(header, told)
            if not frames.source.has(0):
                raise _nothing(frames)
            number, ticking = _declared(frames), _clock(header, told)
            long = 3 * told.pixels * number > stamps_above and number > 1
            number = _there(frames) if long else number
            span = frames.span()
            stamps = tuple(ticking.ticks(number) if ticking.runs else range(number)) if long else ()
            return Probe(
                told.rows,
                told.columns,
                number,
                seconds=number * float(ticking.step_ms) / 1000 if ticking.runs else 0.0,
                fps=ticking.fps,
                stamps=stamps,
                tick_s=(TICK_S.numerator, TICK_S.denominator) if ticking.runs else (1, 1),
                lasts=ticking.lasts if ticking.runs else 1,
                low=span[0],
                full=span[1],
                identity=facts.identity(header),
            )

    def read(
        self, media: Media, sampling: Sampling, notes: Notes, within: Range | None = None, options: Options = NO_OPTIONS
    ) -> Iterator[Frame]:
        """See `Reader`: decode the frames that are due."""
        with opened(media, keep=options.keep_tags) as header:
            facts.check_ultrasound(header)
            told = layout(header)
            regions = facts.regions(header)
            _note(notes, header, told, regions, options)
            spacing, each = facts.spacing_mm(header, regions), planes.planes(header)
            if each and not math.isnan(apart := planes.between_mm(header)):
                notes.metadata["plane_spacing_mm"] = apart
            if video.is_video(header):
                frames = video.read(header, sampling, notes, within, options.color is not True)
            else:
                frames = _frames(pictures(header, told), _clock(header, told), sampling, notes, within)
            for frame in frames:
                plane = each[frame.index] if frame.index < len(each) else planes.Slice()
                known = spacing if math.isnan(plane.spacing_mm[0]) else plane.spacing_mm
                yield replace(frame, kind=plane.kind, spacing_mm=known, facts=plane.facts)


def _frames(
    source: Pictures, ticking: Clock, sampling: Sampling, notes: Notes, within: Range | None
) -> Iterator[Frame]:
    source.settle()
    span = source.span() if within is None else (within.low, within.full)
    if source.claimed_wrong:
        notes.metadata["colours_mislabelled"] = True
    for index, time_s in _due(source, ticking, sampling, notes, within):
        yield _one(source, index, time_s, span)
    if within is None or within.last:
        _tell(source, notes)


def _one(source: Pictures, index: int, time_s: float, span: tuple[float, float]) -> Frame:
    try:
        if not source.source.has(index):
            raise MediaError("missing frame", "there is no such frame.")
        return Frame(index, time_s, source.pixels(index, span))
    except MediaError as error:
        if error.reason in ENDS:
            raise
        return Frame(index, time_s, None, error.reason)


def _due(
    source: Pictures, ticking: Clock, sampling: Sampling, notes: Notes, within: Range | None
) -> Iterator[tuple[int, float]]:
    """Give (index, seconds since the first frame) of the frames that are due."""
    if within is not None:
        notes.frames = within.frames
        for index, stamp in zip(within.indices, within.stamps, strict=True):
            yield index, float((stamp - within.first_stamp) * TICK_S) if ticking.runs else NAN
        return
    asked = sampling if ticking.runs else sampling.without_clock()
    ticks = islice(ticking.running() if ticking.runs else count(), _declared(source))
    there = takewhile(lambda one: source.source.has(one[0]), enumerate(ticks))
    stream = ((tick, ticking.lasts if ticking.runs else 1, None) for _, tick in there)
    for index, time_s, _ in choose(stream, asked, TICK_S):
        yield index, float(time_s) if ticking.runs else NAN


def _declared(source: Pictures) -> int:
    """Return how many frames are to be read at most: those declared, or all where none are declared."""
    told = source.layout.frames
    if isinstance(source.source, Native):
        return min(told, source.source.count) if told else min(source.source.count, 1)
    return told or _there(source)


def _there(source: Pictures) -> int:
    """Count the frames that are to be read and are there; without compression, one where none are declared."""
    told = source.layout.frames or int(isinstance(source.source, Native))
    most = min(told, source.source.count) if isinstance(source.source, Native) else told
    numbers = range(most) if told else count()
    return next((number for number in numbers if not source.source.has(number)), most)


def _tell(source: Pictures, notes: Notes) -> None:
    """Note, after the frames, where those that are there are not those that the header declares.

    Raises:
        MediaError: If there are fewer, or the file is cut short.
    """
    told = max(source.layout.frames, 1)
    there = _there(source)
    notes.frames = there
    there += there == told and source.source.has(told)
    if there > told and (source.layout.frames or isinstance(source.source, Native)):
        notes.faults.append(MediaError("further frames", f"more frames are there than the {told} that are declared."))
    if there == 0:
        raise _nothing(source)
    if source.source.broken:
        raise MediaError("truncated", f"the file is cut short: of {told} frames {min(there, told)} are there.")
    if there < told:
        raise MediaError("missing frames", f"its header declares {told} frames, and {there} are there.")


def _nothing(source: Pictures) -> MediaError:
    if source.source.broken or isinstance(source.source, Native):
        return MediaError("truncated", "the file is cut short before the end of its first frame.")
    return MediaError("no picture", "its pixel data hold no frame.")


def _clock(header: Header, told: PixelLayout) -> Clock:
    """Return when frames are shown; one frame has no time."""
    return clock(header) if told.frames > 1 else Clock()


def _note(notes: Notes, header: Header, told: PixelLayout, regions: list[dict], options: Options) -> None:
    notes.metadata |= facts.metadata(header, regions, options.keep_tags)
    notes.dicom_regions = regions
    notes.kind = facts.kind_of(header, regions)
    notes.names = facts.names(header)
    if told.stored > 8:
        notes.metadata["bits"] = told.stored
