"""Measures of boxes as COCO defines them, in plain NumPy; one pass scores many weightings of the cases at once.

Boxes are matched once, which no weight changes. A case of weight 3 counts as three pictures that are alike.
"""

from dataclasses import dataclass

import numpy as np

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST = 100
"""Predicted boxes of a class and frame that count, those with the highest scores."""

_BLOCK = 4_000_000
"""Numbers held at once."""


@dataclass(frozen=True)
class Matched:
    """All predicted boxes of one class beside its truth, in n cases.

    Attributes:
        score: (D,) descending.
        case: (D,) int, the case of each.
        hit: (10, D) bool, whether it is matched with a box of the truth at each of `IOUS`.
        truth: (n,) int, boxes of the truth in each case.
        frames: (n,) int, frames of each case.
    """

    score: np.ndarray
    case: np.ndarray
    hit: np.ndarray
    truth: np.ndarray
    frames: np.ndarray

    def take(self, rows: np.ndarray) -> "Matched":
        """Some of the cases, by bool (n,) or int rows, which may repeat."""
        rows = np.arange(len(self.truth))[rows]
        order = np.argsort(self.case, kind="stable")
        first, last = (np.searchsorted(self.case[order], rows, side) for side in ("left", "right"))
        old = np.concatenate([order[a:b] for a, b in zip(first, last, strict=True)] or [order[:0]])
        new, again = np.repeat(np.arange(len(rows)), last - first), np.argsort(old, kind="stable")
        old = old[again]
        return Matched(self.score[old], new[again], self.hit[:, old], self.truth[rows], self.frames[rows])


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes.

    Args:
        a: (n, 4) left, top, right, bottom.
        b: (m, 4).

    Returns:
        (n, m) float, 0 for boxes without an area.

    Examples:
        >>> overlap(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [4, 4, 5, 5]])).round(3).tolist()
        [[0.333, 0.0]]
    """
    a, b = np.asarray(a, float).reshape(-1, 4)[:, None], np.asarray(b, float).reshape(-1, 4)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = np.clip(sides, 0, None).prod(-1)
    either = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def hits(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Match the predicted boxes of a frame and class with those of the truth, the surest first.

    Each takes the box of the truth that it overlaps most among those that no surer one has taken.

    Args:
        boxes: (d, 4), scores descending.
        truth: (t, 4).

    Returns:
        (10, d) bool, at each of `IOUS`. Source: COCO's evaluation, without crowds and areas.
    """
    found = np.zeros((len(IOUS), len(boxes)), bool)
    if not len(truth):
        return found
    free, shares, lines = np.ones((len(IOUS), len(truth)), bool), overlap(boxes, truth), np.arange(len(IOUS))
    for d in np.flatnonzero(shares.max(1, initial=0) >= IOUS[0]):
        fits = np.where(free & (shares[d] >= np.minimum(IOUS, 1 - 1e-10)[:, None]), shares[d], -1)
        best = len(truth) - 1 - fits[:, ::-1].argmax(1)  # of equal ones the last, as COCO has it
        found[:, d] = fits[lines, best] >= 0
        free[lines[found[:, d]], best[found[:, d]]] = False
    return found


def matched(
    said: list[tuple[np.ndarray, np.ndarray]], truth: list[np.ndarray], case: np.ndarray, cases: int
) -> Matched:
    """Match the boxes of one class in all frames.

    Args:
        said: boxes (d, 4) and scores (d,) of each frame.
        truth: boxes (t, 4) of each frame.
        case: (m,) int, the case of each frame.
        cases: n.

    Returns:
        The boxes of all frames by score.
    """
    scores, found, of = [np.zeros(0)], [np.zeros((len(IOUS), 0), bool)], [np.zeros(0, int)]
    for (boxes, score), known, place in zip(said, truth, case, strict=True):
        order = np.argsort(-score, kind="stable")[:MOST]
        scores.append(score[order])
        found.append(hits(boxes[order], known))
        of.append(np.full(len(order), place))
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    count = np.bincount(case, [len(known) for known in truth], minlength=cases)
    return Matched(score[order], np.concatenate(of)[order], np.concatenate(found, 1)[:, order], count.astype(int),
                   np.bincount(case, minlength=cases))  # fmt: skip


