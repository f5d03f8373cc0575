"""Whether a split is clean: no patient, no content and no near-duplicate is on two sides."""

from collections.abc import Sequence

import numpy as np

from usfm.imaging.neighbours import cosine_blocks, reaches
from usfm.screening.features import THRESHOLD
from usfm.screening.groups import Groups
from usfm.screening.together import shows_something


def on_two_sides(groups: Groups, parts: np.ndarray) -> np.ndarray:
    """Which groups have frames in more than one part.

    Args:
        groups: What must stay together.
        parts: (N,) str, the part or fold of each frame; "" is in none.

    Returns:
        (k,) int, groups by number.

    >>> groups = Groups(np.array([0, 0, 1]), ["a", "b"], 0, [])
    >>> on_two_sides(groups, np.array(["train", "test", "test"], object)).tolist()
    [0]
    """
    inside = parts != ""
    number = np.unique(parts[inside].astype(str), return_inverse=True)[1].reshape(-1)
    pairs = np.unique(np.stack([groups.code[inside], number]), axis=1)
    found, count = np.unique(pairs[0], return_counts=True)
    return found[count > 1]


def near_across(features: np.ndarray, parts: Sequence | np.ndarray, threshold: float = THRESHOLD) -> int:
    """How many frames have a near-duplicate in another part.

    Args:
        features: (N, D) float32 visual features, see `features.visual_features`.
        parts: (N,) str, the part or fold of each frame; "" is in none.
        threshold: Cosine, -1 to 1.

    Returns:
        Frames; those that show nothing are like no other.
    """
    words = np.asarray(parts, object)
    rows = np.flatnonzero((words != "") & shows_something(features))
    number = np.unique(words[rows].astype(str), return_inverse=True)[1].reshape(-1)
    near = np.zeros(len(rows), bool)
    for row, column, tile in cosine_blocks(features[rows]):
        first, second = slice(row, row + tile.shape[0]), slice(column, column + tile.shape[1])
        hit = reaches(tile, threshold) & (number[first, None] != number[None, second])
        near[first] |= hit.any(axis=1)
        near[second] |= hit.any(axis=0)
    return int(near.sum())
