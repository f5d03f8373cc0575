"""Columns of a store by the names that a condition may use."""

import numpy as np

from usfm.store.reader import Store
from usfm.store.schema import FRAMES

_HIDDEN = ("name_hashes", "dicom_regions", "metadata")
"""Columns of sources that no condition is about."""

PRIVATE = ("patient", "exam", "path", "source")
"""Columns whose values the history does not repeat."""


class Columns:
    """Gives columns, each made once.

    Args:
        store: The store.
    """

    def __init__(self, store: Store):
        self._store = store
        self._made: dict[str, np.ndarray] = {}

    def names(self) -> list[str]:
        """All names, in the order of the store; `class` and `label` are one."""
        store = self._store
        found = [name for name in FRAMES if not name.startswith("pixels_") and name not in _ROWS]
        found += [f"source_{name}" if name in FRAMES else name for name in store.source_columns if name not in _HIDDEN]
        found += ["class", "label", "split", "has_mask", "has_boxes"]
        found += [f"value/{name}" for name in store.value_names] + [f"score/{name}" for name in store.score_names]
        return list(dict.fromkeys(found + [f"multi/{name}" for name in store.multi_names * self._has_multi()]))

    def _has_multi(self) -> bool:
        return self._store.labels_multi() is not None

    def __call__(self, name: str) -> np.ndarray:
        """A column, (N,): texts as objects, numbers, or bool."""
        if name not in self._made:
            self._made[name] = self._make(name.removesuffix("_") if name not in self.names() else name)
        return self._made[name]

    def _make(self, name: str) -> np.ndarray:
        store = self._store
        if name in ("class", "label"):
            return np.array([*store.class_names, ""], object)[store.labels_class()]
        if name == "split":
            return np.asarray(store.split(), object)
        if name in ("has_mask", "has_boxes"):
            return store.has_masks() if name == "has_mask" else store.has_boxes()
        folder, _, rest = name.partition("/")
        if rest and folder in ("value", "score"):
            return store.values(rest) if folder == "value" else store.scores(rest)
        several = store.labels_multi()
        if rest and folder == "multi" and several is not None:
            found = several[:, store.multi_names.index(rest)].astype(float)
            return np.where(found == 255, np.nan, found)
        if name in FRAMES:
            return store.column(name)
        return store.of_frames(name.removeprefix("source_") if name.startswith("source_") else name)


_ROWS = ("source", "region_row", "overlay_row", "digest")
"""Columns of /frames that number rows of other tables, or mean nothing to a person."""
