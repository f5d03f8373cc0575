"""Order frames of other patients by likeness, and say at which places those of each class stand."""

from dataclasses import dataclass

import numpy as np

from usfm.tasks.contract import Fitted

DEPTHS = (1, 5, 10)
"""Nearest frames among which one of the class is looked for."""

_HELD = 20_000_000
"""Similarities held at once."""


@dataclass(frozen=True)
class Found:
    """What a gallery gives m queries.

    Attributes:
        precision: (m, C) average precision, if the query were of each class; NaN for a class that the gallery lacks.
        hits: (m, C, 3) whether one of the nearest 1, 5 and 10 frames is of that class; NaN likewise.
        nearest: (m,) int, the nearest frame of the gallery.
    """

    precision: np.ndarray
    hits: np.ndarray
    nearest: np.ndarray


def retrieval(
    features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict
) -> Fitted:
    """See `contract.Probe`. Keep the training frames as the gallery; nothing is trained or drawn.

    The gallery's mean is taken off every vector, then cosine similarity; equal ones in the order of the gallery.

    Gives features (m, D) -> `Found`.
    """
    mean = features.mean(axis=0)
    known, of_class = _unit(features - mean), np.eye(classes)[target]

    def scores(new: np.ndarray):
        parts = []
        step = max(1, _HELD // (len(known) * max(classes, 2)))
        for at in range(0, len(new), step):
            order = np.argsort(-(_unit(new[at : at + step] - mean) @ known.T), axis=1, kind="stable")
            parts.append(_ordered(of_class[order], order[:, 0]))
        return Found(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("precision", "hits", "nearest"))
        )

    return Fitted(scores, {"gallery": len(known)})


def chance(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a gallery in random order gives.

    Args:
        counts: (C,) frames of each class in the gallery.

    Returns:
        (C,) expected average precision, and (C, 3) chance of a hit; NaN for a class that the gallery lacks. Source:
        expectation of precision at the rank of each relevant item of a random permutation.

    Examples:
        >>> precision, hits = chance(np.array([1, 1]))
        >>> precision.tolist(), hits[:, 0].tolist(), hits[:, 1].tolist()
        ([0.75, 0.75], [0.5, 0.5], [1.0, 1.0])
    """
    from scipy.special import gammaln

    total = int(counts.sum())
    harmonic = float((1 / np.arange(1, total + 1)).sum())
    precision = (harmonic + (counts - 1) / max(1, total - 1) * (total - harmonic)) / total
    hits = np.ones((len(counts), len(DEPTHS)))
    for k, depth in enumerate(DEPTHS):
        others = total - counts
        some = others >= depth  # else the nearest cannot all be of other classes
        n = others[some]
        missed = gammaln(n + 1) - gammaln(n - depth + 1) - gammaln(total + 1) + gammaln(total - depth + 1)
        hits[some, k] = 1 - np.exp(missed)
    there = counts > 0
    return np.where(there, precision, np.nan), np.where(there[:, None], hits, np.nan)


def _ordered(relevant: np.ndarray, nearest: np.ndarray) -> Found:
    """(m, N, C) 0 or 1, the gallery in the order of each query -> its figures."""
    seen = np.cumsum(relevant, axis=1)
    total = seen[:, -1]
    place = np.arange(1, relevant.shape[1] + 1)[None, :, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = (relevant * seen / place).sum(axis=1) / total
    hits = np.stack([seen[:, min(depth, relevant.shape[1]) - 1] > 0 for depth in DEPTHS], axis=-1).astype(float)
    return Found(precision, np.where(total[..., None] > 0, hits, np.nan), nearest)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
