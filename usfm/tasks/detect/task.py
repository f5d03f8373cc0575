"""Detection: boxes of classes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.store.reader import Store
from usfm.tasks.contract import Known, Probe, Scored, refuse_predicted
from usfm.tasks.detect import drawn
from usfm.tasks.detect.boxes import boxes_of, learner_of, mean_boxes, shape_of
from usfm.tasks.detect.measures import measures
from usfm.tasks.detect.scored import BASE, matches, scored
from usfm.tasks.predictions import RAGGED, Column, Predictions, ragged

if TYPE_CHECKING:  # these bring PyTorch with them
    from usfm.engine.prepared import Prepared
    from usfm.tasks.detect.learner import BoxLearner
    from usfm.tasks.detect.teller import BoxTeller
    from usfm.tasks.detect.yolo.asking import Asker
    from usfm.tasks.detect.yolo.folds import Yolo

HEADS = ("faster-rcnn", "yolo")
WORDS = (
    ("mAP@50:95", "mean over the classes, and over IoUs of 0.5 to 0.95 in steps of 0.05, of the average precision as "
                  "COCO has it: 101 recalls, 100 boxes a class and frame, scores of all folds pooled"),
    ("mAP@50", "the same at an IoU of 0.5 only"),
    ("recall at 1 false box a frame", "share of the boxes that are found at IoU 0.5 when the threshold of the class "
                                      "lets as many false boxes through as there are frames; mean over the classes"),
    ("mean box", "what a model without a picture would say: in each frame one box of each class, the mean of those of "
                 "the training as shares of their frames, its score the share of training frames with the class"),
)  # fmt: skip

MASKS = (
    " but label masks; 'usfm export --to coco' writes the box of each structure: take the key usfm_mask out of that "
    "file, which says that a box is no label, and give it to 'usfm extract' with --annotations"
)
NOTHING = "; give them to 'usfm extract' with --annotations"


class Detect:
    """Boxes of classes."""

    name = "detect"
    noun = "object"
    takes = frozenset({"head"})
    default_protocol = "full"
    sheet_words = (
        "The frames whose boxes fit worst, one a patient, then those whose boxes fit best. Green: the truth; red: the "
        "prediction, darker where it is less sure. The fit: mean overlap with the nearest box of the other side."
    )
    columns = tuple(
        Column(f"{prefix}{name}", RAGGED, 0, f"{words} of the {whose}", kind)
        for prefix, whose in (("", "predicted boxes"), ("truth_", "true boxes"), (BASE, "mean boxes of the training"))
        for name, words, kind in (
            ("boxes", "left, top, right, bottom, one after the other, px of the frame as it was given,", np.float32),
            ("class", "class, 0 to C - 1,", np.int32),
            ("score", "score, 0 to 1,", np.float32),
        )
        if (prefix, name) != ("truth_", "score")
    )
    protocols: dict[str, Probe] = {}

    def known(self, store: Store, options: Mapping[str, Any]) -> Known:
        """See `Task`: the frames whose boxes are known; a frame counts to its rarest class."""
        rows, path = np.flatnonzero(store.has_boxes()), store.paths[0]
        if not len(rows):
            raise RequestError(f"{path}: has no boxes{MASKS if store.has_masks().any() else NOTHING}")
        refuse_predicted(path, "boxes", store.box_run)
        names = tuple(store.box_names) or ("object",)
        bad = np.array([_bad(store, int(row), len(names)) for row in rows], bool)
        if bad.any():
            console.warn(
                f"{path}: {bad.sum():,} frames are left out, since a box of theirs has no area, no class, or lies "
                f"outside of the frame; the first is {store.column('frame_id')[rows[bad][0]]}"
            )
        rows = rows[~bad]
        counts = np.array([np.bincount(store.boxes(int(row))[1], minlength=len(names)) for row in rows], int)
        counts = counts.reshape(len(rows), len(names))
        if (counts.any(1)).sum() < 2:
            raise RequestError(
                f"{path}: {'one' if counts.any() else 'no'} frame has boxes that can be used; two patients with boxes "
                "are needed, one to learn from and one to be measured on"
            )
        there = counts > 0
        used = np.flatnonzero(there.any(0))
        often = there.sum(0)
        rarest = np.where(there.any(1), np.where(there, often, len(rows) + 1).argmin(1) + 1, 0)
        strata, place = np.unique(rarest, return_inverse=True)
        return Known(
            rows=rows,
            target=there[:, used],
            strata=place,
            strata_names=tuple(("none", *names)[k] for k in strata),
            class_names=tuple(names[k] for k in used),
            unlabelled=len(store) - len(rows),
            facts={"box_classes": used.tolist()},
            store=store,
        )

    def predicted(self, known: Known, train: np.ndarray, held: np.ndarray, raw: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`: boxes of the prediction, of the truth and of the mean of the training, in px of the frames."""
        store, of = _store(known), known.facts["box_classes"]
        mean, share = mean_boxes(store, known.rows[train], of)
        table: dict[str, list] = {column.name: [] for column in self.columns}
        for row, line in zip(known.rows[held].tolist(), raw, strict=True):
            truth, kinds = boxes_of(store, row, of)
            line = line[np.isfinite(line).all(1)]
            height, width = shape_of(store, row)
            said = np.flatnonzero(share > 0)
            always = mean[said] * np.array([width, height] * 2)
            for prefix, boxes, kind, score in (
                ("", line[:, :4], line[:, 5], line[:, 4]),
                ("truth_", truth, kinds, None),
                (BASE, always, said, share[said]),
            ):
                table[f"{prefix}boxes"].append(np.asarray(boxes, np.float32).reshape(-1))
                table[f"{prefix}class"].append(np.asarray(kind).astype(np.int32))
                if score is not None:
                    table[f"{prefix}score"].append(np.asarray(score, np.float32))
        return {name: ragged(values) for name, values in table.items()}

    def learner(
        self, known: Known, frames: "Prepared", groups: np.ndarray, train: np.ndarray, options: Mapping[str, Any]
    ) -> "BoxLearner":
        """See `learner.Learns`: faster R-CNN on the network's maps."""
        head = options.get("head") or HEADS[0]
        if head != HEADS[0]:
            raise RequestError(f"--head {head}: detect has {', '.join(HEADS)}")
        return learner_of(frames.store, known.rows, known.class_names, known.facts["box_classes"], frames.entry)

    def aside(self, options: Mapping[str, Any]) -> bool:
        """See `Aside`: `--head yolo`.

        Args:
            options: settings of the command by name.

        Returns:
            Whether ultralytics trains.

        Raises:
            RequestError: the encoder is one of ultralytics' networks and the head is another one.
        """
        from usfm.model.spec import YOLO

        if options.get("head") == HEADS[1]:
            return True
        if str(options.get("encoder")).startswith(f"{YOLO}:"):
            raise RequestError(f"{options['encoder']}: is a whole detector; train it with --head {HEADS[1]}")
        return False

    def trainer(
        self, store: Store, known: Known, options: Mapping[str, Any], seed: int, device: str, precision: str
    ) -> "Yolo":
        """See `learner.Aside`: what trains folds with ultralytics."""
        from usfm.tasks.detect.yolo.folds import Yolo

        return Yolo(store, known, options, seed, device, precision)

    def asker(self, run: Path, classes: int) -> "Asker":
        """See `learner.Aside`: asks networks that ultralytics trained."""
        from usfm.tasks.detect.yolo.asking import Asker

        return Asker(run, classes)

    def teller(
        self, seen: Predictions, frames: "Prepared", options: Mapping[str, Any], folds: Mapping[str, Mapping]
    ) -> "BoxTeller":
        """See `learner.Tells`: the boxes of a frame, and the highest of their scores."""
        from usfm.tasks.detect.teller import BoxTeller

        return BoxTeller(frames, seen.class_names)

    def faults(self, found: Predictions) -> Iterator[str]:
        """See `Task`: lists of different lengths, boxes that are none, classes that there are not."""
        classes = len(found.class_names)
        for prefix in ("", "truth_", BASE):
            for n in range(len(found)):
                boxes, kinds = (found.arrays[f"{prefix}{name}"][n] for name in ("boxes", "class"))
                score = found.arrays[f"{prefix}score"][n] if prefix != "truth_" else np.zeros(len(kinds))
                if len(boxes) != 4 * len(kinds) or len(score) != len(kinds) or kinds.dtype.kind not in "iu":
                    yield f"boxes, classes and scores of row {n} do not belong together"
                    return
                if len(kinds) and not (
                    np.isfinite(boxes).all() and np.isfinite(score).all() and 0 <= kinds.min() <= kinds.max() < classes
                ):
                    yield f"row {n} holds a box that is none, or of no class"
                    return

    def scored(self, held: Predictions, aggregate: str) -> Scored:
        """See `Task`."""
        return scored(held, aggregate)

    def sizes(self, held: Predictions) -> np.ndarray:
        """See `Sized`: the mean area of the true boxes."""
        sides = [np.diff(np.asarray(line, float).reshape(-1, 2, 2), axis=1) for line in held.arrays["truth_boxes"]]
        return np.array([side.prod(2).mean() if len(side) else np.nan for side in sides])

    def same_truth(self, a: Predictions, b: Predictions) -> bool:
        """See `Task`: all boxes and classes are the same."""
        return all(
            np.array_equal(one, other)
            for name in ("truth_boxes", "truth_class")
            for one, other in zip(a.arrays[name], b.arrays[name], strict=True)
        )

    def quick(self, held: Predictions) -> dict[str, float | None]:
        """See `Task`."""
        place = np.arange(len(held))
        said, base = (
            measures(matches(held, prefix, place, len(held)), np.ones((1, len(held)))) for prefix in ("", BASE)
        )
        values = {name: said[name][0] for name in ("map", "map50", "recall_fp1")} | {"mean_box_map": base["map"][0]}
        return {name: round(float(v), 6) if np.isfinite(v) else None for name, v in values.items()}

    def outside(self, path: Path, seen: Predictions, store: Store, among: np.ndarray | None) -> tuple[np.ndarray, dict]:
        """See `Task`: not by a probe, since there is none."""
        raise RequestError(f"{path}: a detection keeps no probe, so it cannot be asked about the store given with --in")

    def again(self, probes: Mapping[str, dict], vectors: np.ndarray, classes: int) -> dict[str, np.ndarray]:
        """See `Task`: a detection has no probe."""
        raise RequestError("a detection keeps no probe, so it cannot be asked about frames that it was not run on")

    def figures(self, folder: Path, whole: Predictions) -> None:
        """See `Task`: precision over recall."""
        cases = scored(whole, "frame")
        drawn.precision_recall(folder / "pr.png", cases.boxes, cases.class_names)

    def sheet(self, held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
        """See `Task`: boxes against truth, worst first."""
        return drawn.worst(held, store, count)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Each measure and what it means."""
        return WORDS


def _bad(store: Store, row: int, classes: int) -> bool:
    """Whether a box of a frame has no area in it, or no class."""
    boxes, kinds = store.boxes(row)
    height, width = shape_of(store, row)
    clipped = np.clip(boxes, 0, (width, height) * 2)
    known = (kinds >= 0) & (kinds < classes)
    return not (np.isfinite(boxes).all() and (clipped[:, 2:] - clipped[:, :2] > 0).all() and known.all())


def _store(known: Known) -> Store:
    assert known.store is not None
    return known.store
