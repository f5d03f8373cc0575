"""How often 95 % intervals held the truth in simulated cohorts, so that a report can name what to distrust."""

import math

SIZES = (10, 20, 30, 40, 100, 300)
"""Patients of the simulated cohorts."""

LEAST = 0.93
"""A smaller share is named."""

HELD: dict[str, dict[str, tuple[float, ...]]] = {
    "equal": {
        "accuracy": (0.963, 0.955, 0.940, 0.955, 0.953, 0.958),
        "balanced_accuracy": (0.958, 0.958, 0.930, 0.938, 0.955, 0.958),
        "macro_f1": (0.963, 0.970, 0.958, 0.965, 0.953, 0.958),
        "auroc": (0.947, 0.955, 0.943, 0.950, 0.960, 0.960),
        "macro_average_precision": (0.978, 0.973, 0.953, 0.960, 0.958, 0.963),
        "weighted_f1": (0.970, 0.955, 0.932, 0.945, 0.953, 0.958),
        "macro_precision": (0.945, 0.958, 0.958, 0.963, 0.950, 0.955),
        "weighted_precision": (0.968, 0.963, 0.948, 0.953, 0.955, 0.963),
        "brier": (0.948, 0.938, 0.943, 0.955, 0.958, 0.960),
        "log_loss": (0.948, 0.940, 0.948, 0.965, 0.958, 0.960),
        "calibration_error": (0.840, 0.890, 0.897, 0.935, 0.960, 0.970),
        "precision": (0.990, 0.985, 0.973, 0.970, 0.960, 0.950),
        "recall": (0.935, 0.958, 0.940, 0.950, 0.948, 0.958),
        "specificity": (0.948, 0.963, 0.963, 0.958, 0.960, 0.983),
        "f1": (0.978, 0.975, 0.958, 0.968, 0.940, 0.953),
        "class_auroc": (0.947, 0.955, 0.943, 0.950, 0.960, 0.960),
        "average_precision": (0.982, 0.978, 0.975, 0.973, 0.945, 0.940),
        "sensitivity_at_0.9": (0.962, 0.968, 0.965, 0.955, 0.960, 0.958),
        "specificity_at_0.9": (0.952, 0.965, 0.953, 0.960, 0.950, 0.948),
    },
    "rare": {
        "accuracy": (0.943, 0.960, 0.955, 0.963, 0.940, 0.948),
        "balanced_accuracy": (0.943, 0.960, 0.938, 0.960, 0.950, 0.968),
        "macro_f1": (0.838, 0.958, 0.930, 0.973, 0.968, 0.938),
        "auroc": (0.831, 0.899, 0.930, 0.950, 0.950, 0.955),
        "macro_average_precision": (0.877, 0.970, 0.983, 0.950, 0.963, 0.938),
        "weighted_f1": (0.910, 0.958, 0.935, 0.973, 0.932, 0.955),
        "macro_precision": (0.835, 0.943, 0.925, 0.958, 0.960, 0.938),
        "weighted_precision": (0.880, 0.973, 0.978, 0.970, 0.965, 0.955),
        "brier": (0.930, 0.938, 0.953, 0.950, 0.945, 0.932),
        "log_loss": (0.932, 0.938, 0.955, 0.950, 0.945, 0.940),
        "calibration_error": (0.838, 0.887, 0.922, 0.948, 0.932, 0.950),
        "precision": (0.875, 0.985, 0.978, 0.983, 0.963, 0.940),
        "recall": (0.729, 0.891, 0.920, 0.978, 0.963, 0.950),
        "specificity": (0.940, 0.953, 0.940, 0.955, 0.945, 0.955),
        "f1": (0.873, 0.978, 0.973, 0.985, 0.973, 0.945),
        "class_auroc": (0.831, 0.899, 0.930, 0.950, 0.950, 0.955),
        "average_precision": (0.963, 0.960, 0.970, 0.970, 0.965, 0.940),
        "sensitivity_at_0.9": (0.918, 0.947, 0.960, 0.960, 0.955, 0.948),
        "specificity_at_0.9": (0.808, 0.917, 0.935, 0.963, 0.943, 0.953),
    },
    "number": {
        "mae": (0.922, 0.905, 0.943, 0.932, 0.965, 0.950),
        "rmse": (0.917, 0.873, 0.905, 0.902, 0.938, 0.917),
        "r2": (0.985, 0.973, 0.975, 0.940, 0.958, 0.958),
        "bias": (0.960, 0.953, 0.960, 0.945, 0.955, 0.927),
        "limit_low": (0.792, 0.825, 0.840, 0.900, 0.887, 0.897),
        "limit_high": (0.840, 0.835, 0.875, 0.887, 0.927, 0.922),
    },
}
"""Population -> measure -> share for each of `SIZES`: two classes of equal size, one class of 20 in 100 (measures of
a class are of it), a number. Of 400 cohorts each (`tests/bench/interval_coverage.py 400 7`), so +-0.01."""

FEW = 40
"""Patients under which measures that were not simulated are said to be doubtful."""

_RARE = 1 / 3  # of the patients, under which a class is rare


def weak(run: dict) -> tuple[int, dict[str, float]]:
    """Measures of a run whose intervals are too narrow for its number of patients.

    Args:
        run: entry of the report.

    Returns:
        Patients of the cohorts that are nearest to it, and title -> share of their intervals that held the truth.
        Nothing for measures that were not simulated.
    """
    patients = run["n"]["patients"]
    at = min(range(len(SIZES)), key=lambda k: abs(math.log(SIZES[k] / max(1, patients))))
    known = HELD[population(run)]
    shares = {title: _share(known, name, at) for name, title in run["titles"]["measures"].items()}
    shares |= {f"{title} of a class": _share(known, name, at) for name, title in run["titles"]["per_class"].items()}
    return SIZES[at], {title: share for title, share in shares.items() if share is not None and share < LEAST}


def population(run: dict) -> str:
    """Which simulated population a run is most like: number, rare or equal."""
    fewest = min((row["patients"] for row in run["per_class"] if row["cases"]), default=0)
    if not fewest:
        return "number"
    return "rare" if fewest < _RARE * run["n"]["patients"] else "equal"


def note(run: dict) -> str:
    """What the page says of them.

    Args:
        run: entry of the report.

    Returns:
        A sentence; "" where there is nothing to say.
    """
    patients = run["n"]["patients"]
    if patients < 2:
        return f"{run['name']}: one patient; without a second one there are no intervals"
    size, found = weak(run)
    if not any(name in HELD[population(run)] for name in run["titles"]["measures"]):
        few = f"{run['name']}: {patients} patients; intervals from fewer than {FEW} may be too narrow (not simulated)"
        return few if patients < FEW else ""
    if not found:
        return ""
    words = ", ".join(f"{title} ({share:.3f})" for title, share in found.items())
    return (
        f"{run['name']}: {patients} patients; too narrow intervals: {words}; in brackets the share of 95 % intervals "
        f"that held the truth in simulated cohorts of {size} patients"
    )


def _share(known: dict[str, tuple[float, ...]], name: str, at: int) -> float | None:
    """The share of a measure; one at another rate (sensitivity_at_0.8) has that at 0.9."""
    if "_at_" in name:
        name = f"{name.partition('_at_')[0]}_at_0.9"
    return known[name][at] if name in known else None
