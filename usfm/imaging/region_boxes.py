"""The boxes that a DICOM file gives for its ultrasound: which are to be believed, and what the pixels say of others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the ends are not included."""

LEAST_SHARE = 0.02
"""Share of the picture from which a box is no icon or bar."""
INSIDE = 0.9
"""Share of a box in the picture from which it is believed; and in another box, from which it is a part of that one."""
_AWAY = 3
"""Pixels from the edge of a box to the line outside: boxes are drawn, and lines blurred, by as much."""
_TOUCHING = 0.1
"""Share of a box's edge along which a region must end for the edge to count."""
IMAGE, TISSUE, FLOW = 1, 1, 2
"""Spatial format of a picture; data types of tissue and of colour flow."""


@dataclass(frozen=True)
class Boxes:
    """The boxes of one picture.

    Attributes:
        sound: Those that lie in the picture, cut at its edges.
        stray: Those that leave it by more than a tenth, or lie outside, as the file has them.
    """

    sound: tuple[Box, ...] = ()
    stray: tuple[Box, ...] = ()


def read(regions: Sequence[dict], shape: tuple[int, int]) -> Boxes:
    """Sort the boxes of a file: those of tissue and colour flow, each once, without those that are part of another.

    Args:
        regions: Dicts with x0, y0, x1, y1 (pixels, ends included) and, where known, spatial_format and data_type.
        shape: (rows, columns) of the picture.

    Returns:
        The boxes to believe, and those that leave the picture.

    Example:
        >>> read([{"x0": 0, "y0": 0, "x1": 79, "y1": 59}, {"x0": 80, "y0": 0, "x1": 179, "y1": 59}], (60, 100))
        Boxes(sound=((0, 0, 80, 60),), stray=((80, 0, 180, 60),))
    """
    sound: list[Box] = []
    stray: list[Box] = []
    for entry in regions:
        if int(entry.get("spatial_format", 1) or 1) != IMAGE or int(entry.get("data_type", 1) or 1) not in (
            TISSUE,
            FLOW,
        ):
            continue
        whole = int(entry["x0"]), int(entry["y0"]), int(entry["x1"]) + 1, int(entry["y1"]) + 1
        if whole[0] >= whole[2] or whole[1] >= whole[3]:
            continue
        box = clipped(whole, shape)
        if area(box) < INSIDE * area(whole):
            stray.append(whole)
        elif area(box) >= LEAST_SHARE * shape[0] * shape[1]:
            sound.append(box)
    sound = list(dict.fromkeys(sound))
    sound = [box for box in sound if not any(other != box and _lies_in(box, other) for other in sound)]
    stray = [box for box in dict.fromkeys(stray) if not any(_lies_in(clipped(box, shape), other) for other in sound)]
    return Boxes(tuple(sound), tuple(stray))


def clipped(box: Box, shape: tuple[int, int]) -> Box:
    """Cut a box at the edges of a picture.

    Args:
        box: Anywhere.
        shape: (rows, columns) of the picture.

    Returns:
        What of it lies in the picture; of one that lies outside, a box without area.
    """
    left, top, right, bottom = box
    left, right = (min(max(side, 0), shape[1]) for side in (left, right))
    top, bottom = (min(max(side, 0), shape[0]) for side in (top, bottom))
    return left, top, right, bottom


def area(box: Box) -> int:
    """Return the pixels of a box."""
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def beside(stray: Box, sound: Sequence[Box], shape: tuple[int, int]) -> Box:
    """Return where to look for what a stray box means: of the four strips beside the sound boxes, its own.

    Args:
        stray: A box that leaves the picture.
        sound: The boxes that do not.
        shape: (rows, columns) of the picture.

    Returns:
        The strip that holds most of the box or, where none holds any of it, the one that lies towards it.

    Example:
        >>> beside((80, 0, 180, 60), [(0, 0, 50, 60)], (60, 100))
        (50, 0, 100, 60)
    """
    rows, columns = shape
    left, top = min(box[0] for box in sound), min(box[1] for box in sound)
    right, bottom = max(box[2] for box in sound), max(box[3] for box in sound)
    strips = ((right, 0, columns, rows), (0, 0, left, rows), (0, bottom, columns, rows), (0, 0, columns, top))
    away = (stray[0] + stray[2] - left - right, left + right - stray[0] - stray[2],
            stray[1] + stray[3] - top - bottom, top + bottom - stray[1] - stray[3])  # fmt: skip
    return max(zip(strips, away, strict=True), key=lambda one: (_shared(one[0], stray), one[1]))[0]


def goes_on(frame: np.ndarray, mask: np.ndarray, box: Box) -> bool:
    """Say whether the picture looks the same on both sides of an edge of a box, along the region that ends there.

    Args:
        frame: uint8 (H, W) or (H, W, 3).
        mask: bool (H, W), the region that was found inside the box.
        box: Of the file.

    Returns:
        Whether it does along any edge: then the box may cut the region.
    """
    gray = frame if frame.ndim == 2 else frame.max(2)
    left, top, right, bottom = box
    views = ((gray, mask, left, right, top, bottom), (gray.T, mask.T, top, bottom, left, right))
    for pixels, region, first, last, begin, end in views:  # lines before `begin` and from `end` on lie outside
        for inner, outer in ((begin, begin - 1 - _AWAY), (end - 1, end + _AWAY)):
            if not 0 <= outer < len(pixels):
                continue
            touching = region[inner, first:last]
            within, beyond = (_roughness(pixels[line, first:last][touching]) for line in (inner, outer))
            if touching.mean() >= _TOUCHING and beyond >= within / 2 > 0:
                return True
    return False


def _roughness(line: np.ndarray) -> float:
    return float(np.abs(np.diff(line.astype(np.int16))).mean()) if len(line) > 1 else 0.0


def _shared(one: Box, other: Box) -> int:
    return area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def _lies_in(inner: Box, outer: Box) -> bool:
    """Say whether a box is a part of another, as the box of colour flow is of that of tissue, but for a few pixels."""
    return 0 < area(inner) < area(outer) and _shared(inner, outer) >= INSIDE * area(inner)
