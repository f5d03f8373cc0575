"""Decoding no more of a video than the frames that are due need, where their pixels come out the same to the bit.

In H.264 a frame may say that no other leans on it, and in codecs of stills none does: such a frame is decoded only if
it is due. Everything else that is looked at is checked on the way, and whatever is odd ends it: then the caller
decodes the file frame by frame, and forgets what came before.
"""

import heapq
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av

from usfm.extract.readers.h264 import in_frames, is_leaf, length_size
from usfm.extract.readers.stream import BROKEN, nominal, tick_of, unordered
from usfm.extract.sampling import Sampling, choose

MOST_BYTES = 64 << 20
"""Size of a file up to which all of its packets are held in memory."""
MOST_HELD_BYTES = 256 << 20
"""Decoded bytes, as RGB, of the frames that are due: they are held until the last of them is known to be sound."""
CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi")
"""Those that say of each packet when it is shown."""
STILLS = ("mjpeg",)
"""Codecs in which every frame stands alone."""
TABLES, LOOKED_AT = b"\xff\xc4", 4096
"""Marker of the code tables of a JPEG, and the bytes at its beginning among which it stands."""


class Sparse:
    """The frames of one stream that are due, decoded with as few others as they need.

    Args:
        packets: All of the stream, in their order, the empty last one too.
        due: Time stamp -> (number of the frame, seconds since the first) of those that are due.
        stream: Their stream.

    Attributes:
        count: Frames in the stream.
        decoded: Frames that were decoded so far.
        sound: Whether every frame that was asked for came, at its time; known at the end.
    """

    def __init__(self, packets: Sequence[Any], due: dict[int, tuple[int, Fraction]], stream: Any):
        self._packets, self._due, self._stream = packets, due, stream
        self.count = sum(bool(packet.size) for packet in packets)
        self.decoded, self.sound = 0, False

    def frames(self) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """Give (number, seconds since the first frame, frame); stops at the first thing that is odd."""
        needless = _Needless(self._packets, self._stream)
        final = max((packet for packet in self._packets if packet.size), key=lambda packet: packet.pts)
        last, lasts = final.pts, int(final.duration or 0)
        waiting: list[int] = []
        for packet in self._packets:
            if packet.size:
                if packet.pts not in self._due and packet.pts != last and needless.holds(packet):
                    continue
                heapq.heappush(waiting, packet.pts)
                self.decoded += 1
            try:
                frames = packet.decode()
            except BROKEN:
                return
            for frame in frames:
                if frame.is_corrupt or not waiting or heapq.heappop(waiting) != frame.pts:
                    return
                if frame.pts == last and int(frame.duration or 0) != lasts:
                    return  # whether it is due hangs on how long it lasts
                if frame.pts in self._due:
                    number, time_s = self._due[frame.pts]
                    yield number, float(time_s), frame
        self.sound = not waiting


def sparse(container: Any, stream: Any, sampling: Sampling) -> Sparse | None:
    """Plan to decode what is due and little else; None where that is of no use, or the file is not plain.

    Args:
        container: Opened and whole.
        stream: The one to read.
        sampling: Which frames are due.

    Returns:
        What decodes them, or None; the container's packets are used up then.
    """
    if sampling.limit is not None or (sampling.fps is None and sampling.every == 1) or not _is_fit(container, stream):
        return None
    try:
        packets = list(container.demux(stream))
    except BROKEN:
        return None
    shown = [packet for packet in packets if packet.size]
    stamps = sorted(packet.pts for packet in shown if packet.pts is not None)
    plain = (
        len(shown) > 1
        and len(stamps) == len(shown)
        and all(a < b for a, b in pairwise(stamps))
        and shown[0].is_keyframe
        and shown[0].pts == stamps[0]
        and not any(packet.is_corrupt or packet.is_discard for packet in shown)
    )
    if not plain:
        return None
    lasts = int(max(shown, key=lambda packet: packet.pts).duration or 0) or nominal(stream)
    chosen = choose(((stamp, lasts, stamp) for stamp in stamps), sampling, tick_of(stream))
    due = {stamp: (number, time_s) for number, time_s, stamp in chosen}
    size = 3 * stream.codec_context.width * stream.codec_context.height
    return Sparse(packets, due, stream) if len(due) * size <= MOST_HELD_BYTES else None


def spared(container: Any, stream: Any, wanted: Collection[int]) -> Callable[[Any], bool] | None:
    """Return what says of a packet that its frame is not wanted and that no other leans on it; None where nothing does.

    Args:
        container: Opened; each of its packets has a time of its own.
        stream: The one to read.
        wanted: Time stamps of the frames that are.

    Returns:
        A function of a packet, or None.
    """
    context = stream.codec_context
    extra = bytes(context.extradata or b"") if context.name == "h264" else b""
    if container.format.name not in CONTAINERS or unordered(container, stream) or not in_frames(extra):
        return None
    length = length_size(extra)
    return lambda packet: packet.pts not in wanted and is_leaf(memoryview(packet), length)


def _is_fit(container: Any, stream: Any) -> bool:
    name = stream.codec_context.name
    if container.format.name not in CONTAINERS or not (name == "h264" or name in STILLS):
        return False
    return not unordered(container, stream) and os.path.getsize(container.name) <= MOST_BYTES


class _Needless:
    """Says of a packet whether nothing else needs it.

    Args:
        packets: All of the stream.
        stream: Their stream.
    """

    def __init__(self, packets: Sequence[Any], stream: Any):
        self._stills = stream.codec_context.name in STILLS
        if self._stills:  # a still without tables takes those of one before it
            tables = {TABLES in bytes(memoryview(packet)[:LOOKED_AT]) for packet in packets if packet.size}
            self._alone = len(tables) == 1
        extra = bytes(stream.codec_context.extradata or b"")
        self._length = length_size(extra) if in_frames(extra) else 0

    def holds(self, packet: Any) -> bool:
        """Say whether no other packet needs this one; False where that cannot be seen."""
        return self._alone if self._stills else bool(self._length) and is_leaf(memoryview(packet), self._length)
