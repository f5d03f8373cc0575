"""Deal whole groups into parts of wanted sizes, so that every part has each class in the share that the whole has."""

import itertools
from collections.abc import Sequence

import numpy as np

STEPS = 400
"""Moves of groups between parts that are tried at most after the first deal."""

WORK, MOST_PARTS = 4_000_000, 20
"""Numbers per step, and parts, above which the first deal is not mended: leave-one-out needs no mending."""

FREE = 0.015
"""By how much the share of a class in a part may differ from that in the whole before it counts more."""

GOOD = 4e-6
"""Cost of a part that needs no mending: its frames are off by 0.2 % of the part."""

TRIES = 4
"""Deals of which the best is taken, where groups are few."""

FEW = 400
"""Groups of one kind up to which several deals are tried."""


def deal(group: np.ndarray, stratum: np.ndarray, fractions: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Deal groups into parts.

    Groups that hold the same number of frames of every class are interchangeable: each part gets its share of them by
    lot. What does not divide goes, in random order, to the part that lacks its classes most; then single groups and
    pairs change places as long as a part's shares come nearer to those of the whole. A class that enough groups hold is
    in every part.

    Args:
        group: (N,) int in 0..G-1, frames that stay together.
        stratum: (N,) int in 0..C-1, what each part is to have in equal shares.
        fractions: of the frames for each of P parts; they add up to 1.
        rng: draws the lots.

    Returns:
        (G,) int, the part of each group.
    """
    frames = np.zeros((int(group.max(initial=-1)) + 1, int(stratum.max(initial=0)) + 1), np.int64)
    np.add.at(frames, (group, stratum), 1)
    kinds, kind = np.unique(frames, axis=0, return_inverse=True)
    counts = np.bincount(kind.reshape(-1), minlength=len(kinds))
    share = np.asarray(fractions, float)
    tries = TRIES if len(kinds) <= FEW else 1
    found = [_mended(kinds, _first(kinds, counts, share, rng), share) for _ in range(tries)]
    best = min(found, key=lambda dealt: _cost(kinds, dealt, share))
    part = np.empty(len(frames), np.int64)
    for k, members in enumerate(_members(kind.reshape(-1), len(kinds))):
        part[rng.permutation(members)] = np.repeat(np.arange(len(share)), best[k])
    return part


def _members(kind: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(kind, kind="stable")
    return np.split(order, np.cumsum(np.bincount(kind, minlength=count))[:-1])


def _first(kinds: np.ndarray, counts: np.ndarray, share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Share out what divides, then the rest one by one: (U, P) how many groups of each kind each part gets."""
    dealt = np.floor(counts[:, None] * share[None] + 1e-9).astype(np.int64)
    rest = np.repeat(np.arange(len(kinds)), counts - dealt.sum(1))
    total = np.maximum(counts @ kinds, 1)
    lacks = total[None] * share[:, None] - dealt.T @ kinds
    held = dealt.T @ (kinds > 0)
    weight = 1.0 / total
    # Large groups first, or the last one upsets all; among equals by lot.
    size = kinds.sum(1)[rest] * rng.uniform(0.5, 1.0, len(rest))
    rare = 1.0 / np.maximum(counts @ (kinds > 0), 1)
    filled = dealt.sum(0)
    for left, k in zip(range(len(rest), 0, -1), rest[np.argsort(-size)].tolist(), strict=True):
        there = kinds[k] > 0
        empty = (filled == 0) & (share > 0)
        open_ = empty if left <= empty.sum() else share > 0
        need = (lacks * (kinds[k] * weight)).sum(1) + ((held[:, there] == 0) * rare[there]).sum(1) * (share > 0)
        p = int(np.argmax(np.where(open_, need + 1e-9 * rng.random(len(share)), -np.inf)))
        dealt[k, p] += 1
        filled[p] += 1
        lacks[p] -= kinds[k]
        held[p] += there
    return dealt


def _cost(kinds: np.ndarray, dealt: np.ndarray, share: np.ndarray) -> float:
    frames, held = dealt.T @ kinds, dealt.T @ (kinds > 0)
    total, groups = frames.sum(0), held.sum(0)
    return float(_off(frames, total, share).sum() + _absent(held, groups, dealt.sum(0), share).sum())


def _off(frames: np.ndarray, total: np.ndarray, share: np.ndarray) -> np.ndarray:
    """How far each part's frames of each class are from its due, in shares of the part, squared: (..., P).

    A share of a class that is further off than `FREE` weighs more than frames too many or too few.
    """
    due = np.maximum(share * total.sum(), 1e-9)
    wrong = (((frames - share[:, None] * total) / due[:, None]) ** 2).sum(-1)
    mine = frames / np.maximum(frames.sum(-1, keepdims=True), 1)
    further = np.maximum(np.abs(mine - total / max(total.sum(), 1)) - FREE, 0.0)
    return (wrong + 100.0 * (further**2).sum(-1)) * (share > 0)


def _absent(held: np.ndarray, groups: np.ndarray, filled: np.ndarray, share: np.ndarray) -> np.ndarray:
    """A price for each class that a part lacks and could have, and for an empty part, above all others: (..., P)."""
    could = groups >= (share > 0).sum()
    return ((held == 0) & could).sum(-1) * 10.0 * (share > 0) + (filled == 0) * 1000.0 * (share > 0)


def _mended(kinds: np.ndarray, dealt: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Move groups, one or two at a time, while the deal gets better."""
    parts = len(share)
    if parts > MOST_PARTS or kinds.size * parts * parts > WORK:
        return dealt
    for _ in range(STEPS):
        now = _cost(kinds, dealt, share)
        if now < GOOD * parts:
            return dealt
        gain, moves = _moves(kinds, dealt, share)
        if not len(moves):
            return dealt
        order = np.argsort(gain, kind="stable")
        if gain[order[0]] < -1e-12:
            dealt = _moved(dealt, moves[order[0]])
            continue
        better = None
        for one in order[:24]:  # a change for the worse that another makes good: as a rule two change places
            half = _moved(dealt, moves[one])
            second, then = _moves(kinds, half, share)
            k = int(np.argmin(second))
            if gain[one] + second[k] < -1e-12 and (better is None or gain[one] + second[k] < better[0]):
                better = (gain[one] + second[k], _moved(half, then[k]))
        if better is None:
            return dealt
        dealt = better[1]
    return dealt


def _moved(dealt: np.ndarray, move: np.ndarray) -> np.ndarray:
    k, p, q = move.tolist()
    found = dealt.copy()
    found[k, p] -= 1
    found[k, q] += 1
    return found


def _moves(kinds: np.ndarray, dealt: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each move of one group from a part to another adds to the cost: (m,) and (m, 3) kind, from, to."""
    there = kinds > 0
    frames, held, filled = dealt.T @ kinds, dealt.T @ there, dealt.sum(0)
    total, groups = frames.sum(0), held.sum(0)
    off, absent = _off(frames, total, share), _absent(held, groups, filled, share)

    def after(p: int, sign: int) -> np.ndarray:
        own = np.array([share[p]])
        changed = (frames[p] + sign * kinds)[:, None]
        price = _off(changed, total, own) if share[p] > 0 else np.zeros((len(kinds), 1))
        lacks = (held[p] + sign * there)[:, None]
        could = groups >= (share > 0).sum()
        price = price + ((lacks == 0) & could).sum(-1) * 10.0 + (filled[p] + sign == 0) * 1000.0
        return price[:, 0] - off[p] - absent[p]

    gone = [after(p, -1) for p in range(len(share))]
    come = [after(p, 1) for p in range(len(share))]
    gains, moves = [], []
    for p, q in itertools.permutations(np.flatnonzero(share > 0).tolist(), 2):
        which = np.flatnonzero(dealt[:, p] > 0)
        gains.append(gone[p][which] + come[q][which])
        moves.append(np.stack([which, np.full(len(which), p), np.full(len(which), q)], 1))
    if not gains:
        return np.zeros(0), np.zeros((0, 3), np.int64)
    return np.concatenate(gains), np.concatenate(moves)
