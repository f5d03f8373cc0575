"""Who is trained on and who is tested: groups that stay together, folds that hold every class, nested fractions."""

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Groups:
    """Frames that must stay on one side.

    Attributes:
        code: (N,) int in 0..G-1.
        names: G names: the patient, or "clip:..." where no patient is known.
        without_patient: frames whose group is their clip, because no patient is known.
        joined: sets of patients that hold identical frames and so count as one.
    """

    code: np.ndarray
    names: list[str]
    without_patient: int
    joined: list[tuple[str, ...]]


def group_frames(patient: np.ndarray, clip: np.ndarray, same: Sequence[np.ndarray] = ()) -> Groups:
    """Make the groups: frames of one patient belong together, and so do patients that share identical content.

    Args:
        patient: (N,) str; "" where it is unknown: then the clip is the group.
        clip: (N,) str, the frame's source.
        same: arrays of (N,) keys of content (a file's or a frame's digest); groups that share a key are joined, for the
            same picture filed under two patients would stand on both sides. "" joins nothing.

    >>> groups = group_frames(np.array(["a", "a", "b", ""]), np.array(["1", "2", "3", "4"]))
    >>> groups.names, groups.code.tolist()
    (['a', 'b', 'clip:4'], [0, 0, 1, 2])
    """
    patient, clip = np.asarray(patient, object), np.asarray(clip, object)
    own = np.array([p if p else f"clip:{c}" for p, c in zip(patient, clip, strict=True)], object)
    names, code = np.unique(own.astype(str), return_inverse=True)
    parent = np.arange(len(names))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for keys in same:
        first: dict[str, int] = {}
        for key, k in {(str(key), int(k)) for key, k in zip(keys, code, strict=True) if key}:
            a, b = root(first.setdefault(key, k)), root(k)
            parent[max(a, b)] = min(a, b)
    roots = np.array([root(k) for k in range(len(names))], int)
    kept, joined = np.unique(roots, return_inverse=True)
    members = [tuple(names[roots == k].tolist()) for k in kept]
    return Groups(
        joined[code] if len(code) else code,
        ["+".join(m) if len(m) < 4 else f"{m[0]}+{len(m) - 1} more" for m in members],
        int((patient == "").sum()),
        [m for m in members if len(m) > 1],
    )


def groups_per_class(target: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """Count the groups that hold each class: (classes,) int."""
    pairs = np.unique(np.stack([target, groups]), axis=1)[0]
    return np.bincount(pairs, minlength=classes)


def stratified(target: np.ndarray, groups: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal groups into folds so that every fold holds every class as far as the groups allow.

    A group belongs to the rarest class (by groups) that it holds. Class by class, rarest first, groups go in random
    order to the fold that has the fewest groups of that class, then the fewest frames: a class with k groups is in
    min(k, folds) folds, and its groups differ by at most one between folds.

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
