"""Figures of a report: forest plot, ROC and precision-recall with bands, reliability, and curves over a dose."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from usfm.pictures.theme import LIGHT, Theme, axis, legend, legend_px, png, short


@dataclass(frozen=True)
class Estimate:
    """A value with its interval (NaN where there is none), under a name."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A curve with its band.

    Attributes:
        name: in the legend.
        x: (k,).
        y: (k,).
        low: (k,) lower edge of the band; empty for none.
        high: (k,) upper edge.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray = field(default_factory=lambda: np.empty(0))
    high: np.ndarray = field(default_factory=lambda: np.empty(0))


def forest(
    rows: Sequence[Estimate],
    xlabel: str,
    reference: float | None = None,
    reference_name: str = "",
    theme: Theme = LIGHT,
) -> bytes:
    """Draw estimates with their intervals, one under the other, each with its name above and its value beside it.

    Args:
        rows: top to bottom; those without a value are left out.
        xlabel: measure and unit.
        reference: x of a dashed line (0 for differences, a constant answer).
        reference_name: what that line is, written at its top.
        theme: colours.

    Returns:
        PNG.
    """
    rows = [row for row in rows if np.isfinite(row.value)]
    top = 16 if reference is not None and reference_name else 0
    figure, axes = axis(theme, xlabel, "", 64 + top + 36 * max(1, len(rows)))
    for k, row in enumerate(rows):
        if np.isfinite(row.low) and np.isfinite(row.high):
            axes.plot([row.low, row.high], [k, k], color=theme.palette[0], linewidth=2, solid_capstyle="butt")
        axes.plot([row.value], [k], "s", color=theme.palette[0], markersize=5)
        axes.annotate(
            short(row.name, 44), (0, k), xycoords=("axes fraction", "data"), xytext=(2, 6),
            textcoords="offset points", fontsize=8, color=theme.ink, va="bottom",
            bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
        axes.annotate(
            f"{row.value:.3f}", (1, k), xycoords=("axes fraction", "data"), xytext=(3, 0),
            textcoords="offset points", fontsize=8, color=theme.ink, va="center",
        )  # fmt: skip
    axes.set_yticks([])
    axes.set_ylim(max(1, len(rows)) - 0.5, -0.85)
    if reference is not None and np.isfinite(reference):
        axes.axvline(reference, color=theme.soft, linestyle="--", linewidth=1)
        if reference_name:
            axes.annotate(short(reference_name, 40), (reference, 1), xycoords=("data", "axes fraction"),
                          xytext=(0, 3), textcoords="offset points", fontsize=8, color=theme.soft,
                          ha="center", annotation_clip=False)  # fmt: skip
    return png(figure)


def lines(
    series: Sequence[Line], xlabel: str, ylabel: str, *, diagonal: bool = False, markers: bool = False,
    log_x: bool = False, unit: bool = True, share: bool = False, theme: Theme = LIGHT,
) -> bytes:  # fmt: skip
    """Draw curves with bands, their names below.

    Args:
        series: the curves (ROC, precision-recall, scores over fractions or strengths).
        xlabel: label of x, with its unit.
        ylabel: label of y, with its unit.
        diagonal: also draw y = x, dashed.
        markers: mark the points.
        log_x: logarithmic x, with the values of the points as ticks.
        unit: both axes run from 0 to 1.
        share: y runs from 0 to 1.
        theme: colours.

    Returns:
        PNG.
    """
    figure, axes = axis(theme, xlabel, ylabel, (330 if unit else 250) + legend_px(len(series)))
    if diagonal:
        axes.plot([0, 1], [0, 1], color=theme.soft, linestyle="--", linewidth=1)
    for k, each in enumerate(series):
        colour, dash = theme.palette[k % len(theme.palette)], "-" if k < len(theme.palette) else "--"
        axes.plot(each.x, each.y, dash, label=short(each.name, 46 if len(series) < 4 else 26), color=colour,
                  linewidth=1.6, marker="o" if markers else None, markersize=4)  # fmt: skip
        if len(each.low):
            axes.fill_between(each.x, each.low, each.high, color=colour, alpha=0.2, linewidth=0)
    if unit:
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    if share:
        axes.set(ylim=(-0.01, 1.01))
    if log_x:
        axes.set_xscale("log")
        points = sorted({float(x) for each in series for x in each.x})
        axes.set_xticks(points, [f"{x:g}" for x in points])
        axes.minorticks_off()
    if series:
        legend(axes, theme, len(series))
    return png(figure)


def reliability(bins: Sequence[tuple[float, Estimate, int]], theme: Theme = LIGHT) -> bytes:
    """Draw how often a classifier is right against how sure it is, each bin with its interval and number of cases.

    Args:
        bins: (mean highest probability, share that is right, cases); each bin holds enough cases to be read.
        theme: colours.

    Returns:
        PNG.
    """
    figure, axes = axis(theme, "highest probability (bins of equal numbers of cases)", "share correct", 330)
    low = min([0.5, *(each[0] - 0.05 for each in bins), *(each[1].value - 0.05 for each in bins)])
    axes.plot([0, 1], [0, 1], color=theme.soft, linestyle="--", linewidth=1)
    for sure, share, cases in bins:
        if np.isfinite(share.low) and np.isfinite(share.high):
            axes.plot([sure, sure], [share.low, share.high], color=theme.palette[0], linewidth=1.6, alpha=0.6)
            low = min(low, share.low)
        axes.annotate(f"{cases:,}", (sure, share.value), xytext=(5, -3), textcoords="offset points", fontsize=7.5,
                      color=theme.soft)  # fmt: skip
    points = [(sure, share.value) for sure, share, _ in bins]
    if points:
        axes.plot(*zip(*points, strict=True), "o", color=theme.palette[0], markersize=5)
    else:
        axes.text(0.5, 0.5, "fewer than 10 cases", transform=axes.transAxes, ha="center", fontsize=9, color=theme.soft)
    axes.set(xlim=(max(0, low), 1.04), ylim=(max(0, low), 1.02))
    return png(figure)


def scatter(points: np.ndarray, names: Sequence[str], xlabel: str, ylabel: str, theme: Theme = LIGHT) -> bytes:
    """Draw a map of points, coloured by a column.

    Args:
        points: (n, 2) float.
        names: n values of the column; the eight most frequent have a colour, all others share the last one.
        xlabel: label of x.
        ylabel: label of y.
        theme: colours.

    Returns:
        PNG.
    """
    column = np.asarray([str(name) for name in names], dtype=str)
    values, counts = np.unique(column, return_counts=True)
    values = values[np.argsort(-counts, kind="stable")]
    first = values[: len(theme.palette) - (len(values) > len(theme.palette))].tolist()
    shown = [(name, column == name) for name in first]
    if len(values) > len(first):
        shown.append((f"{len(values) - len(first)} others", ~np.isin(column, first)))
    figure, axes = axis(theme, xlabel, ylabel, 300 + legend_px(len(shown)))
    size = float(np.clip(3000 / max(1, len(points)), 4, 20))
    for k, (name, mine) in enumerate(shown):
        label = short(f"{name or '(none)'}: {int(mine.sum()):,}", 46 if len(shown) < 4 else 26)
        axes.scatter(*points[mine].T, s=size, color=theme.palette[k], alpha=0.75, linewidths=0, label=label,
                     rasterized=True)  # fmt: skip
    axes.set(xticks=[], yticks=[])
    if shown:
        legend(axes, theme, len(shown))
    return png(figure)
