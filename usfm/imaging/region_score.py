"""How likely a found region is right: a few numbers of it, weighed as measured on regions whose truth is known."""

import math

import cv2
import numpy as np

from usfm.imaging.region_evidence import Evidence
from usfm.imaging.shaped import Shaped

WEIGHTS = (
    ("score", 0.793, 0.192, 0.503, 0.0813),
    ("lead", 0.461, 0.384, 0.428, -0.0298),
    ("votes", 0.702, 0.273, 0.294, 0.0441),
    ("fit", 0.841, 0.172, 0.439, -0.0071),
    ("captured", 0.915, 0.173, 0.425, 0.0606),
    ("ground", 0.038, 0.079, 0.113, 0.0065),
    ("linear", 0.272, 0.445, -0.167, -0.0073),
    ("hull", 0.097, 0.296, -0.214, -0.0223),
    ("edged", 0.835, 0.213, -0.012, -0.0140),
    ("ring_faint", 0.249, 0.185, -0.399, -0.0160),
    ("low_ground", 0.055, 0.130, -0.354, -0.0178),
    ("body_all", 2.391, 1.300, 0.259, 0.0244),
    ("ring_body", 0.158, 0.206, -0.422, -0.0455),
)
"""Name, mean, deviation, weight for the log odds that the overlap is 0.90 or more, weight for the overlap itself.

Logistic and ridge regression by `tests/bench/region_confidence.py`; docs/curation.md has the reliability."""

_ODDS, _OVERLAP = 2.082, 0.8918
_FARTHEST = 3.0
"""Deviations beyond which a number counts no more."""

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))


def judged(found: Shaped, seen: Evidence) -> tuple[float, float]:
    """Return how far to trust a region.

    Args:
        found: the region, at the size of the maps.
        seen: the maps.

    Returns:
        The probability that it overlaps the true region by 0.90 or more, and the overlap to expect, both 0 to 1.
    """
    values = features(found, seen)
    odds, overlap = _ODDS, _OVERLAP
    for name, mean, deviation, for_odds, for_overlap in WEIGHTS:
        apart = max(-_FARTHEST, min(_FARTHEST, (values[name] - mean) / deviation))
        odds, overlap = odds + for_odds * apart, overlap + for_overlap * apart
    return 1 / (1 + math.exp(-odds)), max(0.0, min(1.0, overlap))


def features(found: Shaped, seen: Evidence) -> dict[str, float]:
    """Return what is weighed, by name: what the search found out, and what lies in, on and around the outline.

    Args:
        found: the region, at the size of the maps.
        seen: the maps.

    Returns:
        The names of `WEIGHTS` with their values.
    """
    mask = found.mask
    solid = mask.astype(np.uint8)
    rows = np.flatnonzero(mask.any(1))
    ring = (cv2.dilate(solid, _DISC) > 0) & ~mask
    line = cv2.dilate(solid, _CROSS) != cv2.erode(solid, _CROSS, borderValue=1)
    low = mask.copy()
    low[: rows[-1] - max(2, int(np.ptp(rows)) // 6)] = False
    body, total = _mean(seen.body, mask), max(1e-6, float(seen.body.sum()))
    return {
        "score": found.score, "lead": found.lead, "votes": math.sqrt(found.votes), "fit": found.confidence,
        "captured": body * float(mask.sum()) / total, "ground": _mean(seen.ground, mask),
        "linear": float(found.shape == "linear"), "hull": float(found.shape == ""),
        "edged": _mean(seen.edges > 0.2, line), "ring_faint": _mean(seen.faint, ring),
        "low_ground": _mean(seen.ground, low), "body_all": total / mask.size,
        "ring_body": _mean(seen.body, ring) / (body + 0.05),
    }  # fmt: skip


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else 0.0
