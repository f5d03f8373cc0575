"""Figures of a report: intervals, confusion, ROC, calibration, and the surest right and wrong frames."""

import numpy as np

from usfm.evaluate.bootstrap import MEASURES
from usfm.evaluate.tables import TITLES
from usfm.evaluate.units import Units
from usfm.pictures import curves, matrix, sheet
from usfm.store.reader import Store
from usfm.tasks import metrics
from usfm.tasks.predictions import Predictions


def of_run(run: dict, units: Units) -> dict[str, bytes]:
    """PNGs of one run: "confusion", "roc", "calibration".

    Args:
        run: its entry in the report.
        units: its cases.

    Returns:
        Name -> PNG.
    """
    names = list(units.class_names)
    pictures = {"confusion": matrix.confusion(None, np.array(run["confusion"]), names)}
    lines = {}
    for c in [1] if len(names) == 2 else range(len(names)):
        x, y = metrics.roc(units.target == c, units.scores[:, c])
        if len(x):
            lines[f"{names[c]} ({run['per_class'][c]['class_auroc']['value']:.2f})"] = (x, y)
    pictures["roc"] = curves.curves(
        None, lines, "false positive rate", "true positive rate", diagonal=True, size_in=(4.2, 3.9)
    )
    table = metrics.reliability(units.target, units.scores)
    filled = table["cases"] > 0
    points = {"all classes": (table["confidence"][filled], table["accuracy"][filled])}
    pictures["calibration"] = curves.curves(
        None, points, "highest probability", "share correct", diagonal=True, markers=True, xlim=(0, 1.02),
        ylim=(0, 1.02),
        size_in=(4.2, 3.9),
    )  # fmt: skip
    return pictures


def intervals(runs: list[dict]) -> dict[str, bytes]:
    """One PNG a measure: every run with its interval; the dashed line is the harder constant answer."""
    pictures = {}
    for name in MEASURES:
        rows, line = {}, None
        for run in runs:
            e = run["metrics"][name]
            if e["value"] is not None:
                low, high = (e["value"] if e[side] is None else e[side] for side in ("low", "high"))
                rows[run["name"]] = (e["value"], low, high)
                line = e["majority"]["value"] if line is None else line
        if rows:
            pictures[name] = curves.intervals(None, rows, TITLES[name], reference=line)
    return pictures


def surest(held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
    """Show the frames that a run was surest about, right ones (green) above wrong ones (red).

    Only one frame a patient is shown, the surest, so that one patient does not fill the sheet.

    Args:
        held: predictions of the run.
        store: holds the frames.
        count: how many right, and as many wrong.

    Returns:
        The sheet, and how many of the run's frames the store has.
    """
    row_of = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
    known = np.flatnonzero([name in row_of for name in held.frame_id])
    said, sure = held.scores.argmax(axis=1), held.scores.max(axis=1)
    right = said == held.target
    chosen: list[int] = []
    for side in (right, ~right):
        mine = known[side[known]]
        mine = mine[np.argsort(-sure[mine], kind="stable")]
        _, first = np.unique(held.group[mine].astype(str), return_index=True)
        chosen += mine[np.sort(first)][:count].tolist()
    names = held.class_names
    pictures = store.frames([row_of[held.frame_id[k]] for k in chosen])
    captions = [f"is {names[held.target[k]]}\nsaid {names[said[k]]} {sure[k]:.2f}" for k in chosen]
    borders = [sheet.GREEN if right[k] else sheet.RED for k in chosen]
    return sheet.contact_sheet(pictures, captions, 6, 150, borders=borders), len(known)
