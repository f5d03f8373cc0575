"""Figures for a light and for a dark page, wide as a telephone, so that their text is readable everywhere."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from usfm.escape import label as safe

WIDTH_PX = 370
"""Shown width of a figure: a page of 400 px holds it at its own size."""

_DOTS = 2  # a shown pixel, for sharp screens and for print
_PX_PER_IN = 100


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes:
        paper: background.
        ink: text and reference lines.
        soft: axes and less important lines.
        grid: lines of the grid.
        palette: of series, in turn; each stands out from the paper (contrast 3 or more).
        heat: matplotlib's name of the map from "none" (near the paper) to "all".
    """

    paper: str
    ink: str
    soft: str
    grid: str
    palette: tuple[str, ...]
    heat: str


LIGHT = Theme(
    "#ffffff", "#1d2630", "#5b6770", "#e3e7ec",
    ("#1f6fb4", "#c2541b", "#1f7d4d", "#a3327f", "#6a4fa3", "#7a5c1e", "#b0413e", "#4a5560"), "Blues",
)  # fmt: skip
DARK = Theme(
    "#14181d", "#e4e8ed", "#9aa5b1", "#2b323a",
    ("#6db3ee", "#f0955f", "#62c793", "#e08cc6", "#b39ae6", "#d5b567", "#ee8c88", "#aab4bf"), "Blues_r",
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """One figure for light pages and print, and for dark pages: two PNGs, and the width to show them at, px."""

    light: bytes
    dark: bytes
    width_px: int = WIDTH_PX


def both(draw: Callable[[Theme], bytes], width_px: int = WIDTH_PX) -> Pair:
    """Draw a figure twice.

    Args:
        draw: theme -> PNG.
        width_px: shown width, which the drawing was made for.

    Returns:
        The two PNGs.
    """
    return Pair(draw(LIGHT), draw(DARK), width_px)


def axis(theme: Theme, xlabel: str, ylabel: str, height_px: float, width_px: float = WIDTH_PX):
    """Make an empty matplotlib figure and axis in a theme, without touching pyplot's global state.

    Args:
        theme: its colours.
        xlabel: of the horizontal axis, with its unit.
        ylabel: of the vertical axis, with its unit.
        height_px: shown height.
        width_px: shown width.

    Returns:
        (figure, axis)
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (width_px / _PX_PER_IN, height_px / _PX_PER_IN)
    figure = Figure(figsize=size, dpi=_PX_PER_IN * _DOTS, layout="constrained", facecolor=theme.paper)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=theme.paper)
    axes.set_xlabel(safe(xlabel), fontsize=8.5, color=theme.ink)
    axes.set_ylabel(safe(ylabel), fontsize=8.5, color=theme.ink)
    axes.tick_params(labelsize=8, colors=theme.soft, labelcolor=theme.ink)
    axes.grid(color=theme.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    for name, side in axes.spines.items():
        side.set_visible(name in ("left", "bottom"))
        side.set_color(theme.soft)
    return figure, axes


def legend(axes, theme: Theme, count: int) -> None:
    """Write the names of series under the axis, where they hide no line.

    Args:
        axes: of matplotlib.
        theme: its colours.
        count: number of series.
    """
    axes.figure.legend(
        loc="outside lower left", ncols=1 if count < 4 else 2, frameon=False, fontsize=8, labelcolor=theme.ink,
        handlelength=1.4, borderaxespad=0.2,
    )  # fmt: skip


def legend_px(count: int) -> float:
    """Height of a legend of so many names, px."""
    return 17 * (count if count < 4 else -(-count // 2)) + 4


def png(figure) -> bytes:
    """Render a matplotlib figure.

    Args:
        figure: of matplotlib.

    Returns:
        The PNG.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def short(name: str, most: int = 40) -> str:
    """A name as a figure shows it: safe, and cut in the middle when it is long, since names differ at both ends.

    Args:
        name: any text.
        most: characters.

    Returns:
        The text.

    >>> short("runs/a-very-long-name/probe", 14)
    'runs/a-…/probe'
    """
    if len(name) > most:
        name = name[: most // 2] + "…" + name[len(name) - (most - most // 2 - 1) :]
    return safe(name)
