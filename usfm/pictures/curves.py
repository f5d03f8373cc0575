"""Curves and histograms as PNG."""

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from usfm.escape import label as safe

PALETTE = ("#1f6fb4", "#d9662b", "#2f9e62", "#b0413e", "#7b5ea7", "#8a6d3b", "#c2579a", "#5b6770")


def curves(
    path: str | Path | None,
    series: Mapping[str, tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]],
    xlabel: str,
    ylabel: str,
    *,
    title: str = "",
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    diagonal: bool = False,
    log_y: bool = False,
    markers: bool = False,
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    size_in: tuple[float, float] = (6.0, 3.8),
) -> bytes:
    """Draw named curves in one axis.

    Args:
        path: where to write the PNG; None only returns it.
        series: name -> (x, y); a curve may hold NaN (a gap).
        xlabel: label of x, with its unit.
        ylabel: label of y, with its unit.
        title: text above.
        bands: name of a curve -> (lower y, upper y), shaded behind it (e.g. an interval).
        diagonal: also draw y = x, dashed (chance in a ROC, perfect in a calibration plot).
        log_y: logarithmic y.
        markers: mark the points.
        xlim: limits of x.
        ylim: limits of y.
        size_in: width and height in inches (at 110 dots an inch).

    Returns:
        The PNG.
    """
    figure, axis = new_axis(xlabel, ylabel, title, size_in)
    if diagonal:
        axis.plot([0, 1], [0, 1], color="#9aa2ab", linestyle="--", linewidth=1)
    for k, (name, (x, y)) in enumerate(series.items()):
        colour = PALETTE[k % len(PALETTE)]
        axis.plot(x, y, label=safe(name), color=colour, linewidth=1.6, marker="o" if markers else None, markersize=3.5)
        if bands and name in bands:
            axis.fill_between(x, *bands[name], color=colour, alpha=0.18, linewidth=0)
    if log_y:
        axis.set_yscale("log")
    axis.set(xlim=xlim, ylim=ylim)
    if any(series):
        axis.legend(frameon=False, fontsize=8)
    return write(figure, path)


def histogram(
    path: str | Path | None,
    values: Mapping[str, Sequence[float]],
    xlabel: str,
    *,
    bins: int = 40,
    title: str = "",
    lines: Mapping[str, float] | None = None,
    log_y: bool = False,
    size_in: tuple[float, float] = (6.0, 3.2),
) -> bytes:
    """Draw how often values occur, one outline a name, over common bins.

    Args:
        path: where to write the PNG; None only returns it.
        values: name -> values; what is not finite is left out.
        xlabel: label of x, with its unit.
        bins: number of bins.
        title: text above.
        lines: name -> x of a vertical line (e.g. a threshold).
        log_y: logarithmic counts.
        size_in: width and height in inches.

    Returns:
        The PNG.
    """
    figure, axis = new_axis(xlabel, "count", title, size_in)
    finite = {name: np.asarray(v, float)[np.isfinite(v)] for name, v in values.items()}
    everything = np.concatenate([*finite.values(), np.zeros(0)])
    if everything.size:
        edges = np.histogram_bin_edges(everything, bins)
        for k, (name, v) in enumerate(finite.items()):
            axis.hist(
                v, edges.tolist(), histtype="stepfilled", alpha=0.55, label=safe(name), color=PALETTE[k % len(PALETTE)]
            )
    for name, x in (lines or {}).items():
        axis.axvline(x, color="#222222", linestyle="--", linewidth=1.2, label=safe(name))
    if log_y and everything.size:
        axis.set_yscale("log")
    if everything.size or lines:
        axis.legend(frameon=False, fontsize=8)
    return write(figure, path)


def intervals(
    path: str | Path | None,
    rows: Mapping[str, tuple[float, float, float]],
    xlabel: str,
    *,
    reference: float | None = None,
    title: str = "",
) -> bytes:
    """Draw estimates with their intervals, one row a name, top to bottom.

    Args:
        path: where to write the PNG; None only returns it.
        rows: name -> (estimate, lower, upper).
        xlabel: label of x, with its unit.
        reference: x of a dashed vertical line (e.g. 0 for differences).
        title: text above.

    Returns:
        The PNG.
    """
    figure, axis = new_axis(xlabel, "", title, (6.0, 0.9 + 0.34 * max(1, len(rows))))
    for k, (value, low, high) in enumerate(rows.values()):
        axis.plot([low, high], [k, k], color=PALETTE[0], linewidth=2)
        axis.plot([value], [k], "o", color=PALETTE[0], markersize=5)
    axis.set_yticks(range(len(rows)), [safe(name) for name in rows], fontsize=8)
    axis.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    if reference is not None:
        axis.axvline(reference, color="#222222", linestyle="--", linewidth=1)
    return write(figure, path)


def new_axis(xlabel: str, ylabel: str, title: str, size_in: tuple[float, float]):
    """Make an empty matplotlib figure and axis in the house style, without touching pyplot's global state.

    Args:
        xlabel: of the horizontal axis.
        ylabel: of the vertical axis.
        title: above the plot; "" for none.
        size_in: width and height in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_in, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    axis.set_xlabel(safe(xlabel), fontsize=9)
    axis.set_ylabel(safe(ylabel), fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(color="#dfe3e8", linewidth=0.7)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    if title:
        axis.set_title(safe(title), fontsize=10)
    return figure, axis


def write(figure, path: str | Path | None) -> bytes:
    """Render a matplotlib figure to PNG, and to `path` if one is given (its folder is made).

    Args:
        figure: of matplotlib.
        path: of a PNG file, or None to write none.

    Returns:
        The PNG.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(buffer.getvalue())
    return buffer.getvalue()
