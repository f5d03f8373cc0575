"""Classification of frames with a frozen encoder: a linear probe, or the nearest neighbours."""

import warnings

import numpy as np

from usfm.seeding import stream
from usfm.tasks.contract import Fitted
from usfm.tasks.folds import groups_per_class, stratified
from usfm.tasks.metrics import log_loss

C_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
C_DEFAULT = 1e-2
INNER_FOLDS = 3
TEMPERATURE = 0.07


def linear(
    features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict
) -> Fitted:
    """See `contract.Probe`. Fit an L2 logistic regression, its strength chosen on training patients only.

    Features get mean 0 and variance 1 over the training frames. C (inverse strength) is the value of ``C_GRID`` with
    the lowest log loss in an inner cross-validation whose folds keep patients whole; a patient's loss is the mean over
    its frames, so that a long clip counts like a short one. Weaker values are not tried once the loss has risen twice.
    Where some class has one training patient only, there is no such cross-validation and C is ``C_DEFAULT``.

    Options:
        class_weights: "none", or "balanced" for frames weighted by the inverse frequency of their class.

    Gives the fitted probe; its weights are mean, std, weight, bias and classes.

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
        chosen = _inner(x, target, groups, classes, folds, seed, balanced)
    model = _model(x, target, balanced)
    chosen |= {} if _fit(model, x, target, chosen["C"]) else {"not_converged": True}

    def scores(new: np.ndarray) -> np.ndarray:
        return _probabilities(model, (new - mean) / std, classes)

    arrays = {"mean": mean, "std": std, "weight": model.coef_, "bias": model.intercept_, "classes": model.classes_}
    return Fitted(scores, chosen, arrays)


def knn(features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict) -> Fitted:
    """See `contract.Probe`. Let the nearest training frames vote.

    The training mean is taken off every vector, then cosine similarity; the ``neighbours`` nearest vote with weight
    exp(similarity / 0.07). Nothing is trained or drawn, so ``groups`` and ``seed`` do not matter.

    Options:
        neighbours: how many vote (all, when there are fewer).

    Gives the scores of new frames as a function, and how many neighbours vote.

    Source: weighted kNN of DINO (arXiv 2104.14294). We differ by centring, without which the mean-pooled tokens of a
    masked autoencoder all point the same way.
    """
    k = min(int(options.get("neighbours", 20)), len(features))
    mean = features.mean(axis=0)
    known = _unit(features - mean)
    truth = np.eye(classes)[target]

    def scores(new: np.ndarray) -> np.ndarray:
        votes = np.zeros((len(new), classes))
        step = max(1, 20_000_000 // len(known))  # similarities held at once
        for at in range(0, len(new), step):
            similarity = _unit(new[at : at + step] - mean) @ known.T
            nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
            weight = np.exp((np.take_along_axis(similarity, nearest, axis=1) - 1) / TEMPERATURE)
            votes[at : at + step] = (truth[nearest] * weight[..., None]).sum(axis=1)
        return votes / votes.sum(axis=1, keepdims=True)

    return Fitted(scores, {"neighbours": k})


def simpleshot(
    features: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, seed: int, options: dict
) -> Fitted:
    """See `contract.Probe`. Take the class whose mean is nearest; nothing is trained or drawn.

    The training mean is taken off every vector, which is then brought to length 1. A class is the mean of its training
    frames; its score is the softmax over classes of minus the squared distance.

    Gives the scores of new frames as a function. A class without training frames has a score of 0.

    Source: SimpleShot (Wang et al. 2019), its CL2N variant.
    """
    mean, present = features.mean(axis=0), np.unique(target)
    known = _unit(features - mean)
    centres = np.stack([known[target == c].mean(axis=0) for c in present])

    def scores(new: np.ndarray) -> np.ndarray:
        near = _unit(new - mean)
        distance = (near**2).sum(1)[:, None] - 2 * near @ centres.T + (centres**2).sum(1)
        odds = np.exp(distance.min(axis=1, keepdims=True) - distance)
        found = np.zeros((len(new), classes))
        found[:, present] = odds / odds.sum(axis=1, keepdims=True)
        return found

    return Fitted(scores)


def scores_of(arrays: dict[str, np.ndarray], features: np.ndarray, classes: int) -> np.ndarray:
    """Score new features with a linear probe that was kept.

    Args:
        arrays: ``Fitted.arrays`` of `linear`.
        features: (m, D).
        classes: C.

    Returns:
        (m, C) probabilities.
    """
    logit = (features - arrays["mean"]) / arrays["std"] @ arrays["weight"].T + arrays["bias"]
    if logit.shape[1] == 1:  # two classes share one logit
        logit = np.concatenate([np.zeros_like(logit), logit], axis=1)
    odds = np.exp(logit - logit.max(axis=1, keepdims=True))
    scores = np.zeros((len(features), classes))
    scores[:, arrays["classes"]] = odds / odds.sum(axis=1, keepdims=True)
    return scores


def _inner(
    x: np.ndarray, target: np.ndarray, groups: np.ndarray, classes: int, folds: int, seed: int, balanced: bool
) -> dict:
    """Choose C by cross-validation over patients, from strong to weak until the loss has risen twice."""
    fold = stratified(target, groups, folds, stream(seed, "inner folds"))
    per_class = np.bincount(target, minlength=classes)
    weight = (len(target) / np.maximum(1, per_class) if balanced else np.ones(classes))[target]
    _, place = np.unique(groups, return_inverse=True)
    total = np.bincount(place, weight)
    parts = [(fold != f, fold == f) for f in range(folds)]
    models = [_model(x[train], target[train], balanced) for train, _ in parts]  # each starts from its last C
    losses: list[float] = []
    failed = 0
    for c in C_GRID:
        each = np.zeros(len(target))
        for (train, held), model in zip(parts, models, strict=True):
            failed += not _fit(model, x[train], target[train], c)
            each[held] = log_loss(target[held], _probabilities(model, x[held], classes), floor=1e-7)
        losses.append(float((np.bincount(place, weight * each) / total).mean()))
        if len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]:
            break
    chosen = {"C": C_GRID[int(np.argmin(losses))], "inner_folds": folds}
    chosen["inner_log_loss"] = {f"{c:g}": round(loss, 5) for c, loss in zip(C_GRID, losses, strict=False)}
    return chosen | ({"inner_not_converged": failed} if failed else {})


def _model(x: np.ndarray, target: np.ndarray, balanced: bool):
    """A logistic regression that starts from its last fit; Newton steps where the Hessian is small enough."""
    from sklearn.linear_model import LogisticRegression

    classes = len(np.unique(target))
    size = x.shape[1] * (1 if classes == 2 else classes)
    solver = "newton-cholesky" if size <= 1024 else "lbfgs"
    weight = "balanced" if balanced else None
    return LogisticRegression(solver=solver, max_iter=1000, class_weight=weight, warm_start=True)


def _fit(model, x: np.ndarray, target: np.ndarray, c: float) -> bool:
    """Fit in place at strength C; whether it converged."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.set_params(C=c).fit(x, target)
    return not any(issubclass(each.category, ConvergenceWarning) for each in caught)


def _probabilities(model, x: np.ndarray, classes: int) -> np.ndarray:
    whole = np.zeros((len(x), classes))
    whole[:, model.classes_] = model.predict_proba(x)
    return whole


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
