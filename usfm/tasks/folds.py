"""Who is trained on and who is tested: groups that stay together, folds that hold every class, nested fractions."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fold:
    """One split into training and held-out frames.

    Attributes:
        name: "test" and "val" for a split that the store brings, "0", "1", ... for folds.
        train: (n,) int rows to train on.
        held: (m,) int rows to predict.
        split: (m,) str, "test" or "val", per held row.
    """

    name: str
    train: np.ndarray
    held: np.ndarray
    split: np.ndarray


def groups_per_class(target: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """Count the groups that hold each class: (classes,) int.

    Args:
        target: (N,) int class.
        groups: (N,) int group.
        classes: number of classes.

    Returns:
        (classes,) int, how many groups hold each class.
    """
    pairs = np.unique(np.stack([target, groups]), axis=1)[0]
    return np.bincount(pairs, minlength=classes)


def stratified(target: np.ndarray, groups: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal groups into folds so that every fold holds every class as far as the groups allow.

    A group belongs to the rarest class (by groups) that it holds. Class by class, rarest first, groups go in random
    order to the fold that has the fewest groups of that class, then the fewest frames: a class with k groups is in
    min(k, folds) folds, and its groups differ by at most one between folds.

    scikit-learn's StratifiedGroupKFold is not used: it evens out the frames of a class and not its groups, and the
    patients are what an interval counts; and it refuses a class with fewer frames than folds.

    Args:
        target: (N,) int class.
        groups: (N,) int group.
        folds: number of folds.
        rng: draws the order.

    Returns:
        (N,) int fold of each frame; frames of one group always share it.
    """
    codes, place = np.unique(groups, return_inverse=True)
    rarity = groups_per_class(target, place, int(target.max(initial=0)) + 1)
    stratum = np.full(len(codes), -1)
    for c in np.argsort(-rarity, kind="stable"):  # the rarest comes last and wins
        stratum[np.unique(place[target == c])] = c
    frames = np.bincount(place, minlength=len(codes))
    fold_of, load = np.empty(len(codes), int), np.zeros(folds)
    for c in sorted(np.unique(stratum), key=lambda c: rarity[c]):
        held = np.zeros(folds)
        members = np.flatnonzero(stratum == c)
        for g in rng.permutation(members):
            fold = np.lexsort((rng.random(folds), load, held))[0]
            fold_of[g] = fold
            held[fold] += 1
            load[fold] += frames[g]
    return fold_of[place]


def fraction_of(target: np.ndarray, groups: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Choose a share of the groups, of each class alike, at least one a class; a smaller share lies inside a larger.

    Args:
        target: (N,) int class.
        groups: (N,) int group.
        fraction: 0..1.
        rng: draws the order; the same order for every fraction.

    Returns:
        (N,) bool, the frames of the chosen groups.
    """
    codes, place = np.unique(groups, return_inverse=True)
    order = rng.permutation(len(codes))
    chosen = np.zeros(len(codes), bool)
    for c in np.unique(target):
        holders = np.zeros(len(codes), bool)
        holders[place[target == c]] = True
        ranked = order[holders[order]]
        chosen[ranked[: max(1, round(fraction * len(ranked)))]] = True
    return chosen[place]
