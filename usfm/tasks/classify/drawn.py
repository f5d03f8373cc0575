"""Pictures of a run's own predictions: confusion and ROC, and the surest right and wrong frames."""

from pathlib import Path

import numpy as np

from usfm.pictures import curves, matrix, sheet
from usfm.store.reader import Store
from usfm.tasks import metrics
from usfm.tasks.predictions import Predictions


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
    scores, target = held.arrays["scores"], held.arrays["target"]
    said, sure = scores.argmax(axis=1), scores.max(axis=1)
    right = said == target
    chosen: list[int] = []
    for side in (right, ~right):
        mine = known[side[known]]
        mine = mine[np.argsort(-sure[mine], kind="stable")]
        _, first = np.unique(held.group[mine].astype(str), return_index=True)
        chosen += mine[np.sort(first)][:count].tolist()
    names = held.class_names
    pictures = store.frames([row_of[held.frame_id[k]] for k in chosen])
    captions = [f"true:  {names[target[k]]}\npredicted:  {names[said[k]]} ({sure[k]:.2f})" for k in chosen]
    borders = [sheet.GREEN if right[k] else sheet.RED for k in chosen]
    return sheet.contact_sheet(pictures, captions, 6, 150, borders=borders), len(known)


def of_directory(folder: Path, whole: Predictions) -> None:
    """Draw the confusion matrix and the ROC of a run's held-out frames.

    Args:
        folder: where to.
        whole: its predictions.
    """
    names, scores, target = list(whole.class_names), whole.arrays["scores"], whole.arrays["target"]
    counts = metrics.confusion(target, scores.argmax(1), len(names))
    matrix.confusion(folder / "confusion.png", counts, names, title="held-out frames")
    lines = {}
    for c in [1] if len(names) == 2 else range(len(names)):
        x, y = metrics.roc(target == c, scores[:, c])
        if len(x):
            lines[f"{names[c]} ({metrics.auroc(target == c, scores[:, c]):.2f})"] = (x, y)
    curves.curves(
        folder / "roc.png", lines, "false positive rate", "true positive rate", diagonal=True, size_in=(4.4, 4.2)
    )
