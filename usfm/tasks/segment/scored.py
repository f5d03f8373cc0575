"""Cases of a segmentation, ready to be measured under any weights of their patients."""

import math
from dataclasses import dataclass, replace

import numpy as np

from usfm.pictures import evidence
from usfm.pictures.theme import Pair, both
from usfm.tasks.contract import Answer, Measure
from usfm.tasks.draws import Draws, each
from usfm.tasks.grouped import Grouped, grouped
from usfm.tasks.predictions import Predictions
from usfm.tasks.segment.measures import Cases, dice, measures

COUNTS = ("both", "truth", "predicted", "found", "structures")
DISTANCES = ("hd95", "asd")
BASE = "base_"
"""Prefix of the columns that hold what the mean mask of the training would have got."""


_LENGTH = (0.0, math.inf)


@dataclass(frozen=True)
class Outlined(Grouped):
    """n cases with their counts; see `contract.Scored`.

    Attributes:
        key, group, fold, frames: see `contract.Scored`.
        counts: of the run.
        base: of the mean mask of each fold's training.
        names: of all K classes.
        background: whether the first one is the background.
        unit: of distances, px or mm.
    """

    counts: Cases
    base: Cases
    names: tuple[str, ...]
    background: bool
    unit: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the structures."""
        return self.names[1 if self.background else 0 :]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Of the comparison table."""
        whole = (Measure("dice_with_background", "Dice with background", further=True),) if self.background else ()
        return (
            Measure("dice", "Dice", "Dice"),
            Measure("iou", "IoU", "IoU"),
            Measure("dice_pooled", "Dice, pooled"),
            Measure("iou_pooled", "IoU, pooled", further=True),
            *whole,
            Measure(f"hd95_{self.unit}", f"HD95 ({self.unit})", "HD95", higher=False, within=_LENGTH),
            Measure(f"asd_{self.unit}", f"ASD ({self.unit})", higher=False, further=True, within=_LENGTH),
            Measure("structures_found", "found at IoU 0.5", "found", share=True),
        )

    @property
    def of_class(self) -> tuple[Measure, ...]:
        """Of each structure."""
        return tuple(
            Measure(f"class_{name}", title, higher=better, within=(0.0, 1.0) if better else _LENGTH)
            for name, title, better in (
                ("dice", "Dice", True),
                ("iou", "IoU", True),
                (f"hd95_{self.unit}", f"HD95 ({self.unit})", False),
                (f"asd_{self.unit}", f"ASD ({self.unit})", False),
            )
        )

    @property
    def reference(self) -> str:
        """Name of the constant answer."""
        return "mean mask"

    def _measured(self, counts: Cases, draws: Draws | None) -> dict[str, np.ndarray]:
        def of(weights: np.ndarray) -> dict[str, np.ndarray]:
            flat = measures(counts, weights, self.names, self.unit, self.background)
            whole = {name: values for name, values in flat.items() if ":" not in name}
            for name in ("dice", "iou", f"hd95_{self.unit}", f"asd_{self.unit}"):
                whole[f"class_{name}"] = np.stack([flat[f"{name}:{kind}"] for kind in self.class_names], axis=-1)
            return whole

        return each(self.group, draws, of)

    def measure(self, draws: Draws | None) -> dict[str, np.ndarray]:
        """Every measure, once or for every resample."""
        return self._measured(self.counts, draws)

    def answers(self, draws: Draws) -> dict[str, dict[str, Answer]]:
        """The mean mask of the training, for the measures of overlap."""
        once, drawn = self._measured(self.base, None), self._measured(self.base, draws)
        return {
            name: {"mean mask": ("the mean mask of the training", float(once[name]), drawn[name])}
            for name in ("dice", "iou", "dice_pooled", "iou_pooled")
        }

    def baseline(self) -> float:
        """Dice of the mean mask of each fold's training."""
        return float(self._measured(self.base, None)["dice"])

    def has_class(self, c: int) -> np.ndarray:
        """Which cases hold a structure: (n,) bool."""
        return self.counts.truth[:, c + self.background] > 0

    def details(self) -> dict:
        """How many cases say nothing on a structure, and on how many the distances rest."""
        first = int(self.background)
        rows = {}
        for k, name in enumerate(self.names[first:], first):
            truth, said = self.counts.truth[:, k] > 0, self.counts.predicted[:, k] > 0
            rows[name] = {
                "truth_empty": int((~truth).sum()),
                "missed": int((truth & ~said).sum()),
                "false": int((~truth & said).sum()),
                "with_distance": int((truth & said).sum()),
            }
        return {"empty": rows, "unit": self.unit}

    def pictures(self, run: dict) -> dict[str, tuple[Pair, str]]:
        """Dice against the size of a structure."""
        lines = by_size(self.counts, self.names, int(self.background))
        if not lines:
            return {}
        series = [evidence.Line(name, *points) for name, points in lines.items()]
        words = "size of the structure, px", "Dice"
        figure = both(lambda theme: evidence.lines(series, *words, markers=True, unit=False, share=True, theme=theme))
        return {"size": (figure, "Dice against size: means of cases in equal shares by size")}

    def part(self, rows: np.ndarray) -> "Outlined":
        """Some of the cases."""
        return replace(super().part(rows), counts=self.counts.take(rows), base=self.base.take(rows))


def by_size(counts: Cases, names: tuple[str, ...], first: int, shares: int = 8) -> dict:
    """Dice against size: for each structure, cases in equal shares by the area of the truth.

    Args:
        counts: of the cases.
        names: of the classes.
        first: class to begin with.
        shares: how many points a line has at most.

    Returns:
        Name -> (mean area in px, mean Dice) of each share.
    """
    lines, values = {}, dice(counts.both, counts.truth, counts.predicted)
    for k in range(first, len(names)):
        there = np.flatnonzero(counts.truth[:, k] > 0)
        parts = np.array_split(there[np.argsort(counts.truth[there, k], kind="stable")], min(shares, len(there)))
        if len(there):
            lines[names[k]] = (np.array([counts.truth[p, k].mean() for p in parts]),
                               np.array([values[p, k].mean() for p in parts]))  # fmt: skip
    return lines


def scored(held: Predictions, aggregate: str) -> Outlined:
    """Cases out of predicted frames: the pixels of a clip's or patient's frames are added, distances averaged.

    Args:
        held: predictions of held-out frames.
        aggregate: frame, clip or patient.

    Returns:
        The cases, in the order of their keys.
    """
    place, columns = grouped(held, aggregate)

    def added(values: np.ndarray) -> np.ndarray:
        out = np.zeros((len(columns["key"]), values.shape[1]))
        np.add.at(out, place, values)
        return out

    def averaged(values: np.ndarray) -> np.ndarray:
        known = np.isfinite(values)
        count = added(known.astype(float))
        return np.divide(added(np.where(known, values, 0.0)), count, out=np.full(count.shape, np.nan), where=count > 0)

    a = held.arrays
    counts = {name: added(a[name]) for name in COUNTS} | {name: averaged(a[name]) for name in DISTANCES}
    base = {name: added(a[BASE + name]) for name in ("both", "predicted")} | {"truth": counts["truth"]}
    nothing = {name: np.full(counts["truth"].shape, np.nan) for name in DISTANCES}
    base |= {**nothing, "found": np.zeros_like(counts["truth"]), "structures": counts["structures"]}
    return Outlined(
        **columns,
        counts=Cases(**counts),
        base=Cases(**base),
        names=held.class_names,
        background=held.facts.get("mask_kind", "index") == "index",
        unit=str(held.facts.get("unit", "px")),
    )
