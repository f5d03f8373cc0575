"""A confusion matrix as PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from usfm.escape import label as safe
from usfm.pictures.curves import new_axis, write


def confusion(
    path: str | Path | None,
    matrix: np.ndarray,
    names: Sequence[str],
    *,
    title: str = "",
    xlabel: str = "predicted",
    ylabel: str = "true",
) -> bytes:
    """Draw counts (written) over the share of the true class (shaded).

    Args:
        path: where to write the PNG; None only returns it.
        matrix: (C, C) counts, row = true class, column = predicted class.
        names: C class names.
        title: text above.
        xlabel: name of the columns.
        ylabel: name of the rows.

    Returns:
        The PNG. A row without frames is left white.
    """
    matrix = np.asarray(matrix)
    total = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    side = 1.6 + 0.62 * max(2, len(names))
    figure, axis = new_axis(xlabel, ylabel, title, (side + 0.4, side))
    axis.grid(False)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    short = [safe(name if len(name) <= 16 else name[:15] + "…") for name in names]
    axis.set_xticks(range(len(names)), short, rotation=35, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), short)
    if len(names) <= 20:
        for row in range(len(names)):
            for column in range(len(names)):
                ink = "white" if share[row, column] > 0.55 else "#22303c"
                text = f"{matrix[row, column]:g}\n{share[row, column]:.0%}" if total[row] else "0"
                axis.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    return write(figure, path)
