"""The half of a Store that reads labels."""

from collections.abc import Sequence

import numpy as np

from usfm.errors import RequestError
from usfm.store.stored import StoredFile


class LabelReader:
    """Labels of a `reader.Store`; classes that its files name differently are joined by name."""

    paths: list[str]
    _first: np.ndarray

    def _files(self) -> list[StoredFile]:
        raise NotImplementedError

    def _place(self, i: int) -> tuple[StoredFile, int, int]:
        raise NotImplementedError

    def _whole(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        raise NotImplementedError

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, of all files in order of first appearance."""
        return list(dict.fromkeys(name for file in self._files() for name in file.class_names))

    @property
    def box_names(self) -> list[str]:
        """Names of the classes of boxes."""
        return list(dict.fromkeys(name for file in self._files() for name in file.box_names))

    @property
    def patch(self) -> tuple[int, int] | None:
        """(size_px, patch_px) of the patch coverage."""
        return next((file.patch for file in self._files() if file.patch), None)

    def labels_class(self) -> np.ndarray:
        """Class of each frame, int32 (N,), -1 = none."""
        pieces = []
        for file in self._files():
            if "/labels/class" not in file.blocks:
                pieces.append(np.full(file.count, -1, np.int32))
                continue
            places = np.array([*(self.class_names.index(name) for name in file.class_names), -1], np.int32)
            pieces.append(places[file.column("/labels/class")])
        return self._whole(pieces)

    def labels_multi(self) -> np.ndarray | None:
        """0 or 1 for each class, uint8 (N, C), 255 = unknown; None where no file has any."""
        files = self._files()
        if not any("/labels/multi" in file.blocks for file in files):
            return None
        names = self.class_names
        pieces = []
        for file in files:
            piece = np.full((file.count, len(names)), 255, np.uint8)
            if "/labels/multi" in file.blocks:
                piece[:, [names.index(name) for name in file.class_names]] = file.column("/labels/multi")
            pieces.append(piece)
        return self._whole(pieces)

    def has_masks(self) -> np.ndarray:
        """Which frames have a label mask, bool (N,)."""
        rows = [
            file.column("/labels/mask_row") if "/labels/mask_row" in file.blocks else np.full(file.count, -1)
            for file in self._files()
        ]
        return self._whole(rows) >= 0

    def label_mask(self, i: int) -> np.ndarray | None:
        """Label mask of frame `i`, uint8 (H, W), or None."""
        file, row, _ = self._place(int(i))
        return file.label_mask(row)

    def boxes(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of frame `i`: xyxy_px float32 (k, 4) and classes int32 (k,); k = 0 also where none are known."""
        file, row, _ = self._place(int(i))
        found = file.boxes(row)
        if found is None:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
        if len(self.paths) == 1:
            return found
        places = np.array([*(self.box_names.index(name) for name in file.box_names), -1], np.int32)
        return found[0], places[found[1]]

    def has_boxes(self) -> np.ndarray:
        """Of which frames the boxes are known (there may be none on them), bool (N,)."""
        rows = [
            file.column("/labels/boxed") > 0 if "/labels/boxes/offsets" in file.blocks else np.zeros(file.count, bool)
            for file in self._files()
        ]
        return self._whole(rows)

    def split(self) -> np.ndarray:
        """Split of each frame, object (N,): train, val, test or ""."""
        pieces = []
        for file in self._files():
            known = "/labels/split" in file.blocks
            pieces.append(file.column("/labels/split") if known else np.full(file.count, "", object))
        return self._whole(pieces)

    def patch_coverage(self) -> np.ndarray | None:
        """Share of each patch in the acoustic region, float16 (N, L); None where any file lacks it."""
        files = self._files()
        if any("/patches/coverage" not in file.blocks for file in files):
            return None
        pieces = [file.column("/patches/coverage") for file in files]
        if len({piece.shape[1] for piece in pieces}) > 1:
            raise RequestError(f"{self.paths[0]}: the inputs were cut into patches of different sizes.")
        return self._whole(pieces)
