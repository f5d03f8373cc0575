"""CVAT's own XML ("CVAT for images"): one file with an element a picture, and boxes and polygons in it, in px."""

import os
from collections.abc import Iterable
from xml.etree import ElementTree

import numpy as np

from usfm.extract.annotations.contract import Annotations, Faults, Marks, Shape, joined, numbers, split_of
from usfm.imaging import polygon

LARGEST_XML = 1 << 29


def is_cvat(data: bytes) -> bool:
    """Say whether the beginning of a file is that of a CVAT file."""
    return b"<annotations" in data[:2000]


def read(files: Iterable[str], folder: str) -> Annotations:
    """Read CVAT files as one set, picture by picture.

    Args:
        files: Paths of the XML files.
        folder: That paths are told below.

    Returns:
        A record for each picture.
    """
    files, faults, pictures = tuple(files), Faults(), []
    for path in files:
        below = os.path.relpath(os.path.dirname(path) or ".", folder)
        if _too_large_or_odd(path, faults):
            continue
        try:
            for _, element in ElementTree.iterparse(path, events=("end",)):
                if element.tag == "image":
                    pictures.append(_record(element, below, faults))
                elif element.tag == "track":
                    faults.add("track of a video in CVAT's XML; export it as COCO or as images")
                if element.tag in ("image", "track"):
                    element.clear()
        except (OSError, ElementTree.ParseError, ValueError, LookupError, RecursionError):
            faults.add("file that is no XML")
    names = tuple(
        sorted(joined([name for one in pictures for name in (*one.box_names, *(s.name for s in one.shapes))]))
    )
    return Annotations("CVAT", tuple(pictures), names, folder, faults, files)


def _too_large_or_odd(path: str, faults: Faults) -> bool:
    """Entities can grow without bound, and stand before the first element."""
    try:
        if os.path.getsize(path) > LARGEST_XML:
            faults.add("file that is too large")
            return True
        with open(path, "rb") as file:
            head = file.read(1 << 16)
    except OSError:
        faults.add("file that is no XML")
        return True
    if b"<!ENTITY" in head or b"<!DOCTYPE" in head:
        faults.add("file with a document type of its own")
        return True
    return False


def _record(image: ElementTree.Element, below: str, faults: Faults) -> Marks:
    name = (image.get("name") or "").strip()
    sides = numbers([image.get("height"), image.get("width")])
    size = (int(sides[0]), int(sides[1])) if sides and min(sides) >= 1 else None
    boxes, names, shapes = [], [], []
    for thing in image:
        label = (thing.get("label") or "").strip()
        if thing.tag == "tag":
            continue
        if thing.tag == "box":
            corners = numbers([thing.get(key) for key in ("xtl", "ytl", "xbr", "ybr")])
            turned = numbers([thing.get("rotation") or "0"])
            if corners is None or not label or not turned or turned[0]:
                faults.add("object without box or name, or turned")
                continue
            boxes.append(corners)
            names.append(label)
        elif thing.tag == "polygon":
            points = [numbers(one.split(","), 2) for one in (thing.get("points") or "").split(";")]
            ring = np.array([one for one in points if one], np.float64).reshape(-1, 2)
            if not label or len(ring) < 3 or len(ring) < len(points) or len(ring) > polygon.MOST_POINTS:
                faults.add("polygon that is none")
                continue
            shapes.append(Shape(label, (ring,)))
            boxes.append([*ring.min(0).tolist(), *ring.max(0).tolist()])
            names.append(label)
        else:
            faults.add(f"{thing.tag[:20]} in CVAT's XML, which is no box and no polygon")
    split = (image.get("subset") or "").strip()
    found = np.array(boxes, np.float64).reshape(-1, 4)
    where = os.path.splitext(os.path.normpath(os.path.join(below, name)))[0]
    return Marks(name, size, found, tuple(names), tuple(shapes), split_of(split) or split_of(below), beside=where)
