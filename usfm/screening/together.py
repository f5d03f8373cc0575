"""Which frames of a store must stay on one side of a split, for all that uses or checks one."""

from collections.abc import Sequence

import numpy as np

from usfm.imaging.neighbours import cosine_blocks, reaches
from usfm.screening.features import THRESHOLD
from usfm.screening.groups import Groups, group_frames
from usfm.store.reader import Store

FLAT_RANGE = 16
"""Gray levels under which a frame shows nothing: that two patients share it means nothing."""


def kept_together(store: Store, also: Sequence[np.ndarray] = ()) -> Groups:
    """Group the frames of a store: by patient, where none is known by exam or else by clip, and by equal content.

    Args:
        store: The store.
        also: Further arrays of (N,) keys; frames with one key are of one group too. "" joins nothing.

    Returns:
        The groups. Patients that hold the same file or the same frame are one group.
    """
    patient, exam = store.of_frames("patient"), store.of_frames("exam")
    named = [str(one) for one in store.source_column("path")]
    clip = np.array([f"{named[row]}#{row}" for row in store.column("source").tolist()], object)
    exam = np.where(patient == "", exam, "")
    files = np.array([name.split(":")[0].split("~")[0] for name in store.column("frame_id")], object)
    first = group_frames(patient, clip, [files, exam, *also])
    content = shared_content(store, first.code)
    return group_frames(patient, clip, [files, exam, *also, content]) if (content != "").any() else first


def shared_content(store: Store, code: np.ndarray) -> np.ndarray:
    """Find the frames whose very pixels stand in several groups.

    Args:
        store: The store.
        code: (N,) group of each frame.

    Returns:
        (N,) str: the digest of such a frame's pixels; "" for every other, and for frames that show nothing.
    """
    found = np.asarray(store.column("digest"), object).astype(str)
    digests, place = np.unique(found, return_inverse=True)
    low, high = np.full(len(digests), len(found)), np.full(len(digests), -1)
    np.minimum.at(low, place, code)
    np.maximum.at(high, place, code)
    _, first = np.unique(place, return_index=True)
    several = np.flatnonzero((low != high) & (digests != ""))
    shown = np.zeros(len(digests), bool)
    for k in several.tolist():
        shown[k] = np.ptp(store.frame(int(first[k]))) >= FLAT_RANGE
    return np.where(shown[place], found, "").astype(object)


def shows_something(features: np.ndarray) -> np.ndarray:
    """Which visual features are of frames with any structure: flat ones are all alike and mean nothing.

    Returns:
        (N,) bool.
    """
    return features[:, 0] < 1.0  # the constant term is 0 but in flat frames, see `imaging.dct.dct_features`


def look_alike(
    features: np.ndarray, code: np.ndarray, threshold: float = THRESHOLD, *, shown: np.ndarray | None = None,
    block: int = 1024,
) -> np.ndarray:  # fmt: skip
    """Join groups of which a frame of one is a near-duplicate of a frame of another, and of a third through it.

    Args:
        features: (N, D) float32 rows of length 1.
        code: (N,) group of each frame, 0..G-1.
        threshold: Cosine, -1 to 1.
        shown: (N,) bool, the frames that count; default: all.
        block: Rows compared at a time; memory does not grow with the pairs.

    Returns:
        (N,) int, the smallest of the groups that a frame's group is joined with.

    >>> look_alike(np.float32([[1, 0], [0, 1], [1, 0]]), np.array([0, 1, 2])).tolist()
    [0, 1, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = int(code.max(initial=-1)) + 1
    root = np.arange(count)
    shown = np.ones(len(code), bool) if shown is None else shown
    for row, column, tile in cosine_blocks(features, block=block):
        first, second = root[code[row : row + block]], root[code[column : column + block]]
        hit = reaches(tile, threshold) & (first[:, None] != second[None])
        hit &= shown[row : row + block, None] & shown[None, column : column + block]
        if not hit.any():
            continue
        i, j = np.nonzero(hit)
        graph = coo_array((np.ones(len(i), np.int8), (first[i], second[j])), (count, count))
        _, part = connected_components(graph, directed=False)
        least = np.full(part.max() + 1, count)
        np.minimum.at(least, part, np.arange(count))
        root = least[part][root]
    return root[code]
