"""Video streams in DICOM (MPEG-2, MPEG-4, HEVC): read in place through PyAV, in the order of display."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from usfm.errors import MediaError
from usfm.extract.readers.contract import LARGEST_PX, Frame, Notes, Probe, Range, check_size
from usfm.extract.readers.dicom.fragments import Fragments
from usfm.extract.readers.dicom.headers import UNDEFINED, Header
from usfm.extract.readers.dicom.stream_file import StreamFile
from usfm.extract.readers.dicom.times import TICK_S, Clock, clock
from usfm.extract.sampling import Clock as Repair
from usfm.extract.sampling import Sampling, choose

SYNTAXES = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?")
"""Transfer syntaxes of MPEG-2, MPEG-4 and HEVC, in one fragment or several."""
BARE = frozenset(("mpegvideo", "h264", "hevc", "m4v"))
"""Streams that are in no container, and so without times of their own."""


def is_video(header: Header) -> bool:
    """Say whether the pixel data are a stream of video."""
    return header.length == UNDEFINED and bool(SYNTAXES.fullmatch(header.syntax))


@dataclass
class _Open:
    """An opened stream.

    Attributes:
        container: Of PyAV.
        stream: Its stream of pictures.
        ticking: The header's clock where the stream is without times of its own; else one that does not run.
        tick_s: Seconds of a tick.
        cut: Whether the file ends before the stream does.
    """

    container: Any
    stream: Any
    ticking: Clock
    tick_s: Fraction
    cut: bool

    def frames(self, faults: Any) -> Iterator[tuple[int, int, Any, str]]:
        """Give (time in ticks, ticks on screen, frame or None, what is wrong with it) in order of display."""
        from usfm.extract.readers.soundness import judged
        from usfm.extract.readers.stream import nominal, timed

        repair = Repair(nominal(self.stream))
        decoded = judged(timed(self.container, self.stream, repair, faults), self.stream, faults)
        if not self.ticking.runs:
            yield from ((ticks or 0, lasts, frame, fault) for ticks, lasts, frame, fault in decoded)
            return
        for ticks, (_, _, frame, fault) in zip(self.ticking.running(), decoded, strict=False):
            yield ticks, self.ticking.lasts, frame, fault


@contextmanager
def _opened(header: Header) -> Iterator[_Open]:
    from usfm.extract.readers.stream import opened, tick_of, video_stream

    fragments = Fragments(header.file, header.at, header.size, 1)
    pieces = fragments.everything()
    with opened(StreamFile(header.file, pieces)) as container:  # type: ignore[arg-type]
        stream = video_stream(container)
        bare = bool(BARE & set(container.format.name.split(",")))
        ticking = clock(header) if bare else Clock()
        yield _Open(container, stream, ticking, TICK_S if ticking.runs else tick_of(stream), fragments.broken)


def probe(header: Header, stamps_above: int) -> Probe:
    """Go through the packets of the stream; the pictures' size is the stream's own.

    Args:
        header: The header, its file open.
        stamps_above: As for ``Reader.probe``.

    Returns:
        What the look says.

    Raises:
        MediaError: If no frame can be decoded.
    """
    from usfm.extract.readers.display import aspect, squared
    from usfm.extract.readers.faults import Faults
    from usfm.extract.readers.stream import first_good, nominal, rate_of

    with _opened(header) as video:
        stream = video.stream
        rate = Fraction(1000) / video.ticking.step_ms if video.ticking.runs else rate_of(stream)
        lasts = video.ticking.lasts if video.ticking.runs else nominal(stream)
        height, width = stream.codec_context.height, stream.codec_context.width
        check_size(height, width)
        ratio = aspect(stream)
        good, _, stamps = first_good(video.container, stream, Faults(video.cut))
        tick_s, ticking = video.tick_s, video.ticking
    if good is None:
        raise MediaError("not decodable", "no frame of its video stream can be decoded.")
    height, width = squared(height, width, ratio)
    check_size(height, width)
    number = len(stamps)
    if 3 * height * width * number <= stamps_above:
        times: tuple[int, ...] = ()
    elif ticking.runs:
        times = tuple(ticking.ticks(number))
    else:
        times = tuple(_rising(stamps, lasts))
    return Probe(
        height,
        width,
        number,
        seconds=float(number / rate),
        fps=float(rate),
        stamps=times,
        tick_s=(tick_s.numerator, tick_s.denominator),
        lasts=lasts,
        by_index=bool(times),
    )


def _rising(stamps: list[int | None], lasts: int) -> list[int]:
    repair = Repair(lasts)
    known = sorted(stamp for stamp in stamps if stamp is not None)
    return [repair.ticks(stamp) for stamp in [*known, *[None] * (len(stamps) - len(known))]]


def read(header: Header, sampling: Sampling, notes: Notes, within: Range | None, gray: bool = False) -> Iterator[Frame]:
    """Decode in order of display and give the frames that are due.

    Args:
        header: The header, its file open.
        sampling: Which frames are due.
        notes: Filled in.
        within: Part to read, None for the whole stream.
        gray: Whether a frame without colour may come as gray.

    Yields:
        The frames that are due.
    """
    from usfm.extract.readers.display import Display
    from usfm.extract.readers.faults import Faults

    with _opened(header) as video:
        faults, count, display = Faults(video.cut), 0, None
        last_s, given = 0.0, 0

        def counted() -> Iterator[tuple[int, int, tuple[Any, str] | None]]:
            nonlocal count
            for ticks, lasts, frame, fault in video.frames(faults):
                count += 1
                yield ticks, lasts, None if frame is None else (frame, fault)

        for index, time_s, found in _due(counted(), sampling, video.tick_s, within):
            if found is None:
                continue
            frame, fault = found
            if display is None:
                display = Display(video.stream, frame, gray)
                notes.metadata["codec"] = video.stream.codec_context.name
            fault = fault or ("" if display.holds(frame, LARGEST_PX) else "too large")
            last_s, given = float(time_s), given + 1
            yield Frame(index, last_s, None if fault else display.pixels(frame), fault)
            if within is None and given == sampling.limit:
                break
        if within is not None:
            notes.frames = within.frames
            yield from _missing(within, count, video.tick_s)
            notes.faults += [_cut(within.frames)] if within.last and video.cut else []
            return
        if faults.through:
            notes.frames = count
        told = int(header.number("NumberOfFrames"))
        notes.faults += faults.told(given, last_s)
        if faults.through and given and video.cut:
            notes.faults.append(_cut(count))
        elif faults.through and 0 < told != count > 0 and not faults.cut:
            sentence = f"its header declares {told} frames, and its stream holds {count}."
            notes.faults.append(MediaError("missing frames" if count < told else "further frames", sentence))


def _due(
    frames: Iterator[tuple[int, int, Any]], sampling: Sampling, tick_s: Fraction, within: Range | None
) -> Iterator[tuple[int, Fraction, Any]]:
    if within is None:
        yield from choose(frames, replace(sampling, limit=None), tick_s)
        return
    wanted = dict(zip(within.indices, within.stamps, strict=True))
    for index, (_, _, found) in enumerate(frames):
        if index in wanted:
            yield index, (wanted[index] - within.first_stamp) * tick_s, found
        if index >= within.indices[-1]:
            return


def _missing(within: Range, count: int, tick_s: Fraction) -> Iterator[Frame]:
    """Give the frames of a range that the stream turned out not to hold."""
    for index, stamp in zip(within.indices, within.stamps, strict=True):
        if index >= count:
            yield Frame(index, float((stamp - within.first_stamp) * tick_s), None, "not decodable")


def _cut(frames: int) -> MediaError:
    return MediaError("truncated", f"the file is cut short: its stream ends after {frames} frames.")
