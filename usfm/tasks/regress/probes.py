"""Numbers from features of a frozen encoder: ridge regression, or the mean of the nearest frames."""

import numpy as np

from usfm.seeding import stream
from usfm.tasks.contract import Fitted
from usfm.tasks.folds import stratified

GRID = (1e-2, 1e-1, 1.0, 10.0, 100.0, 1e3, 1e4)
DEFAULT = 100.0
INNER_FOLDS = 3


def linear(
    features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict
) -> Fitted:
    """See `contract.Probe`. Fit a ridge regression on standardised features, its strength chosen on training patients.

    Gives the fitted probe; its weights are mean, std, weight and bias.
    """
    mean, std = features.mean(axis=0), features.std(axis=0)
    std = np.where(std > 1e-6 * max(1e-12, float(std.max(initial=0))), std, 1.0)
    x = ((features - mean) / std).astype(np.float64)
    strength, chosen = _chosen(x, target, groups, seed)
    weight, bias = _ridge(x, target, [strength])[0]
    arrays = {"mean": mean, "std": std, "weight": weight, "bias": np.array(bias)}
    return Fitted(lambda new: said(arrays, new), chosen, arrays)


def said(arrays: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """What a kept probe says of new frames.

    Args:
        arrays: ``Fitted.arrays`` of `linear`.
        features: (m, D).

    Returns:
        (m,) float64.
    """
    return (features - arrays["mean"]) / arrays["std"] @ arrays["weight"] + float(arrays["bias"])


def knn(features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict) -> Fitted:
    """See `contract.Probe`. Take the mean of the nearest training frames, by the cosine of centred features.

    Gives the numbers of new frames as a function, and how many neighbours there are.
    """
    k = min(int(options.get("neighbours", 20)), len(features))
    mean = features.mean(axis=0)
    known = _unit(features - mean)

    def near(new: np.ndarray) -> np.ndarray:
        found, step = np.zeros(len(new)), max(1, 20_000_000 // len(known))
        for at in range(0, len(new), step):
            similarity = _unit(new[at : at + step] - mean) @ known.T
            found[at : at + step] = target[np.argpartition(-similarity, k - 1, axis=1)[:, :k]].mean(axis=1)
        return found

    return Fitted(near, {"neighbours": k})


def _chosen(x: np.ndarray, target: np.ndarray, groups: np.ndarray, seed: int) -> tuple[float, dict]:
    """The strength with the lowest error over patients in an inner cross-validation."""
    folds = int(min(INNER_FOLDS, len(np.unique(groups))))
    if folds < 2:
        return DEFAULT, {"ridge": DEFAULT, "inner_folds": 0}
    third = np.searchsorted(np.quantile(target, [1 / 3, 2 / 3]), target)
    part = stratified(third, groups, folds, stream(seed, "inner folds"))
    _, place = np.unique(groups, return_inverse=True)
    errors = np.zeros((len(GRID), len(target)))
    for fold in range(folds):
        train, held = part != fold, part == fold
        if not (train.any() and held.any()):
            continue
        for k, (weight, bias) in enumerate(_ridge(x[train], target[train], GRID)):
            errors[k, held] = np.abs(x[held] @ weight + bias - target[held])
    each = [float((np.bincount(place, one) / np.bincount(place)).mean()) for one in errors]
    best = GRID[int(np.argmin(each))]
    inner = {f"{one:g}": round(error, 5) for one, error in zip(GRID, each, strict=True)}
    return best, {"ridge": best, "inner_folds": folds, "inner_mae": inner}


def _ridge(x: np.ndarray, target: np.ndarray, strengths) -> list[tuple[np.ndarray, float]]:
    """Weights and bias for each strength, from one decomposition."""
    centre, level = x.mean(axis=0), float(target.mean())
    u, s, v = np.linalg.svd(x - centre, full_matrices=False)
    turned = u.T @ (target - level)
    found = []
    for strength in strengths:
        weight = v.T @ (s / (s**2 + strength) * turned)
        found.append((weight, level - float(centre @ weight)))
    return found


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
