"""Videos, through FFmpeg's libraries (PyAV): what is displayed when, whatever the container claims."""

import math
import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from usfm.errors import MediaError
from usfm.extract.readers import animation
from usfm.extract.readers.contract import HEAD_BYTES, Frame, Notes, Probe, Range
from usfm.extract.sampling import Clock, Sampling, choose

av.logging.set_level(None)  # a broken file is told in our words, once

MPEG_STARTS = (b"\x00\x00\x01", b"\x00\x00\x00\x01")  # program and elementary streams; raw H.264 and H.265
ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
OTHERS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV
    b"FLV\x01",
    b"OggS",
    b"YUV4MPEG2",
    b".RMF",
    b"DKIF",
)
BROKEN = (av.FFmpegError, OSError, IndexError)
"""What PyAV raises for a broken file; IndexError where a stream shows up that was not announced."""
LARGEST_PX = 1 << 26  # rows times columns of a frame that we try to hold
GIVE_UP_AFTER = 200  # packets in a row that cannot be decoded


class VideoReader:
    """Reader of everything that FFmpeg can demux and decode; rotation tags are ignored."""

    kind = "video"

    def recognises(self, head: bytes) -> bool:
        """Know a video container, an elementary stream or a clip in a picture format by its first bytes."""
        if animation.recognises(head):
            return True
        if b"avif" in animation.brands(head) or _is_icon(head):
            return False
        if head[:4] == b"RIFF":
            return head[8:12] in (b"AVI ", b"AVIX")
        transport = len(head) > 376 and head[0] == head[188] == head[376] == 0x47
        return head[4:8] in ISO_BOXES or head.startswith(MPEG_STARTS + OTHERS) or transport

    def probe(self, path: str, *, stamps_above: int) -> Probe:
        """Go through the packets without decoding them."""
        if _in_pictures(path):
            return animation.probe(path, stamps_above=stamps_above)
        with _opened(path) as container:
            stream = _video_stream(container)
            tick, rate = stream.time_base or Fraction(1, 90000), _rate(stream)
            height, width = stream.codec_context.height, stream.codec_context.width
            if height * width > LARGEST_PX:
                raise MediaError("too large", f"its frames are {width}x{height} pixels.")
            stamps: list[int | None] = []
            try:
                for packet in container.demux(stream):
                    if packet.size and not packet.is_discard:
                        stamps.append(packet.pts)
            except BROKEN:
                pass  # reading tells where it breaks
        known = sorted(stamp for stamp in stamps if stamp is not None)
        span = (known[-1] - known[0]) * tick if known else Fraction(0)
        seconds = max(float(span), len(stamps) / float(rate) if len(known) < len(stamps) else 0.0)
        distinct = len(known) == len(stamps) and all(a < b for a, b in pairwise(known))
        long = 3 * height * width * len(stamps) > stamps_above
        if long and not distinct:
            known = _stamps_by_decoding(path)
        return Probe(
            height=height,
            width=width,
            frames=len(stamps),
            seconds=seconds + 1 / float(rate),
            fps=float(rate),
            stamps=tuple(known) if long else (),
            tick_s=(tick.numerator, tick.denominator),
            lasts=_nominal(rate, tick),
            by_index=long and not distinct,
        )

    def read(self, path: str, sampling: Sampling, notes: Notes, within: Range | None = None) -> Iterator[Frame]:
        """Decode in order and give the frames on screen at the sampling instants."""
        if _in_pictures(path):
            return animation.read(path, sampling, notes, within)
        return _read_range(path, within, notes) if within is not None else _read_all(path, sampling, notes)


def _is_icon(head: bytes) -> bool:
    """Say whether an icon begins here: a count of pictures and a reserved 0, where MPEG would have its next code."""
    return head[:4] == b"\0\0\1\0" and head[5:6] == b"\0" and head[4:5] != b"\0" and head[9:10] == b"\0"


