"""A confusion matrix as PNG."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from usfm.escape import label as safe
from usfm.pictures.theme import LIGHT, WIDTH_PX, Theme, axis, png


def confusion(
    path: str | Path | None,
    matrix: np.ndarray,
    names: Sequence[str],
    *,
    title: str = "",
    xlabel: str = "predicted",
    ylabel: str = "true",
    theme: Theme = LIGHT,
) -> bytes:
    """Draw counts (written) over the share of the true class (shaded).

    Args:
        path: where to write the PNG; None only returns it.
        matrix: (C, C) counts, row = true class, column = predicted class.
        names: C class names.
        title: text above.
        xlabel: name of the columns.
        ylabel: name of the rows.
        theme: colours.

    Returns:
        The PNG. A row without frames is left white.
    """
    matrix = np.asarray(matrix)
    total = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    width_px = max(WIDTH_PX, 130 + 40 * len(names))
    longest = max((len(name) for name in names), default=0)
    figure, axes = axis(theme, xlabel, ylabel, width_px * 0.72 + min(90, 5 * longest), width_px)
    axes.grid(False)
    if title:
        axes.set_title(safe(title), fontsize=9, color=theme.ink)
    axes.imshow(share, cmap=theme.heat, vmin=0, vmax=1, aspect="auto")
    labels = ["\n".join(safe(part) for part in textwrap.wrap(name, 20)[:3]) or "(none)" for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), labels)
    if len(names) <= 20:
        for row in range(len(names)):
            for column in range(len(names)):
                dark = share[row, column] > 0.58 if theme.heat == "Blues" else share[row, column] < 0.5
                text = f"{matrix[row, column]:,g}\n{share[row, column]:.0%}" if total[row] else "0"
                axes.text(column, row, text, ha="center", va="center", fontsize=8 if len(names) < 8 else 6,
                          color="white" if dark else "#1d2630")  # fmt: skip
    data = png(figure)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)
    return data
