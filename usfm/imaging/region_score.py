"""How likely a found region is right: a few numbers of it, weighed as measured on regions whose truth is known."""

import math

import cv2
import numpy as np

from usfm.imaging.region_evidence import Evidence
from usfm.imaging.shaped import Shaped

WEIGHTS = (
    ("score", 0.780, 0.204, 0.505, 0.0910),
    ("lead", 0.463, 0.385, 0.519, -0.0136),
    ("votes", 0.749, 0.258, 0.193, 0.0507),
    ("fit", 0.849, 0.178, 0.539, 0.0080),
    ("captured", 0.884, 0.200, 0.022, 0.0079),
    ("ground", 0.035, 0.072, 0.465, 0.0580),
    ("linear", 0.298, 0.457, -0.507, -0.0500),
    ("hull", 0.083, 0.276, -0.133, -0.0109),
    ("edged", 0.881, 0.184, -0.230, -0.0186),
    ("ring_faint", 0.247, 0.177, -0.378, -0.0182),
    ("low_ground", 0.048, 0.120, -0.321, -0.0220),
    ("body_all", 2.421, 1.148, 0.488, 0.0575),
    ("ring_body", 0.166, 0.227, -0.372, -0.0635),
)
"""Name, mean, deviation, weight for the log odds that the overlap is 0.90 or more, weight for the overlap itself.

Logistic and ridge regression by `tests/bench/region_confidence.py`; docs/curation.md has the reliability."""

_ODDS, _OVERLAP = 1.143, 0.8332
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
