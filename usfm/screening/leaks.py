"""Near-duplicates that should not be: across splits, patients or labels, and between two stores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from usfm.imaging.neighbours import cosine_blocks
from usfm.screening.features import THRESHOLD, visual_features
from usfm.store.reader import Store


@dataclass(frozen=True)
class Pairs:
    """Near-duplicate pairs, the most similar first.

    Attributes:
        i: (k,) rows of the first set.
        j: (k,) rows of the second set (of the same one when there is only one).
        similarity: (k,) float32 cosines.
        total: Number of pairs found; more than k where only the most similar were kept.
    """

    i: np.ndarray
    j: np.ndarray
    similarity: np.ndarray
    total: int

    def __len__(self) -> int:
        return len(self.i)


def unlike_pairs(
    features: np.ndarray, tags: Sequence, threshold: float = THRESHOLD, *, limit: int = 10_000, block: int = 1024
) -> Pairs:
    """Pairs of frames that look the same but carry different tags: two splits, two patients, two classes.

    Args:
        features: (n, D) float32 rows of length 1.
        tags: (n,) tags; "" and -1 stand for none and never differ.
        threshold: Cosine, -1 to 1.
        limit: Pairs kept at most; all are counted.
        block: Rows compared at a time.

    Returns:
        The pairs, i < j.

    >>> same = np.ones((3, 1), np.float32)
    >>> pairs = unlike_pairs(same, ["train", "test", ""])
    >>> pairs.i.tolist(), pairs.j.tolist(), pairs.total
    ([0], [1], 1)
    """
    names = np.array([str(tag) for tag in tags], object)
    none = (names == "") | (names == "-1")
    _, number = np.unique(names.astype(str), return_inverse=True)
    return _collect(features, None, threshold, limit, block, lambda i, j: (
        (number[i][:, None] != number[j][None]) & ~none[i][:, None] & ~none[j][None]
    ))  # fmt: skip


def pairs_between(
    features: np.ndarray, others: np.ndarray, threshold: float = THRESHOLD, *, limit: int = 10_000, block: int = 1024
) -> Pairs:
    """Pairs of near-duplicates between two sets of frames, for instance pretraining data and a test set.

    Args:
        features: (n, D) float32 rows of length 1.
        others: (m, D) float32 rows of length 1.
        threshold: Cosine, -1 to 1.
        limit: Pairs kept at most; all are counted.
        block: Rows compared at a time.

    Returns:
        The pairs; the same ones, turned round, when the sets are exchanged.
    """
    return _collect(features, others, threshold, limit, block, None)


def split_leaks(store: Store, tags: Sequence | None = None, threshold: float = THRESHOLD) -> Pairs:
    """Near-duplicates that lie in different splits of a store.

    Args:
        store: The store.
        tags: (N,) split of each frame; default: the store's own.
        threshold: Cosine, -1 to 1.

    Returns:
        The pairs, in rows of the store.
    """
    names = [str(tag) for tag in (store.split() if tags is None else tags)]
    rows = np.flatnonzero([name not in ("", "-1") for name in names])
    found = unlike_pairs(visual_features(store, rows), [names[row] for row in rows], threshold)
    return Pairs(rows[found.i], rows[found.j], found.similarity, found.total)


def _collect(features, others, threshold, limit, block, allowed) -> Pairs:
    i, j = np.empty(0, np.int64), np.empty(0, np.int64)
    similarity = np.empty(0, np.float32)
    total = 0
    for row, column, tile in cosine_blocks(features, others, block=block):
        hit = tile >= threshold
        if others is None and row == column:
            hit &= np.triu(np.ones_like(hit), 1)
        if allowed is not None and hit.any():
            hit &= allowed(np.arange(row, row + hit.shape[0]), np.arange(column, column + hit.shape[1]))
        a, b = np.nonzero(hit)
        total += len(a)
        if not len(a):
            continue
        i, j = np.concatenate([i, a + row]), np.concatenate([j, b + column])
        similarity = np.concatenate([similarity, tile[a, b]])
        best = np.lexsort((j, i, -similarity))[:limit]
        i, j, similarity = i[best], j[best], similarity[best]
    return Pairs(i, j, similarity, total)
