"""Which frame comes when: endless sequences of rows, each a pure function of the seed and of the place in it."""

from typing import Protocol

import numpy as np

from usfm.seeding import stream as random_stream

_PARTS = 1_000_000  # a share is a whole number of these, so that places are counted without rounding


class Order(Protocol):
    """An endless sequence of rows.

    Attributes:
        rows: every row that occurs, ascending.
        places: places of the sequence that make one pass.
    """

    rows: np.ndarray
    places: float

    def at(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What stands at some places.

        Args:
            index: (n,) places, ascending, from 0.

        Returns:
            (n,) rows, and (n,) numbers that tell the times that one row comes apart; both int64.
        """
        ...


class Shuffled:
    """Every row once a pass, each pass in a fresh order; passes follow one another without a gap.

    Args:
        rows: of the store.
        seed: of the run.
        name: of the random stream; two sequences of one run have different names.
    """

    def __init__(self, rows: np.ndarray, seed: int, name: str = "order"):
        self.rows, self.places = np.asarray(rows), float(len(rows))
        self._seed, self._name = seed, name
        self._passes: dict[int, np.ndarray] = {}

    def at(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What stands at some places; the number of a time is that of its pass."""
        epochs, places = index // len(self.rows), index % len(self.rows)
        rows = np.empty(len(index), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            rows[here] = self.rows[self._pass(int(epoch))[places[here]]]
        return rows, epochs

    def _pass(self, epoch: int) -> np.ndarray:
        if epoch not in self._passes:
            self._passes = {k: v for k, v in self._passes.items() if k >= epoch - 2}
            self._passes[epoch] = random_stream(self._seed, self._name, epoch).permutation(len(self.rows))
        return self._passes[epoch]


class Weighted:
    """Rows in proportion to weights: in a pass of as many places as rows, each as often as its weight says.

    A row whose share of the places is 2.3 comes two or three times in a pass; one whose share is 0.3 comes in three
    passes of ten. Source: systematic sampling (Madow 1949): equally spaced points over the weights laid end to end, in
    a fresh order each pass.

    Args:
        rows: of the store.
        weights: (n,) at least 0, not all 0.
        seed: of the run.
        name: of the random stream.
    """

    def __init__(self, rows: np.ndarray, weights: np.ndarray, seed: int, name: str = "order"):
        self.rows, self.places = np.asarray(rows), float(len(rows))
        self._share = np.asarray(weights, np.float64) / np.sum(weights)
        self._most = int(np.ceil(self._share.max() * len(rows))) + 1
        self._seed, self._name = seed, name
        self._passes: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def at(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What stands at some places; the number of a time counts over passes."""
        epochs, places = index // len(self.rows), index % len(self.rows)
        rows, times = np.empty(len(index), np.int64), np.empty(len(index), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            picked, turn = self._pass(int(epoch))
            rows[here] = self.rows[picked[places[here]]]
            times[here] = epoch * self._most + turn[places[here]]
        return rows, times

    def _pass(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        if epoch not in self._passes:
            self._passes = {k: v for k, v in self._passes.items() if k >= epoch - 2}
            self._passes[epoch] = self._drawn(random_stream(self._seed, self._name, epoch))
        return self._passes[epoch]

    def _drawn(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Positions in `rows` of one pass, and which time of the pass each is of its row."""
        n = len(self.rows)
        order = generator.permutation(n)
        edges = np.cumsum(self._share[order])
        points = (generator.random() + np.arange(n)) / n * edges[-1]
        at = np.minimum(np.searchsorted(edges, points, side="right"), n - 1)
        turn = np.arange(n) - np.searchsorted(at, at)
        mixed = generator.permutation(n)
        return order[at][mixed], turn[mixed]


class Mixed:
    """Two sequences in one: a share of the places belongs to the second, evenly spread.

    A pass is one of the first sequence.

    Args:
        first: such as the frames of a new store.
        second: such as those of an old one.
        share: of the places that are the second's, 0 to 1, both left out.
    """

    def __init__(self, first: Order, second: Order, share: float):
        self._first, self._second = first, second
        self._parts = min(max(1, round(share * _PARTS)), _PARTS - 1)
        self.rows = np.sort(np.concatenate([first.rows, second.rows]))
        self.places = first.places * _PARTS / (_PARTS - self._parts)

    def at(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What stands at some places."""
        index = np.asarray(index, np.int64)
        before = index * self._parts // _PARTS  # places of the second before each of these
        is_second = (index + 1) * self._parts // _PARTS > before
        rows, times = np.empty(len(index), np.int64), np.empty(len(index), np.int64)
        rows[is_second], times[is_second] = self._second.at(before[is_second])
        rows[~is_second], times[~is_second] = self._first.at((index - before)[~is_second])
        return rows, times


def balanced(group: np.ndarray, power: float, cap: int = 0) -> np.ndarray:
    """Weights of rows that give each group the chance min(size, cap) ** power.

    Args:
        group: (n,) group of each row.
        power: 0 = the same for all groups, 0.5 = square root, 1 = in proportion to their size.
        cap: sizes above count as this one; 0 = no cap.

    Returns:
        (n,) float64; rows of one group have the same.

    >>> balanced(np.array(["a", "a", "a", "a", "b"]), 0.0).tolist()
    [0.25, 0.25, 0.25, 0.25, 1.0]
    >>> balanced(np.array(["a", "a", "a", "a", "b"]), 1.0, cap=2).tolist()
    [0.5, 0.5, 0.5, 0.5, 1.0]
    """
    _, code, size = np.unique(np.asarray(group).astype(str), return_inverse=True, return_counts=True)
    counted = np.minimum(size, cap) if cap else size
    return (counted.astype(np.float64) ** power / size)[code]
