"""One visual feature for each frame of a store, from its acoustic region."""

from collections.abc import Mapping, Sequence

import numpy as np

from usfm.imaging.dct import dct_features
from usfm.imaging.gray import to_gray
from usfm.store.reader import Store

SIZE_PX = 64
"""Side of the square that a region is shrunk to; 128 and 256 px give the same similarities to 0.003."""

KEEP = 16
"""Frequencies kept along each axis: 256 numbers a frame."""

THRESHOLD = 0.95
"""Cosine from which two frames count as near-duplicates; see docs/curation.md for what it separates."""

BATCH = 64


def visual_features(
    store: Store, rows: Sequence[int] | np.ndarray, masks: Mapping[int, np.ndarray | None] | None = None
) -> np.ndarray:
    """Describe frames of a store by the low frequencies of their acoustic regions.

    Args:
        store: The store.
        rows: n frame rows.
        masks: Region mask (H, W) of each row where the caller knows better than the store; default: the store's
            regions, and the whole frame where it has none.

    Returns:
        (n, 256) float32 rows of length 1; see `usfm.imaging.dct.dct_features`.
    """
    rows = np.asarray(rows, np.int64)
    features = np.empty((len(rows), KEEP * KEEP), np.float32)
    known: dict[int, np.ndarray | None] = {}
    region_rows = store.column("region_row")[rows]
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        if masks is None:
            wanted = region_rows[start : start + BATCH].tolist()
            # Only the masks of this batch are held on to: a collection has one a clip.
            known = {row: known[row] if row in known else _mask(store, row) for row in dict.fromkeys(wanted)}
            chosen = [known[row] for row in wanted]
        else:
            chosen = [masks[int(row)] for row in batch]
        frames = [to_gray(frame) for frame in store.frames(batch)]
        features[start : start + BATCH] = dct_features(frames, chosen, size=SIZE_PX, keep=KEEP)
    return features


def _mask(store: Store, region_row: int) -> np.ndarray | None:
    return None if region_row < 0 else store.region(region_row).mask
