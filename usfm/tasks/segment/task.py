"""Segmentation: the structures of label masks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usfm.errors import RequestError
from usfm.store.labels.masks import IGNORE, present
from usfm.store.reader import Store
from usfm.tasks.contract import Known, Probe, Scored, refuse_predicted
from usfm.tasks.predictions import RAGGED, Column, Predictions
from usfm.tasks.segment import drawn
from usfm.tasks.segment.measures import dice, iou
from usfm.tasks.segment.scored import COUNTS, scored

if TYPE_CHECKING:
    from usfm.engine.prepared import Prepared
    from usfm.tasks.segment.learner import MaskLearner
    from usfm.tasks.segment.teller import MaskTeller

BACKGROUND = "background"

_OF = "of each class, in the frame as it was given"
WORDS = (
    ("Dice", "2 |A and B| / (|A| + |B|) of a case and structure; the mean over cases, then over structures without the "
             "background. A case in which truth and prediction are both empty does not count for that structure; where "
             "one of them is empty it is 0"),
    ("Dice, pooled", "the same from the pixels of all cases together; papers report either"),
    ("IoU", "|A and B| / |A or B|, counted likewise"),
    ("HD95", "95th percentile of the distance between outlines, the larger of both directions; cases in "
             "which truth or prediction is empty have none. In mm where all frames have a spacing, else in px"),
    ("ASD", "mean distance between the outlines, over the pixels of both"),
    ("found at IoU 0.5", "share of connected structures of the truth that a predicted one overlaps by half or more"),
    ("mean mask", "what a model without a picture would say: the class that is likeliest at each place of the training "
                  "masks, fitted into the frame"),
)  # fmt: skip


class Segment:
    """A class, or several, for each pixel."""

    name = "segment"
    noun = "structure"
    takes = frozenset({"head", "class_weights", "window", "overlap"})
    default_protocol = "full"
    sheet_words = (
        "The frames with the lowest Dice of each structure, one a patient, then those with the highest mean. Green: "
        "the outline of the truth; red: of the prediction."
    )
    columns = (
        *(Column(name, "f", "classes", f"{words} {_OF}", np.float64) for name, words in (
            ("both", "pixels that truth and prediction share,"),
            ("truth", "pixels of the truth,"),
            ("predicted", "pixels of the prediction,"),
            ("found", "connected structures of the truth that were found (IoU 0.5),"),
            ("structures", "connected structures of the truth,"),
            ("hd95", "95th percentile of the Hausdorff distance, px or mm (attribute unit),"),
            ("asd", "average symmetric surface distance, px or mm,"),
            ("base_both", "pixels that the truth and the mean mask of the training share,"),
            ("base_predicted", "pixels of the mean mask,"),
        )),
        Column("mask", RAGGED, 0, "the predicted mask as a PNG, by number or by bit (attribute mask_kind)", np.uint8),
    )  # fmt: skip
    protocols: dict[str, Probe] = {}

    def known(self, store: Store, options: Mapping[str, Any]) -> Known:
        """See `Task`: the frames with a label mask; a frame counts to its rarest structure."""
        rows = np.flatnonzero(store.has_masks())
        if not len(rows):
            boxes = " but boxes, for 'usfm finetune detect'" if store.has_boxes().any() else ""
            raise RequestError(
                f"{store.paths[0]}: has no label masks{boxes}; give them to 'usfm extract' with --masks or "
                "--annotations"
            )
        refuse_predicted(store.paths[0], "label masks", store.mask_run)
        kind, names = store.mask_kind, list(store.mask_names)
        found = [present(_values(store, row), kind) for row in rows.tolist()]
        names = names or [f"class {k + 1}" for k in range(max((k + 1 for each in found for k in each), default=0))]
        there = np.stack([np.isin(np.arange(len(names)), each) for each in found])
        if not there.any():
            raise RequestError(f"{store.paths[0]}: all {len(rows)} label masks are empty; there is nothing to learn")
        often = there.sum(0)
        rarest = np.where(there, often, len(rows) + 1).argmin(1)
        strata = np.where(there.any(1), rarest + 1, 0)
        used, strata = np.unique(strata, return_inverse=True)
        spacing = store.column("row_spacing_mm")[rows], store.column("col_spacing_mm")[rows]
        millimetres = bool(np.isfinite(spacing[0]).all() and np.isfinite(spacing[1]).all())
        return Known(
            rows=rows,
            target=there,
            strata=strata,
            strata_names=tuple(["none", *names][k] for k in used),
            class_names=tuple([BACKGROUND, *names] if kind == "index" else names),
            unlabelled=len(store) - len(rows),
            facts={"mask_kind": kind, "unit": "mm" if millimetres else "px"},
        )

    def predicted(self, known: Known, train: np.ndarray, held: np.ndarray, raw: Any) -> dict[str, np.ndarray]:
        """See `Task`: the learner counts, since it knows how frames were moved."""
        return dict(raw)

    def learner(
        self, known: Known, frames: "Prepared", groups: np.ndarray, train: np.ndarray, options: Mapping[str, Any]
    ) -> "MaskLearner":
        """See `usfm.tasks.learner.Learns`: a decoder on the network's maps.

        Args:
            known: the truth.
            frames: the store's frames as the network takes them.
            groups: (n,) int patient of each frame of `known`.
            train: (t,) positions in `known` that are trained on.
            options: its head, width, taps, cross_entropy, dice and class_weights.

        Returns:
            The learner.

        Raises:
            RequestError: there is no such head.
        """
        from usfm.tasks.segment.heads import HEADS
        from usfm.tasks.segment.learner import MaskLearner

        head = str(options.get("head") or "")
        if head and head not in HEADS:
            raise RequestError(f"--head {head}: segment has {', '.join(HEADS)}")
        return MaskLearner(
            frames,
            known.class_names,
            str(known.facts["mask_kind"]),
            known.rows[train],
            millimetres=known.facts["unit"] == "mm",
            head=head,
            width=int(options.get("width") or 0),
            taps=tuple(int(tap) - 1 for tap in options.get("taps") or ()),
            weights=(float(options.get("cross_entropy", 1)), float(options.get("dice", 1))),
            balanced=options.get("class_weights") == "balanced",
        )

    def teller(
        self, seen: Predictions, frames: "Prepared", options: Mapping[str, Any], folds: Mapping[str, Mapping]
    ) -> "MaskTeller":
        """See `learner.Tells`: the mask of a frame, and how unsure its pixels are."""
        from usfm.tasks.segment.teller import MaskTeller

        kind = "bits" if seen.facts.get("mask_kind") == "bits" else "index"
        return MaskTeller(frames, seen.class_names, kind, options)

    def faults(self, found: Predictions) -> Iterator[str]:
        """See `Task`: counts that contradict one another."""
        a = found.arrays
        if len(found) and (min(a[name].min() for name in COUNTS) < 0 or (a["both"] > a["truth"]).any()):
            yield "its counts of pixels contradict one another"

    def scored(self, held: Predictions, aggregate: str) -> Scored:
        """See `Task`."""
        return scored(held, aggregate)

    def sizes(self, held: Predictions) -> np.ndarray:
        """See `Sized`: the area of all structures together."""
        first = int(held.facts.get("mask_kind", "index") == "index")
        area = np.asarray(held.arrays["truth"], float)[:, first:].sum(1)
        return np.where(area > 0, area, np.nan)

    def same_truth(self, a: Predictions, b: Predictions) -> bool:
        """See `Task`: the areas of all structures are the same."""
        return bool((a.arrays["truth"] == b.arrays["truth"]).all())

    def quick(self, held: Predictions) -> dict[str, float | None]:
        """See `Task`."""
        first = int(held.facts.get("mask_kind", "index") == "index")
        a = {
            name: held.arrays[name][:, first:] for name in ("both", "truth", "predicted", "base_both", "base_predicted")
        }
        values = {
            "dice": _mean(dice(a["both"], a["truth"], a["predicted"])),
            "iou": _mean(iou(a["both"], a["truth"], a["predicted"])),
            "mean_mask_dice": _mean(dice(a["base_both"], a["truth"], a["base_predicted"])),
        }
        return {name: None if np.isnan(value) else round(value, 6) for name, value in values.items()}

    def outside(self, path: Path, seen: Predictions, store: Store, among: np.ndarray | None) -> tuple[np.ndarray, dict]:
        """See `Task`: not by a probe, since there is none."""
        raise RequestError(
            f"{path}: a segmentation keeps no probe, so it cannot be asked about the store given with --in"
        )

    def again(self, probes: Mapping[str, dict], vectors: np.ndarray, classes: int) -> dict[str, np.ndarray]:
        """See `Task`: never asked, since `outside` refuses."""
        raise NotImplementedError

    def figures(self, folder: Path, whole: Predictions) -> None:
        """See `Task`: Dice against size."""
        drawn.of_directory(folder, whole)

    def sheet(self, held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
        """See `Task`: outlines, worst first."""
        return drawn.worst(held, store, count)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Each measure and what it means."""
        return WORDS


def _values(store: Store, row: int) -> np.ndarray:
    mask = store.label_mask(int(row))
    if mask is None:
        return np.zeros(0, np.uint8)
    return mask[mask != IGNORE] if store.mask_kind == "index" else mask.reshape(-1)


def _mean(values: np.ndarray) -> float:
    columns = [column[np.isfinite(column)].mean() for column in values.T if np.isfinite(column).any()]
    return float(np.mean(columns)) if columns else float("nan")
