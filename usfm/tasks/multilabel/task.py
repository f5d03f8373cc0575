"""Classification with any number of classes a frame, from a column of the store's sources."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.pictures.sheet import GREEN, RED, contact_sheet
from usfm.store.reader import Store
from usfm.tasks.classify.probes import knn, linear
from usfm.tasks.contract import Fitted, Known, Probe, Scored
from usfm.tasks.multilabel.scored import measures, scored
from usfm.tasks.predictions import Column, Predictions

if TYPE_CHECKING:  # these bring PyTorch with them
    from usfm.engine.prepared import Prepared
    from usfm.tasks.multilabel.learner import LabelsLearner, LabelsTeller

NONE = "none"
"""Word of a frame that is known to have none of the classes."""

FACT = "target"
"""Fact of predictions: the column."""

WORDS = (
    ("macro AUROC", "mean over classes of the chance that a case with the class scores above one without it; a class "
                    "that all or no cases have does not count"),
    ("macro AUPRC", "mean over classes of the area under precision over recall by steps; the same score for every case "
                    "has the share of the class"),
    ("macro F1", "mean over classes of 2 TP / (2 TP + FP + FN), a class being said from a score of 0.5 on"),
    ("micro F1", "the same from the counts of all classes together"),
)  # fmt: skip


def of_each(probe: Probe) -> Probe:
    """A probe of two classes for each of several classes.

    Args:
        probe: of `classify`.

    Returns:
        A probe whose target is (n, C) of 0 and 1 and whose scores are (m, C).
    """

    def fit(
        features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict
    ) -> Fitted:
        fits = [probe(features, target[:, c].astype(int), groups, 2, seed, options) for c in range(classes)]
        scores = lambda new: np.stack([one.scores(new)[:, 1] for one in fits], axis=1)  # noqa: E731
        return Fitted(scores, {"by_class": [one.chosen for one in fits]})

    return fit


class Multilabel:
    """Any number of classes a frame."""

    name = "multilabel"
    noun = "rarest class"
    takes = frozenset({"target", "tap", "class_weights"})
    default_protocol = "linear"
    sheet_words = (
        "The frames whose scores are nearest to the truth (green), then furthest from it (red), one a patient."
    )
    columns = (
        Column("target", "iu", "classes", "whether the frame has each class, 0 or 1", np.uint8),
        Column("scores", "f", "classes", "probability of each class; they need not sum to 1", np.float32),
    )
    protocols: dict[str, Probe] = {"linear": of_each(linear), "knn": of_each(knn)}

    def known(self, store: Store, options: Mapping[str, Any]) -> Known:
        """See `Task`: the frames whose source says its classes; a frame counts to its rarest class."""
        column = options.get("target")
        words = [[w.strip() for w in re.split(r"[|;]", text) if w.strip()] for text in _texts(store, column)]
        rows = np.flatnonzero([bool(each) for each in words])
        names = tuple(sorted({word for row in rows for word in words[row]} - {NONE}))
        if not names:
            raise RequestError(f"{store.paths[0]}: column '{column}' names no class, so there is nothing to learn")
        target = np.array([[name in words[row] for name in names] for row in rows], np.uint8)
        often = target.sum(0)
        if (often == len(rows)).all():
            raise RequestError(f"{store.paths[0]}: all {len(rows)} frames have the same classes; nothing can be learnt")
        rarest = np.where(target > 0, often, len(rows) + 1).argmin(1)
        used, strata = np.unique(np.where(target.any(1), rarest + 1, 0), return_inverse=True)
        kinds = tuple((NONE, *names)[k] for k in used)
        return Known(rows, target, strata, kinds, names, len(store) - len(rows), {FACT: column})

    def learner(
        self, known: Known, frames: "Prepared", groups: np.ndarray, train: np.ndarray, options: Mapping[str, Any]
    ) -> "LabelsLearner":
        """One linear layer on the network's vector.

        Args:
            known: the truth.
            frames: as the network takes them.
            groups: (n,) int patient of each frame of `known`.
            train: unused.
            options: its smoothing.

        Returns:
            The learner.

        Raises:
            RequestError: classes are to be weighted.
        """
        from usfm.tasks.multilabel.learner import LabelsLearner

        if options["class_weights"] != "none":
            raise RequestError("--class-weights has no meaning where a network learns several classes a frame")
        count = len(frames.store)
        target, patient = np.zeros((count, len(known.class_names)), np.uint8), np.full(count, -1)
        target[known.rows], patient[known.rows] = known.target, groups
        return LabelsLearner(target, patient, smoothing=options["smoothing"])

    def teller(
        self, seen: Predictions, frames: "Prepared", options: Mapping[str, Any], folds: Mapping[str, Mapping]
    ) -> "LabelsTeller":
        """See `learner.Tells`: the probability of each class."""
        from usfm.tasks.multilabel.learner import LabelsTeller

        return LabelsTeller(seen.class_names)

    def predicted(self, known: Known, train: np.ndarray, held: np.ndarray, raw: Any) -> dict[str, np.ndarray]:
        """See `Task`: true classes and scores."""
        return {"target": known.target[held], "scores": np.asarray(raw, np.float32)}

    def faults(self, found: Predictions) -> Iterator[str]:
        """Truth that is not 0 or 1, and scores that are no probabilities."""
        if (found.arrays["target"] > 1).any():
            yield "target holds other numbers than 0 and 1"
        values = found.arrays["scores"]
        if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()):
            yield "scores are no probabilities"

    def scored(self, held: Predictions, aggregate: str) -> Scored:
        """See `Task`."""
        return scored(held, aggregate)

    def same_truth(self, a: Predictions, b: Predictions) -> bool:
        """See `Task`."""
        return bool((a.arrays["target"] == b.arrays["target"]).all())

    def quick(self, held: Predictions) -> dict[str, float | None]:
        """Measures over frames, without intervals."""
        found = measures(held.arrays["target"], held.arrays["scores"].astype(float), np.ones((1, len(held))))
        values = {name: found[name][0] for name in ("macro_auroc", "macro_average_precision", "macro_f1", "micro_f1")}
        return {name: round(float(v), 6) if np.isfinite(v) else None for name, v in values.items()}

    def outside(self, path: Path, seen: Predictions, store: Store, among: np.ndarray | None) -> tuple[np.ndarray, dict]:
        """See `Task`: no, since a run keeps no probe of several classes."""
        raise RequestError(
            f"{path}: a run of several classes a frame keeps no probe, so it cannot be asked about the store given "
            "with --in"
        )

    def again(self, probes: Mapping[str, dict], vectors: np.ndarray, classes: int) -> dict[str, np.ndarray]:
        """See `Task`: never asked, since `outside` refuses."""
        raise NotImplementedError

    def figures(self, folder: Path, whole: Predictions) -> None:
        """See `Task`: none."""

    def sheet(self, held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
        """See `Task`: the frames with the least and the largest error, one a patient."""
        row_of = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
        known = np.flatnonzero([name in row_of for name in held.frame_id])
        error = np.abs(held.arrays["scores"] - held.arrays["target"]).mean(axis=1)
        chosen, borders = [], []
        for sign, colour in ((1, GREEN), (-1, RED)):
            mine = known[np.argsort(sign * error[known], kind="stable")]
            _, first = np.unique(held.group[mine].astype(str), return_index=True)
            some = mine[np.sort(first)][:count].tolist()
            chosen, borders = chosen + some, borders + [colour] * len(some)
        said = lambda values: ", ".join(np.array(held.class_names, object)[values]) or NONE  # noqa: E731
        captions = [
            f"true:  {said(held.arrays['target'][k] > 0)}\npredicted:  {said(held.arrays['scores'][k] >= 0.5)}"
            for k in chosen
        ]
        frames = store.frames([row_of[held.frame_id[k]] for k in chosen])
        return contact_sheet(frames, captions, 6, 150, borders=borders), len(known)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Each measure and what it means."""
        return WORDS


def _texts(store: Store, column: str | None) -> list[str]:
    """The text of each frame's source in a column."""
    if not column:
        raise RequestError(
            "finetune multilabel needs --target: the column of the manifest that names the classes of a source, with | "
            "or ; between them"
        )
    if column not in store.source_columns:
        near = did_you_mean(column, store.source_columns) or f"; there are {', '.join(store.source_columns)}"
        raise RequestError(f"{store.paths[0]}: its sources have no column '{column}'{near}")
    return [str(one) for one in store.of_frames(column)]
