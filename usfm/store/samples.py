"""A store as a map-style data set of torch: one frame and its labels a sample, safe under fork and spawn."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from usfm.errors import RequestError
from usfm.store.labels import KINDS
from usfm.store.labels.masks import IGNORE


class Samples(Dataset):
    """Frames of a store with their labels; `Store.torch` makes it.

    A sample is a dictionary: `image` uint8 (C, H, W) with C 1 or 3, `row` (of the store), `frame_id`, `patient`, and
    the labels that were asked for, as tensors: `label` int64 (-1 = none), `split` text, `multi` uint8 (C,) (255 =
    unknown), `mask` uint8 (H, W), `boxes` {xyxy_px float32 (k, 4), classes int64 (k,)}, `coverage` float16 (L,),
    `values` and `scores` float {column: number} (NaN = none).

    It keeps the store's paths and nothing open, so that each worker of a DataLoader opens the files itself.

    Args:
        store: `reader.Store`.
        rows: (n,) of the store.
        labels: kinds of label.
        transform: takes a sample and gives what the caller wants; a function of a module where workers are spawned.
    """

    def __init__(self, store: Any, rows: np.ndarray, labels: Sequence[str], transform: Callable | None):
        self.store, self.rows = store, rows
        self.labels, self.transform = tuple(labels), transform

    def __len__(self) -> int:
        """Samples."""
        return len(self.rows)

    def __getitem__(self, i: int) -> Any:
        """Sample `i`, through the transform."""
        row = int(self.rows[i])
        pixels = np.ascontiguousarray(self.store.frame(row))
        image = torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())
        sample: dict[str, Any] = {
            "image": image[None] if image.ndim == 2 else image.permute(2, 0, 1).contiguous(),
            "row": row,
            "frame_id": str(self.store.column("frame_id")[row]),
            "patient": str(self.store.source_row(int(self.store.column("source")[row])).get("patient", "")),
        }
        sample |= {name: _tensor(self.store, name, row) for name in self.labels}
        return sample if self.transform is None else self.transform(sample)

    def by_patient(self, shares: Sequence[float], seed: int = 0) -> list["Samples"]:
        """Cut it so that no patient is in two pieces; a source without a patient counts as one, identical files as one.

        Args:
            shares: of the frames, such as (0.8, 0.2); met as closely as whole patients allow.
            seed: another one gives another cut.

        Returns:
            A data set for each share, each with its rows in order.

        Raises:
            RequestError: the shares are not above 0, or there are fewer patients than shares.
        """
        if not shares or min(shares) <= 0:
            raise RequestError(f"shares {tuple(shares)}: give one number above 0 for each piece.")
        code = self._patients()
        sizes = np.bincount(code)
        if len(sizes) < len(shares):
            raise RequestError(f"{self.store.paths[0]}: {len(sizes)} patients cannot be cut into {len(shares)} pieces.")
        wanted = np.array(shares) / sum(shares) * len(self.rows)
        order = np.random.default_rng(seed).permutation(len(sizes))
        piece, filled = np.zeros(len(sizes), np.int64), np.zeros(len(shares))
        for at, patient in enumerate(order):
            empty, left = np.flatnonzero(filled == 0), len(order) - at
            open_ = empty if left <= len(empty) else np.arange(len(shares))
            piece[patient] = open_[np.argmax((wanted - filled)[open_])]
            filled[piece[patient]] += sizes[patient]
        pieces = [self.rows[piece[code] == k] for k in range(len(shares))]
        return [Samples(self.store, rows, self.labels, self.transform) for rows in pieces]

    def _patients(self) -> np.ndarray:
        """A number for each sample, the same where the patient or the source's bytes are the same, from 0."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        source = self.store.column("source")[self.rows]
        sha, patient, path = (self.store.source_column(name) for name in ("sha256", "patient", "path"))
        who = np.array([f"patient {one}" if one else f"path {name}" for one, name in zip(patient, path, strict=True)])
        _, left = np.unique(who, return_inverse=True)
        _, right = np.unique(sha.astype(str), return_inverse=True)
        count = left.max() + 1
        edges = coo_array((np.ones(len(left)), (left, count + right)), shape=(count + right.max() + 1,) * 2)
        joined = connected_components(edges, directed=False)[1]
        return np.unique(joined[left][source], return_inverse=True)[1]


def samples(store: Any, split: str | None, patients: Sequence[str] | None, rows: Sequence[int] | None,
            labels: Sequence[str] | None, transform: Callable | None) -> Samples:  # fmt: skip
    """Make what `Store.torch` says; the arguments are its own.

    Args:
        store: a `reader.Store`.
        split: name of the split, None for any.
        patients: pseudonyms, None for all.
        rows: frames that may be taken, None for all.
        labels: names of kinds, None for all that the store has.
        transform: changes a sample before it is given, None for nothing.

    Returns:
        The data set.

    Raises:
        RequestError: no frame is left, a row is not there, or the store lacks the labels.
    """
    kept = np.arange(len(store)) if rows is None else np.asarray(rows, np.int64).reshape(-1)
    if len(kept) and not -1 < kept.min() <= kept.max() < len(store):
        raise RequestError(f"{store.paths[0]}: a row that is not among its {len(store)} frames.")
    if split is not None:
        kept = kept[store.split()[kept] == split]
    if patients is not None:
        kept = kept[np.isin(store.of_frames("patient")[kept].astype(str), list(patients))]
    if not len(kept):
        raise RequestError(f"{store.paths[0]}: no frame is of this split, these patients and rows.")
    there = [name for name in KINDS if any(name in file.kinds for file in store.files())]
    unknown = set(labels or ()) - set(there)
    if unknown:
        raise RequestError(
            f"{store.paths[0]}: has no labels of kind {min(unknown)}; it has {', '.join(there) or 'none at all'}."
        )
    wanted = there if labels is None else labels
    if "mask" in wanted and store.mask_kind == "bits" and not store.has_masks()[kept].all():
        raise RequestError(
            f"{store.paths[0]}: some of these frames have no label mask; ask for the rows where has_masks() is true."
        )
    return Samples(store, kept, wanted, transform)


def _tensor(store: Any, name: str, row: int) -> Any:
    """A label of a frame as a sample has it; what is not known has its kind's missing value."""
    value = store.label(KINDS[name], row)
    if name == "label":
        return torch.tensor(-1 if value is None else value)
    if name == "split":
        return value or ""
    if name == "boxes":
        xyxy, classes = store.boxes(row)
        return {"xyxy_px": torch.from_numpy(xyxy.copy()), "classes": torch.from_numpy(classes.astype(np.int64))}
    if name in ("values", "scores"):
        columns = store.value_names if name == "values" else store.score_names
        return {column: float("nan") if value is None else value.get(column, float("nan")) for column in columns}
    if name == "mask":
        size = int(store.column("height")[row]), int(store.column("width")[row])
        return torch.from_numpy(np.full(size, IGNORE, np.uint8) if value is None else np.array(value))
    if name == "multi":
        return torch.from_numpy(np.full(len(store.multi_names), 255, np.uint8) if value is None else np.array(value))
    size_px, patch_px = store.patch or (0, 1)
    nothing = np.full((size_px // patch_px) ** 2, np.nan, np.float16)
    return torch.from_numpy(nothing if value is None else np.array(value))
