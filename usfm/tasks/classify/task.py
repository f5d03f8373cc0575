"""Classification: one class a frame."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usfm import console
from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.store.reader import Store
from usfm.tasks import metrics
from usfm.tasks.classify import drawn
from usfm.tasks.classify.probes import knn, linear, scores_of, simpleshot
from usfm.tasks.classify.scored import scored
from usfm.tasks.contract import Known, Probe, Scored
from usfm.tasks.predictions import Column, Predictions

if TYPE_CHECKING:  # these bring PyTorch with them
    from usfm.engine.prepared import Prepared
    from usfm.tasks.classify.learner import ClassLearner, ClassTeller

WORDS = (
    ("accuracy", "share of cases whose highest score is the true class"),
    ("balanced accuracy", "mean recall over the classes that have cases (macro recall); chance is 1 / classes"),
    ("macro F1", "mean over classes of 2 TP / (2 TP + FP + FN); weighted F1: weighted by the cases of a class. "
                 "Micro F1, micro precision and recall and weighted recall equal accuracy, as a case has one class"),
    ("macro precision", "mean over the classes that occur; a class that is never predicted counts as 0"),
    ("AUROC", "chance that a positive case scores above a negative one, ties half; two classes: of the second; "
              "more: mean over one class against the rest; scores of all folds are pooled"),
    ("AUPRC", "area under precision over recall by steps (average precision); macro: the mean over classes. A guess "
              "has the share of the class"),
    ("sensitivity at specificity r", "the highest sensitivity of a threshold whose specificity is at least r. The "
                                     "threshold is chosen on the same cases, so the value is somewhat optimistic"),
    ("Brier score", "squared distance between scores and truth, summed over classes: 0 is best, 2 worst"),
    ("log loss", "mean of minus the natural logarithm of the score of the true class; lower is better"),
    ("calibration error", "mean over ten bins of equal width of |highest score - share correct|, weighted by cases. It "
                          "is above 0 by chance alone, the more so the fewer cases. With few patients its interval is "
                          "too narrow; the notes at the top of the report say so"),
    ("constant answer", "the harder of those that mean something for a measure. Accuracy: the most frequent class in "
                        "the training of each fold, and the most frequent class among the measured cases. Balanced "
                        "accuracy: the same class of the training, and chance. AUROC: 0.5. Macro F1: none, since "
                        "guessing beats any constant answer"),
    ("beats", "the interval of the difference to the harder constant answer, the same patients drawn for both, lies "
              "above zero; 'beats majority' is that of accuracy"),
)  # fmt: skip


class Classify:
    """One class a frame."""

    name = "classify"
    noun = "class"
    takes = frozenset({"class_weights", "classes", "tap"})
    default_protocol = "linear"
    sheet_words = (
        "The frames with the highest scores of this run, one a patient: correct (green), then wrong (red). Captions: "
        "true class, then predicted class and its score."
    )
    columns = (
        Column("target", "iu", 0, "true class, 0 to C - 1", np.int32),
        Column("scores", "f", "classes", "probability of each class; a row sums to 1", np.float32),
        Column("majority", "iu", 0, "most frequent class among the frames that the fold was trained on", np.int32),
    )
    protocols: dict[str, Probe] = {"linear": linear, "knn": knn, "simpleshot": simpleshot}

    def learner(
        self, known: Known, frames: "Prepared", groups: np.ndarray, train: np.ndarray, options: Mapping[str, Any]
    ) -> "ClassLearner":
        """See `learner.Learns`: one linear layer on the network's vector."""
        from usfm.tasks.classify.learner import ClassLearner

        target, patient = np.full(len(frames.store), -1), np.full(len(frames.store), -1)
        target[known.rows], patient[known.rows] = known.target, groups
        how = {"weights": options["class_weights"], "smoothing": options["smoothing"]}
        return ClassLearner(target, patient, len(known.class_names), known.rows[train], **how)

    def teller(
        self, seen: Predictions, frames: "Prepared", options: Mapping[str, Any], folds: Mapping[str, Mapping]
    ) -> "ClassTeller":
        """See `learner.Tells`: probabilities of the classes, and calibrated ones where every fold has a temperature."""
        from usfm.tasks.classify.learner import ClassTeller

        found = {fold: float(line["temperature"]) for fold, line in folds.items() if line.get("temperature")}
        return ClassTeller(seen.class_names, found if len(found) == len(folds) else {})

    def known(self, store: Store, options: Mapping[str, Any]) -> Known:
        """See `Task`: the frames with a class, which is counted over the classes that occur."""
        return classes_of(store, options)

    def predicted(self, known: Known, train: np.ndarray, held: np.ndarray, raw: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`: true class, scores, and the most frequent class of the training."""
        majority = np.bincount(known.target[train], minlength=len(known.class_names)).argmax()
        return {
            "target": known.target[held].astype(np.int32),
            "scores": raw.astype(np.float32),
            "majority": np.full(len(held), majority, np.int32),
        }

    def faults(self, found: Predictions) -> Iterator[str]:
        """Classes that there are not, and scores that are no probabilities."""
        if not len(found):
            return
        scores, classes = found.arrays["scores"], len(found.class_names)
        said = [found.arrays[name] for name in ("target", "majority")]
        if min(one.min() for one in said) < 0 or max(one.max() for one in said) >= classes:
            yield f"a class lies outside 0 to {classes - 1}"
        if not (np.isfinite(scores).all() and (scores >= 0).all()):
            yield "scores are no probabilities"
        elif not np.allclose(scores.sum(axis=1), 1, atol=1e-3):
            yield "the scores of a frame do not sum to 1"

    def scored(self, held: Predictions, aggregate: str) -> Scored:
        """See `Task`."""
        return scored(held, aggregate)

    def same_truth(self, a: Predictions, b: Predictions) -> bool:
        """See `Task`."""
        return bool((a.arrays["target"] == b.arrays["target"]).all())

    def quick(self, held: Predictions) -> dict[str, float | None]:
        """Measures over frames, without intervals; NaN becomes None, for JSON."""
        target, scores = held.arrays["target"], held.arrays["scores"]
        counts = metrics.confusion(target, scores.argmax(1), len(held.class_names))
        values = {
            "accuracy": metrics.accuracy(counts),
            "majority_accuracy": metrics.constant_accuracy(target, held.arrays["majority"]),
            "balanced_accuracy": metrics.balanced_accuracy(counts),
            "macro_f1": metrics.macro_f1(counts),
            "auroc": metrics.macro_auroc(target, scores),
        }
        return {name: round(float(v), 6) if np.isfinite(v) else None for name, v in values.items()}

    def outside(self, path: Path, seen: Predictions, store: Store, among: np.ndarray | None) -> tuple[np.ndarray, dict]:
        """See `Task`: the rows of a store whose class the run knows, and those classes as the run numbers them."""
        store.require(classes=True)
        label, known = store.labels_class(), {name: c for c, name in enumerate(seen.class_names)}
        names = np.array([*store.class_names, ""], object)[label]
        among = np.flatnonzero(label >= 0) if among is None else among
        rows = among[np.array([name in known for name in names[among]], bool)]
        strange = sorted(set(names[among]) - set(known) - {""})
        if not len(rows):
            raise RequestError(
                f"{store.paths[0]}: none of its classes ({', '.join(strange)}) is one that {path.name} knows "
                f"({', '.join(seen.class_names)})"
            )
        if strange:
            console.warn(
                f"{path.name} does not know these classes of the store, so they are left out: {', '.join(strange)}"
            )
        majority = np.full(len(rows), np.bincount(seen.arrays["majority"]).argmax(), np.int32)
        return rows, {"target": np.array([known[name] for name in names[rows]], np.int32), "majority": majority}

    def again(self, probes: Mapping[str, dict], vectors: np.ndarray, classes: int) -> dict[str, np.ndarray]:
        """See `Task`: the mean over the probes of the folds."""
        each = [scores_of(probes[fold], vectors, classes) for fold in sorted(probes)]
        return {"scores": np.mean(each, axis=0).astype(np.float32)}

    def figures(self, folder: Path, whole: Predictions) -> None:
        """See `Task`: the confusion matrix and the ROC."""
        drawn.of_directory(folder, whole)

    def sheet(self, held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
        """See `Task`: the frames that the run was surest about, right ones above wrong ones."""
        return drawn.surest(held, store, count)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Each measure and what it means."""
        return WORDS


def classes_of(store: Store, options: Mapping[str, Any]) -> Known:
    """The frames of a store that have a class.

    Args:
        store: any store.
        options: its classes are those that count, in their order; none for all that occur.

    Returns:
        The truth.

    Raises:
        RequestError: there are no classes, one only, or none that a named class means.
    """
    store.require(classes=True)
    label, wanted = store.labels_class(), tuple(options.get("classes") or ())
    if wanted:
        label = _numbered(store, label, wanted)
    rows = np.flatnonzero(label >= 0)
    present, target = np.unique(label[rows], return_inverse=True)
    names = tuple((wanted or store.class_names)[c] for c in present)
    if len(names) == 1:
        raise RequestError(
            f"{store.paths[0]}: all {len(rows)} labelled frames are '{names[0]}'; two classes are needed"
        )
    return Known(rows, target, target, names, names, len(store) - len(rows), store=store)


def _numbered(store: Store, label: np.ndarray, wanted: tuple[str, ...]) -> np.ndarray:
    """(N,) labels as places in the classes that were asked for; -1 for frames of other classes."""
    known = list(store.class_names)
    number = np.full(len(known) + 1, -1)  # the last one is that of frames without a class
    for place, name in enumerate(wanted):
        if name not in known or not (label == known.index(name)).any():
            near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise RequestError(f"{store.paths[0]}: no frame is of the class '{name}'{near}")
        number[known.index(name)] = place
    return number[label]
