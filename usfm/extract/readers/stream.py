"""The stream of pictures in a video file: which one, packet by packet, frame by frame, and what is wrong with it."""

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.stream import Disposition

from usfm.errors import MediaError
from usfm.extract.readers.faults import Faults
from usfm.extract.sampling import Clock

BROKEN = (av.FFmpegError, OSError, IndexError)
"""What PyAV raises for a broken file; IndexError where a stream shows up that was not announced."""
INTRA, LEANING = 1, (2, 3, 4)
"""Types of frames as FFmpeg counts them: I; P, B and S, which lean on others. 0 is without a type."""
GIVE_UP_AFTER = 200  # packets in a row that cannot be decoded
GUARDED = frozenset({"h264", "hevc", "vvc", "vp8", "vp9", "av1", "libdav1d", "mpeg1video", "mpeg2video", "ffv1"})
"""Decoders that give nothing before they have a key frame; any other starts on gray."""
TYPED = frozenset(
    "mpeg4 msmpeg4v1 msmpeg4v2 msmpeg4 msmpeg4v3 wmv1 wmv2 wmv3 vc1 h263 h263i h263p flv"
    " rv10 rv20 rv30 rv40 svq1 svq3".split()
)
"""Decoders that name the type of every frame, so that one without a type is none."""
SEAM = 3  # packets before a seam that may be marked though they are whole
NO_CLIP = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
JOINED = ("mpeg", "mpegts", "mpegvideo", "h264", "hevc", "ogg")
"""Containers whose packets are cut out of a stream of bytes, so that the last one of a cut file is cut too."""


def opened(path: str) -> Any:
    """Open a container.

    Raises:
        MediaError: If it cannot be opened.
    """
    try:
        return av.open(path, metadata_errors="replace")
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        detail = f"its beginning is that of a video, but it cannot be opened ({sentence(error)})."
        raise MediaError("truncated or damaged", detail) from None


def streams_of(container: Any) -> list[Any]:
    """List the streams of pictures; cover art and thumbnails are none."""
    return [one for one in container.streams.video if not Disposition(one.disposition) & NO_CLIP]


def video_stream(container: Any) -> Any:
    """Return the stream to read: the one with the largest picture, the first of equal ones.

    Raises:
        MediaError: If there is none that can be decoded.
    """
    streams = streams_of(container)
    decodable = [one for one in streams if one.codec_context is not None]
    if not decodable:
        reason = "no decoder" if streams else "no video in it"
        raise MediaError(reason, "the container holds no stream of pictures that can be decoded.")
    chosen = max(decodable, key=lambda one: (one.codec_context.width or 0) * (one.codec_context.height or 0))
    chosen.codec_context.thread_count = 1  # the worker processes are the parallel part
    return chosen


def tick_of(stream: Any) -> Fraction:
    """Return the seconds of one tick of a stream's clock."""
    return stream.time_base or Fraction(1, 90000)


