"""Videos, through FFmpeg's libraries (PyAV): what is displayed when, whatever the container claims."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar

import av

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers import animation
from usfm.extract.readers.contract import (
    HEAD_BYTES,
    LARGEST_PX,
    NO_OPTIONS,
    Frame,
    Notes,
    Options,
    Probe,
    Range,
    check_size,
)
from usfm.extract.readers.cut import ISO_BOXES, is_cut, transport_step
from usfm.extract.readers.display import Display, aspect, squared, turn
from usfm.extract.readers.faults import Faults, lead_fault
from usfm.extract.readers.heif import brands, is_tiled
from usfm.extract.readers.soundness import judged
from usfm.extract.readers.sparse import spared, sparse
from usfm.extract.readers.stream import (
    decoded,
    first_good,
    nominal,
    opened,
    rate_of,
    streams_of,
    tick_of,
    timed,
    unordered,
    video_stream,
)
from usfm.extract.sampling import Clock, Sampling, choose

av.logging.set_level(None)  # a broken file is told in our words, once

MPEG_STARTS = (b"\x00\x00\x01", b"\x00\x00\x00\x01")  # program and elementary streams; raw H.264 and H.265
OTHERS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV
    b"FLV\x01",
    b"OggS",
    b"YUV4MPEG2",
    b".RMF",
    b"DKIF",
)


class VideoReader:
    """Reader of everything that FFmpeg can demux and decode, and of clips in picture formats."""

    kind = "video"
    identifies: ClassVar[bool] = False
    suffixes = frozenset(
        ".mp4 .m4v .mov .qt .avi .mpg .mpeg .mpe .m2v .mkv .webm .wmv .asf .flv .ts .m2ts .ogv .3gp .h264 .gif"
        " .apng".split()
    )

    def recognises(self, head: bytes, suffix: str = "") -> bool:
        """See `Reader`: a video container, an elementary stream or a clip in a picture format."""
        if animation.recognises(head):
            return True
        if b"avif" in brands(head) or _is_icon(head):
            return False
        if head[:4] == b"RIFF":
            return head[8:12] in (b"AVI ", b"AVIX")
        return head[4:8] in ISO_BOXES or head.startswith(MPEG_STARTS + OTHERS) or transport_step(head) > 0

    def companions(self, media: Media) -> Sequence[Media]:
        """Return nothing: a video is one file."""
        return ()

    def probe(self, media: Media, *, stamps_above: int, options: Options = NO_OPTIONS) -> Probe:
        """See `Reader`: go through the packets, and decode until the first good frame."""
        with media.local() as path:
            in_pictures = _in_pictures(path)
            return animation.probe(path, stamps_above=stamps_above) if in_pictures else _probed(path, stamps_above)

    def read(
        self, media: Media, sampling: Sampling, notes: Notes, within: Range | None = None, options: Options = NO_OPTIONS
    ) -> Iterator[Frame]:
        """See `Reader`: decode in order and give the frames on screen at the sampling instants."""
        with media.local() as path:
            if _in_pictures(path):
                yield from animation.read(path, sampling, notes, within)
            elif within is not None:
                yield from _read_range(path, within, notes, options)
            else:
                yield from _read_due(path, sampling, notes, options)


def _probed(path: str, stamps_above: int) -> Probe:
    _check_tiles(path)
    with opened(path) as container:
        stream = video_stream(container)
        tick, rate, lasts = tick_of(stream), rate_of(stream), nominal(stream)  # a closed container has no streams
        height, width = stream.codec_context.height, stream.codec_context.width
        check_size(height, width)
        ordered = not unordered(container, stream)
        good, lead, stamps = first_good(container, stream, Faults(is_cut(path)))
        height, width = squared(height, width, aspect(stream))
        if good is not None and turn(good)[0]:
            height, width = width, height
    check_size(height, width)
    known = sorted(stamp for stamp in stamps if stamp is not None)
    span = (known[-1] - known[0]) * tick if known else Fraction(0)
    seconds = max(float(span), len(stamps) / float(rate) if len(known) < len(stamps) else 0.0)
    distinct = ordered and len(known) == len(stamps) and all(a < b for a, b in pairwise(known))
    long = 3 * height * width * len(stamps) > stamps_above
    if long and not distinct:
        known, lead = _stamps_by_decoding(path)
    return Probe(
        height=height,
        width=width,
        frames=len(stamps),
        seconds=seconds + 1 / float(rate),
        fps=float(rate),
        stamps=tuple(known) if long else (),
        tick_s=(tick.numerator, tick.denominator),
        lasts=lasts,
        by_index=long and not distinct,
        lead=lead if long else 0,
    )


def _read_due(path: str, sampling: Sampling, notes: Notes, options: Options) -> Iterator[Frame]:
    """Give the frames that are due, with as few others decoded as may be; where anything is odd, all are decoded."""
    given: list[Frame] = []
    with opened(path) as container:
        stream, display = video_stream(container), None
        plan = None if is_cut(path) else sparse(container, stream, sampling)
        for index, time_s, frame in plan.frames() if plan else ():
            display = display or _displayed(notes, container, stream, frame, options)
            given.append(_as_frame(index, time_s, frame, display, ""))
    if plan and plan.sound:
        notes.frames = plan.count
        yield from given
        return
    given.clear()
    yield from _read_all(path, sampling, notes, options)


def _read_all(path: str, sampling: Sampling, notes: Notes, options: Options) -> Iterator[Frame]:
    with opened(path) as container:
        stream = video_stream(container)
        tick, display = tick_of(stream), None
        clock, faults = Clock(nominal(stream)), Faults(is_cut(path))
        count, first, ends = 0, 0, 0

        def counted() -> Iterator[tuple[int, int, tuple[av.VideoFrame, str] | None]]:
            nonlocal count, first, ends
            for ticks, lasts, frame, fault in judged(timed(container, stream, clock, faults), stream, faults):
                assert ticks is not None
                first, ends = first if count else ticks, ticks + lasts
                count += 1
                yield ticks, lasts, None if frame is None else (frame, fault)

        last, given, told = 0.0, 0, False
        for index, time_s, decoded_frame in choose(counted(), replace(sampling, limit=None), tick):
            if decoded_frame is None:
                continue
            frame, fault = decoded_frame
            display = display or _displayed(notes, container, stream, frame, options)
            last, given = float(time_s), given + 1
            yield _as_frame(index, last, frame, display, fault)
            if given == sampling.limit:
                break
        if faults.lead and count > faults.lead:
            told = True
            notes.faults.append(lead_fault(faults.lead, faults.lead_s))
        if clock.repaired and count > 1:
            notes.metadata["timestamps_repaired"] = clock.repaired
        good = count - faults.lead if told else count
        if faults.through:  # else the limit was reached, and nobody looked at the rest
            notes.frames = count
            if good and faults.cut:
                notes.faults.append(_truncated(count, float((ends - first) * tick)))
        notes.faults += faults.told(good, last)


def _stamps_by_decoding(path: str) -> tuple[list[int], int]:
    with opened(path) as container:
        stream = video_stream(container)
        faults = Faults(is_cut(path))
        stamps = [ticks for ticks, _, _ in timed(container, stream, Clock(nominal(stream)), faults)]
        return stamps, faults.lead


def _read_range(path: str, within: Range, notes: Notes, options: Options) -> Iterator[Frame]:
    wanted = dict(zip(within.stamps, within.indices, strict=True))
    notes.frames = within.frames
    with opened(path) as container:
        stream = video_stream(container)
        tick, display = tick_of(stream), None
        clock, faults = Clock(nominal(stream)), Faults(is_cut(path))
        if within.lead:
            notes.faults.append(lead_fault(within.lead, within.lead_s))
        given = set()
        if within.by_index:
            frames = timed(container, stream, clock, faults)
        else:
            frames = ((frame.pts, 0, frame) for frame in _from(path, within.stamps[0], wanted, faults))
        for stamp, _, frame, fault in judged(frames, stream, faults):
            if stamp in wanted and stamp not in given and frame is not None:
                display = display or _displayed(notes, container, stream, frame, options)
                given.add(stamp)
                time_s = float((stamp - within.first_stamp) * tick)
                yield _as_frame(wanted[stamp], time_s, frame, display, fault)
            if stamp is not None and stamp >= within.stamps[-1]:
                break
        for stamp in within.stamps:
            if stamp not in given:
                yield Frame(wanted[stamp], float((stamp - within.first_stamp) * tick), None, "not decodable")
        if within.last and faults.cut:
            notes.faults.append(_truncated(within.frames, float((within.stamps[-1] - within.first_stamp) * tick)))


def _from(path: str, stamp: int, wanted: Collection[int], faults: Faults) -> Iterator[av.VideoFrame]:
    """Decode from the last clean point before a time; from the start where seeking does not land there.

    Frames that are not wanted and that no wanted one needs may be left out.

    Frames right after a seek may lean on frames before it, so we aim a little earlier and wait for a key frame.
    """
    for early_s in (1, 30, None):
        with opened(path) as container:
            stream = video_stream(container)
            frames = decoded(container, stream, faults, spare=spared(container, stream, wanted))
            faults.gone.clear()
            if early_s is not None:
                try:
                    container.seek(stamp - int(early_s / tick_of(stream)), stream=stream, backward=True)
                    first = next((frame for frame in frames if frame.key_frame and not frame.is_corrupt), None)
                except av.FFmpegError:
                    continue
                if first is None or first.pts is None or first.pts > stamp:
                    continue
                yield first
            yield from frames
            return


def _as_frame(index: int, time_s: float, frame: av.VideoFrame, display: Display, fault: str) -> Frame:
    if fault:
        return Frame(index, time_s, None, fault)
    if not display.holds(frame, LARGEST_PX):
        return Frame(index, time_s, None, "too large")
    return Frame(index, time_s, display.pixels(frame))


def _displayed(notes: Notes, container: Any, stream: Any, frame: av.VideoFrame, options: Options) -> Display:
    """Decide how a source is displayed, and keep that; the rotation is in degrees clockwise."""
    display = Display(stream, frame, gray=options.color is not True)
    notes.metadata["codec"] = stream.codec_context.name
    streams, ratio = len(streams_of(container)), display.ratio
    if streams > 1:
        notes.metadata["video_streams"] = streams
    if ratio != 1:
        notes.metadata["aspect"] = f"{ratio.numerator}:{ratio.denominator}"
    if any(display.turned):
        notes.metadata["rotation"] = {
            (True, True, False): "90",
            (False, True, True): "180",
            (True, False, True): "270",
        }.get(display.turned, "mirrored")
    return display


def _check_tiles(path: str) -> None:
    with open(path, "rb") as file:
        if is_tiled(file.read(1 << 20)):
            raise MediaError(
                "tiled picture", "the picture is stored in tiles, which are not put together; save it anew."
            )


def _truncated(frames: int, seconds: float) -> MediaError:
    return MediaError("truncated", f"the file is cut short: it ends after {frames} frames, at {seconds:.2f} s.")


def _is_icon(head: bytes) -> bool:
    """Say whether an icon begins here: a count of pictures and a reserved 0, where MPEG would have its next code."""
    return head[:4] == b"\0\0\1\0" and head[5:6] == b"\0" and head[4:5] != b"\0" and head[9:10] == b"\0"


def _in_pictures(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return animation.recognises(file.read(HEAD_BYTES))
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file.") from None
