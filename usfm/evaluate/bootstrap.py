"""Intervals by drawing patients anew: a patient's cases come and go together, because they are not independent.

A resample of G patients with replacement is a row of G counts (`usfm.tasks.draws`). Every measure is a function of the
counts. No case is ever copied.
"""

import numpy as np


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
