"""Clips in picture formats, through Pillow: GIF, animated WebP and AVIF, APNG; with their timing and over black."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np
from PIL import Image

from usfm.errors import MediaError
from usfm.extract.readers.contract import Frame, Notes, Probe, Range
from usfm.extract.readers.heif import brands
from usfm.extract.readers.tone import over_black
from usfm.extract.sampling import Sampling, choose

TICK = Fraction(1, 1_000_000)
UNTIMED_S = Fraction(1, 50)
"""A frame shorter than this asks for "as fast as you can"; viewers show it for a tenth of a second."""
USUAL_S = Fraction(1, 10)
LARGEST_PX = 1 << 26
PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Clip:
    """What the structure of a file says.

    Attributes:
        durations: Seconds that each whole frame is shown.
        whole: Whether the file ends where its format says that it should.
        usable: Bytes from the beginning that make up the whole frames.
        first: Number of the first frame as Pillow counts: 1 where a picture precedes the clip.
    """

    durations: tuple[Fraction, ...]
    whole: bool
    usable: int
    first: int = 0


def recognises(head: bytes) -> bool:
    """Know a clip in a picture format by its first bytes."""
    if head.startswith(PNG_START):
        at = 8
        while at + 8 <= len(head) and head[at + 4 : at + 8] not in (b"IDAT", b"acTL"):
            at += 12 + int.from_bytes(head[at : at + 4], "big")
        return head[at + 4 : at + 8] == b"acTL"
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
        return len(head) > 20 and bool(head[20] & 2)
    return head[:6] in (b"GIF87a", b"GIF89a") or brands(head)[:1] == (b"avis",)


def probe(path: str, *, stamps_above: int) -> Probe:
    """Look at a clip; as ``Reader.probe``.

    Args:
        path: Of the clip.
        stamps_above: As for ``Reader.probe``.

    Returns:
        What the look says.
    """
    with _opened(path) as (image, clip):
        starts = _starts(clip)
        long = 3 * image.height * image.width * len(starts) > stamps_above and len(starts) > 1
        still = len(starts) == 1
        return Probe(
            height=image.height,
            width=image.width,
            frames=len(starts),
            seconds=0.0 if still else float(sum(clip.durations)),
            fps=float("nan") if still else float(1 / median(clip.durations)),
            stamps=tuple(starts) if long else (),
            tick_s=(TICK.numerator, TICK.denominator),
            lasts=round(clip.durations[-1] / TICK),
        )


def read(path: str, sampling: Sampling, notes: Notes, within: Range | None = None) -> Iterator[Frame]:
    """Decode in order; as ``Reader.read``.

    Args:
        path: Of the clip.
        sampling: Which frames are due.
        notes: Filled in.
        within: Part to read, None for the whole clip.

    Yields:
        The frames that are due.
    """
    with _opened(path) as (image, clip):
        starts, broke = _starts(clip), None
        notes.metadata["codec"] = str(image.format).lower()
        decoded = 0

        def timed() -> Iterator[tuple[int, int, np.ndarray]]:
            nonlocal decoded, broke
            for number, (start, lasts) in enumerate(zip(starts, clip.durations, strict=True)):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        image.seek(number + clip.first)
                        pixels = over_black(image)
                except MemoryError:
                    raise
                except Exception:  # Pillow raises whatever a broken file makes it trip over
                    broke = MediaError("damaged", f"frame {number} at {float(start * TICK):.2f} s cannot be decoded.")
                    return
                decoded += 1
                yield start, round(lasts / TICK), pixels

        through = False
        if within is None:
            for index, time_s, pixels in choose(timed(), sampling, TICK):
                yield Frame(index, float(time_s) if len(starts) > 1 else float("nan"), pixels)
            through = broke is not None or decoded == len(starts)
        else:
            wanted = set(within.indices)
            for index, (start, _, pixels) in enumerate(timed()):
                if index in wanted:
                    yield Frame(index, float((start - within.first_stamp) * TICK), pixels)
                if index >= within.indices[-1]:
                    break
            through = within.last
        if through:
            notes.frames = decoded if within is None else within.frames
            if not clip.whole:
                seconds = float(sum(clip.durations[:decoded]))
                text = f"the file is cut short: it ends after {decoded} frames, at {seconds:.2f} s."
                notes.faults.append(MediaError("truncated", text))
        if broke is not None:
            raise broke


def _starts(clip: Clip) -> list[int]:
    starts, at = [], Fraction(0)
    for lasts in clip.durations:
        starts.append(round(at / TICK))
        at += lasts
    return starts


@contextmanager
def _opened(path: str) -> Iterator[tuple[Image.Image, Clip]]:
    """Open a clip: its picture in Pillow, and its structure."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file.") from None
    clip = walk(data)
    usable = data if clip.whole else _ended(data[: clip.usable])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(usable))
            clip = _avif_clip(image) if data[4:8] == b"ftyp" else clip
    except Image.DecompressionBombError:
        raise MediaError("too large", f"its frames have more than {LARGEST_PX} pixels.") from None
    except MemoryError:
        raise
    except Exception:  # Pillow raises whatever a broken file makes it trip over
        detail = "its beginning is that of a clip, but it cannot be opened."
        raise MediaError("truncated or damaged", detail) from None
    with image:
        if not clip.durations:
            raise MediaError("truncated or damaged", "its beginning is that of a clip, but it holds no whole frame.")
        if image.height * image.width > LARGEST_PX:
            raise MediaError("too large", f"its frames are {image.width}x{image.height} pixels.")
        yield image, clip


