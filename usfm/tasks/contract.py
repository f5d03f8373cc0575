"""What a task promises, so that finetune and eval treat all alike and know none by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from usfm.errors import RequestError
from usfm.pictures.theme import Pair
from usfm.store.reader import Store
from usfm.tasks.draws import Draws
from usfm.tasks.predictions import Column, Predictions

Answer = tuple[str, float, np.ndarray]
"""A constant answer in words, its value on the cases, and on every resample (B,)."""


@dataclass(frozen=True)
class Known:
    """The frames of a store whose truth a task knows.

    Attributes:
        rows: (n,) int rows of the store, ascending.
        target: (n, ...) the truth where it is a number or a few; where it is a picture, what folds and counts need.
        strata: (n,) int, what every fold should hold a share of.
        strata_names: of the strata, for tables.
        class_names: of the classes; () where the task has none.
        unlabelled: frames of the store without this truth.
        facts: what else the task wants to remember, such as a unit; JSON values.
        store: of the frames, where the truth is read from it when it is needed.
    """

    rows: np.ndarray
    target: np.ndarray
    strata: np.ndarray
    strata_names: tuple[str, ...]
    class_names: tuple[str, ...]
    unlabelled: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    store: Store | None = None


@dataclass(frozen=True)
class Fitted:
    """A probe after training on the features of a frozen encoder.

    Attributes:
        scores: features (m, D) -> what the task predicts from them, (m, ...).
        chosen: settings that training chose, and how (JSON values), e.g. the regularisation and its inner scores.
        arrays: what is needed to score new features without training again.
    """

    scores: Callable[[np.ndarray], Any]
    chosen: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Probe(Protocol):
    """Trains on the features of a frozen encoder; a function does."""

    def __call__(
        self, features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict
    ) -> Fitted:
        """Train a probe.

        Args:
            features: (n, D) float32, training frames only.
            target: (n, ...) of `Known`, the same frames.
            groups: (n,) int; frames of one group (patient) never stand on both sides of an inner split.
            classes: C.
            seed: of anything drawn.
            options: the settings of the protocol (class_weights, neighbours, ...).

        Returns:
            The fitted probe.
        """
        ...


def refuse_predicted(path: str, what: str, run: str) -> None:
    """Refuse to take predictions for labels.

    Args:
        path: of the store.
        what: of its labels.
        run: id of the run that predicted them; "" where people gave them.

    Raises:
        RequestError: a run predicted them.
    """
    if run:
        raise RequestError(
            f"{path}: its {what} were predicted by run {run}, and a prediction is no label; give people the frames "
            "with 'usfm export' and take their corrected ones with 'usfm extract'"
        )


@dataclass(frozen=True)
class Measure:
    """One figure of merit.

    Attributes:
        name: key in JSON and CSV.
        title: in tables.
        short: in narrow tables; "" leaves it out of them.
        higher: whether a higher value is better.
        further: whether it stands below the comparison table, not in it.
        share: whether it is a share of cases, so that a share's own interval can stand in where all resamples are
            equal.
        within: lowest and highest value that it can have; its interval keeps to them.
        inflated: whether chance alone lifts it, so that resampling lifts it once more.
    """

    name: str
    title: str
    short: str = ""
    higher: bool = True
    further: bool = False
    share: bool = False
    within: tuple[float, float] = (0.0, 1.0)
    inflated: bool = False


class Scored(Protocol):
    """n cases of a run beside their truth, ready to be measured under any weights of their patients.

    Attributes:
        key: (n,) str, the same for the same case in another run.
        group: (n,) str, the patient (or the clip, where none is known) that is resampled as a whole.
        fold: (n,) str.
        frames: (n,) int, frames of each case.
        class_names: of the classes that have a row of their own in the report.
        measures: of the comparison table; the first is the one that a constant answer must be beaten in.
        of_class: measures that each class has.
        reference: the constant answer's name in tables, such as "majority".
    """

    @property
    def key(self) -> np.ndarray: ...

    @property
    def group(self) -> np.ndarray: ...

    @property
    def fold(self) -> np.ndarray: ...

    @property
    def frames(self) -> np.ndarray: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Of the comparison table."""
        ...

    @property
    def of_class(self) -> tuple[Measure, ...]:
        """Of each class."""
        ...

    @property
    def reference(self) -> str:
        """Name of the constant answer."""
        ...

    def __len__(self) -> int: ...

    def measure(self, draws: Draws | None) -> dict[str, np.ndarray]:
        """Every measure, once or for every resample.

        Args:
            draws: the resamples of patients; None for the cases as they are.

        Returns:
            `measures` -> () or (B,); `of_class` -> (C,) or (B, C); NaN where it is not defined.
        """
        ...

    def answers(self, draws: Draws) -> dict[str, dict[str, Answer]]:
        """The constant answers of each measure that has one, by name."""
        ...

    def baseline(self) -> float:
        """The first measure of what is constant in each fold's training; NaN where there is no such answer."""
        ...

    def has_class(self, c: int) -> np.ndarray:
        """Which cases hold a class: (n,) bool."""
        ...

    def details(self) -> dict:
        """What else the report holds of this run; JSON values."""
        ...

    def pictures(self, run: dict) -> Mapping[str, tuple[bytes | Pair, str]]:
        """Figures of the run by name: PNG (or two, for light and dark pages), and the words below it.

        Args:
            run: its entry in the report.

        Returns:
            Name -> figure and words.
        """
        ...

    def part(self, rows: np.ndarray) -> "Scored":
        """Some of the cases, by bool (n,) or int rows."""
        ...


