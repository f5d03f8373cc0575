"""Boxes that a manifest says: its column ``boxes``, beside what annotations say."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from usfm.extract.annotations.contract import Marks, numbers
from usfm.extract.annotations.match import WHOLE
from usfm.extract.imported import Imported
from usfm.extract.labels import Facts

NAMELESS = "object"
"""Class of a box that says none, of a picture without a class."""

FAULT = "box of the manifest that cannot be read"
BOTH = "boxes of a manifest whose picture has annotations, which count"
_LONGEST = 1 << 20
_PLACES = ("xyxy", "xyxy_px", "box", "bbox", "bndbox")
_NAMES = ("class", "label", "name", "category")


def added(extra: Imported, facts: Mapping[str, Facts]) -> Imported:
    """Put the boxes of a manifest beside the labels of other files.

    Args:
        extra: What annotations and masks say.
        facts: Relative path of a source -> what its row says.

    Returns:
        The same, with the boxes and with what of them was left out.
    """
    left, of, found = Counter(extra.left), dict(extra.matched.of), 0
    for source, one in facts.items():
        if not one.boxes:
            continue
        marks, wrong = marks_of(one.boxes, one.label or NAMELESS)
        left[FAULT] += wrong
        if marks is None:
            continue
        if source in of:
            left[BOTH] += 1
            continue
        of[source] = {WHOLE: marks}
        found += len(marks.boxes)
    if len(of) == len(extra.matched.of) and left == Counter(extra.left):
        return extra
    return replace(extra, matched=replace(extra.matched, of=of), left=dict(+left), boxes=found)


def marks_of(cell: str, name: str) -> tuple[Marks | None, int]:
    """Read a cell.

    Args:
        cell: ``x0 y0 x1 y1 [class]``, several with ``;`` between, or JSON: a list of such lists, or of objects with
            ``xyxy`` and ``class``; left, top, right, bottom edge in px. ``[]``: there are no boxes.
        name: Class of boxes that say none.

    Returns:
        The boxes, None where not one can be read; and how many could not be.

    Example:
        >>> marks_of("1 2 30 40 big cyst; 5,6,7,8", "object")[0].box_names
        ('big cyst', 'object')
        >>> marks_of("here", "object")
        (None, 1)
    """
    text = cell.strip()
    if len(text) > _LONGEST:
        return None, 1
    if text.startswith(("[", "{")):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None, 1
        lone = isinstance(found, dict) or (len(found) in (4, 5) and all(isinstance(n, (int, float)) for n in found[:4]))
        found = [found] if lone else found
        rows = [_of_json(one) for one in found]
    else:
        rows = [_of_text(one) for one in text.split(";") if one.strip()]
    kept = [(box, label or name) for box, label in filter(None, rows)]
    wrong = len(rows) - len(kept)
    if not kept and wrong:
        return None, wrong
    boxes = np.array([box for box, _ in kept], np.float64).reshape(-1, 4)
    return Marks("", boxes=boxes, box_names=tuple(label for _, label in kept)), wrong


def _of_text(text: str) -> tuple[list[float], str] | None:
    pieces = re.split(r"[\s,]+", text.strip(), maxsplit=4)
    box = numbers(pieces[:4], 4)
    return None if box is None else _box(box, pieces[4].strip() if len(pieces) > 4 else "")


def _of_json(one: object) -> tuple[list[float], str] | None:
    label: object = ""
    if isinstance(one, dict):
        label = next((one[key] for key in _NAMES if key in one), "")
        one = next((one[key] for key in _PLACES if key in one), None)
    if isinstance(one, list) and len(one) == 5:
        one, label = one[:4], one[4]
    box = numbers(one, 4)
    told = str(label).strip() if isinstance(label, (str, int)) and not isinstance(label, bool) else None
    return None if box is None or told is None else _box(box, told)


def _box(box: list[float], label: str) -> tuple[list[float], str] | None:
    return (box, label) if box[0] < box[2] and box[1] < box[3] else None
