"""Which frames people should label next: those that the run is least sure of, or those that are least alike."""

from collections.abc import Sequence

import numpy as np

from usfm.errors import RequestError

GREEDY = 1000
"""Frames that are chosen one after another for diversity; the others follow by their distance from all chosen."""

_HELD = 16_000_000
"""Similarities held at once."""


def entropy(shares: np.ndarray) -> np.ndarray:
    """How unsure probabilities are.

    Args:
        shares: (n, C); a row sums to 1.

    Returns:
        (n,) 0 where one class has all, 1 where all have the same.

    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).tolist()
    [0.0, 1.0]
    """
    bits = -shares * np.log(np.clip(shares, 1e-12, 1))
    return np.abs(bits.sum(1)) / np.log(max(2, shares.shape[1]))


def uncertainty(scores: np.ndarray, columns: Sequence[str], classes: int, several: bool) -> np.ndarray:
    """How unsure a run is of each frame.

    Args:
        scores: (n, columns).
        columns: names, without a prefix.
        classes: of which a frame has one, the first of the columns; 0 for none.
        several: whether the columns are probabilities of their own.

    Returns:
        (n,) the entropy of the classes; the mean of that of each class where there may be several; of masks the
        entropy of their pixels; of boxes 1 where the highest score is a half and 0 where it is 0 or 1; of a number the
        spread over the folds, NaN where one fold alone was asked.

    Raises:
        RequestError: the run says nothing of it.
    """
    if classes:
        return entropy(scores[:, :classes].astype(float))
    if several:
        return np.mean([entropy(np.stack([p, 1 - p], 1)) for p in scores.astype(float).T], axis=0)
    named = dict(zip(columns, scores.T.astype(float), strict=True))
    spread = next((name for name in columns if name.startswith("spread:")), None)
    if "entropy" in named:
        return named["entropy"]
    if "highest" in named:
        return 1 - np.abs(2 * named["highest"] - 1)
    if spread is not None:
        return named[spread]
    raise RequestError(
        "--rank uncertainty: the run does not say how sure it is of a number; take --rank diversity, or a run of "
        "several folds with --protocol frozen, lora or full"
    )


def by_uncertainty(values: np.ndarray, group: np.ndarray, open_: np.ndarray) -> np.ndarray:
    """Put the least sure frames first, but no second frame of a patient before the first of another.

    Args:
        values: (n,) how unsure; NaN is least.
        group: (n,) patient (or clip).
        open_: (n,) bool, frames that can be chosen; the others have been labelled.

    Returns:
        (n,) float32, 1 for the first; NaN where the frame cannot be chosen.

    >>> by_uncertainty(np.array([0.9, 0.8, 0.1, 0.5]), np.array([0, 0, 1, 1]), np.array([True] * 4)).tolist()
    [1.0, 3.0, 4.0, 2.0]
    """
    value = np.where(np.isnan(values), -np.inf, values)
    rows = np.flatnonzero(open_)
    rows = rows[np.argsort(-value[rows], kind="stable")]
    return _ranks(rows[np.argsort(_turns(group[rows]), kind="stable")], len(values))


def by_diversity(
    vectors: np.ndarray, open_: np.ndarray, group: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray:
    """Put the frame first that is furthest from all labelled ones, then the one furthest from these and it, and so on.

    No second frame of a patient comes before the first of another: a patient whose frame was chosen waits until each
    other one with frames left has had its turn.

    Args:
        vectors: (n, D).
        open_: (n,) bool, frames that can be chosen; the others have been labelled.
        group: (n,) patient (or clip).
        start: (m, D) labelled frames that are not among these.

    Returns:
        (n,) float32, 1 for the first; NaN where the frame cannot be chosen.

    Source: k-center greedy of core-sets (Sener and Savarese, ICLR 2018), on cosine distance; the turns are ours. Where
    nothing is labelled, the frame nearest to the mean comes first. After `GREEDY` frames the others follow by their
    turn and their distance.

    >>> vectors, who = np.array([[1, 0.01], [0.9, 0.02], [0, 1], [0.1, 1]]), np.array([0, 1, 2, 2])
    >>> by_diversity(vectors, np.array([False, True, True, True]), who).tolist()
    [nan, 2.0, 1.0, 3.0]
    """
    unit = _unit(vectors)
    rows = np.flatnonzero(open_)
    if not len(rows):
        return np.full(len(unit), np.nan, np.float32)
    free, known = unit[rows], unit[~open_]
    start = np.zeros((0, unit.shape[1]), np.float32) if start is None else _unit(start)
    far = np.full(len(rows), np.inf, np.float32)
    step = max(1, _HELD // len(rows))
    for some in (known, start):
        for at in range(0, len(some), step):
            far = np.minimum(far, 1 - (free @ some[at : at + step].T).max(1))
    if not len(known) + len(start):
        far = free @ free.mean(0) - 2  # only for the first choice: no cosine distance is below 0
    who = np.unique(group[rows], return_inverse=True)[1]
    left, turn, chosen = np.bincount(who), np.zeros(who.max() + 1, int), []
    while len(chosen) < min(GREEDY, len(rows)):
        now = turn == turn[left > 0].min()
        k = int(np.where(now[who], far, -np.inf).argmax())
        first = not chosen and not len(known) + len(start)
        chosen.append(k)
        turn[who[k]] += 1
        left[who[k]] -= 1
        far = 1 - free @ free[k] if first else np.minimum(far, 1 - free @ free[k])
        far[chosen] = -np.inf
    rest = np.argsort(-far, kind="stable")[: len(rows) - len(chosen)]
    rest = rest[np.argsort(_turns(who[rest], turn), kind="stable")]
    return _ranks(rows[np.concatenate([chosen, rest]).astype(int)], len(unit))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors.astype(np.float32) / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _turns(who: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    """How many frames of its patient come before each."""
    seen = dict(enumerate(before.tolist())) if before is not None else {}
    turn = np.zeros(len(who), int)
    for k, one in enumerate(who.tolist()):
        turn[k] = seen.get(one, 0)
        seen[one] = turn[k] + 1
    return turn


def _ranks(rows: np.ndarray, count: int) -> np.ndarray:
    found = np.full(count, np.nan, np.float32)
    found[rows] = np.arange(1, len(rows) + 1)
    return found
