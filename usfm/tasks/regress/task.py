"""Regression: one number a frame, from a column of the store's labels."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usfm import console
from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.quantities import MISSING
from usfm.store.reader import Store
from usfm.tasks.contract import Known, Probe, Scored
from usfm.tasks.predictions import Column, Predictions
from usfm.tasks.regress.probes import knn, linear, said
from usfm.tasks.regress.scored import measures, scored

if TYPE_CHECKING:  # these bring PyTorch with them
    from usfm.engine.prepared import Prepared
    from usfm.tasks.regress.learner import NumberLearner, NumberTeller

WORDS = (
    ("mean absolute error", "mean of |predicted - true|, in the unit of the number"),
    ("root mean square error", "root of the mean of (predicted - true)^2; large errors count more"),
    (
        "R2",
        "1 - squared errors / squared differences from the mean of the measured cases; 0 is no better than that mean",
    ),
    ("bias", "mean of predicted - true"),
    ("limits of agreement", "bias -+ 1.96 standard deviations of the differences (Bland and Altman 1986)"),
    ("constant answer", "the mean of the training of each fold"),
)
FACT = "target"
"""Fact of predictions: the column."""


class Regress:
    """One number a frame."""

    name = "regress"
    noun = "range"
    takes = frozenset({"target", "tap"})
    default_protocol = "linear"
    sheet_words = (
        "Frames whose numbers are nearest to the truth (green), then furthest from it (red), one a patient. Captions: "
        "true, then predicted number."
    )
    columns = (
        Column("target", "f", 0, "true number", np.float64),
        Column("said", "f", 0, "predicted number", np.float64),
        Column("mean", "f", 0, "mean of the frames that the fold was trained on", np.float64),
    )
    protocols: dict[str, Probe] = {"linear": linear, "knn": knn}

    def known(self, store: Store, options: Mapping[str, Any]) -> Known:
        """See `Task`: the frames that have a number, in four ranges of as many frames."""
        values = _values(store, options.get("target"))
        rows = np.flatnonzero(np.isfinite(values))
        target = values[rows]
        if not len(rows) or np.ptp(target) == 0:
            what = f"is {target[0]:g} in all {len(rows)} frames" if len(rows) else "has no number"
            raise RequestError(f"{store.paths[0]}: '{options['target']}' {what}, so there is nothing to learn")
        ends = np.unique(np.quantile(target, [0.25, 0.5, 0.75]))
        strata = np.unique(np.searchsorted(ends, target), return_inverse=True)[1]
        low = [target[strata == k].min() for k in range(strata.max() + 1)]
        high = [target[strata == k].max() for k in range(strata.max() + 1)]
        names = tuple(f"{a:.6g} to {b:.6g}" for a, b in zip(low, high, strict=True))
        return Known(rows, target, strata, names, (), len(store) - len(rows), {FACT: options["target"]})

    def learner(
        self, known: Known, frames: "Prepared", groups: np.ndarray, train: np.ndarray, options: Mapping[str, Any]
    ) -> "NumberLearner":
        """See `learner.Learns`: one number on the network's vector."""
        from usfm.tasks.regress.learner import NumberLearner

        target, patient = np.full(len(frames.store), np.nan), np.full(len(frames.store), -1)
        target[known.rows], patient[known.rows] = known.target, groups
        return NumberLearner(target, patient, known.rows[train])

    def teller(
        self, seen: Predictions, frames: "Prepared", options: Mapping[str, Any], folds: Mapping[str, Mapping]
    ) -> "NumberTeller":
        """See `learner.Tells`: the number, and how much the folds differ."""
        from usfm.tasks.regress.learner import NumberTeller, Scale

        lacking = [fold for fold, line in folds.items() if not {"target_mean", "target_std"} <= set(line)]
        if lacking:
            raise RequestError(f"fold {lacking[0]} of the run keeps no scale of its number; make the run again")
        scales = {fold: Scale(float(line["target_mean"]), float(line["target_std"])) for fold, line in folds.items()}
        return NumberTeller(str(seen.facts.get(FACT) or self.name), scales)

    def predicted(self, known: Known, train: np.ndarray, held: np.ndarray, raw: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`: true and predicted number, and the mean of the training."""
        mean = np.full(len(held), known.target[train].mean())
        return {"target": known.target[held], "said": np.asarray(raw, np.float64), "mean": mean}

    def faults(self, found: Predictions) -> Iterator[str]:
        """Numbers that are none."""
        for name in ("target", "said", "mean"):
            if not np.isfinite(found.arrays[name]).all():
                yield f"{name} holds NaN or infinite numbers"

    def scored(self, held: Predictions, aggregate: str) -> Scored:
        """See `Task`."""
        return scored(held, aggregate)

    def same_truth(self, a: Predictions, b: Predictions) -> bool:
        """See `Task`."""
        return bool((a.arrays["target"] == b.arrays["target"]).all())

    def quick(self, held: Predictions) -> dict[str, float | None]:
        """Measures over frames, without intervals."""
        a, once = held.arrays, np.ones((1, len(held)))
        found = measures(a["target"], a["said"], once)
        values = {name: found[name][0] for name in ("mae", "rmse", "r2")}
        values["mean_mae"] = measures(a["target"], a["mean"], once)["mae"][0]
        return {name: round(float(v), 6) if np.isfinite(v) else None for name, v in values.items()}

    def outside(self, path: Path, seen: Predictions, store: Store, among: np.ndarray | None) -> tuple[np.ndarray, dict]:
        """See `Task`: the rows of a store that have the run's number."""
        values = _values(store, str(seen.facts.get(FACT, "")))
        rows = np.flatnonzero(np.isfinite(values))
        rows = rows if among is None else among[np.isfinite(values[among])]
        if not len(rows):
            raise RequestError(f"{store.paths[0]}: no frame has the number that {path.name} predicts")
        mean = np.full(len(rows), float(seen.arrays["mean"].mean()))
        return rows, {"target": values[rows], "mean": mean}

    def again(self, probes: Mapping[str, dict], vectors: np.ndarray, classes: int) -> dict[str, np.ndarray]:
        """See `Task`: the mean over the probes of the folds."""
        return {"said": np.mean([said(probes[fold], vectors) for fold in sorted(probes)], axis=0)}

    def figures(self, folder: Path, whole: Predictions) -> None:
        """See `Task`: predicted against true numbers, and Bland-Altman."""
        folder.mkdir(exist_ok=True)
        for name, (pair, _) in scored(whole, "frame").pictures({}).items():
            (folder / f"{name}.png").write_bytes(pair.light)

    def sheet(self, held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
        """See `Task`: the frames with the smallest and the largest errors, one a patient."""
        from usfm.pictures import sheet

        row_of = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
        mine = np.flatnonzero([name in row_of for name in held.frame_id])
        error = np.abs(held.arrays["said"] - held.arrays["target"])
        chosen, borders = [], []
        for order, colour in ((error[mine], sheet.GREEN), (-error[mine], sheet.RED)):
            ranked = mine[np.argsort(order, kind="stable")]
            _, first = np.unique(held.group[ranked].astype(str), return_index=True)
            some = ranked[np.sort(first)][:count].tolist()
            chosen, borders = chosen + some, borders + [colour] * len(some)
        a = held.arrays
        captions = [f"true:  {a['target'][k]:.4g}\npredicted:  {a['said'][k]:.4g}" for k in chosen]
        pictures = store.frames([row_of[held.frame_id[k]] for k in chosen])
        return sheet.contact_sheet(pictures, captions, 6, 150, borders=borders), len(mine)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Each measure and what it means."""
        return WORDS


def _values(store: Store, column: str | None) -> np.ndarray:
    """A column of /labels/value, or the sentence that says which there are."""
    names = store.value_names
    if column and column not in names and column in store.source_columns:
        raise RequestError(f"{store.paths[0]}: {_text(store, column)}")
    if not names:
        raise RequestError(
            f"{store.paths[0]}: holds no numbers; give them to 'usfm extract' with --manifest, in a column of its own"
        )
    if not column:
        raise RequestError(f"{store.paths[0]}: say which number with --target; there are {', '.join(names)}")
    if column not in names:
        near = did_you_mean(column, names)
        raise RequestError(f"{store.paths[0]}: has no number '{column}'{near}; there are {', '.join(names)}")
    values = store.values(column)
    if np.isinf(values).any():
        console.warn(f"{store.paths[0]}: '{column}' is infinite in {np.isinf(values).sum()} frames, which are left out")
    return values


def _text(store: Store, column: str) -> str:
    """Why a column of sources is none of numbers."""
    cells = store.source_column(column).astype(str)
    wrong = np.flatnonzero([cell.casefold() not in MISSING and not _is_number(cell) for cell in cells])
    if not len(wrong):
        return f"'{column}' is a column of the sources, and none of measured numbers"
    first = store.source_column("path").astype(str)[wrong[0]]
    return (
        f"'{column}' is a column of text: {len(wrong):,} of {len(cells):,} sources have no plain number there (the "
        f"first: {first}); mend the manifest and extract again"
    )


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
