"""Label masks: which structures each pixel of a frame belongs to, by number or, where they overlap, by bit.

`index`: value k + 1 stands for `names[k]`, 0 for the background, 255 for pixels that nobody should judge. `bits`: bit k
(value 1 << k) stands for `names[k]`; eight structures at most, each of which may lie over the others.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from usfm.store.codec import crc32, pixel_digest
from usfm.store.damage import damaged
from usfm.store.dataset import Dataset, group_name
from usfm.store.labels.contract import Incoming, Kind, names_joined, predicted_by, run_joined, run_of, texts

ROW, DIGEST, FOLDER = "/labels/mask_row", "/labels/mask_digest", "/labels/masks"
BLOCK = Dataset(
    f"{FOLDER}/<HxW>", "uint8", "(n, H, W)", "class",
    "label mask; attributes of /labels/masks: names, kind (index: value k + 1 is names[k], 0 is background, ignore is "
    "255; bits: bit k is names[k]), origin (predicted) and run where a model made them; gzip chunks, or contiguous as "
    "the pixels are",
)  # fmt: skip
IGNORE = 255
"""Value of an `index` mask that stands for no structure."""

MOST = {"index": 254, "bits": 8}
"""Kind of mask -> how many structures it can name."""


class Masks(Kind):
    """The label mask of a frame, uint8 (H, W). Its head: names and kind; names may be [] for `index`."""

    name, home = "mask", ROW
    datasets = (
        Dataset(ROW, "int64", "(N,)", "row", "row in /labels/masks/<rows x columns of the frame>, -1 = none", -1),
        Dataset(DIGEST, "str", "(N,)", "", "CRC-32 and Adler-32 of the label mask's bytes; '' = no mask", "",
                optional=True),
    )  # fmt: skip

    def checked(self, given, head: dict, shape: tuple[int, ...]) -> np.ndarray:
        """See `Kind`."""
        head.setdefault("names", [])
        head.setdefault("kind", "index")
        mask = (
            composed(given, head, (shape[0], shape[1])) if isinstance(given, Mapping) else np.ascontiguousarray(given)
        )
        if mask.shape != tuple(shape[:2]) or mask.dtype not in (np.uint8, np.bool_):
            raise ValueError(f"a label mask of {mask.dtype} {mask.shape} on a frame of {shape}")
        mask = mask.astype(np.uint8, copy=False)
        if head["names"] and not set(present(mask, head["kind"])) <= set(range(len(head["names"]))):
            raise ValueError(f"a label mask with a value that none of the {len(head['names'])} names stands for")
        return mask

    def checked_head(self, names: Sequence[str], kind: str) -> dict:
        """A head of the names that somebody gave.

        Args:
            names: of the structures, in the order of their numbers.
            kind: index or bits.

        Returns:
            Names and kind.

        Raises:
            ValueError: there is no such kind, or masks of this kind cannot hold these names.
        """
        if kind not in MOST:
            raise ValueError(f"label masks are of kind {' or '.join(MOST)}, not {kind}")
        _check_head(names, kind)
        return {"names": list(names), "kind": kind}

    def kept(self, value: np.ndarray, add) -> tuple[int, str]:
        """See `Kind`."""
        return add(f"{FOLDER}/{group_name(value.shape)}", value)

    def token(self, value: np.ndarray, head: dict) -> str:
        """See `Kind`."""
        if not head["names"]:
            return f"k={pixel_digest(value)}"
        there = sorted((head["names"][k], k) for k in present(value, head["kind"]))
        places = np.zeros(len(head["names"]), np.int32)
        for rank, (_, k) in enumerate(there):
            places[k] = rank
        named = json.dumps([head["kind"], *(name for name, _ in there)])
        return f"k={pixel_digest(np.ascontiguousarray(renumbered(value, places, head['kind'])))}:{named}"

    def columns(self, kept, frames: int, head: dict) -> dict:
        """See `Kind`."""
        if not kept:
            return {}
        return {
            ROW: np.array([kept[row][0] if row in kept else -1 for row in range(frames)], np.int64),
            DIGEST: [kept[row][1] if row in kept else "" for row in range(frames)],
        }

    def joined(self, head: dict, other: dict) -> tuple[dict, np.ndarray]:
        """See `Kind`."""
        if not head or not other:
            whole = head or other
            return {**whole, "names": list(whole["names"])} if whole else {}, _identity(len(other.get("names", ())))
        run = run_joined(head, other, "label masks")
        if head["kind"] != other["kind"]:
            raise ValueError("label masks of one are by number and those of the other by bit")
        if bool(head["names"]) != bool(other["names"]):
            raise ValueError("the structures of the label masks have names in one and none in the other")
        names, places = names_joined(head["names"], other["names"])
        _check_head(names, head["kind"])
        return {**head, "names": names, **run}, places

    def appended(self, part: Incoming) -> dict[str, np.ndarray]:
        """See `Kind`."""
        if (part.places != _identity(len(part.places))).any():
            raise ValueError("the parts of a run number the structures of label masks alike")  # masks go over as bytes
        found = super().appended(part)
        if ROW in part.tables:
            rows = found[ROW] = part.tables[ROW].copy()
            height, width = (part.tables[f"/frames/{side}"].astype(str) for side in ("height", "width"))
            sizes = np.char.add(np.char.add(height, "x"), width)
            for path, first in part.first.items():
                if path.startswith(FOLDER):
                    rows[(sizes == path.rsplit("/", 1)[1]) & (rows >= 0)] += first
        if DIGEST in found and DIGEST not in part.tables:
            found[DIGEST] = np.zeros(part.frames, "S16")
        return found

    def attributes(self, head: dict) -> dict:
        """See `Kind`."""
        if not head["names"]:
            return {}
        ignore = {"ignore": IGNORE} if head["kind"] == "index" else {}
        return {FOLDER: {"names": list(head["names"]), "kind": head["kind"], **ignore, **predicted_by(head)}}

    def head(self, read, paths) -> dict:
        """See `Kind`."""
        kind = read(FOLDER, "kind") or "index"
        if not isinstance(kind, str) or kind not in MOST:
            raise ValueError(f"kind of {FOLDER}")
        names = texts(read(FOLDER, "names"))
        _check_head(names, kind)
        return {"names": names, "kind": kind, **run_of(read, FOLDER)}

    def sealed(self, head: dict) -> dict:
        """See `Kind`."""
        named = {"mask names": [head["kind"], *head["names"]]} if head.get("names") else {}
        return named | ({"mask run": head["run"]} if head.get("run") else {})

    def problems(self, head: dict, stored, file) -> list[str]:
        """See `Kind`."""
        row = stored(ROW)
        there = row >= 0
        sizes = np.stack([stored("/frames/height"), stored("/frames/width")], 1)[there]
        groups, which = np.unique(sizes, axis=0, return_inverse=True)
        blocks = [file.blocks.get(f"{FOLDER}/{group_name(tuple(size))}") for size in groups.tolist()]
        counts = np.array([0 if block is None else block.shape[0] for block in blocks], np.int64)
        if (row < -1).any() or (row[there] >= counts[which.reshape(-1)]).any():
            return [f"{ROW} points at masks that are not there"]
        if DIGEST in file.columns and ((stored(DIGEST) != b"") != there).any():
            return [f"{DIGEST} does not fit the masks"]
        return []

    def of_frame(self, file, row: int) -> np.ndarray | None:
        """See `Kind`. Raises `Damaged` where the mask has changed since it was written."""
        place = int(file.column(ROW)[row])
        if place < 0:
            return None
        known = file.row(row)
        mask = file.label_block(group_name((known["height"], known["width"])), place)
        if file.has_column(DIGEST) and file.column(DIGEST)[row] != pixel_digest(mask):
            raise _changed(file, row)
        return mask

    def of_rows(self, file, rows: np.ndarray, group: str, out: np.ndarray) -> None:
        """Masks of many frames of one size; `out` stays as it is where a frame has none.

        Args:
            file: of the frames.
            rows: (n,) frames of the file.
            group: their size, such as "256x256".
            out: uint8 (n, H, W).

        Raises:
            Damaged: a mask has changed since it was written.
        """
        if self.name not in file.kinds:
            return
        places = file.column(ROW)[rows]
        there, mapped = np.flatnonzero(places >= 0), file.label_map(group)
        if mapped is None:
            for k in there.tolist():
                out[k] = self.of_frame(file, int(rows[k]))
            return
        digests = file.column(DIGEST) if file.has_column(DIGEST) else None
        for k in there.tolist():
            row = int(rows[k])
            out[k] = mapped[places[k]]
            if digests is not None and not file.masks_seen[row]:
                if crc32(out[k]) != int(digests[row][:8], 16):
                    raise _changed(file, row)
                file.masks_seen[row] = True

    def renamed(self, value: np.ndarray, places: np.ndarray, head: dict) -> np.ndarray:
        """See `Kind`."""
        return renumbered(value, places, head["kind"])

    def in_view(self, value: np.ndarray, view, head: dict) -> np.ndarray:
        """See `Kind`. Each piece of a structure belongs to the view that holds its centre (`View.part_of`)."""
        kept = np.where(value == IGNORE, value, 0) if head["kind"] == "index" else np.zeros_like(value)
        for k in present(value, head["kind"]):
            mine = view.part_of(structure(value, k, head["kind"]))
            kept[mine] |= np.uint8(k + 1 if head["kind"] == "index" else 1 << k)
        return kept

    def moved(self, value: np.ndarray, framing) -> np.ndarray:
        """See `Kind`."""
        return framing.apply_labels(value)


def composed(structures: Mapping[str, np.ndarray], head: dict, shape: tuple[int, int]) -> np.ndarray:
    """One mask of several structures, each a bool (H, W); where two overlap in an `index` mask the later name wins.

    Args:
        structures: name -> mask; each name is one of the head's.
        head: `names` and `kind`.
        shape: (H, W).

    Returns:
        The mask, uint8 (H, W).

    Raises:
        ValueError: a name is not known, or a mask has another shape.

    Examples:
        >>> left, all_ = np.array([[True, False]]), np.array([[True, True]])
        >>> composed({"a": all_, "b": left}, {"names": ["a", "b"], "kind": "index"}, (1, 2))
        array([[2, 1]], dtype=uint8)
        >>> composed({"a": all_, "b": left}, {"names": ["a", "b"], "kind": "bits"}, (1, 2))
        array([[3, 1]], dtype=uint8)
    """
    out = np.zeros(shape, np.uint8)
    for name in sorted(structures, key=lambda name: head["names"].index(name) if name in head["names"] else -1):
        there = np.asarray(structures[name]) != 0
        if name not in head["names"] or there.shape != shape:
            raise ValueError(f"a label mask {name!r} of {there.shape} on a frame of {shape}; names: {head['names']}")
        k = head["names"].index(name)
        if head["kind"] == "index":
            out[there] = k + 1
        else:
            out[there] |= np.uint8(1 << k)
    return out


def structure(mask: np.ndarray, k: int, kind: str) -> np.ndarray:
    """Where one structure is: bool, in the shape of the mask.

    Args:
        mask: uint8, (H, W) or more of them.
        k: number of the structure in `names`.
        kind: index or bits.

    Returns:
        True where the structure is.

    Examples:
        >>> structure(np.array([[3, 1]], np.uint8), 1, "bits")
        array([[ True, False]])
    """
    return mask == k + 1 if kind == "index" else (mask >> k) & 1 == 1


def present(mask: np.ndarray, kind: str) -> list[int]:
    """Numbers of the structures that occur in a mask.

    Args:
        mask: uint8, of any shape.
        kind: index or bits.

    Returns:
        The numbers, ascending, from 0; 255 in an `index` mask is none.

    Examples:
        >>> present(np.array([[0, 2, 255]], np.uint8), "index"), present(np.array([[5]], np.uint8), "bits")
        ([1], [0, 2])
    """
    values = np.flatnonzero(np.bincount(mask.reshape(-1), minlength=256))
    if kind == "index":
        return [int(value) - 1 for value in values if value not in (0, IGNORE)]
    return [k for k in range(8) if (values >> k & 1).any()]


def renumbered(mask: np.ndarray, places: Sequence[int] | np.ndarray, kind: str) -> np.ndarray:
    """A mask whose structure k has the number `places[k]`; what no place is given for stays.

    Args:
        mask: uint8, of any shape.
        places: number of a structure -> its new number.
        kind: index or bits.

    Returns:
        The mask; the same array where no number changes.
    """
    if len(places) == 0 or (np.asarray(places) == _identity(len(places))).all():
        return mask
    table = np.arange(256, dtype=np.uint8)
    if kind == "index":
        table[1 : len(places) + 1] = np.asarray(places) + 1
        return table[mask]
    moved = np.zeros(256, np.uint8)
    for k in range(8):
        moved |= ((table >> k) & 1) << (int(places[k]) if k < len(places) else k)
    return moved[mask]


def _identity(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int32)


def _check_head(names: Sequence[str], kind: str) -> None:
    if len(set(names)) < len(names):
        raise ValueError("two structures of the label masks have the same name")
    if len(names) > MOST[kind]:
        raise ValueError(f"{len(names)} structures in label masks, of which {kind} masks hold {MOST[kind]}")
    if kind == "bits" and not names:
        raise ValueError("label masks by bit without names")


def _changed(file, row: int) -> Exception:
    name = file.row(row)["frame_id"]
    return damaged(file.path, f"the label mask of frame {name} has changed since it was written")


MASKS = Masks()