def _in_pictures(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return animation.recognises(file.read(HEAD_BYTES))
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file.") from None


def _read_all(path: str, sampling: Sampling, notes: Notes) -> Iterator[Frame]:
    with _opened(path) as container:
        stream = _video_stream(container)
        tick = stream.time_base or Fraction(1, 90000)
        rate = _rate(stream)
        notes.metadata["codec"] = stream.codec_context.name
        clock, faults, to_rgb = Clock(_nominal(rate, tick)), _Faults(), VideoReformatter()

        decoded = 0

        def timed() -> Iterator[tuple[int, int, av.VideoFrame]]:
            nonlocal decoded
            for frame in _decoded(container, stream, faults):
                decoded += 1
                yield clock.ticks(frame.pts), int(frame.duration or 0) or clock.nominal, frame

        last = 0.0
        for index, time_s, frame in choose(timed(), sampling, tick):
            last = float(time_s)
            yield _as_frame(index, last, frame, to_rgb)
        if clock.repaired and decoded > 1:
            notes.metadata["timestamps_repaired"] = clock.repaired
        if faults.through:  # else the limit was reached, and nobody looked at the rest
            notes.frames = decoded
            if decoded and _cut_short(path):
                raise _truncated(decoded, decoded / float(rate))
        faults.check(decoded, last)


def _stamps_by_decoding(path: str) -> list[int]:
    with _opened(path) as container:
        stream = _video_stream(container)
        clock = Clock(_nominal(_rate(stream), stream.time_base or Fraction(1, 90000)))
        return [clock.ticks(frame.pts) for frame in _decoded(container, stream, _Faults())]


def _read_range(path: str, within: Range, notes: Notes) -> Iterator[Frame]:
    wanted = dict(zip(within.stamps, within.indices, strict=True))
    notes.frames = within.frames
    with _opened(path) as container:
        stream = _video_stream(container)
        tick = stream.time_base or Fraction(1, 90000)
        notes.metadata["codec"] = stream.codec_context.name
        clock, faults = Clock(_nominal(_rate(stream), tick)), _Faults()
        given, to_rgb = set(), VideoReformatter()
        frames = _decoded(container, stream, faults) if within.by_index else _from(path, within.stamps[0], faults)
        for frame in frames:
            stamp = clock.ticks(frame.pts) if within.by_index else frame.pts
            if stamp in wanted and stamp not in given:
                given.add(stamp)
                yield _as_frame(wanted[stamp], float((stamp - within.first_stamp) * tick), frame, to_rgb)
            if stamp is not None and stamp >= within.stamps[-1]:
                break
        for stamp in within.stamps:
            if stamp not in given:
                yield Frame(wanted[stamp], float((stamp - within.first_stamp) * tick), None, "not decodable")
        if within.last and _cut_short(path):
            raise _truncated(within.frames, float((within.stamps[-1] - within.first_stamp) * tick))


def _from(path: str, stamp: int, faults: "_Faults") -> Iterator[av.VideoFrame]:
    """Decode from the last clean point before a time; from the start where seeking does not land there.

    Frames right after a seek may lean on frames before it, so we aim a little earlier and wait for a key frame.
    """
    for early_s in (1, 30, None):
        with _opened(path) as container:
            stream = _video_stream(container)
            frames = _decoded(container, stream, faults)
            if early_s is not None:
                try:
                    container.seek(stamp - int(early_s / (stream.time_base or 1)), stream=stream, backward=True)
                    first = next((frame for frame in frames if frame.key_frame and not frame.is_corrupt), None)
                except av.FFmpegError:
                    continue
                if first is None or first.pts is None or first.pts > stamp:
                    continue
                yield first
            yield from frames
            return


class _Faults:
    """What went wrong on the way, so that the good frames come first and the complaint last."""

    def __init__(self):
        self.packets = 0
        self.first_s: float | None = None
        self.detail = ""
        self.through = False

    def packet(self, time_s: float | None, detail: str) -> None:
        self.packets += 1
        if self.first_s is None and time_s is not None:
            self.first_s = time_s
        self.detail = self.detail or detail

    def check(self, frames: int, last_s: float) -> None:
        """Raise what a person should know about this source, if anything."""
        if frames == 0:
            reason = "not decodable" if self.packets else "no frames"
            raise MediaError(reason, self.detail or "the container opens, but no frame comes out of it.")
        if self.packets:
            where = last_s if self.first_s is None else self.first_s
            packets = "1 packet" if self.packets == 1 else f"{self.packets} packets"
            text = f"{packets} could not be decoded, the first at {where:.2f} s; the rest was kept."
            raise MediaError("damaged", text)


def _decoded(container, stream, faults: _Faults) -> Iterator[av.VideoFrame]:
    start, in_a_row = None, 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except BROKEN as error:
            faults.packet(None, _sentence(error))
            break
        if start is None and packet.pts is not None:
            start = packet.pts
        try:
            frames = packet.decode()
            in_a_row = 0
        except BROKEN as error:
            time_s = None
            if packet.pts is not None and start is not None and packet.time_base:
                time_s = float((packet.pts - start) * packet.time_base)
            faults.packet(time_s, _sentence(error))
            in_a_row += 1
            if in_a_row >= GIVE_UP_AFTER:
                break
            continue
        yield from frames
    faults.through = True


def _as_frame(index: int, time_s: float, frame: av.VideoFrame, to_rgb: VideoReformatter) -> Frame:
    if frame.is_corrupt:
        return Frame(index, time_s, None, "damaged frame")
    if frame.width * frame.height > LARGEST_PX:
        return Frame(index, time_s, None, "too large")
    # Sizes stay, so no luminance is resampled; one thread and one context a source, or each frame costs ten times more.
    rgb = to_rgb.reformat(frame, format="rgb24", interpolation="FAST_BILINEAR", threads=1)
    return Frame(index, time_s, np.ascontiguousarray(rgb.to_ndarray()))


def _opened(path: str):
    try:
        return av.open(path, metadata_errors="replace")
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        detail = f"its beginning is that of a video, but it cannot be opened ({_sentence(error)})."
        raise MediaError("truncated or damaged", detail) from None


def _video_stream(container):
    streams = [one for one in container.streams.video if "attached_pic" not in str(one.disposition)]
    if not streams or streams[0].codec_context is None:
        reason = "no video in it" if not streams else "no decoder"
        raise MediaError(reason, "the container holds no stream of pictures that can be decoded.")
    streams[0].codec_context.thread_count = 1  # the worker processes are the parallel part
    return streams[0]


def _rate(stream) -> Fraction:
    """Return the nominal frames per second; 25 where the file says nothing sensible."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate < 10000:
            return Fraction(rate)
    return Fraction(25)


def _nominal(rate: Fraction, tick: Fraction) -> int:
    return max(math.floor(1 / (rate * tick) + Fraction(1, 2)), 1)


def _truncated(frames: int, seconds: float) -> MediaError:
    return MediaError("truncated", f"the file is cut short: it ends after {frames} frames, at {seconds:.2f} s.")


def _cut_short(path: str) -> bool:
    """Say whether an MP4 or MOV lacks bytes that its own boxes count; other containers do not tell."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        at = 0
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            if at == 0 and name not in ISO_BOXES:
                return False
            length = int.from_bytes(head[8:16], "big") if length == 1 else length
            if length < 8:  # 0: up to the end of the file
                return False
            at += length
    return at > size


def _sentence(error: Exception) -> str:
    return (getattr(error, "strerror", "") or type(error).__name__).lower().rstrip(".")
