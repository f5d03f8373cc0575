"""The half of a Store that reads labels; what its files name or number differently is joined by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from usfm.errors import RequestError
from usfm.store.files import Files
from usfm.store.labels import KINDS, Kind
from usfm.store.labels.boxes import BOXED, BOXES
from usfm.store.labels.classes import CLASS, MULTI
from usfm.store.labels.coverage import COVERAGE
from usfm.store.labels.masks import MASKS
from usfm.store.labels.split import SPLIT


class LabelReader(Files):
    """Labels of a `reader.Store`."""

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, of all files in order of first appearance."""
        return self.label_head(CLASS)["names"]

    @property
    def multi_names(self) -> list[str]:
        """Names of the classes of which several may apply."""
        return self.label_head(MULTI)["names"]

    @property
    def box_names(self) -> list[str]:
        """Names of the classes of boxes."""
        return self.label_head(BOXES)["names"]

    @property
    def patch(self) -> tuple[int, int] | None:
        """(size_px, patch_px) of the patch coverage."""
        head = self.label_head(COVERAGE)
        return (head["size_px"], head["patch_px"]) if head else None

    def label_head(self, kind: Kind) -> dict[str, Any]:
        """What holds for all labels of a kind, such as `names`."""
        return self._joined_heads(kind)[0]

    @property
    def label_heads(self) -> Mapping[str, dict[str, Any]]:
        """`label_head` of every kind, by its name."""
        return {name: self.label_head(kind) for name, kind in KINDS.items()}

    def _joined_heads(self, kind: Kind) -> tuple[dict, list[np.ndarray]]:
        """The head of all files, and for each file its numbers' places in it."""
        if kind.name not in self._heads:
            head, places = kind.empty(), []
            for file in self.files():
                head, found = kind.joined(head, file.heads[kind.name])
                places.append(found)
            self._heads[kind.name] = head, places
        return self._heads[kind.name]

    def label(self, kind: Kind, i: int) -> Any:
        """What frame `i` has of a kind, by the numbers of `label_head`; None where it has nothing."""
        file, row, at = self.place(int(i))
        found = file.label(kind, row)
        if found is None or len(self.paths) == 1:
            return found
        head, places = self._joined_heads(kind)
        return kind.renamed(found, places[at], head)

    def labels_class(self) -> np.ndarray:
        """Class of each frame, int32 (N,), -1 = none."""
        _, places = self._joined_heads(CLASS)
        return self.whole([CLASS.of_file(file, mine) for file, mine in zip(self.files(), places, strict=True)])

    def labels_multi(self) -> np.ndarray | None:
        """0 or 1 for each of `multi_names`, uint8 (N, C), 255 = unknown; None where no file has any."""
        if not any(MULTI.name in file.kinds for file in self.files()):
            return None
        head, places = self._joined_heads(MULTI)
        width = len(head["names"])
        return self.whole([MULTI.of_file(file, mine, width) for file, mine in zip(self.files(), places, strict=True)])

    def has_masks(self) -> np.ndarray:
        """Which frames have a label mask, bool (N,)."""
        return self._column(MASKS, MASKS.home, -1) >= 0

    def label_mask(self, i: int) -> np.ndarray | None:
        """Label mask of frame `i`, uint8 (H, W), or None."""
        return self.label(MASKS, i)

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of frame `i`: xyxy_px float32 (k, 4) and classes int32 (k,); k = 0 also where none are known."""
        found = self.label(BOXES, i)
        return (np.zeros((0, 4), np.float32), np.zeros(0, np.int32)) if found is None else found[:2]

    def has_boxes(self) -> np.ndarray:
        """Of which frames the boxes are known (there may be none on them), bool (N,)."""
        return self._column(BOXES, BOXED, 0) > 0

    def split(self) -> np.ndarray:
        """Split of each frame, object (N,): train, val, test or ""."""
        return self._column(SPLIT, SPLIT.home, "")

    def patch_coverage(self) -> np.ndarray | None:
        """Share of each patch in the acoustic region, float16 (N, L); None where any file lacks it."""
        files = self.files()
        if any(COVERAGE.name not in file.kinds for file in files):
            return None
        pieces = [file.column(COVERAGE.home) for file in files]
        if len({piece.shape[1] for piece in pieces}) > 1:
            raise RequestError(f"{self.paths[0]}: the inputs were cut into patches of different sizes.")
        return self.whole(pieces)

    def _column(self, kind: Kind, path: str, missing: object) -> np.ndarray:
        """A column of one value a frame, (N,); text as objects."""
        dtype = object if isinstance(missing, str) else None
        return self.whole([
            file.column(path) if kind.name in file.kinds else np.full(file.count, missing, dtype)
            for file in self.files()
        ])  # fmt: skip
