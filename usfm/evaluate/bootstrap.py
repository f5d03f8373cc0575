"""Intervals by drawing patients anew: a patient's cases come and go together, because they are not independent.

A resample of G patients with replacement is a row of G counts. Every measure is a function of the counts: confusion
matrices add up over patients, so that those of all resamples are one matrix product; the areas under curves take
the counts as case weights. No case is ever copied.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from usfm.evaluate.units import Units
from usfm.tasks import metrics

MEASURES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")
PER_CLASS = ("precision", "recall", "specificity", "f1", "class_auroc", "average_precision")
_BLOCK = 4_000_000  # weights held at once


@dataclass(frozen=True)
class Draws:
    """How often each patient was drawn.

    Attributes:
        names: (G,) patients.
        counts: (B, G) int; each row sums to G.
    """

    names: np.ndarray
    counts: np.ndarray

    def of_cases(self, units: Units) -> np.ndarray:
        """Patient (column of `counts`) of each case: (n,) int."""
        return np.searchsorted(self.names, units.group.astype(str))


def draw(groups: np.ndarray, resamples: int, rng: np.random.Generator) -> Draws:
    """Draw the patients that occur in `groups` anew, `resamples` times.

    Args:
        groups: (N,) group of each case.
        resamples: how many times to draw.
        rng: of the draws.

    Returns:
        How often each patient was drawn in each resample.
    """
    names = np.unique(np.asarray(groups).astype(str))
    return Draws(names, rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples))


def measure(units: Units, predicted: np.ndarray, scores: np.ndarray, draws: Draws | None) -> dict[str, np.ndarray]:
    """Compute every measure, once or for every resample.

    Args:
        units: n cases.
        predicted: (n,) int.
        scores: (n, C) float.
        draws: the resamples; None for the cases as they are.

    Returns:
        ``MEASURES`` -> () or (B,), and ``PER_CLASS`` -> (C,) or (B, C); NaN where a class is missing.
    """
    classes = len(units.class_names)
    curves: dict[str, list] = {"class_auroc": [], "average_precision": []}
    for weights in _weights(units, draws):
        for name, of in (("class_auroc", metrics.auroc), ("average_precision", metrics.average_precision)):
            each = [of(units.target == c, scores[:, c], weights) for c in range(classes)]
            curves[name].append(np.stack(each, axis=-1))
    area, steps = (np.concatenate(pieces) for pieces in curves.values())
    area, steps = (area[0], steps[0]) if draws is None else (area, steps)
    whole = area[..., 1] if classes == 2 else metrics.mean_defined(area)
    return {
        **counted(units, predicted, draws),
        "auroc": whole,
        "class_auroc": area,
        "average_precision": steps,
    }


def counted(units: Units, predicted: np.ndarray, draws: Draws | None) -> dict[str, np.ndarray]:
    """Compute the measures that need no scores, once or for every resample; shapes as in `measure`.

    Args:
        units: the cases.
        predicted: (N,) int class.
        draws: the resamples, or None for the cases themselves.

    Returns:
        Measure -> its values.
    """
    classes = len(units.class_names)
    if draws is None:
        counts = metrics.confusion(units.target, predicted, classes)
    else:
        per_patient = np.zeros((draws.counts.shape[1], classes * classes))
        np.add.at(per_patient, (draws.of_cases(units), units.target * classes + predicted), 1)
        counts = (draws.counts @ per_patient).reshape(-1, classes, classes)
    return {
        "accuracy": metrics.accuracy(counts),
        "balanced_accuracy": metrics.balanced_accuracy(counts),
        "macro_f1": metrics.macro_f1(counts),
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
        "specificity": metrics.specificity(counts),
        "f1": metrics.f1(counts),
    }


def plain(value: float | np.ndarray) -> float | None:
    """A float that JSON can hold: six decimals, None for NaN.

    >>> plain(np.nan), plain(0.12345678)
    (None, 0.123457)
    """
    return round(float(value), 6) if np.isfinite(value) else None


def interval(values: np.ndarray, confidence: float, patients: int) -> tuple[float, float]:
    """Expanded percentile interval of resampled values.

    Plain percentiles are too narrow for few patients, as a normal quantile with the divisor n would be. The tails are
    moved outwards to where a Student t with n - 1 degrees of freedom and the divisor n - 1 would have them: with 10
    patients, from 2.5 % to 0.9 %; with 100, to 2.3 %.

    Args:
        values: (B,); undefined ones (NaN) are left out.
        confidence: such as 0.95.
        patients: n, how many were resampled.

    Returns:
        (low, high), NaN where nothing is defined or there is one patient only.

    Source: T. Hesterberg, What teachers should know about the bootstrap, The American Statistician 69 (2015), sec. 4.3.
    """
    values = values[np.isfinite(values)]
    if not len(values) or patients < 2:
        return float("nan"), float("nan")
    student, normal = _distributions()
    tail = normal.cdf(student.ppf((1 - confidence) / 2, patients - 1) * np.sqrt(patients / (patients - 1)))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def p_value(differences: np.ndarray, patients: int) -> float:
    """Two-sided p of resampled differences, the inverse of `interval`: under 0.05 where a 95 % interval excludes zero.

    Args:
        differences: (B,); undefined ones (NaN) are left out.
        patients: n, how many were resampled.

    Returns:
        Above 0, since B resamples cannot show a share under 1 / (B + 1); NaN where nothing is defined.
    """
    differences = differences[np.isfinite(differences)]
    if not len(differences) or patients < 2:
        return float("nan")
    below, above = (differences <= 0).sum(), (differences >= 0).sum()
    tail = min(0.5, (min(below, above) + 1) / (len(differences) + 1))
    student, normal = _distributions()
    return float(2 * student.cdf(normal.ppf(tail) * np.sqrt((patients - 1) / patients), patients - 1))


def _distributions():
    from scipy import stats

    return stats.t, stats.norm


def _weights(units: Units, draws: Draws | None) -> Iterator[np.ndarray]:
    if draws is None:
        yield np.ones((1, len(units)))
        return
    place, step = draws.of_cases(units), max(1, _BLOCK // max(1, len(units)))
    for at in range(0, max(1, len(draws.counts)), step):
        yield draws.counts[at : at + step][:, place].astype(float)
