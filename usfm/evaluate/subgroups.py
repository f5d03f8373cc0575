"""The same measures for parts of the cases: by scanner, site, probe, or any other column."""

from collections.abc import Callable

import numpy as np

from usfm.evaluate.bootstrap import left_out
from usfm.evaluate.summary import estimate
from usfm.seeding import stream
from usfm.tasks.contract import Scored
from usfm.tasks.draws import draw
from usfm.tasks.predictions import Predictions

LEAST_CASES, LEAST_PATIENTS = 10, 2
"""A smaller part is listed without measures."""

MOST = 40
"""Parts that are shown; a column with more values (a number, a name of a file) is no column of groups."""

_MARGIN = 0.15  # of balanced accuracy above chance, from which a column is said to tell the label
_SHUFFLES = 200


def table(
    held: Predictions,
    column: str,
    values: np.ndarray,
    scored: Callable[[Predictions], Scored],
    resamples: int,
    confidence: float,
    seed: int,
) -> list[dict]:
    """Measure every part.

    Args:
        held: predictions of one run.
        column: its name.
        values: (n,) str, of each predicted frame.
        scored: turns predictions into cases.
        resamples: of the patients of each part.
        confidence: of the intervals.
        seed: of the draws.

    Returns:
        One row a value, the most frequent first, numbers and ranges of numbers by size: value, cases, patients, reason
        ("" or why it has no measures), note ("" or what to know of them), and metrics (measure -> estimate).
    """
    names, counts = np.unique(values.astype(str), return_counts=True)
    rows = []
    for name in _ordered(names[np.argsort(-counts, kind="stable")][:MOST].tolist()):
        part = scored(held.take(values.astype(str) == name))
        patients = len(set(part.group.tolist()))
        row = {
            "value": str(name),
            "cases": len(part.key),
            "patients": patients,
            "reason": "",
            "note": "",
            "metrics": {},
        }
        if len(part.key) < LEAST_CASES:
            row["reason"] = f"fewer than {LEAST_CASES} cases"
        elif patients < LEAST_PATIENTS:
            row["reason"] = "one patient"
        else:
            draws = draw(part.group, resamples, stream(seed, "by", column, str(name)))
            point, drawn, left = part.measure(None), part.measure(draws), part.measure(left_out(part.group))
            row["note"] = _of_one_class(held, values.astype(str) == name)
            row["metrics"] = {
                one.name: estimate(one, point[one.name], drawn[one.name], left[one.name], confidence, patients)
                for one in part.measures
            }
        rows.append(row)
    return rows


def _ordered(names: list[str]) -> list[str]:
    """Names as they come; numbers and ranges by size, and what stands for no number behind them.

    >>> _ordered(["20 to 35 mm2", "nothing to see", "3.5 to 20 mm2"])
    ['3.5 to 20 mm2', '20 to 35 mm2', 'nothing to see']
    """
    number = {name: _number(name) for name in names}
    if sum(value is None for value in number.values()) > 1:
        return names
    return sorted(names, key=lambda name: (number[name] is None, number[name] or 0.0))


def _number(name: str) -> float | None:
    try:
        return float(name.split()[0])
    except (ValueError, IndexError):
        return None


def _of_one_class(held: Predictions, rows: np.ndarray) -> str:
    """Why the curves of a part say nothing; "" where they do."""
    target = held.arrays.get("target")
    if target is None or target.ndim != 1 or target.dtype.kind not in "iu" or not held.class_names:
        return ""
    there = np.unique(target[rows])
    if len(there) != 1:
        return ""
    return f"all are '{held.class_names[there[0]]}': no AUROC, and the AUPRC is 1 whatever the scores"


def tells(labels: np.ndarray, values: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> float | None:
    """How well a column alone guesses the label of a patient that it has not seen.

    A guess is the most frequent label among the other patients of the same value (of all others, where there is none).
    Each patient counts once, with its most frequent value and label.

    Args:
        labels: (n,) int, of each frame.
        values: (n,) str.
        groups: (n,) str, patients.
        rng: shuffles the values.

    Returns:
        Balanced accuracy of the guesses, if it is at least 0.15 above chance and above 95 % of shuffled columns; else
        None.
    """
    firsts = [np.unique(part, return_inverse=True) for part in (values.astype(str), labels, groups.astype(str))]
    (kinds, value), (classes, label), (names, group) = firsts
    if len(classes) < 2 or len(kinds) < 2:
        return None
    value = _mode(group, value, len(names), len(kinds))
    label = _mode(group, label, len(names), len(classes))
    score = _guessed(value, label, len(kinds), len(classes))
    if score < 1 / len(classes) + _MARGIN:
        return None
    others = [_guessed(rng.permutation(value), label, len(kinds), len(classes)) for _ in range(_SHUFFLES)]
    return score if score > np.quantile(others, 0.95) else None


def _mode(group: np.ndarray, code: np.ndarray, groups: int, codes: int) -> np.ndarray:
    """The most frequent code of each group: (groups,) int."""
    counts = np.zeros((groups, codes), int)
    np.add.at(counts, (group, code), 1)
    return counts.argmax(axis=1)


def _guessed(value: np.ndarray, label: np.ndarray, kinds: int, classes: int) -> float:
    counts = np.zeros((kinds, classes), int)
    np.add.at(counts, (value, label), 1)
    own = np.eye(classes, dtype=int)[label]
    others, everybody = counts[value] - own, counts.sum(axis=0) - own
    said = np.where(others.sum(axis=1) > 0, others.argmax(axis=1), everybody.argmax(axis=1))
    return float(np.mean([(said[label == c] == c).mean() for c in range(classes) if (label == c).any()]))
