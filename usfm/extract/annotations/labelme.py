"""LabelMe: a JSON file a picture, with polygons, rectangles, circles and small masks."""

import base64
import io
import json
import math
import os
from collections.abc import Iterable

import numpy as np

from usfm.extract.annotations.contract import (
    LARGEST_WHOLE_BYTES,
    Annotations,
    Faults,
    Marks,
    Shape,
    are_pairs,
    joined,
    numbers,
    split_of,
)
from usfm.imaging import polygon, rle

CIRCLE_POINTS = 128
NO_AREA = ("point", "points", "line", "linestrip")


def is_labelme(keys: Iterable[str]) -> bool:
    """Say whether the keys of a JSON object are those of LabelMe."""
    return {"shapes", "imagePath"} <= set(keys)


def read(files: Iterable[str], folder: str) -> Annotations:
    """Read LabelMe files as one set: a rectangle is a box, any other shape with an area is outline and box.

    Args:
        files: Their paths.
        folder: That paths are told below.

    Returns:
        The set.
    """
    files = tuple(files)
    faults, pictures = Faults(), []
    for path in files:
        data = _data(path, faults)
        if data is not None:
            pictures.append(_record(path, data, folder, faults))
    every = [name for one in pictures for name in (*one.box_names, *(shape.name for shape in one.shapes))]
    return Annotations("LabelMe", tuple(pictures), tuple(sorted(joined(every))), folder, faults, files)


def _data(path: str, faults: Faults) -> dict | None:
    try:
        if os.path.getsize(path) > LARGEST_WHOLE_BYTES:
            faults.add("file that is too large")
            return None
        with open(path, "rb") as file:
            text = file.read()
        data = json.loads(text.decode("utf-8-sig", "replace"))  # notes in it may be in another coding
    except (OSError, ValueError, RecursionError):
        faults.add("file that is no JSON")
        return None
    if not isinstance(data, dict) or not isinstance(data.get("shapes"), list):
        faults.add("JSON file of another kind")
        return None
    return data


def _record(path: str, data: dict, folder: str, faults: Faults) -> Marks:
    below = os.path.splitext(os.path.relpath(path, folder).replace(os.sep, "/"))[0]
    sides = numbers([data.get("imageHeight"), data.get("imageWidth")])
    size = (int(sides[0]), int(sides[1])) if sides and min(sides) >= 1 else None
    name = data.get("imagePath")
    name = name.replace("\\", "/") if isinstance(name, str) and name else ""
    where = os.path.normpath(os.path.join(os.path.dirname(below), name)).replace(os.sep, "/") if name else below
    boxes, names, shapes = [], [], []
    for number, row in enumerate(data["shapes"], 1):
        label = row.get("label") if isinstance(row, dict) else None
        if not isinstance(label, str | int) or not str(label).strip():
            faults.add("shape without label", f"shape {number}")
            continue
        label = str(label).strip()
        kind = row.get("shape_type") or "polygon"
        if kind in NO_AREA:
            faults.add("point or line, which has no area", f"shape {number}")
            continue
        shape, box = _mask(row, label, size) if kind == "mask" else _drawn(row, label, kind)
        if box is None:
            faults.add("shape that cannot be read", f"shape {number}")
            continue
        boxes.append(box)
        names.append(label)
        if shape is not None:
            shapes.append(shape)
    found = np.array(boxes, np.float64).reshape(-1, 4)
    split = split_of(os.path.dirname(below))
    return Marks(where, size, found, tuple(names), tuple(shapes), split, bare=not name, beside=below)


def _drawn(row: dict, label: str, kind: object) -> tuple[Shape | None, tuple | None]:
    """Read a shape made of points: the outline, where it has one of its own, and the box."""
    points = row.get("points")
    flat = [value for point in points or () for value in point] if are_pairs(points) else None
    values = numbers(flat) if flat else None
    if values is None:
        return None, None
    ring = np.array(values).reshape(-1, 2)
    if kind == "rectangle":
        return None, polygon.bounds((ring,)) if len(ring) in (2, 4) else None
    if kind == "circle":
        if len(ring) != 2:
            return None, None
        turns = np.arange(CIRCLE_POINTS) * (2 * math.pi / CIRCLE_POINTS)
        ring = ring[0] + np.hypot(*(ring[1] - ring[0])) * np.stack([np.cos(turns), np.sin(turns)], 1)
    if not 3 <= len(ring) <= polygon.MOST_POINTS:
        return None, None
    return Shape(label, (ring,)), polygon.bounds((ring,))


def _mask(row: dict, label: str, size: tuple[int, int] | None) -> tuple[Shape | None, tuple | None]:
    """Read a small mask: a PNG in text, whose corner the first point says."""
    from PIL import Image

    points = row.get("points")
    corner = numbers(points[0], 2) if are_pairs(points) and points else None
    text = row.get("mask")
    if corner is None or not isinstance(text, str) or size is None or size[0] * size[1] > rle.LARGEST_PX:
        return None, None
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",)) as image:
            if image.height > size[0] or image.width > size[1]:
                return None, None
            part = np.asarray(image.convert("L")) > 0
    except Exception:  # whatever a broken picture makes a decoder trip over
        return None, None
    whole = np.zeros(size, bool)
    left, top = round(corner[0]), round(corner[1])
    if left < 0 or top < 0 or top + part.shape[0] > size[0] or left + part.shape[1] > size[1] or not part.any():
        return None, None
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    rows, columns = np.nonzero(whole)
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    return Shape(label, (), rle.encode(whole), size), box
