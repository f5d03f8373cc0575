"""Label masks: which structure each pixel of a frame belongs to."""

import numpy as np

from usfm.store.codec import pixel_digest
from usfm.store.damage import damaged
from usfm.store.dataset import Dataset, group_name
from usfm.store.labels.contract import Incoming, Kind

ROW, DIGEST, FOLDER = "/labels/mask_row", "/labels/mask_digest", "/labels/masks"

BLOCK = Dataset(f"{FOLDER}/<HxW>", "uint8", "(n, H, W)", "class", "label mask; 0 = background")


class Masks(Kind):
    """The label mask of a frame: uint8 (H, W)."""

    name, home = "mask", ROW
    datasets = (
        Dataset(ROW, "int64", "(N,)", "row", "row in /labels/masks/<rows x columns of the frame>, -1 = none", -1),
        Dataset(
            DIGEST, "str", "(N,)", "", "CRC-32 and Adler-32 of the label mask's bytes; '' = no mask", "", optional=True
        ),
    )

    def checked(self, given, head: dict, shape: tuple[int, ...]) -> np.ndarray:
        """See `Kind`."""
        mask = np.ascontiguousarray(given)
        if mask.shape != tuple(shape[:2]) or mask.dtype not in (np.uint8, np.bool_):
            raise ValueError(f"a label mask of {mask.dtype} {mask.shape} on a frame of {shape}")
        return mask.astype(np.uint8, copy=False)

    def kept(self, value: np.ndarray, add) -> tuple[int, str]:
        """See `Kind`."""
        return add(f"{FOLDER}/{group_name(value.shape)}", value)

    def token(self, value: np.ndarray, head: dict) -> str:
        """See `Kind`."""
        return f"k={pixel_digest(value)}"

    def columns(self, kept, frames: int, head: dict) -> dict:
        """See `Kind`."""
        if not kept:
            return {}
        return {
            ROW: np.array([kept[row][0] if row in kept else -1 for row in range(frames)], np.int64),
            DIGEST: [kept[row][1] if row in kept else "" for row in range(frames)],
        }

    def appended(self, part: Incoming) -> dict[str, np.ndarray]:
        """See `Kind`."""
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
            raise damaged(file.path, f"the label mask of frame {known['frame_id']} has changed since it was written")
        return mask

    def moved(self, value: np.ndarray, framing) -> np.ndarray:
        """See `Kind`."""
        return framing.apply_labels(value)


MASKS = Masks()
