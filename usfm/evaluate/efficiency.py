"""How a score grows with labels: runs that differ in nothing but the share of training patients and the seed."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from usfm.evaluate import bootstrap

Known = Mapping[str, Mapping[str, np.ndarray]]
"""Run -> measure -> values."""


def series(runs: Sequence[dict], drawn: Known, left: Known, measures: Sequence[str], confidence: float) -> list[dict]:
    """Find such runs and average the seeds.

    The interval is that of the mean over the seeds, the same patients drawn for all of them; what the seeds differ by
    is listed beside it.

    Args:
        runs: entries of the report, with name, about, n and metrics.
        drawn: run -> measure -> (B,) values on the resamples; all runs of a series were measured on the same frames.
        left: run -> measure -> (m,) values without each patient.
        measures: which ones.
        confidence: of the intervals.

    Returns:
        One entry a series of two fractions or more: name, and points: fraction, seeds, runs, metrics (measure -> value,
        low, high, seeds (each value)).
    """
    groups: dict[str, list[dict]] = {}
    for run in runs:
        settings = run["about"].get("settings")
        if isinstance(settings, dict) and _fraction(settings) is not None:
            groups.setdefault(_rest(run), []).append(run)
    found = []
    for members in groups.values():
        fractions = sorted({_share(run) for run in members})
        if len(fractions) < 2 or len({run["n"]["frames"] for run in members}) > 1:
            continue
        points = [
            _point(at, [run for run in members if _share(run) == at], drawn, left, measures, confidence)
            for at in fractions
        ]
        found.append({"name": _name(members), "points": points})
    return found


def _point(
    fraction: float, members: list[dict], drawn: Known, left: Known, measures: Sequence[str], confidence: float,
) -> dict:  # fmt: skip
    point: dict = {"fraction": fraction, "seeds": len(members), "runs": [run["name"] for run in members], "metrics": {}}
    for measure in measures:
        values = [run["metrics"][measure]["value"] for run in members]
        known = [value for value in values if value is not None]
        each = [drawn[run["name"]][measure] for run in members if measure in drawn.get(run["name"], {})]
        same = len({len(part) for part in each}) == 1
        low, high = np.nan, np.nan
        if same:
            patients, names = members[0]["n"]["patients"], [run["name"] for run in members]
            without = [left[name][measure] for name in names if measure in left.get(name, {})]
            df = bootstrap.freedom(np.mean(without, axis=0), patients) if without else None
            low, high = bootstrap.interval(np.mean(each, axis=0), confidence, patients, df)
        point["metrics"][measure] = {
            "value": bootstrap.plain(float(np.mean(known))) if known else None,
            "low": bootstrap.plain(low),
            "high": bootstrap.plain(high),
            "seeds": values,
        }
    return point


def _fraction(settings: Mapping) -> float | None:
    value = settings.get("fraction", 1.0)
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _share(run: dict) -> float:
    share = _fraction(run["about"]["settings"])
    return 1.0 if share is None else share


def _rest(run: dict) -> str:
    """Everything that runs of a series share: all settings but the fraction and the seeds, and what they were given."""
    about = run["about"]
    settings = {k: v for k, v in about["settings"].items() if k not in ("fraction", "seed", "seeds")}
    encoder = {k: v for k, v in (about.get("encoder") or {}).items() if k != "seed"}
    return json.dumps([about.get("task"), about.get("inputs"), settings, encoder], sort_keys=True, default=str)


def _name(members: list[dict]) -> str:
    """What the names of the runs have in common, or the encoder and the protocol."""
    about = members[0]["about"]
    encoder = (about.get("encoder") or {}).get("name", "?")
    return f"{encoder}, {about.get('protocol', '?')}"
