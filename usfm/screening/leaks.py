"""Near-duplicates that should not be: across splits, patients or labels, and between two stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from usfm.imaging.neighbours import Allowed, cosine_blocks, nearest, reaches
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


@dataclass(frozen=True)
class Leaks:
    """Rows of one set that look like a row of another; one entry a row, whatever the number of pairs.

    Attributes:
        row: (k,) int64 rows of the first set, rising.
        like: (k,) int64 the most similar row of the second set, for each.
        similarity: (k,) float32 cosine of the two.
    """

    row: np.ndarray
    like: np.ndarray
    similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def leaks_between(
    features: np.ndarray,
    others: np.ndarray,
    threshold: float = THRESHOLD,
    *,
    allowed: Allowed | None = None,
    same: tuple[Sequence[str], Sequence[str]] | None = None,
    block: int = 1024,
) -> Leaks:
    """Which frames of a set look like some frame of another: the most similar one for each, with no limit on pairs.

    Args:
        features: (n, D) float32 rows of length 1.
        others: (m, D) float32 rows of length 1.
        threshold: Cosine, -1 to 1.
        allowed: Further condition on the pairs, such as the distance of their hashes; default: none.
        same: Digests of the pixels of both sets; frames of equal digest are alike whatever their features ("" is none).
        block: Rows compared at a time; memory grows with n and m, never with the pairs found.

    Returns:
        The rows of the set that look like one of the others, each with the most similar one.

    >>> found = leaks_between(np.float32([[1, 0], [0, 1]]), np.float32([[1, 0], [1, 0]]))
    >>> found.row.tolist(), found.like.tolist(), found.similarity.tolist()
    ([0], [0], [1.0])
    """
    like, similarity = nearest(features, others, block=block, allowed=allowed)
    if same is not None:
        place: dict[str, int] = {}
        for row, key in enumerate(same[1]):
            place.setdefault(key, row)
        place.pop("", None)
        for row, key in enumerate(same[0]):
            if key in place:
                like[row], similarity[row] = place[key], 1.0
    rows = np.flatnonzero((like >= 0) & reaches(similarity, threshold))
    return Leaks(rows, like[rows], similarity[rows])


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
    return disagreements(features, {"tags": tags}, threshold, limit=limit, block=block)["tags"]


def disagreements(
    features: np.ndarray,
    tags: Mapping[str, Sequence | np.ndarray],
    threshold: float = THRESHOLD,
    *,
    limit: int = 10_000,
    block: int = 1024,
) -> dict[str, Pairs]:
    """Pairs of frames that look the same but disagree, for several kinds of tags in one pass over all pairs.

    Args:
        features: (n, D) float32 rows of length 1.
        tags: kind -> (n,) tags; "" and -1 stand for none and never differ.
        threshold: Cosine, -1 to 1.
        limit: Pairs kept at most of each kind; all are counted.
        block: Rows compared at a time; memory does not grow with the pairs found.

    Returns:
        kind -> the pairs, i < j.
    """
    numbers = {kind: _numbered(values) for kind, values in tags.items()}
    found = {kind: Pairs(*_NOTHING, 0) for kind in tags}
    for row, column, tile in cosine_blocks(features, block=block):
        hit = reaches(tile, threshold)
        if row == column:
            hit &= np.triu(np.ones_like(hit), 1)
        a, b = np.nonzero(hit)
        for kind, number in numbers.items() if len(a) else ():
            first, second = number[a + row], number[b + column]
            odd = (first != second) & (first >= 0) & (second >= 0)
            if odd.any():
                here = Pairs(a[odd] + row, b[odd] + column, tile[a[odd], b[odd]], int(odd.sum()))
                found[kind] = _most_similar(found[kind], here, limit)
    return found


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


_NOTHING = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def _numbered(tags: Sequence | np.ndarray) -> np.ndarray:
    """Equal tags as equal numbers from 0; -1 for no tag."""
    names = np.array([str(tag) for tag in tags], object)
    _, number = np.unique(names.astype(str), return_inverse=True)
    return np.where((names == "") | (names == "-1"), -1, number)


def _most_similar(first: Pairs, second: Pairs, limit: int) -> Pairs:
    i, j = np.concatenate([first.i, second.i]), np.concatenate([first.j, second.j])
    similarity = np.concatenate([first.similarity, second.similarity])
    best = np.lexsort((j, i, -similarity))[:limit]
    return Pairs(i[best], j[best], similarity[best], first.total + second.total)
