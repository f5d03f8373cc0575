"""Boxes, and for COCO masks, as the annotation files of COCO and YOLO."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from usfm.imaging import rle
from usfm.store.reader import Store

COCO_FILE = "annotations.json"
IGNORED = "(ignored)"
"""Category of the pixels of a mask that nobody judged."""
_SPLIT = {"train": "train", "val": "val", "test": "test", "": "unassigned"}


def structures(mask: np.ndarray, names: list[str], kind: str) -> Iterator[tuple[str, np.ndarray]]:
    """Give the name and the area, bool (H, W), of each structure of a label mask; `IGNORED` for what is ignored.

    Args:
        mask: uint8 (H, W).
        names: of the structures, in the order of their numbers; [] where they have none.
        kind: index or bits.

    Yields:
        (name, area) of each structure that is there; a structure without a name has its number.

    Example:
        >>> [(name, int(area.sum())) for name, area in structures(np.array([[0, 2, 255]], np.uint8), [], "index")]
        [('2', 1), ('(ignored)', 1)]
    """
    if kind == "bits":
        for bit, name in enumerate(names):
            area = (mask >> bit & 1).astype(bool)
            if area.any():
                yield name, area
        return
    for value in np.unique(mask).tolist():
        if value == 255:
            yield IGNORED, mask == value
        elif value:
            yield names[value - 1] if names else str(value), mask == value


class Coco:
    """Writes a COCO file while frames come.

    Args:
        folder: Of the export.
        store: What is exported.
    """

    def __init__(self, folder: Path, store: Store):
        self._store = store
        names = [*store.box_names, *(store.mask_names or map(str, range(1, 255)))] if store.has_masks().any() else [
            *store.box_names
        ]  # fmt: skip
        names += [IGNORED] if store.has_masks().any() else []
        self._height, self._width = store.column("height"), store.column("width")
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(names), 1)}
        self._images: list[dict] = []
        self._annotations: list[dict] = []
        self._folder = folder

    def add(self, i: int, file: str, split: str) -> None:
        """Take the boxes and the mask of frame ``i``.

        Args:
            i: frame of the store.
            file: its picture, relative to the folder.
            split: of the frame, "" for none.
        """
        store, number = self._store, len(self._images) + 1
        height, width = int(self._height[i]), int(self._width[i])
        image = {"id": number, "file_name": file, "height": height, "width": width}
        self._images.append(image | ({"split": split} if split else {}))
        xyxy, classes = store.boxes(i)
        scores = store.box_scores(i).astype(np.float64).tolist()
        for box, c, score in zip(xyxy.astype(np.float64), classes.tolist(), scores, strict=True):
            if c >= 0:
                left, top, right, bottom = box.tolist()
                more = {"score": score} if math.isfinite(score) else {}
                self._one(number, store.box_names[c], [left, top, right - left, bottom - top], more)
        mask = store.label_mask(i)
        for name, area in structures(mask, store.mask_names, store.mask_kind) if mask is not None else ():
            rows, columns = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
            box = [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]
            runs = {"size": [height, width], "counts": rle.encode_text(area)}
            self._one(number, name, box, {"segmentation": runs, "area": int(area.sum()), "usfm_mask": True})

    def _one(self, image: int, name: str, box: list, more: dict) -> None:
        one = {"id": len(self._annotations) + 1, "image_id": image, "category_id": self._numbers[name], "bbox": box}
        self._annotations.append(one | {"area": box[2] * box[3], "iscrowd": 0} | more)

    def write(self) -> list[str]:
        """Write the file; returns its name."""
        used = {one["category_id"] for one in self._annotations} | set(range(1, len(self._store.box_names) + 1))
        named = set(self._store.mask_names) | set(self._store.box_names)
        categories = [{"id": n, "name": name} for name, n in self._numbers.items() if n in used or name in named]
        data = {"info": {"description": "made by usfm export"}, "images": self._images,
                "annotations": self._annotations, "categories": categories}  # fmt: skip
        (self._folder / COCO_FILE).write_text(json.dumps(data), encoding="utf-8")
        return [COCO_FILE]


class Yolo:
    """Writes a YOLO label file beside each picture's folder, and the file of the data set.

    Args:
        folder: Of the export.
        store: What is exported.
    """

    def __init__(self, folder: Path, store: Store):
        self._folder, self._store, self._splits = folder, store, set()
        self._height, self._width, self._boxed = store.column("height"), store.column("width"), store.has_boxes()

    def place(self, split: str, stem: str) -> str:
        """Return where the picture of a frame lies.

        Args:
            split: of the frame; YOLO has its own words for them.
            stem: name of the picture without its ending.

        Returns:
            A path, relative to the folder.
        """
        self._splits.add(_SPLIT.get(split, "unassigned"))
        return f"images/{_SPLIT.get(split, 'unassigned')}/{stem}.png"

    def add(self, i: int, file: str, split: str) -> None:
        """Write the boxes of frame ``i``; a frame whose boxes are not known gets no file.

        Args:
            i: frame of the store.
            file: its picture, from `place`.
            split: of the frame; the folder of the picture says it already.
        """
        store = self._store
        if not self._boxed[i]:
            return
        height, width = float(self._height[i]), float(self._width[i])
        lines = []
        xyxy, classes = store.boxes(i)
        for (left, top, right, bottom), c in zip(xyxy.astype(np.float64).tolist(), classes.tolist(), strict=True):
            if c >= 0:
                x, y = (left + right) / 2 / width, (top + bottom) / 2 / height
                lines.append(f"{c} {x:.10f} {y:.10f} {(right - left) / width:.10f} {(bottom - top) / height:.10f}\n")
        path = self._folder / Path("labels", *Path(file).parts[1:]).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8")

    def write(self) -> list[str]:
        """Write ``data.yaml``; returns its name, nothing where no frame's boxes are known."""
        import yaml

        splits = {name: f"images/{name}" for name in sorted(self._splits)}
        train = {"train": "images/train"} if "train" in splits else {"train": "images"}
        names = dict(enumerate(self._store.box_names))
        text = yaml.safe_dump({"path": ".", **train, "val": splits.get("val", "images"), **splits, "names": names},
                              allow_unicode=True, sort_keys=False)  # fmt: skip
        (self._folder / "data.yaml").write_text(text, encoding="utf-8")
        return ["data.yaml"] if self._boxed.any() else []
