"""The half of a Store that reads labels; what its files name or number differently is joined by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from usfm.errors import RequestError
from usfm.store.dataset import group_name
from usfm.store.files import Files
from usfm.store.labels import KINDS, Kind
from usfm.store.labels.boxes import BOXED, BOXES
from usfm.store.labels.classes import CLASS, MULTI
from usfm.store.labels.coverage import COVERAGE
from usfm.store.labels.masks import IGNORE, MASKS, present, renumbered, structure
from usfm.store.labels.numbers import SCORE, VALUE, Numbers
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
    def mask_names(self) -> list[str]:
        """Names of the structures of label masks; [] where they have none."""
        return self.label_head(MASKS).get("names", [])

    @property
    def mask_kind(self) -> str:
        """`index` (value k + 1 is `mask_names[k]`) or `bits` (bit k is)."""
        return self.label_head(MASKS).get("kind", "index")

    @property
    def mask_run(self) -> str:
        """Id of the run that predicted the label masks; "" for those that people drew."""
        return self.label_head(MASKS).get("run", "")

    @property
    def box_run(self) -> str:
        """Id of the run that predicted the boxes; "" for those that people drew."""
        return self.label_head(BOXES).get("run", "")

    @property
    def value_names(self) -> list[str]:
        """Columns of /labels/value."""
        return sorted({name for file in self.files() for name in VALUE.names(file)})

    @property
    def score_names(self) -> list[str]:
        """Columns of /labels/score."""
        return sorted({name for file in self.files() for name in SCORE.names(file)})

    @property
    def score_runs(self) -> dict[str, str]:
        """Column of /labels/score -> id of the run that predicted it."""
        return self.label_head(SCORE)["run"]

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
                try:
                    head, found = kind.joined(head, file.heads[kind.name])
                except ValueError as error:
                    raise RequestError(
                        f"{file.path}: its labels do not go with those of the stores before it: {error}; give it to a "
                        "command of its own."
                    ) from None
                places.append(found)
            self._heads[kind.name] = head, places
        return self._heads[kind.name]

    def label(self, kind: Kind, i: int) -> Any:
        """What frame `i` has of a kind, by the numbers of `label_head`; None where it has nothing.

        Args:
            kind: one of `labels.KINDS`.
            i: frame of the store.

        Returns:
            The value as `Kind.of_frame` gives it.

        Raises:
            RequestError: the labels of the files do not go together.
        """
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

    def structures(self, i: int) -> list[np.ndarray]:
        """Where each of `mask_names` is on frame `i`, bool (H, W) each; [] where it has no label mask.

        Structures without names are told by their numbers, from 1 on.
        """
        mask = self.label_mask(i)
        if mask is None:
            return []
        count = len(self.mask_names) or max((k + 1 for k in present(mask, self.mask_kind)), default=0)
        return [structure(mask, k, self.mask_kind) for k in range(count)]

    def masks(self, rows: Sequence[int]) -> np.ndarray:
        """Label masks of frames of one size, uint8 (n, H, W); a frame without one is 255 all over.

        They come from the memory map where they lie in it, as after `sector`; each is compared with its CRC-32 the
        first time that this process reads it.

        Raises:
            RequestError: the frames differ in size; or one has no mask and masks are by bit, where 255 has a meaning.
            Damaged: a mask is not what was written.
        """
        wanted = np.asarray(rows, np.int64).reshape(-1)
        sides = [self.column(side)[wanted].tolist() for side in ("height", "width")]
        sizes = set(zip(*sides, strict=True))
        if len(sizes) > 1:
            raise RequestError(f"{self.paths[0]}: frames differ in size; run `usfm sector` on it first.")
        if self.mask_kind == "bits" and not self.has_masks()[wanted].all():
            raise RequestError(f"{self.paths[0]}: some of these frames have no label mask; ask for those that have.")
        out = np.full((len(wanted), *(sizes.pop() if sizes else (0, 0))), IGNORE, np.uint8)
        head, places = self._joined_heads(MASKS)
        which = np.searchsorted(self.first, wanted, side="right") - 1
        for at in np.unique(which).tolist():
            mine, kept = np.flatnonzero(which == at), self.kept[at]
            there = wanted[mine] - self.first[at]
            some = out[mine]
            MASKS.of_rows(self.files()[at], there if kept is None else kept[there], group_name(out.shape[1:]), some)
            out[mine] = renumbered(some, places[at], head.get("kind", "index"))
        return out

    def values(self, name: str) -> np.ndarray:
        """A column of /labels/value, float64 (N,); NaN = none."""
        return self._numbers(VALUE, name, self.value_names)

    def scores(self, name: str) -> np.ndarray:
        """A column of /labels/score, float32 (N,); NaN = none."""
        return self._numbers(SCORE, name, self.score_names)

    def _numbers(self, kind: Numbers, name: str, names: Sequence[str]) -> np.ndarray:
        if name not in names:
            raise KeyError(f"{name} is no column of {kind.folder}; there are {', '.join(names) or 'none'}")
        self.label_head(kind)
        return self.whole([kind.of_file(file, name) for file in self.files()])

    def instances(self, i: int) -> np.ndarray:
        """Which instances the boxes of frame `i` are, int32 (k,), the same through a clip; -1 = unknown."""
        found = self.label(BOXES, i)
        return np.full(len(self.boxes(i)[1]), -1, np.int32) if found is None or len(found) < 3 else found[2]

    def box_scores(self, i: int) -> np.ndarray:
        """Scores that a model gave the boxes of frame `i`, float32 (k,); NaN = none."""
        found = self.label(BOXES, i)
        return np.full(len(self.boxes(i)[1]), np.nan, np.float32) if found is None or len(found) < 4 else found[3]

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
        """Share of each patch in the acoustic region, float16 (N, L); None where any file lacks it.

        Raises:
            RequestError: the files were cut into patches of different sizes.
        """
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
