"""What a predicted mask is worth: overlap, distance of outlines and structures found, a case and many cases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FOUND_IOU = 0.5
"""A structure counts as found when a predicted one overlaps it by this intersection over union, or more."""


@dataclass(frozen=True)
class Cases:
    """What is counted of n cases and K classes, background first where there is one.

    Attributes:
        both: (n, K) pixels that truth and prediction share.
        truth: (n, K) pixels of the truth.
        predicted: (n, K) pixels of the prediction.
        hd95: (n, K) 95th percentile of the Hausdorff distance, px or mm; NaN where truth or prediction is empty.
        asd: (n, K) average symmetric surface distance, px or mm; NaN likewise.
        found: (n, K) structures of the truth that were found.
        structures: (n, K) structures of the truth.
    """

    both: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    hd95: np.ndarray
    asd: np.ndarray
    found: np.ndarray
    structures: np.ndarray

    def take(self, rows: np.ndarray) -> "Cases":
        """Some of the cases, (m,) rows or bool (n,)."""
        return Cases(**{name: values[rows] for name, values in vars(self).items()})


def count(
    truth: np.ndarray, predicted: np.ndarray, seen: np.ndarray | None = None, spacing: Sequence[float] = (1.0, 1.0)
) -> dict[str, np.ndarray]:
    """Count one case.

    Args:
        truth: bool (K, H, W), a plane a class; planes may overlap.
        predicted: bool (K, H, W).
        seen: bool (H, W), False where the truth is unknown: these pixels belong to nothing. None means all are known.
        spacing: of rows and columns, mm; (1, 1) gives px.

    Returns:
        Every field of `Cases` as (K,) float64.
    """
    if seen is not None:
        truth, predicted = truth & seen, predicted & seen
    kinds = len(truth)
    row = {name: np.full(kinds, np.nan) for name in ("hd95", "asd")}
    row |= {name: np.zeros(kinds) for name in ("found", "structures")}
    for k in range(kinds):
        row["hd95"][k], row["asd"][k] = distances(truth[k], predicted[k], spacing)
        row["found"][k], row["structures"][k] = structures(truth[k], predicted[k])
    flat = (1, 2)
    return row | {
        "both": (truth & predicted).sum(flat).astype(float),
        "truth": truth.sum(flat).astype(float),
        "predicted": predicted.sum(flat).astype(float),
    }


def edge(mask: np.ndarray) -> np.ndarray:
    """Pixels of a mask with a neighbour above, below, left or right that is not in it; outside the frame nothing is.

    Args:
        mask: bool (H, W).

    Returns:
        bool (H, W).
    """
    padded = np.pad(mask, 1)
    return mask & ~(padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:])


def distances(truth: np.ndarray, predicted: np.ndarray, spacing: Sequence[float] = (1.0, 1.0)) -> tuple[float, float]:
    """Distances between two outlines, as MONAI has them.

    Args:
        truth: bool (H, W).
        predicted: bool (H, W).
        spacing: of rows and columns, mm; (1, 1) gives px.

    Returns:
        The larger one of the two directed 95th percentiles, and the mean distance over the pixels of both outlines;
        NaN twice where a mask is empty.

    Examples:
        >>> one, other = np.zeros((5, 5), bool), np.zeros((5, 5), bool)
        >>> one[2, 0] = other[2, 3] = True
        >>> distances(one, other, (1.0, 0.5))
        (1.5, 1.5)
    """
    from scipy.ndimage import distance_transform_edt

    if not truth.any() or not predicted.any():
        return np.nan, np.nan
    rows, columns = (np.flatnonzero((truth | predicted).any(axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    a, b = edge(truth)[box], edge(predicted)[box]
    there = np.asarray(distance_transform_edt(~b, sampling=spacing))[a]
    back = np.asarray(distance_transform_edt(~a, sampling=spacing))[b]
    return float(max(np.quantile(there, 0.95), np.quantile(back, 0.95))), float(np.concatenate([there, back]).mean())


def structures(truth: np.ndarray, predicted: np.ndarray) -> tuple[int, int]:
    """How many connected structures of the truth were found.

    Args:
        truth: bool (H, W).
        predicted: bool (H, W).

    Returns:
        Structures that a predicted one overlaps by `FOUND_IOU` or more, and structures in all. Structures touch by
        sides or corners.
    """
    import cv2

    total, marks, facts, _ = cv2.connectedComponentsWithStats(truth.astype(np.uint8), connectivity=8)
    _, others, sizes, _ = cv2.connectedComponentsWithStats(predicted.astype(np.uint8), connectivity=8)
    found = 0
    for mark in range(1, total):
        shared = np.bincount(others[marks == mark], minlength=len(sizes))[1:]
        area, areas = facts[mark, cv2.CC_STAT_AREA], sizes[1:, cv2.CC_STAT_AREA]
        found += bool(len(shared) and (shared / (area + areas - shared)).max() >= FOUND_IOU)
    return found, total - 1


def dice(both: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Dice's coefficient of counts of pixels; NaN where truth and prediction are empty, 0 where one is.

    Args:
        both: pixels that truth and prediction share.
        truth: pixels of the truth.
        predicted: pixels of the prediction.

    Returns:
        Of the shape of the counts, 0 to 1.
    """
    return _share(2 * both, truth + predicted)


