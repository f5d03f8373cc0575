"""Boxes of frames whose truth nobody knows, from the networks of a run's folds."""

from collections.abc import Mapping, Sequence

import numpy as np

from usfm.engine.prepared import Prepared
from usfm.model.embedders import letterboxing
from usfm.tasks.detect.learner import BoxLearner
from usfm.tasks.detect.measures import MOST, overlap
from usfm.tasks.learner import Labels

SAME = 0.55
"""Overlap from which boxes of different folds are one. Source: weighted boxes fusion (Solovyev et al. 2021)."""

COLUMN = "highest"


class BoxTeller:
    """See `usfm.tasks.learner.Teller`.

    Args:
        frames: as the networks take them.
        names: of the classes.
    """

    columns = (COLUMN,)
    classes: tuple[str, ...] = ()
    mask_names: tuple[str, ...] = ()
    mask_kind = "index"

    def __init__(self, frames: Prepared, names: tuple[str, ...]):
        self.box_names, size = names, frames.entry.image_size
        height, width = frames.store.column("height"), frames.store.column("width")
        letterboxed = frames.entry.resize == "letterbox"

        def shape(row: int) -> tuple[int, int]:
            return int(height[row]), int(width[row])

        self._learner = BoxLearner(
            lambda row: (np.zeros((0, 4), np.float32), np.zeros(0, np.int64)),
            names,
            shape,
            lambda row: letterboxing(shape(row), size) if letterboxed else None,
            size,
        )

    def of_fold(self, fold: str) -> BoxLearner:
        """See `Teller`: the head of all folds is the same."""
        return self._learner

    def labels(self, row: int, each: Mapping[str, Mapping[str, np.ndarray]]) -> Labels:
        """The boxes of the frame itself, and the highest of their scores.

        Args:
            row: of the store.
            each: fold -> boxes of the prepared frame.

        Returns:
            The boxes, surest first; those of several folds fused. The highest score is 0 where there is none.
        """
        said = []
        for one in each.values():
            lines = self._learner.raw({self._learner.said: one[self._learner.said]}, np.array([row]))[0]
            lines = lines[np.isfinite(lines).all(1)]
            said.append(lines[(lines[:, 2:4] > lines[:, :2]).all(1)])  # what was clipped away is no box
        lines = said[0] if len(said) == 1 else fused(said)
        boxes = lines[:, :4].astype(np.float32), lines[:, 5].astype(np.int32), lines[:, 4].astype(np.float32)
        return Labels((float(lines[:, 4].max(initial=0)),), None, boxes)


def fused(said: Sequence[np.ndarray]) -> np.ndarray:
    """The boxes of several folds as one list: what overlaps is averaged, weighted by its scores.

    The score of a box is the mean over the folds, 0 for one that has not seen it; so a box that one fold alone sees
    has a low one.

    Args:
        said: of each fold (k, 6): left, top, right, bottom, score, class.

    Returns:
        (m, 6), surest first, 100 at most.

    Source: weighted boxes fusion (Solovyev et al. 2021).

    Examples:
        >>> one = np.array([[0, 0, 10, 10, 0.8, 0]])
        >>> fused([one, one + [0, 0, 0, 0, -0.4, 0], one[:0]]).astype(float).round(6).tolist()
        [[0.0, 0.0, 10.0, 10.0, 0.4, 0.0]]
    """
    whole = np.concatenate([np.asarray(lines, np.float64).reshape(-1, 6) for lines in said])
    fold = np.concatenate([np.full(len(lines), k) for k, lines in enumerate(said)])
    order = np.argsort(-whole[:, 4], kind="stable")
    groups: list[list[int]] = []
    for k in order.tolist():
        box = whole[k]
        near = [g for g in groups if whole[g[0], 5] == box[5] and fold[k] not in fold[g]]
        together = overlap(box[None, :4], np.stack([whole[g[0], :4] for g in near]))[0] if near else np.zeros(0)
        if len(near) and together.max() >= SAME:
            near[int(together.argmax())].append(k)
        else:
            groups.append([k])
    lines = np.zeros((len(groups), 6))
    for n, group in enumerate(groups):
        score = whole[group, 4]
        lines[n, :4] = (whole[group, :4] * score[:, None]).sum(0) / max(score.sum(), 1e-12)
        lines[n, 4:] = score.sum() / len(said), whole[group[0], 5]
    return lines[np.argsort(-lines[:, 4], kind="stable")][:MOST].astype(np.float32)
