"""Cases of a detection, ready to be measured under any weights of their patients."""

from dataclasses import dataclass, replace

import numpy as np

from usfm.pictures import evidence
from usfm.pictures.theme import Pair, both
from usfm.tasks.contract import Answer, Measure
from usfm.tasks.detect import drawn
from usfm.tasks.detect.measures import Matched, matched, measures
from usfm.tasks.draws import Draws, each
from usfm.tasks.grouped import Grouped, grouped
from usfm.tasks.predictions import Predictions

MEASURES = (
    Measure("map", "mAP@50:95", "mAP"),
    Measure("map50", "mAP@50", "mAP50"),
    Measure("map75", "mAP@75"),
    Measure("recall_fp1", "recall at 1 false box a frame", "recall"),
)
PER_CLASS = (
    Measure("class_ap", "AP@50:95"),
    Measure("class_ap50", "AP@50"),
    Measure("class_ap75", "AP@75"),
    Measure("class_recall_fp1", "recall at 1 false box a frame", share=True),
)
BASE = "base_"
"""Prefix of the columns that hold the mean boxes of the training."""


@dataclass(frozen=True)
class Found(Grouped):
    """n cases with their matched boxes; see `contract.Scored`.

    Attributes:
        key, group, fold, frames, class_names: see `contract.Scored`.
        boxes: of the run, C classes.
        base: of the mean boxes of each fold's training, C classes.
    """

    class_names: tuple[str, ...]
    boxes: tuple[Matched, ...]
    base: tuple[Matched, ...]

    measures = MEASURES
    of_class = PER_CLASS
    reference = "mean box"

    def _measured(self, boxes: tuple[Matched, ...], draws: Draws | None) -> dict[str, np.ndarray]:
        return each(self.group, draws, lambda weights: measures(boxes, weights))

    def measure(self, draws: Draws | None) -> dict[str, np.ndarray]:
        """Every measure, once or for every resample."""
        return self._measured(self.boxes, draws)

    def answers(self, draws: Draws) -> dict[str, dict[str, Answer]]:
        """The mean boxes of the training, for every measure."""
        once, drawn_anew = self._measured(self.base, None), self._measured(self.base, draws)
        words = "the mean box of each class of the training"
        return {m.name: {"mean box": (words, float(once[m.name]), drawn_anew[m.name])} for m in MEASURES}

    def baseline(self) -> float:
        """mAP@50:95 of the mean boxes of each fold's training."""
        return float(self._measured(self.base, None)["map"])

    def has_class(self, c: int) -> np.ndarray:
        """Which cases hold a box of a class: (n,) bool."""
        return self.boxes[c].truth > 0

    def details(self) -> dict:
        """How many boxes of each class there are, and how many were predicted."""
        pairs = zip(self.class_names, self.boxes, strict=True)
        return {"boxes": {name: {"truth": int(one.truth.sum()), "predicted": len(one.score)} for name, one in pairs}}

    def pictures(self, run: dict) -> dict[str, tuple[Pair, str]]:
        """Precision over recall of each class."""
        found = drawn.recall_precision(self.boxes, self.class_names)
        if not found:
            return {}
        series = [evidence.Line(name, *points) for name, points in found.items()]
        figure = both(lambda theme: evidence.lines(series, "recall", "precision", theme=theme))
        return {"pr": (figure, "Precision over recall at IoU 0.5, AP@50 in brackets.")}

    def part(self, rows: np.ndarray) -> "Found":
        """Some of the cases."""
        boxes, base = (tuple(one.take(rows) for one in each) for each in (self.boxes, self.base))
        return replace(super().part(rows), boxes=boxes, base=base)


def boxes_of(held: Predictions, prefix: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes (k, 4) and classes (k,) of each frame.

    Args:
        held: predictions.
        prefix: "", `BASE` or "truth_".

    Returns:
        One pair a frame.
    """
    pairs = zip(held.arrays[f"{prefix}boxes"], held.arrays[f"{prefix}class"], strict=True)
    return [(np.asarray(boxes, float).reshape(-1, 4), np.asarray(kind, int)) for boxes, kind in pairs]


def matches(held: Predictions, prefix: str, case: np.ndarray, cases: int) -> tuple[Matched, ...]:
    """Match predicted boxes with the truth, class by class.

    Args:
        held: predictions.
        prefix: "" for those of the run, `BASE` for the mean boxes.
        case: (m,) int, the case of each frame.
        cases: n.

    Returns:
        C classes.
    """
    said, truth, scores = boxes_of(held, prefix), boxes_of(held, "truth_"), held.arrays[f"{prefix}score"]
    found = []
    for c in range(len(held.class_names)):
        mine = [(boxes[kind == c], np.asarray(score, float)[kind == c])
                for (boxes, kind), score in zip(said, scores, strict=True)]  # fmt: skip
        found.append(matched(mine, [boxes[kind == c] for boxes, kind in truth], case, cases))
    return tuple(found)


def scored(held: Predictions, aggregate: str) -> Found:
    """Cases out of predicted frames; the boxes of a clip's or patient's frames stay boxes of their frames.

    Args:
        held: predictions of held-out frames.
        aggregate: frame, clip or patient.

    Returns:
        The cases, in the order of their keys.
    """
    held = held.take(np.argsort(held.frame_id.astype(str), kind="stable"))
    place, columns = grouped(held, aggregate)
    boxes, base = (matches(held, prefix, place, len(columns["key"])) for prefix in ("", BASE))
    return Found(**columns, class_names=held.class_names, boxes=boxes, base=base)
