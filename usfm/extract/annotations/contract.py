"""What an annotation file says about one picture, whatever its format; and what of it could not be used."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

LARGEST_BYTES = 1 << 32
"""Of a file that is read piece by piece."""
LARGEST_WHOLE_BYTES = 256 << 20
"""Of a file that is read in one go."""
MOST_MARKS = 5_000_000
"""Boxes and outlines of one set; more would not fit into memory."""
SHOWN = 3


@dataclass(frozen=True)
class Shape:
    """One outlined structure.

    Attributes:
        name: Of its class.
        rings: Polygons, each (n, 2) x, y in px of the picture (or 0..1 where the record is relative); their union.
        runs: Run lengths, packed or as int64, instead of polygons.
        runs_size: (height, width) that the run lengths are of.
    """

    name: str
    rings: tuple[np.ndarray, ...] = ()
    runs: bytes | np.ndarray | None = None
    runs_size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Marks:
    """What is known about one picture.

    Attributes:
        path: Of the picture, as written.
        size: (height, width) of the picture as the file has it, px; None where it says nothing.
        boxes: float64 (k, 4): left, top, right, bottom in px; in shares of the picture where ``relative``.
        box_names: Class of each box.
        shapes: Outlined structures, in the order of the file.
        split: train, val, test or "".
        relative: Whether coordinates are shares of width and height.
        bare: Whether ``path`` has no suffix because the file does not say it.
        beside: Path of the file that says it, without its suffix, where the picture may lie beside it; else "".
    """

    path: str
    size: tuple[int, int] | None = None
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    box_names: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    split: str = ""
    relative: bool = False
    bare: bool = False
    beside: str = ""


@dataclass
class Faults:
    """What could not be used: how often, and the first few by place."""

    counts: Counter = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, place: object = "", times: int = 1) -> None:
        """Count a fault.

        Args:
            reason: Short, the same for the same cause.
            place: A number or a line, never a name; "" for none.
            times: How often.
        """
        self.counts[reason] += times
        shown = self.places.setdefault(reason, [])
        if len(shown) < SHOWN and place != "":
            shown.append(str(place)[:60])


@dataclass(frozen=True)
class Annotations:
    """All that a file or folder of annotations says.

    Attributes:
        kind: COCO, YOLO, VOC, LabelMe or CVAT.
        pictures: One record a picture, in the order of the file.
        names: Classes in the order of their numbers (COCO, YOLO), else by name.
        folder: Folder that paths are relative to.
        faults: What was left out.
        files: The files that were read, in order: what they hold decides the result.
    """

    kind: str
    pictures: tuple[Marks, ...]
    names: tuple[str, ...]
    folder: str
    faults: Faults
    files: tuple[str, ...]


def are_pairs(points: object) -> TypeGuard[list[list]]:
    """Say whether a JSON value is a list of pairs, such as points are."""
    return isinstance(points, list) and all(isinstance(point, list) and len(point) == 2 for point in points)


def numbers(values: object, count: int = 0) -> list[float] | None:
    """Return finite floats of a list of JSON numbers or of texts, None where it is none, or not of ``count``.

    Args:
        values: Any JSON value.
        count: How many there must be, 0 for any number.

    Returns:
        The floats, or None.

    Example:
        >>> numbers([1, 2.5]), numbers(["1", "x"]), numbers([1, True]), numbers([1], 4)
        ([1.0, 2.5], None, None, None)
    """
    if not isinstance(values, list | tuple) or (count and len(values) != count):
        return None
    try:
        found = [math.nan if isinstance(value, bool) else float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(map(math.isfinite, found)) else None


def split_of(path: str) -> str:
    """Return the split that the last telling word of a path says, "" for none.

    Example:
        >>> split_of("set/train/labels"), split_of("annotations/instances_val2017.json"), split_of("a/trainee.json")
        ('train', 'val', '')
    """
    import re

    from usfm.extract.manifest import SPLITS

    words = re.findall(r"[^\W\d_]+", path.lower())
    return next((SPLITS[word] for word in reversed(words) if word in SPLITS and word != "dev"), "")


def joined(names: Sequence[str]) -> tuple[str, ...]:
    """Return names without repeats, in order."""
    return tuple(dict.fromkeys(name for name in names if name))
