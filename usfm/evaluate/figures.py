"""Figures that compare runs, each for light and for dark pages; those of one run are its task's."""

from collections.abc import Mapping, Sequence

import numpy as np

from usfm.evaluate.tables import main
from usfm.imaging.acoustic import PERTURBATIONS
from usfm.pictures import evidence
from usfm.pictures.evidence import Estimate, Line
from usfm.pictures.theme import Pair, both
from usfm.tasks import learning as on_the_way

_POINTS = 4000  # of a map; more would only hide one another


def intervals(runs: Sequence[dict]) -> dict[str, Pair]:
    """A forest plot a measure: every run of a task with its interval; dashed: the harder constant answer."""
    found = {}
    for name, title in main(runs[0]).items():
        rows, line = [], float("nan")
        for run in runs:
            e = run["metrics"][name]
            if e["value"] is not None:
                rows.append(Estimate(run["name"], *(_number(e[key]) for key in ("value", "low", "high"))))
                line = _number(e["majority"]["value"]) if not np.isfinite(line) else line
        if rows:
            reference = line if np.isfinite(line) else None
            found[name] = both(
                lambda theme, rows=rows, title=title, reference=reference: evidence.forest(
                    rows, title, reference, "constant answer", theme
                )
            )
    return found


def doses(robustness: Sequence[dict], measure: str, title: str) -> dict[str, Pair]:
    """A curve a perturbation: absolute values against the strength, a line a run.

    Args:
        robustness: of the report.
        measure: which one.
        title: its title.

    Returns:
        Perturbation -> figure.
    """
    found = {}
    for name in dict.fromkeys(each["name"] for each in robustness):
        lines = []
        for each in (each for each in robustness if each["name"] == name):
            steps = [(0.0, each["clean"][measure]), *((s["strength"], s["metrics"][measure]) for s in each["steps"])]
            lines.append(_line(each["run"], sorted(steps, key=lambda step: step[0])))
        label = f"{name}: {PERTURBATIONS[name].unit}"
        found[name] = both(
            lambda theme, lines=lines, label=label: evidence.lines(
                lines, label, title, markers=True, unit=False, theme=theme
            )
        )
    return found


def learning(found: on_the_way.Curves) -> dict[str, tuple[Pair, str]]:
    """How the folds of a run learned, a picture a measure.

    Args:
        found: of the report.

    Returns:
        Measure -> figure, and the words below it.
    """
    shown, none = {}, np.zeros(0)
    for measure, folds in found.items():
        drawn = [
            Line(f"fold {fold}", np.array(points[0]), np.array(points[1]), none, none) for fold, points in folds.items()
        ]
        title = on_the_way.words(measure)
        figure = both(
            lambda theme, drawn=drawn, title=title: evidence.lines(drawn, "step", title, unit=False, theme=theme)
        )
        shown[f"learning.{measure}"] = figure, f"{title[0].upper()}{title[1:]} on the way, a curve a fold"
    return shown


def efficiency(series: Sequence[dict], measure: str, title: str) -> Pair:
    """The label-efficiency curves.

    Args:
        series: of the report.
        measure: which one.
        title: its title.

    Returns:
        The figure.
    """
    lines = [_line(s["name"], [(p["fraction"], p["metrics"][measure]) for p in s["points"]]) for s in series]
    return both(
        lambda theme: evidence.lines(
            lines, "share of the training patients", title, markers=True, log_x=True, unit=False, theme=theme
        )
    )


def embedding(points: np.ndarray, shares: tuple[float, float], columns: Mapping[str, np.ndarray]) -> dict[str, Pair]:
    """The map of frames, once for each column.

    Args:
        points: (n, 2).
        shares: of the variance, of each axis.
        columns: name -> (n,) str.

    Returns:
        Name -> figure.
    """
    some = np.random.default_rng(0).permutation(len(points))[:_POINTS]
    x, y = (f"component {k + 1} ({share:.0%} of the variance)" for k, share in enumerate(shares))
    return {
        name: both(lambda theme, values=values: evidence.scatter(points[some], values[some].tolist(), x, y, theme))
        for name, values in columns.items()
    }


def _line(name: str, steps: Sequence[tuple[float, dict]]) -> Line:
    x, e = np.array([step[0] for step in steps]), [step[1] for step in steps]
    return Line(name, x, *(np.array([_number(each[key]) for each in e]) for key in ("value", "low", "high")))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
