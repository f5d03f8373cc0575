"""Pascal VOC: an XML file a picture with the corners of its boxes, and lists of pictures for the splits."""

import os
from collections.abc import Iterable
from xml.etree import ElementTree

import numpy as np

from usfm.errors import RequestError
from usfm.extract.annotations.contract import Annotations, Faults, Marks, joined, numbers, split_of
from usfm.extract.manifest import SPLITS

LARGEST_XML = 16 << 20


def is_voc(data: bytes) -> bool:
    """Say whether the beginning of a file is that of a VOC file."""
    return b"<annotation" in data[:2000]


def read(files: Iterable[str], folder: str, lists: Iterable[str] = ()) -> Annotations:
    """Read VOC files as one set.

    VOC counts pixels from 1 and means the last pixel of a box, so a box is (xmin - 1, ymin - 1, xmax, ymax). Where any
    box of the set begins at 0, the set counts from 0, and the corners are taken as they are.

    Args:
        files: Paths of the XML files.
        folder: That paths are told below.
        lists: Text files called train, val, trainval or test, a name of a picture a line.

    Returns:
        The set.
    """
    files, lists = tuple(files), tuple(lists)
    faults, pictures = Faults(), []
    splits = _splits(lists)
    for path in files:
        root = _root(path, faults)
        if root is not None:
            pictures.append(_record(path, root, folder, splits, faults))
    corners = [one.boxes for one in pictures if len(one.boxes)]
    if corners and np.concatenate(corners)[:, :2].min() >= 1:
        for one in pictures:
            one.boxes[:, :2] -= 1
    names = tuple(sorted(joined([name for one in pictures for name in one.box_names])))
    return Annotations("VOC", tuple(pictures), names, folder, faults, (*files, *lists))


def _root(path: str, faults: Faults) -> ElementTree.Element | None:
    try:
        if os.path.getsize(path) > LARGEST_XML:
            faults.add("file that is too large")
            return None
        with open(path, "rb") as file:
            data = file.read()
        if b"<!ENTITY" in data or b"<!DOCTYPE" in data:  # entities can grow without bound
            faults.add("file with a document type of its own")
            return None
        root = ElementTree.fromstring(data)
    except (OSError, ElementTree.ParseError, ValueError, LookupError, RecursionError):
        faults.add("file that is no XML")
        return None
    if root.tag != "annotation":
        faults.add("XML file of another kind")
        return None
    return root


def _record(path: str, root: ElementTree.Element, folder: str, splits: dict[str, str], faults: Faults) -> Marks:
    below = os.path.splitext(os.path.relpath(path, folder).replace(os.sep, "/"))[0]
    stem = below.rsplit("/", 1)[-1]
    name = (root.findtext("filename") or "").strip() or stem
    inside = (root.findtext("folder") or "").strip()
    sides = numbers([root.findtext("size/height"), root.findtext("size/width")])
    size = (int(sides[0]), int(sides[1])) if sides and min(sides) >= 1 else None
    boxes, names = [], []
    for number, thing in enumerate(root.iterfind("object"), 1):
        corners = numbers([thing.findtext(f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")])
        label = (thing.findtext("name") or "").strip()
        if corners is None or not label:
            faults.add("object without box or name", f"object {number}")
            continue
        boxes.append(corners)
        names.append(label)
    split = splits.get(stem, "") or splits.get(os.path.splitext(name)[0], "") or split_of(os.path.dirname(below))
    where = f"{inside}/{name}" if inside and "/" not in name and "\\" not in name else name
    found = np.array(boxes, np.float64).reshape(-1, 4)
    return Marks(where, size, found, tuple(names), (), split, bare="." not in name, beside=below)


def _splits(lists: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in lists:
        split = SPLITS.get(os.path.splitext(os.path.basename(path))[0].lower(), "")
        if not split or os.path.getsize(path) > LARGEST_XML:
            continue
        try:
            with open(path, encoding="utf-8-sig", errors="replace") as file:
                stems = [line.split()[0] for line in file if line.strip()]
        except OSError as error:
            raise RequestError(f"{path}: this list of pictures cannot be read ({error.strerror}).") from None
        found.update({stem: split for stem in stems})
    return found
