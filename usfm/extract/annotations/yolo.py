"""YOLO: a text file a picture, a line an object: class, centre and size, or class and polygon, in shares."""

import os
import re
from collections.abc import Iterable

import numpy as np

from usfm.errors import RequestError
from usfm.extract.annotations.contract import Annotations, Faults, Marks, Shape, numbers, split_of
from usfm.extract.manifest import SPLITS
from usfm.imaging import polygon

LARGEST_TEXT = 16 << 20
LARGEST_YAML = 1 << 20
NAME_FILES = ("classes.txt", "obj.names", "_darknet.labels", "classes.names")
_LINE = re.compile(rb"\s*\d+(\s+[-+.\deE]+){4,}\s*\Z")


def is_label_text(data: bytes) -> bool:
    """Say whether a text file begins as a label file does: one of its first lines is a class and some numbers."""
    return any(_LINE.match(line) for line in data.split(b"\n")[:5])


def yaml_of(path: str) -> dict | None:
    """Return the data set that a YAML file describes, None where it is no such file."""
    import yaml

    try:
        if os.path.getsize(path) > LARGEST_YAML:
            return None
        with open(path, "rb") as file:
            found = yaml.safe_load(file)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("names"), list | dict) else None


def names_of(data: dict, path: str) -> dict[int, str]:
    """Return number -> class of a YAML file.

    Args:
        data: The file, read; it has the key ``names``.
        path: Of the file, for errors.

    Returns:
        The classes.

    Raises:
        RequestError: For names that are none.
    """
    found = data["names"]
    rows = found.items() if isinstance(found, dict) else enumerate(found)
    names = {}
    for number, name in rows:
        if not isinstance(name, str | int) or not str(number).isdigit():
            raise RequestError(f"{path}: its 'names' are no list of classes; write names: [first, second].")
        names[int(number)] = str(name).strip() or str(number)
    return names


def read(texts: Iterable[str], folder: str, yaml_path: str = "", names_path: str = "") -> Annotations:
    """Read label files as one set.

    Args:
        texts: Paths of the label files.
        folder: That paths are told below.
        yaml_path: File that names the classes, and the folders of the splits; "" for none.
        names_path: File with a class a line, where there is no YAML.

    Returns:
        The set.

    Raises:
        RequestError: If a file of names cannot be read.
    """
    texts = tuple(texts)
    data = (yaml_of(yaml_path) if yaml_path else None) or {}
    names = names_of(data, yaml_path) if data else _names_from(names_path) if names_path else {}
    splits = _splits(data)
    faults, pictures = Faults(), []
    for path in texts:
        below = os.path.relpath(path, folder).replace(os.sep, "/")
        pictures.append(_read_text(path, below, names, _split(below, splits), faults))
    used = sorted({name for one in pictures for name in (*one.box_names, *(shape.name for shape in one.shapes))})
    ordered = tuple(dict.fromkeys(names[number] for number in sorted(names))) if names else tuple(used)
    files = (*(path for path in (yaml_path, names_path) if path), *texts)
    return Annotations("YOLO", tuple(pictures), ordered, folder, faults, files)


def _names_from(path: str) -> dict[int, str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read(LARGEST_YAML).splitlines()
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: the names of the classes cannot be read ({error}).") from None
    return {number: line.strip() or str(number) for number, line in enumerate(lines) if line.strip()}


def _splits(data: dict) -> dict[str, str]:
    """Folder -> split, as the YAML says: the parts of its paths that are no dots and no `images`."""
    found = {}
    for key, value in data.items():
        split = SPLITS.get(str(key).lower(), "")
        for path in value if isinstance(value, list) else [value]:
            if split and isinstance(path, str):
                parts = [part for part in re.split(r"[/\\]", path) if part not in ("", ".", "..", "images")]
                found["/".join(parts[-1:])] = split
    return found


def _split(below: str, splits: dict[str, str]) -> str:
    parts = below.split("/")[:-1]
    return next((splits[part] for part in reversed(parts) if part in splits), "") or split_of("/".join(parts))


def picture_of(below: str) -> str:
    """Return the path, without suffix, of the picture that a label file is about: `images` in place of `labels`.

    Example:
        >>> picture_of("train/labels/a.txt"), picture_of("labels/val/b.c.txt"), picture_of("x.txt")
        ('train/images/a', 'images/val/b.c', 'x')
    """
    parts = below[: -len(".txt")].split("/") if below.endswith(".txt") else os.path.splitext(below)[0].split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "labels":
            parts[place] = "images"
            break
    return "/".join(parts)


def _read_text(path: str, below: str, names: dict[int, str], split: str, faults: Faults) -> Marks:
    place = os.path.splitext(below)[0]
    empty = Marks(picture_of(below), split=split, relative=True, bare=True, beside=place)
    try:
        if os.path.getsize(path) > LARGEST_TEXT:
            faults.add("label file that is too large")
            return empty
        with open(path, "rb") as file:
            lines = file.read().decode("utf-8-sig", "replace").splitlines()
    except OSError:
        faults.add("label file that cannot be read")
        return empty
    boxes, box_names, shapes = [], [], []
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        values = numbers(cells[1:])
        if values is None or not cells[0].isdecimal() or len(cells[0]) > 9:
            faults.add("line that is no object", f"line {number}")
            continue
        name = names.get(int(cells[0])) if names else str(int(cells[0]))
        if name is None:
            faults.add("class above the names", f"class {int(cells[0])} in line {number}")
        elif len(values) in (4, 5):  # five: a confidence stands behind
            x, y, width, height = values[:4]
            boxes.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
            box_names.append(name)
        elif len(values) >= 6 and len(values) % 2 == 0 and len(values) <= 2 * polygon.MOST_POINTS:
            ring = np.array(values).reshape(-1, 2)
            shapes.append(Shape(name, (ring,)))
            boxes.append(polygon.bounds((ring,)))
            box_names.append(name)
        else:
            faults.add("line that is no object", f"line {number}")
    found = np.array(boxes, np.float64).reshape(-1, 4)
    return Marks(empty.path, None, found, tuple(box_names), tuple(shapes), split, True, True, place)
