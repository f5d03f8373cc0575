"""Which kind of annotations lies in a file or a folder, by its content; and reading them."""

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace

from usfm.errors import RequestError
from usfm.extract.annotations import coco, cvat, labelme, voc, yolo, zipped
from usfm.extract.annotations.contract import LARGEST_BYTES, Annotations
from usfm.extract.annotations.json_stream import JsonStream
from usfm.extract.manifest import SPLITS

HEAD = 4096
MOST_FILES = 2_000_000
WANTED = "COCO, YOLO (with its data.yaml), Pascal VOC, LabelMe or CVAT"
_SUFFIXES = (".json", ".xml", ".txt", ".yaml", ".yml", ".names", ".labels")


@dataclass
class _Held:
    """Files of a folder by what they are."""

    kinds: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    empty: list[str] = field(default_factory=list)
    yamls: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)


def read(path: str) -> Annotations:
    """Read annotations of any kind.

    Args:
        path: A file, a zip of them, or a folder that is searched to the bottom.

    Raises:
        RequestError: If nothing is there, or it is none of the kinds, or several.
    """
    if os.path.isfile(path) and zipped.is_zip(path):
        with zipped.unpacked(path, _SUFFIXES) as folder:
            found = _read(folder, path)
        return replace(found, folder=os.path.dirname(path) or ".", files=(path,))
    return _read(path, path)


def _read(path: str, shown: str) -> Annotations:
    """Read a file or a folder; ``shown`` is what the user calls it."""
    if os.path.isdir(path):
        held, folder = _held(path), path
    elif os.path.isfile(path):
        held, folder = _one(path), os.path.dirname(path) or "."
    else:
        raise RequestError(f"{path}: there is no such file or folder of annotations; give --annotations another path.")
    kinds = {kind for kind, files in held.kinds.items() if files}
    if len(kinds) > 1:
        raise RequestError(
            f"{shown}: holds annotations of several kinds ({', '.join(sorted(kinds))}); give one of them."
        )
    if not kinds:
        raise RequestError(f"{shown}: no annotations are in it; they can be {WANTED}.")
    kind = kinds.pop()
    files = sorted(held.kinds[kind])
    if kind == "COCO":
        return coco.read(files, folder)
    if kind == "VOC":
        return voc.read(files, folder, sorted(held.lists))
    if kind == "LabelMe":
        return labelme.read(files, folder)
    if kind == "CVAT":
        return cvat.read(files, folder)
    return _yolo(shown, files, held, folder)


def _yolo(path: str, files: list[str], held: _Held, folder: str) -> Annotations:
    if len(held.yamls) > 1:
        top = min(each.count(os.sep) for each in held.yamls)
        held.yamls = [each for each in held.yamls if each.count(os.sep) == top]
    if len(held.yamls) > 1:
        raise RequestError(f"{path}: {len(held.yamls)} YAML files name classes; give the one that counts.")
    names = min(held.names, default="", key=lambda each: (each.count(os.sep), each)) if not held.yamls else ""
    return yolo.read(sorted([*files, *held.empty]), folder, *held.yamls, **({"names_path": names} if names else {}))


def _one(path: str) -> _Held:
    """What a single file is; a YAML or a label file speaks for the label files below or beside it."""
    held, folder = _Held(), os.path.dirname(path) or "."
    if path.lower().endswith((".yaml", ".yml")) and yolo.yaml_of(path) is not None:
        held = _held(folder)
        held.kinds = defaultdict(list, YOLO=held.kinds["YOLO"])
        held.yamls = [path]
        if not held.kinds["YOLO"] and not held.empty:
            raise RequestError(f"{path}: no label files lie below its folder; put it beside the folders of labels.")
        held.kinds["YOLO"] = held.kinds["YOLO"] or held.empty
        held.empty = [each for each in held.empty if each not in held.kinds["YOLO"]]
        return held
    _sort(path, held, named=True)
    if held.kinds.get("YOLO"):
        for name in yolo.NAME_FILES:
            held.names += [os.path.join(folder, name)] * os.path.isfile(os.path.join(folder, name))
    return held


def _held(folder: str) -> _Held:
    held, count = _Held(), 0

    def fail(error: OSError) -> None:
        raise RequestError(f"{error.filename}: this folder of annotations cannot be listed ({error.strerror}).")

    for where, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(names):
            if name.startswith(".") or not name.lower().endswith(_SUFFIXES):
                continue
            count += 1
            if count > MOST_FILES:
                raise RequestError(f"{folder}: more than {MOST_FILES:,} files of annotations; give a part of them.")
            _sort(os.path.join(where, name), held)
    return held


def _sort(path: str, held: _Held, named: bool = False) -> None:
    """Say what one file is by its beginning."""
    name = os.path.basename(path).lower()
    try:
        if not os.path.isfile(path):
            return
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        if named:
            raise RequestError(f"{path}: these annotations cannot be read ({error.strerror}).") from None
        return
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        if size > LARGEST_BYTES:
            raise RequestError(f"{path}: {size:,} bytes are too many for annotations; cut the file into several.")
        kind = _kind_of_json(path, text, named)
        if kind:
            held.kinds[kind].append(path)
    elif text[:1] == b"<" and cvat.is_cvat(text):
        held.kinds["CVAT"].append(path)
    elif text[:1] == b"<" and voc.is_voc(text):
        held.kinds["VOC"].append(path)
    elif name.endswith((".yaml", ".yml")):
        held.yamls += [path] * (yolo.yaml_of(path) is not None)
    elif name in yolo.NAME_FILES:
        held.names.append(path)
    elif name.endswith(".txt") and yolo.is_label_text(head):
        held.kinds["YOLO"].append(path)
    elif name.endswith(".txt") and os.path.splitext(name)[0] in SPLITS:
        held.lists.append(path)
    elif name.endswith(".txt") and not text:
        held.empty.append(path)


def _kind_of_json(path: str, head: bytes, named: bool) -> str:
    """Say what a JSON file is by the keys of its outer object; a file that is damaged says so when it was named."""
    keys: list[str] = []
    if head[:1] == b"{":
        try:
            with open(path, "rb") as file:
                for key, _ in JsonStream(file).members():
                    keys.append(key)
                    if coco.is_coco(keys) or labelme.is_labelme(keys) or len(keys) > 100:
                        break
        except (ValueError, OSError) as error:
            if coco.is_coco([*keys, "annotations"]) or coco.is_coco([*keys, "images"]):
                return "COCO"  # reading it says what is wrong
            if named or labelme.is_labelme([*keys, "shapes"]) or labelme.is_labelme([*keys, "imagePath"]):
                raise RequestError(f"{path}: this file is damaged JSON ({error}); write it again.") from None
            return ""
    if coco.is_coco(keys):
        return "COCO"
    return "LabelMe" if labelme.is_labelme(keys) else ""