def of_class(one: Matched, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of one class.

    Args:
        one: its boxes.
        weights: (b, n) of the cases.

    Returns:
        `ap50`, `ap75`, `ap` (mean over `IOUS`) and `recall_fp1` (at IoU 0.5, with as many false boxes as frames),
        (b,) each; NaN where no case has a box of the class.
    """
    step = max(1, _BLOCK // max(1, len(one.score)))
    parts = [_block(one, weights[at : at + step].astype(float)) for at in range(0, len(weights), step)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _block(one: Matched, weights: np.ndarray) -> dict[str, np.ndarray]:
    boxes = weights @ one.truth
    each = weights[:, one.case]
    above = np.cumsum(each, axis=1)  # predicted boxes down to each one
    precision = np.stack([_precision(each, above, hit, boxes) for hit in one.hit], axis=1)
    first = np.flatnonzero(one.hit[0])
    true = np.cumsum(each[:, first], axis=1)
    # between two matched boxes recall stays, so it is enough to look at these; of a frame drawn often, all count
    fits = above[:, first] - true <= (weights @ one.frames)[:, None]
    recall = np.where(fits, true, 0).max(1, initial=0) / np.maximum(boxes, 1)
    known = boxes > 0
    values = {"ap50": precision[:, 0], "ap75": precision[:, 5], "ap": precision.mean(1), "recall_fp1": recall}
    return {name: np.where(known, value, np.nan) for name, value in values.items()}


def _precision(each: np.ndarray, above: np.ndarray, hit: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Average precision at one IoU: the mean over `RECALLS` of the best precision at that recall or a higher one.

    Args:
        each: (b, D) weights of the predicted boxes.
        above: (b, D) their running sums.
        hit: (D,) bool.
        boxes: (b,) of the truth.

    Returns:
        (b,).
    """
    at = np.flatnonzero(hit)
    if not len(at):
        return np.zeros(len(each))
    true, among = np.cumsum(each[:, at], axis=1), above[:, at]
    best = np.maximum.accumulate((true / (among + np.spacing(1)))[:, ::-1], axis=1)[:, ::-1]
    recall = true / np.maximum(boxes, 1)[:, None]
    best = np.concatenate([best, np.zeros((len(best), 1))], axis=1)
    place = np.stack([np.searchsorted(line, RECALLS) for line in recall])
    return np.take_along_axis(best, place, axis=1).mean(1)


def measures(classes: tuple[Matched, ...], weights: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of all classes and their means.

    Args:
        classes: the C classes.
        weights: (b, n) of the cases.

    Returns:
        `map50`, `map` and `recall_fp1`, (b,) each, means over the classes that have boxes; `class_ap50`, `class_ap`
        and `class_recall_fp1`, (b, C) each.
    """
    lines = [of_class(one, weights) for one in classes]
    each = {name: np.stack([line[name] for line in lines], axis=-1) for name in ("ap50", "ap75", "ap", "recall_fp1")}
    whole = {"map50": "ap50", "map75": "ap75", "map": "ap", "recall_fp1": "recall_fp1"}
    means = {name: _mean(each[of]) for name, of in whole.items()}
    return means | {f"class_{name}": values for name, values in each.items()}


def curve(one: Matched) -> tuple[np.ndarray, np.ndarray]:
    """Precision over recall at IoU 0.5.

    Args:
        one: a class.

    Returns:
        Recall and precision, (D,) each; empty without boxes of the truth.
    """
    boxes = one.truth.sum()
    if not boxes:
        return np.zeros(0), np.zeros(0)
    true = np.cumsum(one.hit[0])
    return true / boxes, true / np.arange(1, len(true) + 1)


def _mean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(-1)
    return np.divide(np.where(known, values, 0).sum(-1), count, out=np.full(count.shape, np.nan), where=count > 0)
