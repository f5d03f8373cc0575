"""Exact blocked cosine search, and the star cover that keeps one frame for each group of near-duplicates."""

from collections.abc import Callable, Iterator

import numpy as np

Allowed = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(rows i, rows j) -> (len i, len j) bool: which pairs may count at all (a time window, a second distance)."""

TOLERANCE = 2e-6
"""Rounding of float32 products: a similarity this far below a threshold still reaches it, one this near to 1 is 1."""


def reaches(similarity: np.ndarray, threshold: float) -> np.ndarray:
    """Which similarities reach a threshold: the one meaning of a threshold in all searches.

    Args:
        similarity: cosines, any shape.
        threshold: Cosine, -1 to 1.

    Returns:
        bool, the same shape: at or above the threshold, but for `TOLERANCE`.

    >>> reaches(np.float32([0.94, 0.9499999, 0.96]), 0.95).tolist()
    [False, True, True]
    """
    return similarity >= threshold - TOLERANCE


def cosines(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Similarities of all pairs of two sets, within [-1, 1].

    Args:
        features: (n, D) float32 rows of length 1.
        others: (m, D) float32 rows of length 1.

    Returns:
        (n, m) float32; exactly 1 for equal rows.
    """
    tile = features @ others.T
    np.maximum(tile, -1.0, out=tile)
    tile[tile >= 1.0 - TOLERANCE] = 1.0
    return tile


