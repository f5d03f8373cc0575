"""Intervals of a share from its counts, for where resampling cannot make one: all right, or all wrong."""

import math
from statistics import NormalDist


def wilson(right: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a share; never empty, never outside 0 to 1, also for 0 of n and n of n.

    Args:
        right: how many of them (a weighted count may be broken).
        n: independent cases; with several cases a patient give the number of patients, or it is too narrow.
        confidence: such as 0.95.

    Returns:
        (low, high); NaN for n = 0.

    Source: E. B. Wilson, Probable inference, J. Am. Stat. Assoc. 22 (1927) 209-212.

    >>> [round(x, 3) for x in wilson(20, 20)]
    [0.839, 1.0]
    """
    if n <= 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(0.0, share * (1 - share)) / n + z * z / (4 * n * n))
    low = 0.0 if right <= 0 else max(0.0, middle - half)
    return low, 1.0 if right >= n else min(1.0, middle + half)


def rule_of_three(n: float, confidence: float = 0.95) -> float:
    """Upper bound of a share of which no case was seen among n: about 3 / n at 95 %.

    Args:
        n: independent cases.
        confidence: of the one-sided bound.

    Returns:
        1 - (1 - confidence)^(1 / n), 0 to 1; NaN for n = 0.

    Source: J. A. Hanley and A. Lippman-Hand, If nothing goes wrong, is everything all right?, JAMA 249 (1983) 1743.

    >>> round(rule_of_three(100), 3)
    0.03
    """
    return math.nan if n <= 0 else 1 - (1 - confidence) ** (1 / n)