def rate_of(stream: Any) -> Fraction:
    """Return the nominal frames per second; 25 where the file says nothing sensible."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate < 10000:
            return Fraction(rate)
    return Fraction(25)


def nominal(stream: Any) -> int:
    """Return the ticks from one frame to the next when nothing better is known."""
    return max(math.floor(1 / (rate_of(stream) * tick_of(stream)) + Fraction(1, 2)), 1)


def packets(container: Any, stream: Any, faults: Faults) -> Iterator[Any]:
    """Give the packets of a stream, the empty last one too; of a cut file without the packet that is cut.

    Args:
        container: Opened.
        stream: One of its streams.
        faults: Filled in.

    Yields:
        A packet.
    """
    held = None
    joined = faults.cut and _joined(container)
    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed)
        except StopIteration:
            break
        except BROKEN as error:
            if not faults.cut:
                faults.packet(None, sentence(error))
            break
        if not packet.size:
            if held is not None and not (joined or (faults.cut and held.is_corrupt)):
                yield held
            held = None
            yield packet
            continue
        if held is not None:
            yield held
        held = packet
    if held is not None and not (joined or (faults.cut and held.is_corrupt)):
        yield held


def _joined(container: Any) -> bool:
    return any(name in JOINED for name in container.format.name.split(","))


def decoded(
    container: Any,
    stream: Any,
    faults: Faults,
    fed: list | None = None,
    spare: Callable[[Any], bool] | None = None,
) -> Iterator[av.VideoFrame]:
    """Decode in order of display; packets that fail are noted in ``faults``.

    Args:
        container: Opened.
        stream: One of its streams.
        faults: Filled in.
        fed: If given, gets (time stamp, is a key frame) of every packet that is to be seen, as it is fed.
        spare: Says of a packet whether it may be left out.

    Yields:
        A frame.
    """
    start, in_a_row, given = None, 0, False
    order = _Order() if unordered(container, stream) else None
    joined = container.format.name != "mpegts" and _joined(container)  # one cut block taints whole frames in it
    for packet in (packets if joined else _marked)(container, stream, faults):
        if start is None and packet.pts is not None:
            start = packet.pts
        if spare is not None and packet.size and spare(packet):
            continue
        if packet.size and fed is not None and not packet.is_discard:
            fed.append((packet.pts, packet.is_keyframe))
        if order is not None:
            order.fed(packet)
        try:
            frames = packet.decode()
            in_a_row = 0
        except BROKEN as error:
            if order is not None:
                order.failed(packet)
            time_s = None
            if packet.pts is not None and start is not None and packet.time_base:
                time_s = float((packet.pts - start) * packet.time_base)
            faults.packet(time_s, sentence(error))
            faults.gone.append(packet.pts)
            in_a_row += 1
            if in_a_row >= GIVE_UP_AFTER and given:  # before the first key frame all may fail
                break
            continue
        for frame in frames:
            given = True
            if order is not None:
                order.give(frame)
            yield frame
    faults.through = True


def _marked(container: Any, stream: Any, faults: Faults) -> Iterator[Any]:
    """Give the packets, and note those that the container marks as broken.

    A transport stream counts its packets, so it also marks the last ones of a file to which another was joined. Time
    begins anew with a key frame there, and nothing is missing.
    """
    ahead: deque[Any] = deque()
    excused, last = 0, None
    for packet in packets(container, stream, faults):
        ahead.append(packet)
        if packet.dts is not None:
            excused = len(ahead) if last is not None and packet.dts < last and packet.is_keyframe else excused
            last = packet.dts
        while len(ahead) > (SEAM if container.format.name == "mpegts" else 0):
            excused = _note_mark(ahead[0], faults, excused)
            yield ahead.popleft()
    while ahead:
        excused = _note_mark(ahead[0], faults, excused)
        yield ahead.popleft()


def _note_mark(packet: Any, faults: Faults, excused: int) -> int:
    if packet.is_corrupt and packet.pts is not None and excused <= 0:
        faults.corrupt.add(packet.pts)
    return excused - 1


def unordered(container: Any, stream: Any) -> bool:
    """Say whether the packets' times are those of decoding: AVI knows no others, and FFmpeg cannot tell for H.264.

    Args:
        container: Opened.
        stream: One of its streams.

    Returns:
        Whether they are.
    """
    return container.format.name == "avi" and stream.codec_context.name in ("h264", "hevc")


class _Order:
    """Gives frames the times of their packets in order of display, where the container knows that of decoding only."""

    def __init__(self):
        self._stamps: list[int] = []
        self._begun = False

    def fed(self, packet: Any) -> None:
        """Take note of a packet's time."""
        if packet.size and packet.pts is not None:
            heapq.heappush(self._stamps, packet.pts)

    def failed(self, packet: Any) -> None:
        """Forget the time of a packet that gives no frame."""
        if packet.pts in self._stamps:
            self._stamps.remove(packet.pts)
            heapq.heapify(self._stamps)

    def give(self, frame: av.VideoFrame) -> None:
        """Set the time of the next frame; those of frames that were left out before the first are passed over."""
        while not self._begun and frame.pts is not None and self._stamps and self._stamps[0] < frame.pts:
            heapq.heappop(self._stamps)
        self._begun = True
        if self._stamps:
            frame.pts = heapq.heappop(self._stamps)