class Task(Protocol):
    """A downstream task: one package below `usfm.tasks`, one row in `TASKS`.

    Attributes:
        name: as typed after ``usfm finetune``.
        noun: what its strata are, in tables.
        sheet_words: what stands below `sheet`.
        takes: settings of ``usfm finetune`` that only some tasks give a meaning: class_weights, classes, target, head,
            tap, ...
        columns: what it adds to ``predictions.h5``.
        default_protocol: what is done where none is named: one of `protocols`, or of a training of a network.
        protocols: name -> how a frozen encoder is asked, on features that are made once.
    """

    name: str
    noun: str
    sheet_words: str
    takes: frozenset[str]
    columns: tuple[Column, ...]
    default_protocol: str
    protocols: dict[str, Probe]

    def known(self, store: Store, options: Mapping[str, Any]) -> Known:
        """The frames whose truth is known.

        Args:
            store: any store.
            options: settings of ``usfm finetune`` by name.

        Returns:
            The truth.

        Raises:
            RequestError: the store has no such labels, or too few kinds of them: the sentence says what to do.
        """
        ...

    def predicted(self, known: Known, train: np.ndarray, held: np.ndarray, raw: np.ndarray) -> dict[str, np.ndarray]:
        """The columns of ``predictions.h5`` for the held-out frames of a fold, the trivial baseline's among them.

        Args:
            known: the truth.
            train: (t,) positions in `known` that the fold was trained on.
            held: (m,) positions that were predicted.
            raw: (m, ...) what the probe or network said.

        Returns:
            Column -> (m, ...).
        """
        ...

    def faults(self, found: Predictions) -> Iterable[str]:
        """What is wrong with columns that were read, beyond lengths and types; sentences without their end."""
        ...

    def scored(self, held: Predictions, aggregate: str) -> Scored:
        """Cases out of predicted frames.

        Args:
            held: predictions of a run.
            aggregate: frame, clip or patient.

        Returns:
            The cases, in an order that does not depend on that of the frames.
        """
        ...

    def same_truth(self, a: Predictions, b: Predictions) -> bool:
        """Whether two runs have the same truth.

        Args:
            a: predictions.
            b: predictions of the same frames in the same order.

        Returns:
            Whether they have.
        """
        ...

    def quick(self, held: Predictions) -> dict[str, float | None]:
        """Measures over frames for people and logs, without intervals; None where one is not defined."""
        ...

    def outside(self, path: Path, seen: Predictions, store: Store, among: np.ndarray | None) -> tuple[np.ndarray, dict]:
        """The frames of another store that a finished run can be asked about.

        Args:
            path: run directory.
            seen: its predictions.
            store: the other store.
            among: rows that may be asked; None for all.

        Returns:
            Rows of the store, and the columns of `predictions` that need no prediction.

        Raises:
            RequestError: it has nothing that the run knows.
        """
        ...

    def again(self, probes: Mapping[str, dict], vectors: np.ndarray, classes: int) -> dict[str, np.ndarray]:
        """What the probes that a run has kept say of new frames.

        Args:
            probes: by fold, as `Fitted.arrays`.
            vectors: (m, D) features of the new frames.
            classes: C of the run.

        Returns:
            The predicted columns.
        """
        ...

    def figures(self, folder: Path, whole: Predictions) -> None:
        """Draw what a run directory shows of its own predictions.

        Args:
            folder: where to.
            whole: its predictions.
        """
        ...

    def sheet(self, held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
        """A contact sheet of what went well and what went wrong.

        Args:
            held: predictions of a run.
            store: that holds the frames, or some of them.
            count: pictures of each sort.

        Returns:
            The sheet, and how many of the frames the store has.
        """
        ...

    def words(self) -> tuple[tuple[str, str], ...]:
        """Each measure and what it means, for the report."""
        ...


@runtime_checkable
class Sized(Protocol):
    """A task whose truth has a size in the frame: outlines and boxes."""

    def sizes(self, held: Predictions) -> np.ndarray:
        """How large what each frame truly shows is.

        Args:
            held: predictions of a run.

        Returns:
            (n,) float, square px of the frame as it was given; NaN where it shows nothing.
        """
        ...
