"""COCO: one JSON file with images, annotations and categories; boxes, polygons, run lengths."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from usfm.errors import RequestError
from usfm.extract.annotations.contract import MOST_MARKS, Annotations, Faults, Marks, Shape, numbers, split_of
from usfm.extract.annotations.json_stream import JsonStream
from usfm.extract.manifest import SPLITS
from usfm.imaging import polygon

MASK_ONLY = "usfm_mask"
"""Key of an annotation that `usfm export` made of a label mask: its box is no label."""


@dataclass(slots=True)
class _Mark:
    number: int
    category: object
    box: tuple[float, float, float, float] | None
    rings: tuple[np.ndarray, ...] = ()
    runs: bytes | np.ndarray | None = None
    runs_size: tuple[int, int] = (0, 0)

    def key(self) -> tuple:
        return self.category, self.box, tuple(ring.tobytes() for ring in self.rings), _key(self.runs)


@dataclass
class _File:
    """What was read of one file so far, by image id."""

    images: dict[object, tuple[str, tuple[int, int] | None, str]] = field(default_factory=dict)
    categories: dict[object, str] = field(default_factory=dict)
    marks: dict[object, list[_Mark]] = field(default_factory=dict)
    seen: dict[object, object] = field(default_factory=dict)


def is_coco(keys: Iterable[str]) -> bool:
    """Say whether the keys of a JSON object are those of COCO."""
    return {"images", "annotations"} <= set(keys)


def read(files: Iterable[str], folder: str) -> Annotations:
    """Read COCO files as one set; the split is that of each image, of the file's name or of its folder.

    Args:
        files: Their paths.
        folder: That their own paths are told below.

    Returns:
        The set.

    Raises:
        RequestError: If one is no such file, or an id means two pictures or two classes.
    """
    files = tuple(files)
    faults, pictures, names = Faults(), [], {}
    for path in files:
        one = _read_file(path, faults)
        split = split_of(path[len(folder) :] if path.startswith(folder) else path)
        beside = os.path.relpath(os.path.dirname(path) or ".", folder)
        pictures += _records(one, split, faults, beside)
        names |= dict.fromkeys(one.categories.values())
    return Annotations("COCO", tuple(pictures), tuple(names), folder, faults, files)


def _read_file(path: str, faults: Faults) -> _File:
    one = _File()
    takers = {"images": _image, "categories": _category, "annotations": _annotation}
    try:
        with open(path, "rb") as handle:
            for key, value in JsonStream(handle).members():
                taker = takers.get(key)
                if taker is None or not isinstance(value, Iterable) or isinstance(value, str | dict):
                    continue
                for place, row in enumerate(value):
                    taker(one, row, place, faults, path)
    except (ValueError, OSError) as error:
        why = getattr(error, "strerror", None) or error
        raise RequestError(f"{path}: this COCO file cannot be read ({why}); write it again.") from None
    return one


def _image(one: _File, row: object, place: int, faults: Faults, path: str) -> None:
    row = row if isinstance(row, dict) else {}
    number, name = row.get("id"), row.get("file_name")
    if not _is_id(number) or not isinstance(name, str) or not name:
        faults.add("image without id or file name", f"image {place}")
        return
    sides = numbers([row.get("height"), row.get("width")])
    size = (int(sides[0]), int(sides[1])) if sides and min(sides) >= 1 else None
    split = row.get("split")
    found = name, size, SPLITS.get(split.lower(), "") if isinstance(split, str) else ""
    earlier = one.images.setdefault(number, found)
    if earlier != found:
        raise RequestError(f"{path}: the image id {_shown(number)} stands for two pictures; give each its own id.")
    if earlier is not found:
        faults.add("image listed twice", f"id {_shown(number)}")


def _category(one: _File, row: object, place: int, faults: Faults, path: str) -> None:
    number, name = (row.get("id"), row.get("name")) if isinstance(row, dict) else (None, None)
    if not _is_id(number) or not isinstance(name, str | int) or not str(name).strip():
        faults.add("category without id or name", f"category {place}")
        return
    name = str(name).strip()
    if one.categories.setdefault(number, name) != name:
        raise RequestError(f"{path}: the category id {_shown(number)} stands for two classes; give each its own id.")


def _annotation(one: _File, row: object, place: int, faults: Faults, path: str) -> None:
    if not isinstance(row, dict) or not _is_id(row.get("image_id")):
        faults.add("annotation without image id", f"annotation {place}")
        return
    box = numbers(row.get("bbox"), 4)
    corners = (box[0], box[1], box[0] + box[2], box[1] + box[3]) if box else None
    crowd = row.get("iscrowd") in (1, True)
    category = row.get("category_id")
    mark = _Mark(place, category if _is_id(category) else None, None if row.get(MASK_ONLY) or crowd else corners)
    _outline(mark, row.get("segmentation"), faults, place)
    if mark.box is None and mark.rings and not crowd and not row.get(MASK_ONLY):
        mark.box = polygon.bounds(mark.rings)
    if mark.box is None and not mark.rings and mark.runs is None:
        faults.add("annotation without box or outline", f"annotation {place}")
        return
    if _is_id(row.get("id")) and not _fresh(one, (row["id"], row["image_id"]), mark, faults):
        return
    if len(one.seen) > MOST_MARKS:
        raise RequestError(f"{path}: more than {MOST_MARKS:,} annotations; cut the file into several.")
    one.marks.setdefault(row["image_id"], []).append(mark)


def _fresh(one: _File, number: tuple, mark: _Mark, faults: Faults) -> bool:
    """Whether an annotation is not a repeat of the one with its id; another one under the same id is kept."""
    key = hash(mark.key())
    if number[0] not in one.seen:
        one.seen[number[0]] = number[1], key
        return True
    same = one.seen[number[0]] == (number[1], key)
    faults.add("annotation listed twice" if same else "annotation id twice, both kept", f"id {_shown(number[0])}")
    return not same


def _outline(mark: _Mark, found: object, faults: Faults, place: int) -> None:
    if isinstance(found, dict):
        size = numbers(found.get("size"), 2)
        counts = found.get("counts")
        runs = counts.encode("ascii", "replace") if isinstance(counts, str) else numbers(counts)
        if size is None or runs is None or not len(runs) or min(size) < 1:
            faults.add("run lengths that cannot be read", f"annotation {place}")
            return
        mark.runs = runs if isinstance(runs, bytes) else np.array(runs, np.int64)
        mark.runs_size = (int(size[0]), int(size[1]))
    elif isinstance(found, list):
        rings = []
        for ring in found if found and isinstance(found[0], list) else [found] if found else []:
            points = numbers(ring)
            if points is None or len(points) % 2 or len(points) < 6 or len(points) > 2 * polygon.MOST_POINTS:
                faults.add("polygon of fewer than three points or of no numbers", f"annotation {place}")
            else:
                rings.append(np.array(points).reshape(-1, 2))
        mark.rings = tuple(rings)


def _records(one: _File, split: str, faults: Faults, folder: str) -> Iterable[Marks]:
    """Give a record for each image, also for one without annotations: nothing is on it."""
    for number in one.marks.keys() - one.images.keys():
        faults.add("annotation of an image that is not listed", f"image id {_shown(number)}", len(one.marks[number]))
    for number, (name, size, own) in one.images.items():
        boxes, names, shapes = [], [], []
        for mark in one.marks.get(number, ()):
            known = one.categories.get(mark.category) if one.categories else str(mark.category)
            if known is None or mark.category is None:
                faults.add("class that the file does not name", f"annotation {mark.number}")
                continue
            if mark.box is not None:
                boxes.append(mark.box)
                names.append(known)
            if mark.rings or mark.runs is not None:
                shapes.append(Shape(known, mark.rings, mark.runs, mark.runs_size))
        beside = os.path.splitext(os.path.join(folder, name.replace("\\", "/")))[0]
        found = np.array(boxes, np.float64).reshape(-1, 4)
        yield Marks(name, size, found, tuple(names), tuple(shapes), own or split, beside=beside)


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _key(runs: object) -> object:
    return runs.tobytes() if isinstance(runs, np.ndarray) else runs


def _shown(number: object) -> str:
    """An id as a message shows it: a number, never a text, which may be a name."""
    return str(number)[:20] if isinstance(number, int) else "(a text)"