def timed(container: Any, stream: Any, clock: Clock, faults: Faults) -> Iterator[tuple[int, int, av.VideoFrame | None]]:
    """Decode in order of display: (time in ticks, ticks on screen, frame), None for frames lost at the beginning.

    A recorder that joins in the middle, or a cut without encoding anew, leaves frames before the first key frame. Some
    decoders drop them silently, others build them on gray: either way they are no pictures, but they take time.

    Args:
        container: Opened.
        stream: One of its streams.
        clock: Turns time stamps into ticks.
        faults: Filled in.

    Yields:
        A frame and its time.
    """
    fed: list[tuple[int | None, bool]] = []
    lost, begun = 0, False
    for frame in decoded(container, stream, faults, fed):
        if not begun and not _stands_alone(frame, container, stream, faults, fed):
            lost += 1
            continue
        if not begun:
            begun = True
            before = _before(fed, frame.pts, lost)
            leading = [clock.ticks(stamp) for stamp in before]
            ticks = clock.ticks(frame.pts)
            faults.begun(len(leading), float((ticks - leading[0]) * tick_of(stream)) if leading else 0.0)
            yield from ((lead, clock.nominal, None) for lead in leading)
            fed.clear()
        else:
            ticks = clock.ticks(frame.pts)
        yield ticks, int(frame.duration or 0) or clock.nominal, frame
    if not begun:
        faults.lead = lost


def _stands_alone(frame: av.VideoFrame, container: Any, stream: Any, faults: Faults, fed: list) -> bool:
    """Say whether decoding can begin with this frame."""
    name, kind = stream.codec_context.name, int(frame.pict_type)
    if frame.key_frame or name in GUARDED or kind == INTRA:
        return True
    if kind or name in TYPED:
        return kind not in (0, *LEANING)
    # Some old codecs name no types: then the container's marks count, if it sets any.
    if any(key for _, key in fed):
        return True
    if faults.marks is None:
        faults.marks = _marks_keys(container.name, stream.index)
    return not faults.marks


def _marks_keys(path: str, index: int) -> bool:
    with opened(path) as container:
        try:
            return any(packet.is_keyframe and packet.size for packet in container.demux(container.streams[index]))
        except BROKEN:
            return False


def _before(fed: list[tuple[int | None, bool]], first: int | None, lost: int) -> list[int | None]:
    """List the time stamps of the packets before the first good frame, in order of display; None where unknown."""
    stamps = [stamp for stamp, _ in fed if stamp is not None]
    if first is not None and len(stamps) == len(fed):
        return [stamp for stamp in sorted(set(stamps)) if stamp < first]
    unkeyed = next((place for place, (_, key) in enumerate(fed) if key), 0)
    return [None] * max(unkeyed, lost)


def sentence(error: Exception) -> str:
    """Return an error of FFmpeg's in a few words."""
    return (getattr(error, "strerror", "") or type(error).__name__).lower().rstrip(".")


def first_good(container: Any, stream: Any, faults: Faults) -> tuple[av.VideoFrame | None, int, list]:
    """Go through all packets and decode until the first good frame.

    Args:
        container: Opened.
        stream: One of its streams.
        faults: Filled in.

    Returns:
        The frame or None, how many frames before it are lost, and the time stamps of all packets that are to be seen.
    """
    stamps: list[int | None] = []
    fed: list[tuple[int | None, bool]] = []
    good, lost = None, 0
    for packet in packets(container, stream, faults):
        if packet.size and not packet.is_discard:
            stamps.append(packet.pts)
            fed.append((packet.pts, packet.is_keyframe))
        if good is not None:
            continue
        try:
            frames = packet.decode()
        except BROKEN:
            frames = []
        for frame in frames:
            if good is None and _stands_alone(frame, container, stream, faults, fed):
                good = frame
            lost += good is None
        if good is not None:
            lost = len(_before(fed, good.pts, lost))
    return good, lost, stamps
