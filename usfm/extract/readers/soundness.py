"""What is wrong with each frame of a video: it is damaged itself, or it leans on a damaged one."""

from collections.abc import Iterable, Iterator
from typing import Any

import av

from usfm.extract.readers.faults import Faults
from usfm.extract.readers.stream import INTRA, TYPED

LONELY_B = frozenset("mpeg1video mpeg2video mpeg4 wmv3 vc1".split())
"""Codecs in which no other frame leans on a B frame."""
B_TYPE = 3
MOST_B = 16  # B frames that are held back until the frame after them is known
DAMAGED, LEANS = "damaged frame", "leans on a damaged frame"


def judged(
    frames: Iterable[tuple[int | None, int, av.VideoFrame | None]], stream: Any, faults: Faults
) -> Iterator[tuple[int | None, int, av.VideoFrame | None, str]]:
    """Add to each frame, in order of display, what is wrong with it; "" where nothing is.

    A damaged frame spoils those that lean on it, up to the next key frame; so does a packet that gave no frame at all.
    Decoders flag the first only, and show the others as if they were good. B frames lean on the frame after them too,
    so they wait for it.

    Args:
        frames: (time, how long it lasts, frame or None).
        stream: Whose frames they are.
        faults: What the decoder noted so far.

    Yields:
        The same three, and what is wrong.
    """
    name = stream.codec_context.name
    lonely = name in LONELY_B
    held: list[tuple[int | None, int, av.VideoFrame, str]] = []
    spoilt = False
    for time, lasts, frame in frames:
        if frame is None:
            yield time, lasts, None, ""
            continue
        fault = DAMAGED if frame.is_corrupt or frame.pts in faults.corrupt else ""
        faults.corrupt.discard(frame.pts)  # another frame may have the same time where files were put together
        if int(frame.pict_type) == B_TYPE and not frame.key_frame:
            held.append((time, lasts, frame, fault))
            spoilt = spoilt or bool(fault and not lonely)
            if len(held) > MOST_B:
                spoilt = _is_past(faults.gone, frame.pts) or spoilt
                yield _spoilt(held.pop(0), spoilt)
            continue
        before = _is_past(faults.gone, frame.pts) or spoilt
        spoilt = bool(fault) or (before and not _stands(frame, name))
        for one in held:
            yield _spoilt(one, before or spoilt)
        held.clear()
        yield _spoilt((time, lasts, frame, fault), spoilt)
    for one in held:
        yield _spoilt(one, spoilt or bool(faults.gone))


def _is_past(gone: list[int | None], now: int | None) -> bool:
    """Say whether a packet that was due before now is gone, and forget it; a later one matters to later frames only."""
    past = [stamp for stamp in gone if stamp is None or now is None or stamp < now]
    gone[:] = [stamp for stamp in gone if stamp not in past]
    return bool(past)


def _spoilt(one: tuple[int | None, int, av.VideoFrame, str], spoilt: bool):
    time, lasts, frame, fault = one
    return time, lasts, frame, fault or (LEANS if spoilt else "")


def _stands(frame: av.VideoFrame, name: str) -> bool:
    """Say whether a frame leans on no other: a key frame, an old codec's I frame, or of a codec without types."""
    kind = int(frame.pict_type)
    return frame.key_frame or kind == 0 or (kind == INTRA and name in TYPED)
