"""Boxes and outlines in the forms in which collections have them, as one record a picture."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np

from usfm.errors import RequestError
from usfm.extract.annotations import coco, labelme, voc
from usfm.extract.annotations.contract import Annotations, Faults, Marks, Shape, are_pairs, numbers
from usfm.extract.annotations.match import WHOLE
from usfm.extract.layouts import pickled
from usfm.extract.layouts.contract import Outlines, Table
from usfm.extract.layouts.tables import each, json_of, lines_of
from usfm.extract.layouts.templates import fill
from usfm.imaging import polygon, rle

Record = tuple[dict[str, str], int, Marks]
"""Words for the key, number of the frame (`WHOLE` for a still), what is known."""
LARGEST_XML = 16 << 20


def records(root: str, files: Mapping[str, dict[str, str]], rule: Outlines, faults: Faults) -> Iterator[Record]:
    """Read files of boxes and outlines.

    Args:
        root: Of the layout.
        files: Path below the root -> groups of the rule's pattern.
        rule: How they are read.
        faults: Takes what cannot be used.

    Yields:
        A record for each picture or frame that a file tells of.

    Raises:
        RequestError: For a file that is damaged.
    """
    if rule.form in OF_OTHERS:
        known = OF_OTHERS[rule.form]([os.path.join(root, path) for path in files], root)
        for reason, count in known.faults.counts.items():
            faults.add(reason, times=count)
        for marks in known.pictures:
            name = marks.path.replace("\\", "/")
            beside = (marks.beside or name).replace("\\", "/")
            yield {"name": name, "beside": beside.rpartition("/")[2]}, WHOLE, _renamed(marks, rule)
        return
    for path, groups in files.items():
        own = replace(rule, name=fill(rule.name, groups))
        for words, frame, marks in FORMS[rule.form](os.path.join(root, path), own, faults):
            yield groups | words, frame, _renamed(marks, rule)


def corners(left: float, top: float, right: float, bottom: float, name: str, path: str = "") -> Marks:
    """Return a record of one box.

    Args:
        left: Of the box, px.
        top: Of the box, px.
        right: Of the box, px.
        bottom: Of the box, px.
        name: Of its class.
        path: Of the picture, where it is known.

    Returns:
        The record.
    """
    return Marks(path, boxes=np.array([[left, top, right, bottom]], np.float64), box_names=(name,))


def _renamed(marks: Marks, rule: Outlines) -> Marks:
    if not rule.names:
        return marks
    shapes = tuple(replace(one, name=name) for one in marks.shapes if (name := rule.names.get(one.name, one.name)))
    kept = [(at, name) for at, old in enumerate(marks.box_names) if (name := rule.names.get(old, old))]
    return replace(
        marks, boxes=marks.boxes[[at for at, _ in kept]], box_names=tuple(name for _, name in kept), shapes=shapes
    )


def _outlined(name: str, points: Any, faults: Faults) -> tuple[Shape, ...]:
    """Return a polygon of a list of [x, y]."""
    flat = [value for point in points for value in point] if are_pairs(points) else []
    values = numbers(flat)
    if values is None or not 6 <= len(values) <= 2 * polygon.MOST_POINTS:
        faults.add("polygon of fewer than three points or of no numbers")
        return ()
    return (Shape(name, (np.array(values).reshape(-1, 2),)),)


def _points(path: str, rule: Outlines, faults: Faults) -> Iterator[Record]:
    """One file an outline: a JSON list of [x, y]."""
    try:
        points = json_of(path)
    except RequestError:  # one of many: the others are read
        faults.add("outline that is no JSON")
        return
    yield {}, WHOLE, Marks("", shapes=_outlined(rule.name, points, faults))


def _gbcu(path: str, rule: Outlines, faults: Faults) -> Iterator[Record]:
    """One file: name of the picture -> ``bbs``, a list of [class, [left, top, right, bottom]]."""
    data = json_of(path)
    for name, entry in data.items() if isinstance(data, dict) else ():
        rows = entry.get("bbs") if isinstance(entry, dict) else None
        boxes, names = [], []
        for row in rows if isinstance(rows, list) else ():
            box = numbers(row[1], 4) if isinstance(row, list) and len(row) == 2 else None
            if box is None:
                faults.add("box that cannot be read")
            else:
                boxes.append(box)
                names.append(str(row[0]))
        found = np.array(boxes, np.float64).reshape(-1, 4)
        yield {"name": str(name)}, WHOLE, Marks("", boxes=found, box_names=tuple(names))


def _json_lines(path: str, rule: Outlines, faults: Faults) -> Iterator[Record]:
    """One file a clip, a JSON object a line and frame: ``bounding_boxes``, each left, top, width, height."""
    import json

    for frame, line in enumerate(lines_of(path)):
        try:
            row = json.loads(line) if line.strip() else {}
        except (ValueError, RecursionError):
            faults.add("line that is no JSON")
            continue
        found = row.get("bounding_boxes") if isinstance(row, dict) else None
        if not isinstance(found, list):
            continue
        several = found if found and isinstance(found[0], list) else [found]
        rows = [box for one in several if (box := numbers(one, 4))]
        boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float64).reshape(-1, 4)
        yield {}, frame, Marks("", boxes=boxes, box_names=(rule.name,) * len(boxes))


def _chords(path: str, rule: Outlines, faults: Faults) -> Iterator[Record]:
    """One table for all clips: chords X1, Y1, X2, Y2 of a Frame; the first of each is the long axis."""
    rows = _of_frames(path, ("X1", "Y1", "X2", "Y2"), faults)
    for (name, frame), lines in rows.items():
        chords = np.array(lines[1:], np.float64)
        if len(chords) < 2:
            faults.add("tracing of fewer than two chords")
            continue
        ring = np.concatenate([chords[:, :2], chords[::-1, 2:]])
        yield {"name": name}, frame, Marks("", shapes=(Shape(rule.name, (ring,)),))


def _traced(path: str, rule: Outlines, faults: Faults) -> Iterator[Record]:
    """One table for all clips: points X, Y of a Frame."""
    for (name, frame), points in _of_frames(path, ("X", "Y"), faults).items():
        yield {"name": name}, frame, Marks("", shapes=_outlined(rule.name, [list(one) for one in points], faults))


def _of_frames(path: str, columns: tuple[str, ...], faults: Faults) -> dict[tuple[str, int], list[tuple[float, ...]]]:
    """Return (name, frame) -> points or chords, row by row: such a table may have half a million."""
    found: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for row in each(path, Table(file=path, form="csv")):
        lacks = [name for name in ("FileName", "Frame", *columns) if name not in row]
        if lacks:
            raise RequestError(f"{path}: has no column '{lacks[0]}', so it is of another release.")
        values = numbers([row[name] for name in columns])
        if not row["Frame"].isdecimal() or len(row["Frame"]) > 9 or values is None:
            faults.add("tracing without a frame")
            continue
        found.setdefault((row["FileName"], int(row["Frame"])), []).append(tuple(values))
    return found


def _svg_in_xml(path: str, rule: Outlines, faults: Faults) -> Iterator[Record]:
    """One XML file a case: each ``mark`` has ``image`` (a number) and ``svg``, JSON with lists of points x, y."""
    import json

    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_XML)
        if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
            raise ValueError("a document type of its own")
        top = ElementTree.fromstring(data)
    except (OSError, ValueError, ElementTree.ParseError):
        faults.add("file that is no XML")
        return
    for mark in top.iter("mark"):
        shapes: tuple[Shape, ...] = ()
        try:
            drawn = json.loads(mark.findtext("svg") or "[]")
        except (ValueError, RecursionError):
            faults.add("outline that is no JSON")
            continue
        for one in drawn if isinstance(drawn, list) else ():
            points = one.get("points") if isinstance(one, dict) else None
            pairs = [[p.get("x"), p.get("y")] for p in points or () if isinstance(p, dict)]
            shapes += _outlined(rule.name, pairs, faults)
        yield {"image": (mark.findtext("image") or "").strip()}, WHOLE, Marks("", shapes=shapes)


def _pickled(path: str, rule: Outlines, faults: Faults) -> Iterator[Record]:
    """One array file a picture, a pickled dict whose ``structures`` are masks of 0 and 1 by name."""
    try:
        areas = pickled.structures(path)
    except ValueError as error:
        faults.add(f"array file that is not read ({error})")
        return
    shapes = tuple(Shape(name, (), rle.encode(area), area.shape) for name, area in areas.items())
    yield {}, WHOLE, Marks("", shapes=shapes)


OF_OTHERS: dict[str, Callable[..., Annotations]] = {"coco": coco.read, "labelme": labelme.read, "voc": voc.read}
FORMS: dict[str, Callable[[str, Outlines, Faults], Iterator[Record]]] = {
    "points": _points, "gbcu": _gbcu, "json-lines": _json_lines, "chords": _chords, "traced": _traced,
    "svg-in-xml": _svg_in_xml, "pickled": _pickled,
}  # fmt: skip