def cosine_blocks(
    features: np.ndarray, against: np.ndarray | None = None, *, block: int = 1024
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Similarities of all pairs, tile by tile; never more than one tile in memory.

    Args:
        features: (n, D) float32 rows of length 1.
        against: (m, D) float32 rows of length 1; default: `features` itself, and then only tiles on or above the
            diagonal.
        block: Rows and columns of a tile.

    Yields:
        (first row, first column, (r, c) float32 tile).
    """
    other = features if against is None else against
    for row in range(0, len(features), block):
        for column in range(row if against is None else 0, len(other), block):
            yield row, column, cosines(features[row : row + block], other[column : column + block])


def cosine_pairs(
    features: np.ndarray,
    threshold: float,
    against: np.ndarray | None = None,
    *,
    block: int = 1024,
    allowed: Allowed | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs whose cosine reaches the threshold, exactly.

    Args:
        features: (n, D) float32 rows of length 1.
        threshold: Cosine, -1 to 1.
        against: (m, D) float32 rows of length 1; default: pairs within `features`, each once, i < j.
        block: Rows of a tile; memory is block * block * 4 bytes plus the pairs found.
        allowed: Further condition on the pairs; default: none.

    Returns:
        i, j (int64) and similarity (float32), ordered by i, then j.

    >>> corners = np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32)
    >>> [values.tolist() for values in cosine_pairs(corners, 0.7)][:2]
    [[0], [2]]
    """
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for row, column, tile in cosine_blocks(features, against, block=block):
        hit = reaches(tile, threshold)
        if against is None and row == column:
            hit &= np.triu(np.ones_like(hit), 1)
        if allowed is not None and hit.any():
            hit &= allowed(np.arange(row, row + hit.shape[0]), np.arange(column, column + hit.shape[1]))
        i, j = np.nonzero(hit)
        found.append((i + row, j + column, tile[i, j]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    i, j, similarity = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((j, i))
    return i[order], j[order], similarity[order]


def nearest(
    features: np.ndarray, others: np.ndarray, *, block: int = 1024, allowed: Allowed | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The most similar row of another set for each row, exactly; one tile in memory, however many pairs are near.

    Args:
        features: (n, D) float32 rows of length 1.
        others: (m, D) float32 rows of length 1.
        block: Rows of a tile.
        allowed: Further condition on the pairs; default: none.

    Returns:
        (n,) int64 row of `others`, the first of equals; -1 where no pair is allowed. (n,) float32 similarity to it,
        -inf where there is none.

    >>> row, similarity = nearest(np.float32([[1, 0], [0, 1]]), np.float32([[0.6, 0.8], [1, 0]]))
    >>> row.tolist(), [round(float(each), 3) for each in similarity]
    ([1, 0], [1.0, 0.8])
    """
    best = np.full(len(features), -np.inf, np.float32)
    row_of = np.full(len(features), -1, np.int64)
    for row, column, tile in cosine_blocks(features, others, block=block):
        if allowed is not None:
            pairs = allowed(np.arange(row, row + tile.shape[0]), np.arange(column, column + tile.shape[1]))
            tile[~pairs] = -np.inf
        at = tile.argmax(axis=1)
        value = tile[np.arange(len(tile)), at]
        mine = slice(row, row + len(tile))
        better = value > best[mine]
        best[mine] = np.where(better, value, best[mine])
        row_of[mine] = np.where(better, at + column, row_of[mine])
    return row_of, best


def star_cover(
    n: int, pairs: tuple[np.ndarray, np.ndarray, np.ndarray], priority: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the frames that no kept frame of better priority stands for.

    Frames are taken in order of priority; one is dropped when a frame that was kept before is its neighbour. So every
    dropped frame is a neighbour of its keeper (a star), kept frames are no neighbours of one another, and chains do
    not run on: of A~B~C with A unlike C, A and C stay.

    Args:
        n: Number of frames.
        pairs: i, j, similarity of all neighbours, as `cosine_pairs` returns them.
        priority: (n,) numbers; smaller is kept rather; equal ones in row order.

    Returns:
        kept_by (n,) int64, `kept_by[i] == i` for kept frames, and similarity (n,) float32 to the keeper (1 for kept
        frames). A frame with several keepers names the most similar one.
    """
    i, j, similarity = (np.concatenate(both) for both in ((pairs[0], pairs[1]), (pairs[1], pairs[0]), (pairs[2],) * 2))
    order = np.lexsort((-similarity, i))
    i, j, similarity = i[order], j[order], similarity[order]
    first = np.searchsorted(i, np.arange(n + 1))
    rank = np.empty(n, np.int64)
    rank[np.argsort(priority, kind="stable")] = np.arange(n)
    kept_by, strength = np.arange(n), np.ones(n, np.float32)
    for row in np.argsort(priority, kind="stable"):
        near = j[first[row] : first[row + 1]]
        keepers = np.flatnonzero((kept_by[near] == near) & (rank[near] < rank[row]))
        if keepers.size:
            kept_by[row], strength[row] = near[keepers[0]], similarity[first[row] + keepers[0]]
    return kept_by, strength


def cover(
    features: np.ndarray,
    threshold: float,
    priority: np.ndarray,
    *,
    block: int = 1024,
    allowed: Allowed | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The star cover of all frames at a threshold, without listing the pairs.

    The same answer as `star_cover` on `cosine_pairs`, in memory that grows with the frames and never with the pairs:
    each block of frames, in order of priority, is compared with the frames kept so far and then with itself.

    Args:
        features: (n, D) float32 rows of length 1.
        threshold: Cosine, -1 to 1, that makes two frames near-duplicates.
        priority: (n,) numbers; smaller is kept rather; equal ones in row order.
        block: Frames compared at a time.
        allowed: Further condition on the pairs; default: none.

    Returns:
        kept_by (n,) int64 and similarity (n,) float32, as from `star_cover`.

    >>> angles = np.array([0.0, 0.4, 0.8])
    >>> cover(np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32), 0.9, np.arange(3))[0].tolist()
    [0, 0, 2]
    """
    order = np.argsort(priority, kind="stable")
    kept_by, strength = np.arange(len(features)), np.ones(len(features), np.float32)
    kept = np.empty(len(features), np.int64)
    kept_features = np.empty_like(features)
    count = 0

    for start in range(0, len(order), block):
        rows = order[start : start + block]
        mine = features[rows]
        best = np.full(len(rows), -np.inf, np.float32)
        keeper = np.full(len(rows), -1)

        for first in range(0, count, 4 * block):
            candidates = kept[first : min(first + 4 * block, count)]
            tile = cosines(mine, kept_features[first : first + len(candidates)])
            if allowed is not None:
                tile[~allowed(rows, candidates)] = -np.inf
            column = tile.argmax(axis=1)
            value = tile[np.arange(len(rows)), column]
            better = reaches(value, threshold) & (value > best)
            best[better], keeper[better] = value[better], candidates[column[better]]

        within = cosines(mine, mine)
        near = reaches(within, threshold)
        if allowed is not None:
            near &= allowed(rows, rows)
        for position in range(len(rows)):
            if keeper[position] >= 0:
                continue
            kept[count], kept_features[count] = rows[position], mine[position]
            count += 1
            later = position + 1 + np.flatnonzero(near[position, position + 1 :])
            better = later[within[position, later] > best[later]]
            best[better], keeper[better] = within[position, better], rows[position]

        dropped = keeper >= 0
        kept_by[rows[dropped]], strength[rows[dropped]] = keeper[dropped], best[dropped]
    return kept_by, strength
