"""Gray samples of any depth to eight bits: one window, table or scale for the whole clip, found once."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from usfm.extract.readers.dicom.decode import Samples
from usfm.extract.readers.dicom.headers import Header

SAMPLED = 16
"""Frames that are looked at, over the whole clip, where the header says nothing about brightness."""
DEPTHS = (8, 10, 12, 14, 16)
MOST_TABLE = 1 << 16


@dataclass(frozen=True)
class Window:
    """What brings modality values to 0..1.

    Attributes:
        function: linear, linear_exact, sigmoid or table.
        center: Of the window.
        width: Of the window.
        table: 0..1 by value from ``first`` on, for a table.
        first: Value of its first entry.
    """

    function: str
    center: float = 0.0
    width: float = 1.0
    table: tuple[float, ...] = ()
    first: int = 0


@dataclass(frozen=True)
class Tone:
    """How gray samples of one source become eight bits.

    Attributes:
        slope: Modality value of one step of a sample.
        intercept: Modality value of sample 0.
        modality: Modality values by sample from ``modality_first`` on, in place of slope and intercept.
        modality_first: Sample of its first entry.
        window: From the header; None where it has none that makes sense.
        inverse: Whether the least value is white.
    """

    slope: float = 1.0
    intercept: float = 0.0
    modality: tuple[float, ...] = ()
    modality_first: int = 0
    window: Window | None = None
    inverse: bool = False

    @property
    def plain(self) -> bool:
        """Whether samples of eight bits without a sign are the picture as they stand."""
        return self.window is None and self.slope > 0


def tone(header: Header, colour: str) -> Tone:
    """Read what the header says about brightness; of several windows the first counts, for all frames alike.

    Args:
        header: The header.
        colour: Its photometric interpretation.

    Returns:
        What it says; all at its default where it says nothing.
    """
    groups = [header.data]
    for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in header.items(sequence)[:1]:
            groups += header.items("FrameVOILUTSequence", item)[:1]
            groups += header.items("PixelValueTransformationSequence", item)[:1]
    slope, intercept = 1.0, 0.0
    for group in groups:
        if header.number("RescaleSlope", 0, group):
            slope, intercept = header.number("RescaleSlope", 1, group), header.number("RescaleIntercept", 0, group)
    modality, first = _table(header, header.items("ModalityLUTSequence"), scaled=False)
    window = next((found for group in groups if (found := _window(header, group)) is not None), None)
    return Tone(slope, intercept, modality, first, window, colour == "MONOCHROME1")


def span(tone_: Tone, frames: Iterable[Samples]) -> tuple[float, float]:
    """Return the modality values that become 0 and 255 of a clip whose header has no window.

    Where no sample is negative, 0 is black, and the least of 8, 10, 12, 14 and 16 bits that holds all samples looked
    at is white, as displays of such depths show it. Else the least and the largest sample are black and white.

    Args:
        tone_: What the header says.
        frames: Some of the clip.

    Returns:
        (black, white); (0, 255) without frames.
    """
    low, high, bits = np.inf, -np.inf, 8
    for frame in frames:
        low, high, bits = min(low, float(frame.values.min())), max(high, float(frame.values.max())), frame.bits
    if not np.isfinite(low):
        return 0.0, 255.0
    if low >= 0:
        most = max(bits, 8) if bits not in (16, 32) else 16
        depth = next((one for one in DEPTHS if high < 2**one), bits)
        low, high = 0.0, float(2 ** (most if bits < 16 and most >= depth else depth) - 1)
    if tone_.modality:
        return min(tone_.modality), max(tone_.modality)
    ends = low * tone_.slope + tone_.intercept, high * tone_.slope + tone_.intercept
    return min(ends), max(ends)


def shown(samples: Samples, tone_: Tone, low: float, high: float) -> np.ndarray:
    """Bring the samples of one frame to uint8 (H, W).

    Args:
        samples: One sample a pixel.
        tone_: What the header says.
        low: Modality value of black, from ``span``; not asked where there is a window.
        high: Modality value of white.

    Returns:
        uint8 (H, W).
    """
    values = samples.values
    if values.dtype == np.uint8 and tone_.plain and not tone_.modality and samples.bits == 8:
        return 255 - values if tone_.inverse else values
    if values.dtype.itemsize > 2:
        return _levels(values.astype(np.float64), tone_, low, high)
    return _table_of(values.dtype.str, tone_, low, high)[values.view(f"u{values.dtype.itemsize}")]


@lru_cache(maxsize=4)
def _table_of(kind: str, tone_: Tone, low: float, high: float) -> np.ndarray:
    """Return the level of every sample that there can be: far fewer than a clip has pixels."""
    width = np.dtype(kind).itemsize
    every = np.arange(1 << 8 * width, dtype=f"u{width}").view(np.dtype(kind).newbyteorder("="))
    return _levels(every.astype(np.float64), tone_, low, high)


def _levels(values: np.ndarray, tone_: Tone, low: float, high: float) -> np.ndarray:
    if tone_.modality:
        table = np.array(tone_.modality)
        values = table[np.clip(values - tone_.modality_first, 0, len(table) - 1).astype(np.int64)]
    else:
        values = values * tone_.slope + tone_.intercept
    part = _windowed(values, tone_.window) if tone_.window else (values - low) / max(high - low, 1e-12)
    part = np.clip(part, 0, 1)
    return np.rint(255 * (1 - part if tone_.inverse else part)).astype(np.uint8)


def _windowed(values: np.ndarray, window: Window) -> np.ndarray:
    """Bring modality values to 0..1 (DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    if window.function == "table":
        table = np.array(window.table)
        return table[np.clip(values - window.first, 0, len(table) - 1).astype(np.int64)]
    if window.function == "sigmoid":
        return 1 / (1 + np.exp(np.clip(-4 * (values - window.center) / window.width, -700, 700)))
    center, width = window.center, window.width
    if window.function == "linear":
        center, width = center - 0.5, width - 1
        if width == 0:
            return (values > center).astype(np.float64)
    return (values - center) / width + 0.5


def _window(header: Header, group: Any) -> Window | None:
    table, first = _table(header, header.items("VOILUTSequence", group), scaled=True)
    if table:
        return Window("table", table=table, first=first)
    function = header.text("VOILUTFunction", group).lower() or "linear"
    center, width = header.numbers("WindowCenter", group), header.numbers("WindowWidth", group)
    if not center or not width or width[0] < (1 if function == "linear" else 1e-9):
        return None
    return Window(function if function in ("linear_exact", "sigmoid") else "linear", center[0], width[0])


def _table(header: Header, items: list[Any], *, scaled: bool) -> tuple[tuple[float, ...], int]:
    """Return the values of the first table of a sequence, between 0 and 1 if scaled, and where it begins."""
    for item in items[:1]:
        told = header.numbers("LUTDescriptor", item)
        data = item.get("LUTData")
        if len(told) < 3 or data is None:
            continue
        entries, first, bits = int(told[0]) & 0xFFFF or MOST_TABLE, int(told[1]), int(told[2])
        if isinstance(data, (bytes, bytearray)):
            wide = len(data) >= 2 * entries
            kind = np.dtype((">u2" if header.big else "<u2") if wide else "u1")
            values = np.frombuffer(bytes(data), kind, min(entries, len(data) // kind.itemsize)).astype(float)
        else:
            values = np.array([float(one) for one in list(np.atleast_1d(data))[:entries]])
        if not len(values) or not 1 <= bits <= 16:
            continue
        return tuple((values / (2**bits - 1) if scaled else values).tolist()), first
    return (), 0
