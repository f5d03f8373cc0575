"""The reduce phase of dedup: one keeper for each frame, and how the threshold decides how many stay."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from usfm.curate.dedup.groups import neighbour_counts, within_window
from usfm.imaging.dct import hamming
from usfm.imaging.neighbours import Allowed, cover

CURVE = (0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995)
"""Thresholds at which the retention curve is taken."""

CURVE_WORK = 4e8
"""Comparisons per threshold above which the curve is taken from a sample of the groups."""

HALVINGS = 14
"""Steps of the search for the threshold that keeps a wanted share: its angle is then known to 0.0002 rad."""


@dataclass
class Compared:
    """What selection knows of n frames.

    Attributes:
        features: (n, D) float32 rows of length 1.
        group: (n,) int64, frames of different groups are never compared.
        order: (n,) int64, canonical place.
        keep: "first", "sharpest", "central" or "labelled".
        labelled: (n,) bool.
        sharpness: (n,) float32.
        source: (n,) int, for the window.
        time_s: (n,) float.
        hashes: (n,) uint64, or None.
        phash_distance: Bits, or None.
        window_s: Seconds, 0 = the whole clip.
    """

    features: np.ndarray
    group: np.ndarray
    order: np.ndarray
    keep: str = "first"
    labelled: np.ndarray | None = None
    sharpness: np.ndarray | None = None
    source: np.ndarray | None = None
    time_s: np.ndarray | None = None
    hashes: np.ndarray | None = None
    phash_distance: int | None = None
    window_s: float = 0.0
    _members: list[np.ndarray] = field(default_factory=list)

    def members(self) -> list[np.ndarray]:
        """Rows of each group, in canonical order."""
        if not self._members and len(self.group):
            rows = np.lexsort((self.order, self.group))
            self._members = np.split(rows, np.flatnonzero(np.diff(self.group[rows])) + 1)
        return self._members


def thin(frames: Compared, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Find a keeper for every frame at a threshold.

    Args:
        frames: The frames.
        threshold: Cosine, -1 to 1.

    Returns:
        kept_by (n,) int64 (itself: kept) and similarity (n,) float32 to the keeper.
    """
    kept_by, similarity = np.arange(len(frames.group)), np.ones(len(frames.group), np.float32)
    for rows in frames.members():
        if len(rows) == 1:
            continue
        features = frames.features[rows]
        mine, strength = cover(
            features, threshold, _priority(frames, rows, features, threshold), allowed=_allowed(frames, rows)
        )
        kept_by[rows], similarity[rows] = rows[mine], strength
    return kept_by, similarity


def retention(frames: Compared, seed: np.random.Generator) -> dict[float, float]:
    """Share of the frames that stays at each threshold of the curve.

    Args:
        frames: The frames.
        seed: Chooses the sample when there is too much to compare.

    Returns:
        Threshold -> share, 0 to 1.
    """
    sample = _sample(frames, seed)
    count = max(1, sum(map(len, sample.members())))
    return {
        threshold: int((thin(sample, threshold)[0] == np.arange(len(sample.group))).sum()) / count
        for threshold in CURVE
    }


def threshold_for(frames: Compared, share: float) -> float:
    """The threshold whose share of kept frames comes nearest to the wanted one.

    Args:
        frames: The frames.
        share: Wanted share of all frames, 0 to 1.

    Returns:
        Cosine, -1 to 1. Identical frames go first: a share above what is left without them cannot be met.
    """
    total = max(1, len(frames.group))

    def kept(threshold: float) -> float:
        return int((thin(frames, threshold)[0] == np.arange(len(frames.group))).sum()) / total

    return nearest(kept, share)


def nearest(kept: Callable[[float], float], share: float) -> float:
    """Halve the interval of angles until the share of kept frames is met as well as it can be.

    Args:
        kept: Threshold -> share; rises with it, but for small steps back.
        share: Wanted share.

    Returns:
        The best threshold tried.

    >>> round(nearest(lambda threshold: max(0.0, threshold), 0.6), 3)
    0.6
    """
    low, high = 0.0, float(np.pi)
    tried = {1.0: kept(1.0)}
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        threshold = float(np.cos(middle))
        tried[threshold] = kept(threshold)
        if tried[threshold] > share:
            low = middle
        else:
            high = middle
    return min(sorted(tried, reverse=True), key=lambda threshold: abs(tried[threshold] - share))


def _priority(frames: Compared, rows: np.ndarray, features: np.ndarray, threshold: float) -> np.ndarray:
    """Rank of each row of a group (they stand in canonical order): smaller is kept rather."""
    place = np.arange(len(rows))
    if frames.keep == "sharpest" and frames.sharpness is not None:
        worth = -frames.sharpness[rows].astype(float)
    elif frames.keep == "labelled" and frames.labelled is not None:
        worth = -frames.labelled[rows].astype(float)
    elif frames.keep == "central":
        worth = -neighbour_counts(features, threshold).astype(float)
    else:
        return place
    rank = np.empty(len(rows), np.int64)
    rank[np.lexsort((place, worth))] = place
    return rank


def _allowed(frames: Compared, rows: np.ndarray) -> Allowed | None:
    """The further conditions on pairs of a group: time window, hash distance."""
    conditions: list[Allowed] = []
    if frames.window_s > 0 and frames.source is not None and frames.time_s is not None:
        conditions.append(within_window(frames.source[rows], frames.time_s[rows], frames.window_s))
    if frames.phash_distance is not None and frames.hashes is not None:
        conditions.append(near_hashes(frames.hashes[rows], frames.hashes[rows], frames.phash_distance))
    if not conditions:
        return None
    return lambda i, j: np.logical_and.reduce([condition(i, j) for condition in conditions])


def near_hashes(first: np.ndarray, second: np.ndarray, most: int) -> Allowed:
    """The condition that two perceptual hashes are near.

    Args:
        first: (n,) uint64, of the first frame of a pair.
        second: (m,) uint64, of the second.
        most: Bits that may differ.

    Returns:
        A function of two arrays of rows: (n, m) bool, whether their hashes are near.
    """
    return lambda i, j: hamming(first[i][:, None], second[j][None]) <= most


def _sample(frames: Compared, seed: np.random.Generator) -> Compared:
    """Whole groups, and of a very large group some frames, so that a curve costs seconds."""
    members = frames.members()
    if sum(float(len(rows)) ** 2 for rows in members) <= CURVE_WORK:
        return frames
    most, work, chosen = int(CURVE_WORK**0.5), 0.0, []
    for number in seed.permutation(len(members)):
        rows = members[number]
        if len(rows) > most:
            rows = np.sort(seed.choice(rows, most, replace=False))
        work += float(len(rows)) ** 2
        if chosen and work > CURVE_WORK:
            break
        chosen.append(rows)
    rows = np.sort(np.concatenate(chosen))
    columns = {name: value[rows] for name, value in vars(frames).items() if isinstance(value, np.ndarray)}
    return replace(frames, **columns, _members=[])
