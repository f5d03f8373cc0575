"""Classification of frames with a frozen encoder: a linear probe, or the nearest neighbours."""

import warnings

import numpy as np

from usfm.seeding import stream
from usfm.tasks.contract import Fitted, Probe
from usfm.tasks.folds import groups_per_class, stratified
from usfm.tasks.metrics import log_loss

C_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
C_DEFAULT = 1e-2
INNER_FOLDS = 3
TEMPERATURE = 0.07


def linear(
    features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict
) -> Fitted:
    """Fit an L2 logistic regression on standardised features, its strength chosen on training patients only.

    Features get mean 0 and variance 1 over the training frames. C (inverse strength) is the value of ``C_GRID`` with
    the lowest log loss in an inner cross-validation whose folds keep patients whole; a patient's loss is the mean over
    its frames, so that a long clip counts like a short one. Where some class has one training patient only, there is no
    such cross-validation and C is ``C_DEFAULT``.

    Options:
        class_weights: "none", or "balanced" for frames weighted by the inverse frequency of their class.

    Source: the frozen-feature protocol of SimCLR (arXiv 2002.05709) and CLIP (arXiv 2103.00020), which choose C on a
    validation split of images; ours on patients.
    """
    balanced = options.get("class_weights") == "balanced"
    present = np.unique(target)
    mean = features.mean(axis=0)
    std = features.std(axis=0)
    std = np.where(std > 1e-6 * max(1e-12, float(std.max(initial=0))), std, 1.0)
    x = ((features - mean) / std).astype(np.float64)
    if len(present) == 1:
        return Fitted(lambda new: np.eye(classes)[np.full(len(new), present[0])], {"constant": int(present[0])})
    folds = int(min(INNER_FOLDS, groups_per_class(target, groups, classes)[present].min()))
    chosen: dict = {"C": C_DEFAULT, "inner_folds": 0}
    if folds >= 2:
        loss, failed = _inner(x, target, groups, classes, folds, seed, balanced)
        best = int(np.argmin(loss))
        chosen = {"C": C_GRID[best], "inner_folds": folds, "inner_log_loss": [round(float(v), 5) for v in loss]}
        chosen |= {"inner_not_converged": failed} if failed else {}
    model, converged = _fit(x, target, chosen["C"], balanced)
    chosen |= {} if converged else {"not_converged": True}

    def scores(new: np.ndarray) -> np.ndarray:
        return _probabilities(model, (new - mean) / std, classes)

    arrays = {"mean": mean, "std": std, "weight": model.coef_, "bias": model.intercept_, "classes": model.classes_}
    return Fitted(scores, chosen, arrays)


def knn(features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict) -> Fitted:
    """Let the nearest training frames vote.

    The training mean is taken off every vector, then cosine similarity; the ``neighbours`` nearest vote with weight
    exp(similarity / 0.07). Nothing is trained or drawn, so ``groups`` and ``seed`` do not matter.

    Options:
        neighbours: how many vote (all, when there are fewer).

    Source: weighted kNN of DINO (arXiv 2104.14294). We differ by centring, without which the mean-pooled tokens of a
    masked autoencoder all point the same way.
    """
    k = min(int(options.get("neighbours", 20)), len(features))
    mean = features.mean(axis=0)
    known = _unit(features - mean)
    truth = np.eye(classes)[target]

    def scores(new: np.ndarray) -> np.ndarray:
        votes = np.zeros((len(new), classes))
        for at in range(0, len(new), 2048):
            similarity = _unit(new[at : at + 2048] - mean) @ known.T
            nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
            weight = np.exp((np.take_along_axis(similarity, nearest, axis=1) - 1) / TEMPERATURE)
            votes[at : at + 2048] = (truth[nearest] * weight[..., None]).sum(axis=1)
        return votes / votes.sum(axis=1, keepdims=True)

    return Fitted(scores, {"neighbours": k})


class Classify:
    """One class a frame."""

    name = "classify"
    protocols: dict[str, Probe] = {"linear": linear, "knn": knn}


def _inner(
    x: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, folds: int, seed: int, balanced: bool
) -> tuple[np.ndarray, int]:
    """Score every C by cross-validation over patients: mean log loss per C, and how many fits did not converge."""
    fold = stratified(target, groups, folds, stream(seed, "inner folds"))
    per_class = np.bincount(target, minlength=classes)
    weight = (len(target) / np.maximum(1, per_class) if balanced else np.ones(classes))[target]
    _, place = np.unique(groups, return_inverse=True)
    total = np.bincount(place, weight)
    losses, failed = np.zeros(len(C_GRID)), 0
    for k, c in enumerate(C_GRID):
        each = np.zeros(len(target))
        for f in range(folds):
            held = fold == f
            model, converged = _fit(x[~held], target[~held], c, balanced)
            each[held] = log_loss(target[held], _probabilities(model, x[held], classes), floor=1e-7)
            failed += not converged
        losses[k] = (np.bincount(place, weight * each) / total).mean()
    return losses, failed


def _fit(x: np.ndarray, target: np.ndarray, c: float, balanced: bool):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model = LogisticRegression(C=c, max_iter=500, class_weight="balanced" if balanced else None).fit(x, target)
    return model, not any(issubclass(each.category, ConvergenceWarning) for each in caught)


def _probabilities(model, x: np.ndarray, classes: int) -> np.ndarray:
    whole = np.zeros((len(x), classes))
    whole[:, model.classes_] = model.predict_proba(x)
    return whole


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
