"""Intervals by drawing patients anew: a patient's cases come and go together, because they are not independent.

A resample of G patients with replacement is a row of G counts (`usfm.tasks.draws`). Every measure is a function of the
counts. No case is ever copied.
"""

import numpy as np

from usfm.tasks.draws import Draws

_MOST = 500  # patients that are left out one at a time
_LEAST_FREEDOM = 2.0
_NOTHING = 1e-12  # rounding


def plain(value: float | np.ndarray) -> float | None:
    """A float that JSON can hold: six decimals, None for NaN.

    >>> plain(np.nan), plain(0.12345678)
    (None, 0.123457)
    """
    return round(float(value), 6) if np.isfinite(value) else None


def left_out(groups: np.ndarray) -> Draws:
    """Every patient left out once, the others as they are; of more than 500 patients, 500 evenly spaced by name.

    Args:
        groups: (N,) patient of each case.

    Returns:
        (m, G) counts; m = 0 for a single patient, since nothing would be left.
    """
    names = np.unique(np.asarray(groups).astype(str))
    if len(names) < 2:
        return Draws(names, np.zeros((0, len(names)), int))
    chosen = np.unique(np.linspace(0, len(names) - 1, min(_MOST, len(names))).round().astype(int))
    counts = np.ones((len(chosen), len(names)), int)
    counts[np.arange(len(chosen)), chosen] = 0
    return Draws(names, counts)


def freedom(left: np.ndarray, patients: int) -> float:
    """Degrees of freedom of a spread that is estimated from patients: few where few patients decide.

    A spread from n normal values has n - 1. From values of kurtosis k it is as uncertain as one from 2 n / (k - 1)
    (Satterthwaite's rule, on how much each patient moves the measure). With 6 of 30 patients in a class, the recall
    of that class rests on the 6.

    Args:
        left: (m,) the measure without each patient; undefined ones (NaN) are left out.
        patients: n.

    Returns:
        2 to n - 1.

    Source: F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110-114; the kurtosis is corrected for small n as usual.
    """
    left, most = left[np.isfinite(left)], max(_LEAST_FREEDOM, patients - 1.0)
    moved, m = left - left.mean() if len(left) else left, len(left)
    square = float((moved**2).sum())
    if m < 4 or square <= _NOTHING * float((left**2).sum()):
        return most
    excess = m * float((moved**4).sum()) / square**2 - 3
    excess = (m - 1) / ((m - 2) * (m - 3)) * ((m + 1) * excess + 6)
    return float(np.clip(2 * patients / max(excess + 2, 1e-9), _LEAST_FREEDOM, most))


def interval(values: np.ndarray, confidence: float, patients: int, df: float | None = None) -> tuple[float, float]:
    """Expanded percentile interval of resampled values, for what has no bounds, such as a difference.

    Plain percentiles are too narrow for few patients, as a normal quantile with the divisor n would be. The tails are
    moved outwards to where a Student t and the divisor n - 1 would have them: with 10 patients, from 2.5 % to 0.9 %;
    with 100, to 2.3 %.

    Args:
        values: (B,); undefined ones (NaN) are left out.
        confidence: such as 0.95.
        patients: n, how many were resampled.
        df: of `freedom`; None: n - 1.

    Returns:
        (low, high), NaN where nothing is defined or there is one patient only.

    Source: T. Hesterberg, What teachers should know about the bootstrap, The American Statistician 69 (2015), sec. 4.3.
    """
    values = values[np.isfinite(values)]
    if not len(values) or patients < 2:
        return float("nan"), float("nan")
    student, normal = _distributions()
    df = patients - 1 if df is None else df
    tail = normal.cdf(student.ppf((1 - confidence) / 2, df) * np.sqrt(patients / (patients - 1)))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def bounded(
    point: float, values: np.ndarray, confidence: float, patients: int, df: float, within: tuple[float, float]
) -> tuple[float, float]:
    """Interval of a measure that cannot leave its bounds: a Student interval on a scale without bounds, turned back.

    The scale is log(x - low) - log(high - x), of a share its logit; the spread is that of the resamples, with the
    divisor n - 1, times the slope of the scale at the value.

    Args:
        point: the value on the cases.
        values: (B,) on the resamples; undefined ones (NaN) are left out.
        confidence: such as 0.95.
        patients: n, how many were resampled.
        df: of `freedom`.
        within: lowest and highest value that the measure can have; infinite where there is none.

    Returns:
        (low, high); that of `interval` where there are no bounds, where the value lies on one, or where all resamples
        are equal.

    Source: M. S. Pepe, The Statistical Evaluation of Medical Tests (2003), sec. 5.2: the logit for the AUROC.
    """
    values, (lowest, highest) = values[np.isfinite(values)], within
    if len(values) < 2 or patients < 2 or not lowest < point < highest or not np.isfinite([lowest, highest]).any():
        return interval(values, confidence, patients, df)
    spread = float(values.std(ddof=1)) * np.sqrt(patients / (patients - 1))
    if spread <= _NOTHING:
        return interval(values, confidence, patients, df)
    below, above = point - lowest, highest - point
    reach = float(_distributions()[0].ppf(0.5 + confidence / 2, df)) * spread * (1 / below + 1 / above)
    return tuple(_back(point, way * reach, within) for way in (-1, 1))  # type: ignore[return-value]


def _back(point: float, step: float, within: tuple[float, float]) -> float:
    """The value that lies a step away from a point on the scale of `bounded`."""
    lowest, highest = within
    with np.errstate(over="ignore"):
        if not np.isfinite(highest):
            return float(lowest + (point - lowest) * np.exp(step))
        if not np.isfinite(lowest):
            return float(highest - (highest - point) * np.exp(-step))
        odds = (point - lowest) / (highest - point) * np.exp(step)
        return float(highest if np.isinf(odds) else lowest + (highest - lowest) * odds / (1 + odds))


def p_value(differences: np.ndarray, patients: int, df: float | None = None) -> float:
    """Two-sided p of resampled differences, the inverse of `interval`: under 0.05 where a 95 % interval excludes zero.

    Args:
        differences: (B,); undefined ones (NaN) are left out.
        patients: n, how many were resampled.
        df: of `freedom`; None: n - 1.

    Returns:
        Above 0, since B resamples cannot show a share under 1 / (B + 1); NaN where nothing is defined.
    """
    differences = differences[np.isfinite(differences)]
    if not len(differences) or patients < 2:
        return float("nan")
    below, above = (differences <= 0).sum(), (differences >= 0).sum()
    tail = min(0.5, (min(below, above) + 1) / (len(differences) + 1))
    student, normal = _distributions()
    return float(2 * student.cdf(normal.ppf(tail) * np.sqrt((patients - 1) / patients), df or patients - 1))


def _distributions():
    from scipy import stats

    return stats.t, stats.norm
