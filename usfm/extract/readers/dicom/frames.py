"""The frames of one object, one at a time: found, decoded, brought to gray or RGB; a broken one costs only itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from usfm.errors import MediaError
from usfm.extract.readers.dicom import colour, gray, palette
from usfm.extract.readers.dicom.decode import Samples, decoded
from usfm.extract.readers.dicom.fragments import Fragments
from usfm.extract.readers.dicom.headers import Header
from usfm.extract.readers.dicom.layout import RLE, PixelLayout

SETTLED_BY = 4
"""Frames that are tried, from the first, to settle the colour space."""


class Native:
    """Frames that lie one after the other without compression.

    Args:
        header: Of the opened file.
        layout: How a frame lies.

    Attributes:
        broken: Whether the file ends before its pixel data do.
    """

    def __init__(self, header: Header, layout: PixelLayout):
        self._file, self._at, self._each = header.file, header.at, layout.frame_bytes
        there = header.length if header.size < 0 else min(header.length, max(header.size - header.at, 0))
        self.broken = there < header.length
        self._swapped = header.big and header.words and layout.allocated == 8
        there -= there == self._each * max(layout.frames, 1) + 1  # the byte that makes the length even
        self.count = there // max(self._each, 1)

    def has(self, number: int) -> bool:
        """Say whether there is a whole frame of this number."""
        return number < self.count

    def frame(self, number: int, most_bytes: int) -> bytes:
        """Read the bytes of one frame.

        Args:
            number: Of the frame, from 0.
            most_bytes: Not needed: each frame has the same size.

        Returns:
            Its bytes, little endian; fewer where the file is cut short.
        """
        start = number * self._each
        if not self._swapped:
            self._file.seek(self._at + start)
            return self._file.read(self._each)
        self._file.seek(self._at + start - start % 2)
        words = self._file.read(self._each + start % 2 + (start + self._each) % 2)
        return np.frombuffer(words[: len(words) // 2 * 2], ">u2").astype("<u2").tobytes()[start % 2 :][: self._each]


@dataclass
class Pictures:
    """The decoded frames of one object.

    Attributes:
        header: Of the opened file.
        layout: How frames lie.
        source: Where their bytes are.
        tone: How gray becomes eight bits.
        table: Colours by value, with the value of the first; None where there is no colour table.
        space: Colour space of frames whose bytes do not name it; "" until it is settled.
        claimed_wrong: Whether the header names another colour space than the pixels have.
    """

    header: Header
    layout: PixelLayout
    source: Native | Fragments
    tone: gray.Tone
    table: tuple[np.ndarray, int] | None
    space: str = ""
    claimed_wrong: bool = False
    _held: tuple[int, Samples] | None = field(default=None, init=False, repr=False)

    def samples(self, number: int) -> Samples:
        """Decode one frame to samples."""
        if self._held is not None and self._held[0] == number:
            return self._held[1]
        most = 4 * self.layout.pixels * self.layout.samples * self.layout.allocated // 8 + (1 << 20)
        data = self.source.frame(number, most)
        return decoded(data, self.layout, self.header.syntax, self.header.big)

    def pixels(self, number: int, span: tuple[float, float]) -> np.ndarray:
        """Return one frame as it is to be seen, uint8 (H, W) or RGB (H, W, 3).

        Args:
            number: Of the frame, from 0.
            span: Modality values of black and white, from ``span``.

        Returns:
            The pixels.
        """
        samples = self.samples(number)
        self._held = None
        if samples.space:
            return np.ascontiguousarray(self._coloured(samples))
        if self.table is not None:
            return palette.looked_up(samples.values, *self.table)
        return np.ascontiguousarray(gray.shown(samples, self.tone, *span))

    def span(self) -> tuple[float, float]:
        """Find what becomes black and white in a deep clip without a window: from frames over all of it."""
        deep = self.layout.allocated > 8 or self.layout.signed or not self.tone.plain
        if self.layout.samples == 3 or self.table is not None or self.tone.window is not None or not deep:
            return 0.0, 255.0
        return gray.span(self.tone, self._some())

    def _some(self) -> Iterator[Samples]:
        count = max(self.layout.frames, 1)
        for number in sorted({round(one * (count - 1) / gray.SAMPLED) for one in range(gray.SAMPLED + 1)}):
            try:
                if self.source.has(number):
                    yield self.samples(number)
            except MediaError:
                continue

    def _coloured(self, samples: Samples) -> np.ndarray:
        values = _eight_bits(samples)
        if samples.certain:
            return colour.to_rgb(values, samples.space)
        return colour.to_rgb(values, self.space or samples.space)

    def settle(self) -> None:
        """Settle the colour space by the first frame that can be decoded: one for the source and all its ranges."""
        for number in range(SETTLED_BY if self.layout.samples == 3 else 0):
            try:
                samples = self.samples(number) if self.source.has(number) else None
            except MediaError:
                continue
            if samples is None:
                return
            self._held = number, samples  # until it is asked for
            if samples.certain:
                return
            self.space = colour.settled(_eight_bits(samples), samples.space)
            self.claimed_wrong = self.space != samples.space
            return


def _eight_bits(samples: Samples) -> np.ndarray:
    if samples.values.dtype == np.uint8:
        return samples.values
    return (samples.values.astype(np.int64) >> max(samples.bits - 8, 0)).clip(0, 255).astype(np.uint8)


def pictures(header: Header, layout: PixelLayout) -> Pictures:
    """Prepare to decode the frames of an object.

    Args:
        header: The header, its file open.
        layout: What it says about the frames.

    Returns:
        What decodes them.

    Raises:
        MediaError: If its pixel data or its colour table make no sense.
    """
    if layout.encapsulated:
        source: Native | Fragments = Fragments(
            header.file,
            header.at,
            header.size,
            layout.frames,
            header.raw("ExtendedOffsetTable"),
            whole=header.syntax == RLE,
        )
    else:
        source = Native(header, layout)
    table = palette.palette(header) if layout.colour == "PALETTE COLOR" else None
    return Pictures(header, layout, source, gray.tone(header, layout.colour), table)
