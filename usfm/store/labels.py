"""Labels of the frames of one part: class, several classes, mask, boxes, split, patch coverage."""

from collections.abc import Sequence

import h5py
import numpy as np

from usfm.store import digest
from usfm.store.codec import compress, pixel_digest
from usfm.store.part import Chunks, column
from usfm.store.schema import group_name


class Labels:
    """What `PartWriter` knows of its frames' labels; only what is there takes room.

    Args:
        class_names: names of the classes.
        box_names: names of the boxes' classes.
        patch: (size_px, patch_px) of the coverage.
        chunks: of the part, where label masks go.
    """

    def __init__(self, class_names: Sequence[str], box_names: Sequence[str], patch: tuple[int, int] | None,
                 chunks: Chunks):  # fmt: skip
        self.class_names, self.box_names = list(class_names), list(box_names)
        self.patch = patch
        self._numbers: dict[int, tuple[list[str], list[int]]] = {}
        self._class: dict[int, int] = {}
        self._multi: dict[int, np.ndarray] = {}
        self._mask_row: dict[int, tuple[str, int, str]] = {}
        self._chunks = chunks
        self._boxes: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._split: dict[int, str] = {}
        self._coverage: dict[int, np.ndarray] = {}

    def number(self, name: str) -> int:
        """The class with a name, added if it is new."""
        if name not in self.class_names:
            self.class_names.append(name)
        return self.class_names.index(name)

    def numbers(self, names: list[str]) -> list[int]:
        """This part's class numbers for the class names of an input file."""
        found = self._numbers.get(id(names))
        if found is None:
            found = self._numbers[id(names)] = names, [self.number(name) for name in names]
        return found[1]

    def add(self, row: int, shape: tuple[int, ...], label, multi, mask, boxes, split: str, coverage) -> None:
        """Take the labels of frame `row`; the arguments are those of `PartWriter.frame`. Raises ValueError."""
        if isinstance(label, str):
            label = self.number(label) if label else None
        if label is not None and label >= 0:
            if label >= len(self.class_names):
                raise ValueError(f"class {label}, but there are names for {len(self.class_names)}")
            self._class[row] = int(label)
        if multi is not None:
            multi = np.asarray(multi, np.uint8)
            if multi.shape != (len(self.class_names),):
                raise ValueError(f"multi has shape {multi.shape} for {len(self.class_names)} classes")
            self._multi[row] = multi
        if mask is not None:
            self._add_mask(row, shape, np.ascontiguousarray(mask))
        if boxes is not None:
            xyxy = np.asarray(boxes[0], np.float32).reshape(-1, 4)
            classes = np.asarray(boxes[1], np.int32).reshape(-1)
            if len(xyxy) != len(classes) or (len(classes) and classes.max() >= len(self.box_names)):
                raise ValueError(f"{len(xyxy)} boxes, {len(classes)} classes of {len(self.box_names)} names")
            self._boxes[row] = xyxy, classes
        if split:
            self._split[row] = split
        if coverage is not None:
            self._coverage[row] = np.asarray(coverage, np.float16).reshape(-1)

    def _add_mask(self, row: int, shape: tuple[int, ...], mask: np.ndarray) -> None:
        if mask.shape != tuple(shape[:2]) or mask.dtype not in (np.uint8, np.bool_):
            raise ValueError(f"a label mask of {mask.dtype} {mask.shape} on a frame of {shape}")
        mask = mask.astype(np.uint8, copy=False)
        chunk = compress(mask)
        self.add_mask_chunk(row, group_name(shape[:2]), chunk, pixel_digest(mask, chunk))

    def add_mask_chunk(self, row: int, group: str, chunk: bytes, mask_digest: str) -> None:
        """Take a label mask that is compressed already."""
        self._mask_row[row] = group, self._chunks.add(f"/labels/masks/{group}", chunk), mask_digest

    def tokens(self, count: int) -> list[str]:
        """`digest.label_token` of every frame."""
        known = set(self._class) | set(self._multi) | set(self._mask_row) | set(self._boxes) | set(self._split)
        known |= set(self._coverage)
        return [self._token(row) if row in known else "" for row in range(count)]

    def _token(self, row: int) -> str:
        boxes = self._boxes.get(row)
        multi = self._multi.get(row)
        return digest.label_token(
            self.class_names[self._class[row]] if row in self._class else "",
            self._split.get(row, ""),
            {} if multi is None else multi_known(self.class_names, multi),
            self._mask_row[row][2] if row in self._mask_row else "",
            None if boxes is None else (boxes[0], [self.box_names[c] if c >= 0 else "" for c in boxes[1]]),
            self._coverage.get(row),
        )

    def tables(self, count: int) -> dict[str, np.ndarray]:
        """The columns of /labels and /patches, as far as there are any."""
        blocks, rows = {}, range(count)
        if self._class or self.class_names:
            blocks["/labels/class"] = np.array([self._class.get(row, -1) for row in rows], np.int32)
        if self._multi:
            multi = np.full((count, len(self.class_names)), 255, np.uint8)
            for row, values in self._multi.items():
                multi[row, : len(values)] = values
            blocks["/labels/multi"] = multi
        if self._split:
            blocks["/labels/split"] = [self._split.get(row, "") for row in rows]
        if self._mask_row:
            places = [self._mask_row[row][1] if row in self._mask_row else -1 for row in rows]
            blocks["/labels/mask_row"] = np.array(places, np.int64)
            blocks["/labels/mask_digest"] = [self._mask_row[row][2] if row in self._mask_row else "" for row in rows]
        if self._boxes or self.box_names:
            blocks.update(ragged([self._boxes.get(row) for row in rows]))
        if self._coverage:
            length = len(next(iter(self._coverage.values())))
            coverage = np.full((count, length), np.nan, np.float16)
            for row, values in self._coverage.items():
                coverage[row] = values
            blocks["/patches/coverage"] = coverage
        return {path: column(path, values) for path, values in blocks.items()}


def multi_known(names: Sequence[str], values: np.ndarray) -> dict[str, int]:
    """Class -> 0 or 1 of one row of /labels/multi, without the unknown ones."""
    return {name: int(value) for name, value in zip(names, values, strict=False) if value != 255}


def ragged(boxes: Sequence) -> dict[str, np.ndarray]:
    """Lay boxes out as /labels/boxes does.

    Args:
        boxes: for each frame None (unknown) or (xyxy (k, 4), classes (k,)).
    """
    counts = [0 if one is None else len(one[1]) for one in boxes]
    known = [one for one in boxes if one is not None]
    return {
        "/labels/boxes/offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "/labels/boxes/xyxy_px": np.concatenate([np.zeros((0, 4), np.float32), *(one[0] for one in known)]),
        "/labels/boxes/class": np.concatenate([np.zeros(0, np.int32), *(one[1] for one in known)]),
        "/labels/boxed": np.array([one is not None for one in boxes], np.uint8),
    }


def write_names(file: h5py.File, class_names: Sequence[str], box_names: Sequence[str], patch) -> None:
    """Write the attributes `names` of a store's label datasets, and `size_px`, `patch_px` of the coverage."""
    for path, names in (
        ("/labels/class", class_names),
        ("/labels/multi", class_names),
        ("/labels/boxes/class", box_names),
    ):
        if path in file:
            file[path].attrs.create("names", np.array(list(names), object), dtype=h5py.string_dtype())
    if "/patches/coverage" in file and patch is not None:
        file["/patches/coverage"].attrs.update({"size_px": patch[0], "patch_px": patch[1]})