def iou(both: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Intersection over union of counts of pixels; NaN where truth and prediction are empty, 0 where one is.

    Args:
        both: pixels that truth and prediction share.
        truth: pixels of the truth.
        predicted: pixels of the prediction.

    Returns:
        Of the shape of the counts, 0 to 1.
    """
    return _share(both, truth + predicted - both)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def measures(
    cases: Cases, weights: np.ndarray, names: Sequence[str], unit: str = "px", background: bool = True
) -> dict[str, np.ndarray]:
    """Every measure under many weightings of the cases at once.

    A mean over cases leaves out, class by class, the cases in which truth and prediction are both empty; a mean over
    classes leaves out classes that no case has. Distances are means over the cases where both masks hold something.

    Args:
        cases: what was counted.
        weights: (B, n), at least 0.
        names: of the K classes.
        unit: of the distances: px or mm.
        background: whether class 0 is the background, which only the measures ending in `_with_background` count.

    Returns:
        Name -> (B,). `dice` and `iou` are means over cases, then classes; `..._pooled` come from the pixels of all
        cases together; `dice:NAME` and the like are of one class.
    """
    shown = slice(1 if background else 0, None)
    per_case = {
        "dice": dice(cases.both, cases.truth, cases.predicted),
        "iou": iou(cases.both, cases.truth, cases.predicted),
    }
    per_case |= {f"hd95_{unit}": cases.hd95, f"asd_{unit}": cases.asd}
    found: dict[str, np.ndarray] = {}
    classes: dict[str, np.ndarray] = {}
    sums = [weights @ part for part in (cases.both, cases.truth, cases.predicted)]
    for name, values in per_case.items():
        classes[name] = _mean_of_cases(values, weights)
        found[name] = _mean_of_classes(classes[name][:, shown])
        if background and name in ("dice", "iou"):
            found[f"{name}_with_background"] = _mean_of_classes(classes[name])
    for name, share in (("dice", dice), ("iou", iou)):
        found[f"{name}_pooled"] = _mean_of_classes(share(*sums)[:, shown])
    seen = weights @ cases.structures[:, shown]
    found["structures_found"] = _share((weights @ cases.found[:, shown]).sum(1), seen.sum(1))
    for name, values in classes.items():
        found |= {f"{name}:{kind}": values[:, k] for k, kind in enumerate(names) if k or not background}
    return found


def _mean_of_cases(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return _share(weights @ np.where(known, values, 0.0), weights @ known.astype(float))


def _mean_of_classes(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return _share(np.where(known, values, 0.0).sum(1), known.sum(1).astype(float))
