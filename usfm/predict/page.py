"""The page of predictions: what was predicted how often, the least and the most sure frames, and each patient."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from usfm.jobs.outputs import write_report
from usfm.pictures import html
from usfm.pictures.labels import COLOUR_NAMES, labelled
from usfm.pictures.sheet import contact_sheet
from usfm.pictures.theme import Theme, axis, both, png, short
from usfm.predict.copy import Columns
from usfm.screening.groups import group_frames
from usfm.store.reader import Store

SHOWN, CELL_PX, PER_ROW = 12, 230, 4
"""Frames of a sheet."""

LEAST_SCORE = 0.05
"""Of the boxes that are drawn."""

MOST_LINES = 200
"""Lines of a table; the CSV of `--table` has all."""


def write(
    folder: Path, store: Store, columns: Columns, classes: tuple[str, ...], unsure: np.ndarray | None, summary: dict
) -> Path:
    """Write the page.

    Args:
        folder: where ``index.html`` goes.
        store: with the predictions.
        columns: all that is predicted.
        classes: of which a frame has one, the first of the columns; () for none.
        unsure: (N,) how unsure the run is of each frame; None where it does not say.
        summary: the command's figures.

    Returns:
        The page's path.
    """
    names = list(columns.scores)
    scores = np.stack([store.scores(name) for name in names], axis=1).astype(float)
    patients = group_frames(store.of_frames("patient"), store.of_frames("path"))
    taught = summary.get("trained_on", 0)
    told = {
        "frames": len(store), "patients (or clips)": len(patients.names), "run": columns.run, "task": summary["task"],
        "folds of the run": summary["folds"], "frames that all folds were trained on": taught,
    }  # fmt: skip
    counts = html.facts(told) + (html.note(_TAUGHT) if taught else "")
    sections = [("What was asked", counts), ("What was predicted", _amounts(store, columns, classes, scores))]
    sections += _sheets(store, columns, classes, scores, patients.code, unsure)
    sections.append(("Patients", _groups("patient (or clip)", patients.names, patients.code, scores, names, classes)))
    clips, clip = np.unique(store.of_frames("path").astype(str), return_inverse=True)
    if len(clips) < len(store):  # a table of stills would be one of frames
        sections.append(("Clips", _groups("clip", clips.tolist(), clip, scores, names, classes)))
    history = [f"{step['command']}: {step.get('options', {})}" for step in store.history]
    sections.append(("How the store was made", html.code("\n".join(history))))
    return write_report(folder, html.page("predict", sections, "Predictions of a run; nobody has checked them."))


_TAUGHT = (
    "The run was trained on some of these frames, or on others of the same source or patient: its predictions of them "
    "are too good to show how good it is."
)


CALIBRATED = "calibrated:"
_WARM = (
    "The columns that begin with 'calibrated:' are probabilities after the temperature that each fold fitted on its "
    "validation frames; on other patients or devices they need not be calibrated. The others are as the network says."
)


def _amounts(store: Store, columns: Columns, classes: tuple[str, ...], scores: np.ndarray) -> str:
    """How often each class, structure or box, and how the scores lie."""
    parts = []
    if classes:
        said = np.bincount(scores[:, : len(classes)].argmax(1), minlength=len(classes))
        rows = [[name, int(n), 100 * n / max(1, len(scores))] for name, n in zip(classes, said, strict=True)]
        parts.append(html.table(["class", "frames", "share (%)"], rows))
    if columns.masks:
        there = np.zeros(len(columns.masks), int)
        for row in range(len(store)):
            there += [bool(plane.any()) for plane in _structures(store, columns, row)]
        rows = [[name, int(n)] for name, n in zip(columns.masks, there, strict=True)]
        parts.append(html.table(["structure", "frames that show it"], rows))
    if columns.boxes:
        found = np.zeros((len(columns.boxes), 2), int)
        for row in range(len(store)):
            kinds, sure = store.boxes(row)[1], store.box_scores(row)
            for k in range(len(columns.boxes)):
                found[k] += ((kinds == k) & (sure >= 0.5)).sum(), ((kinds == k) & (sure >= LEAST_SCORE)).sum()
        rows = [[name, int(a), int(b)] for name, (a, b) in zip(columns.boxes, found, strict=True)]
        parts.append(html.table(["class", "boxes of score 0.5 and more", f"of {LEAST_SCORE} and more"], rows))
    if any(CALIBRATED in name for name in columns.scores):
        parts.append(html.note(_WARM))
    return "".join(parts) + _histogram(columns.scores, scores, len(classes))


def _histogram(names: Sequence[str], scores: np.ndarray, classes: int) -> str:
    shown = [k for k, name in enumerate(names) if np.isfinite(scores[:, k]).any() and name.rpartition(":")[2] != "rank"]
    shown = shown[: classes or 3][:8]

    def draw(theme: Theme) -> bytes:
        figure, axes = axis(theme, "predicted", "frames", 240)
        values = scores[:, shown]
        low, high = np.nanmin(values), np.nanmax(values)
        bins = np.linspace(low, high if high > low else low + 1, 31)
        for k, colour in zip(shown, theme.palette, strict=False):
            known = scores[np.isfinite(scores[:, k]), k]
            axes.hist(known, bins, histtype="step", color=colour, label=short(names[k]), linewidth=1.3)
        axes.legend(fontsize=8, frameon=False, labelcolor=theme.ink)
        return png(figure)

    return html.themed(both(draw), "How often each value was predicted.") if shown else ""


def _sheets(store, columns, classes, scores, patient, unsure) -> list[tuple[str, str]]:
    """The least sure and the surest frames, one a patient; frames spread evenly where the run does not say."""
    if unsure is None or not np.isfinite(unsure).any():
        rows = np.unique(np.linspace(0, len(store) - 1, SHOWN).round().astype(int))
        return [("Frames", _sheet(store, columns, classes, scores, rows, unsure))]
    value = np.where(np.isfinite(unsure), unsure, -np.inf)
    found = []
    for title, order in (
        ("Least sure", np.argsort(-value, kind="stable")),
        ("Surest", np.argsort(value, kind="stable")),
    ):
        _, first = np.unique(patient[order], return_index=True)
        rows = order[np.sort(first)][:SHOWN]
        found.append(
            (title, html.paragraph("One frame a patient.") + _sheet(store, columns, classes, scores, rows, unsure))
        )
    return found


def _sheet(store, columns, classes, scores, rows, unsure) -> str:
    cells, captions = [], []
    for row in rows.tolist():
        boxes, kinds = store.boxes(row) if columns.boxes else (np.zeros((0, 4)), np.zeros(0, int))
        drawn = store.box_scores(row) >= LEAST_SCORE if columns.boxes else np.zeros(0, bool)
        cells.append(labelled(store.frame(row), _structures(store, columns, row), boxes[drawn], kinds[drawn]))
        captions.append(_caption(columns.scores, classes, scores[row], None if unsure is None else unsure[row]))
    drawn = columns.masks or columns.boxes
    told = ", ".join(f"{COLOUR_NAMES[k % len(COLOUR_NAMES)]}: {name}" for k, name in enumerate(drawn))
    return html.figure(html.to_jpeg(contact_sheet(cells, captions, columns=PER_ROW, cell_px=CELL_PX)), told)


def _caption(names: Sequence[str], classes: tuple[str, ...], line: np.ndarray, unsure: float | None) -> str:
    if classes:
        best = int(line[: len(classes)].argmax())
        return f"{classes[best]} {line[best]:.2f}"
    first = f"{names[0]} {line[0]:.3g}"
    said = unsure is not None and np.isfinite(unsure) and abs(unsure - line[0]) > 1e-6
    return f"{first}\nunsure {unsure:.2f}" if said else first


def _structures(store: Store, columns: Columns, row: int) -> list[np.ndarray]:
    mask = store.label_mask(row) if columns.masks else None
    if mask is None:
        return []
    return [mask == k + 1 if columns.mask_kind == "index" else (mask >> k & 1) > 0 for k in range(len(columns.masks))]


def _groups(
    head: str, groups: Sequence[str], code: np.ndarray, scores: np.ndarray, names: Sequence[str], classes: tuple
) -> str:
    """Means over the frames of each patient or clip."""
    counts = np.bincount(code, minlength=len(groups))
    means = np.stack(
        [np.bincount(code, column, minlength=len(groups)) / np.maximum(counts, 1) for column in scores.T], axis=1
    )
    rows = []
    for k in range(min(len(counts), MOST_LINES)):
        said = [classes[int(means[k, : len(classes)].argmax())]] if classes else []
        rows.append([groups[k], int(counts[k]), *said, *means[k].tolist()])
    heads = [head, "frames", *(["predicted"] if classes else []), *names]
    more = f" The first {MOST_LINES} of {len(counts)}." if len(counts) > MOST_LINES else ""
    return html.paragraph(f"Means over the frames.{more}") + html.table(heads, rows)