def _shown_s(seconds: Fraction) -> Fraction:
    return seconds if seconds >= UNTIMED_S else USUAL_S


def _avif_clip(image: Image.Image) -> Clip:
    """Ask Pillow for the times: AVIF is indexed at its beginning, so it opens whole or not at all."""
    durations = []
    for number in range(int(getattr(image, "n_frames", 1))):
        image.seek(number)
        image.load()
        durations.append(_shown_s(Fraction(round(image.info.get("duration", 0) * 1000), 1_000_000)))
    return Clip(tuple(durations), True, 0)


def walk(data: bytes) -> Clip:
    """Find the whole frames of a GIF, an animated WebP or an APNG without decoding any."""
    if data[:3] == b"GIF":
        return _walk_gif(data)
    if data[:4] == b"RIFF":
        return _walk_webp(data)
    return _walk_png(data) if data.startswith(PNG_START) else Clip((), True, len(data))


def _walk_gif(data: bytes) -> Clip:
    durations, usable, delay = [], 0, Fraction(0)
    at = 13 + (3 << (data[10] & 7) + 1 if len(data) > 12 and data[10] & 0x80 else 0)
    while at < len(data):
        kind = data[at]
        if kind == 0x3B:
            return Clip(tuple(durations), True, at + 1)
        if kind == 0x21:
            if data[at + 1 : at + 3] == b"\xf9\x04" and at + 6 < len(data):
                delay = Fraction(int.from_bytes(data[at + 4 : at + 6], "little"), 100)
            at += 2
        elif kind == 0x2C and at + 10 < len(data):
            at += 11 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
        elif kind == 0:  # some writers fill up between blocks
            at += 1
            continue
        else:
            return Clip(tuple(durations), False, usable)
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
        if at > len(data):
            return Clip(tuple(durations), False, usable)
        if kind == 0x2C:
            durations.append(_shown_s(delay))
            usable, delay = at, Fraction(0)
    return Clip(tuple(durations), at == usable, usable)  # some writers leave out the last byte


def _walk_webp(data: bytes) -> Clip:
    end = 8 + int.from_bytes(data[4:8], "little")
    durations, usable, at = [], 0, 12
    while at + 8 <= min(end, len(data)):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        name, after = data[at : at + 4], at + 8 + size + size % 2
        if at + 8 + size > len(data):
            break
        if name == b"ANMF":
            durations.append(_shown_s(Fraction(int.from_bytes(data[at + 20 : at + 23], "little"), 1000)))
            usable = min(after, len(data))
        at = after
    return Clip(tuple(durations), len(data) >= end - end % 2, usable)


def _walk_png(data: bytes) -> Clip:
    durations, usable, at, first, open_frame, whole, still, announced = [], 0, 8, 0, None, False, False, 0
    while at + 12 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        after = at + 12 + size
        if after > len(data):
            break
        if name in (b"fcTL", b"IEND") and open_frame is not None:
            durations.append(open_frame)
            usable, open_frame = at, None
        if name == b"fcTL":
            first = 1 if still and not durations else first
            number, rate = (int.from_bytes(data[at + 8 + k : at + 10 + k], "big") for k in (20, 22))
            open_frame = _shown_s(Fraction(number, rate or 100))
        still = still or name == b"IDAT"
        if name == b"acTL":
            announced = int.from_bytes(data[at + 8 : at + 12], "big")
        if name == b"IEND":
            whole = len(durations) >= announced
            break
        at = after
    return Clip(tuple(durations), whole, usable, first)


def _ended(data: bytes) -> bytes:
    """Give a cut file the end that its format asks for, after its last whole frame."""
    if data[:3] == b"GIF":
        return data + b"\x3b"
    if data[:4] == b"RIFF":
        return data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]
    return data + b"\x00\x00\x00\x00IEND\xaeB`\x82"
