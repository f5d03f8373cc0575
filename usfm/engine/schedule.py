"""The learning rate over a run, as a function of how far it is."""

import math


def cosine(progress: float, *, peak: float, floor: float = 0.0, warmup: float = 0.05) -> float:
    """Linear warm-up from 0 to the peak, then half a cosine down to the floor.

    The loop asks for the middle of each step, (step + 0.5) / steps, so that no step has a rate of 0. MAE asks for the
    beginning of a step, which wastes the first one.

    Source: MAE's schedule, with epochs written as shares of the run.

    Args:
        progress: 0 to 1, share of the run that is done.
        peak: largest value.
        floor: value at the end.
        warmup: share of the run that warms up.

    Returns:
        The rate, in the unit of `peak`.

    Examples:
        >>> [round(cosine(p, peak=1.0, warmup=0.1), 3) for p in (0.0, 0.05, 0.1, 0.55, 1.0)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return peak * progress / warmup
    share = (progress - warmup) / max(1 - warmup, 1e-9)
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
