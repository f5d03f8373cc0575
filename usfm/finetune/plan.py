"""Who is trained on and who is held out: read from the store, checked, and said before anything is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.screening.features import visual_features
from usfm.screening.groups import Groups, group_frames
from usfm.screening.leaks import leaks_between
from usfm.screening.together import look_alike, shows_something
from usfm.seeding import stream
from usfm.store.reader import Store
from usfm.tasks.contract import Known, Task
from usfm.tasks.folds import Fold, fraction_of, groups_per_class, stratified
from usfm.tasks.splits import folds_from

DEFAULT_FOLDS = 5


@dataclass(frozen=True)
class Cases:
    """What a fit works on.

    Attributes:
        known: the n frames whose truth is known, and the truth.
        groups: patients (or clips) that stay on one side.
        folds: positions in `known` to train on and to hold out.
        given: whether the user or the collection gave the split; else usfm drew it.
        features: (n, D) visual features of the frames, by which near-duplicates are found.
        alike: groups that were kept together with another one for near-duplicates that they share.
    """

    known: Known
    groups: Groups
    folds: list[Fold]
    given: bool = False
    features: np.ndarray | None = None
    alike: int = 0

    @property
    def rows(self) -> np.ndarray:
        """(n,) labelled rows of the store."""
        return self.known.rows


def make(
    store: Store,
    task: Task,
    options: Mapping[str, Any],
    folds: int | None,
    fraction: float,
    seed: int,
    splits: Sequence[str] = (),
) -> Cases:
    """Decide the folds of a store with labels.

    Published splits come first, then the store's own one when it has one and `folds` is not given; else folds that
    keep patients whole, and near-duplicates of two patients on one side. Frames of unknown patients are kept together
    by clip. Patients that hold identical files or frames count as one.

    Args:
        store: with labels of the task's kind.
        task: whose truth counts.
        options: settings of the command, for the task.
        folds: number of folds, None to choose.
        fraction: share of the training groups to learn from.
        seed: of the folds and of the fraction.
        splits: files of a published split, or one column of the store.

    Returns:
        The labelled frames, their groups and the folds.

    Raises:
        RequestError: fewer than two classes or patients, a split that shares patients, or more folds than patients.
    """
    known = task.known(store, options)
    rows, target, names = known.rows, known.strata, known.strata_names
    groups = _groups(store, rows)
    if len(groups.names) == 1:
        raise RequestError(
            f"{store.paths[0]}: all labelled frames are of one patient ({groups.names[0]}); two or more are needed"
        )
    split = np.asarray(store.split(), object)[rows]
    has_split = bool((split == "train").any() and ((split == "test") | (split == "val")).any())
    features, sides, alike = visual_features(store, rows), groups.code, 0
    if splits and folds is not None:
        raise RequestError("--splits gives the folds, so --folds has nothing to say; leave one out")
    if has_split and folds is not None:
        console.warn(f"--folds {folds}: the store's own split is not used")
    if splits:
        chosen = _published(store, rows, groups, splits)
    elif has_split and folds is None:
        chosen = [_own_split(store, split, groups)]
    else:
        sides, alike = _look_alikes(features, target, groups, folds)
        chosen = _cross_validation(store, task.noun, target, names, replace(groups, code=sides), folds, seed)
    if fraction < 1:
        chosen = [_fewer(fold, target, groups.code, fraction, seed) for fold in chosen]
    for fold in chosen:
        shared = np.intersect1d(groups.code[fold.train], groups.code[fold.held])
        assert not len(shared), f"fold {fold.name} has {len(shared)} patients on both sides"
    return Cases(known, groups, chosen, bool(splits) or (has_split and folds is None), features, alike)


def patients_of(plan: Cases, where: np.ndarray) -> int:
    """Count the groups among some of the plan's frames.

    Args:
        plan: the plan.
        where: (N,) bool, some of its frames.

    Returns:
        Number of groups.
    """
    return len(np.unique(plan.groups.code[where]))


def leaks(store: Store, plan: Cases) -> list[dict]:
    """Find the held-out frames that look like a training frame of another patient.

    "Like" is the cosine of the visual screening (`usfm.screening`), which all frames with labels go through.

    Args:
        store: the store.
        plan: the plan.

    Returns:
        One row a fold and held-out frame: fold, frame_id, source, patient, similarity, and frame_id, source and
        patient of the most similar training frame (``like_...``).
    """
    features = visual_features(store, plan.rows) if plan.features is None else plan.features
    about = {
        "frame_id": store.column("frame_id")[plan.rows],
        "source": store.of_frames("path")[plan.rows],
        "patient": store.of_frames("patient")[plan.rows],
    }
    digest = store.column("digest")[plan.rows]
    found = []
    for fold in plan.folds:
        same = digest[fold.held].tolist(), digest[fold.train].tolist()
        near = leaks_between(features[fold.held], features[fold.train], same=same)
        for row, like, similarity in zip(fold.held[near.row], fold.train[near.like], near.similarity, strict=True):
            line = {"fold": fold.name, **{name: values[row] for name, values in about.items()}}
            line["similarity"] = round(float(similarity), 6)
            found.append(line | {f"like_{name}": values[like] for name, values in about.items()})
    return found


def _groups(store: Store, rows: np.ndarray) -> Groups:
    source = store.column("source")[rows]
    clip = np.array([f"{path}#{row}" for path, row in zip(store.of_frames("path")[rows], source, strict=True)], object)
    files = np.array([name.split(":")[0].split("~")[0] for name in store.column("frame_id")[rows]], object)
    patient = store.of_frames("patient")[rows]
    groups = group_frames(patient, clip, [files, _content(store, rows, patient)])
    if groups.without_patient:
        console.warn(
            f"{groups.without_patient} of {len(rows)} frames have no patient: their clip is kept on one side instead, "
            "but two clips of one patient may be on both; give patients to 'usfm extract' with --manifest or --group"
        )
    for members in groups.joined:
        console.warn(f"patients {', '.join(members)} hold identical frames and are kept on one side, as if one patient")
    return groups


def _content(store: Store, rows: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Digest of each frame that also occurs under another patient; "" otherwise, and for frames without content."""
    found = np.asarray(store.column("digest"), object)[rows].copy()
    _, place, counts = np.unique(found.astype(str), return_inverse=True, return_counts=True)
    found[counts[place] < 2] = ""
    for digest in {d for d in found if d}:
        same = np.flatnonzero(found == digest)
        if len(set(patient[same])) < 2 or np.ptp(store.frame(int(rows[same[0]]))) < 16:
            found[same] = ""
    return found


def _look_alikes(features: np.ndarray, target: np.ndarray, groups: Groups, folds: int | None) -> tuple[np.ndarray, int]:
    """Who stays on one side for near-duplicates too: a code for each frame, and how many groups were joined.

    Where so much looks alike that no folds could be drawn, patients alone are kept whole, and leaks are listed.
    """
    shown = shows_something(features)
    joined = np.unique(look_alike(features, groups.code, shown=shown), return_inverse=True)[1]
    before, after = (len(np.unique(code)) for code in (groups.code, joined))
    if before == after:
        return groups.code, 0
    counts = [groups_per_class(target, code, int(target.max(initial=0)) + 1) for code in (groups.code, joined)]
    wanted = np.minimum(counts[0], folds or DEFAULT_FOLDS)
    if (counts[1] < wanted).any():
        console.warn(
            f"near-duplicates join {before} patients to {after}, too few for the folds, so only patients are "
            "kept on one side"
        )
        return groups.code, 0
    console.say(f"{before - after} patients hold near-duplicates of another one's frames and are on its side")
    return joined, before - after


def _published(store: Store, rows: np.ndarray, groups: Groups, splits: Sequence[str]) -> list[Fold]:
    """The folds of a published split, as positions among the labelled rows."""
    place, found = np.full(len(store), -1), []
    place[rows] = np.arange(len(rows))
    for fold in folds_from(store, splits):
        train, held = place[fold.train], place[fold.held]
        part = np.asarray(fold.split, object)[held >= 0]
        train, held = train[train >= 0], held[held >= 0]
        for these, what in ((train, "train on"), (held, "predict")):
            if not len(these):
                raise RequestError(f"{', '.join(splits)}: fold '{fold.name}' has no labelled frame to {what}")
        both = np.intersect1d(groups.code[train], groups.code[held])
        if len(both):
            raise RequestError(
                f"{', '.join(splits)}: {len(both)} patients are on both sides of fold '{fold.name}' (first: "
                f"{groups.names[both[0]]}); 'usfm split' makes one that keeps patients whole"
            )
        found.append(Fold(fold.name, train, held, part))
    left = len(rows) - len(np.unique(np.concatenate([np.union1d(one.train, one.held) for one in found])))
    if left:
        console.warn(f"{left} labelled frames are in no part of the given split and are left out")
    return found


def _own_split(store: Store, split: np.ndarray, groups: Groups) -> Fold:
    train, held = np.flatnonzero(split == "train"), np.flatnonzero((split == "test") | (split == "val"))
    if not (split == "test").any():
        console.warn("the store's split has no test frames: its val frames are held out instead")
    both = np.intersect1d(groups.code[train], groups.code[held])
    if len(both):
        raise RequestError(
            f"{store.paths[0]}: {len(both)} patients are on both sides of its split (first: {groups.names[both[0]]}); "
            "give --folds 5 for folds by patient instead"
        )
    unassigned = int((split == "").sum())
    if unassigned:
        console.warn(f"{unassigned} labelled frames are in no part of the store's split and are left out")
    return Fold("split", train, held, split[held])


def _cross_validation(
    store: Store, noun: str, target: np.ndarray, names: tuple[str, ...], groups: Groups, folds: int | None, seed: int
) -> list[Fold]:
    patients, noun = groups_per_class(target, groups.code, len(names)), noun.rpartition(" ")[2]  # of "rarest class"
    if folds is not None and folds > len(groups.names):
        raise RequestError(f"--folds {folds}: {store.paths[0]} has only {len(groups.names)} patients with labels")
    if patients.max() < 2:
        raise RequestError(
            f"{store.paths[0]}: every {noun} has one patient only, so no {noun} can be both trained and tested"
        )
    for name, count in zip(names, patients, strict=True):
        if count == 1:
            console.warn(f"{noun} '{name}' has one patient only, so it cannot be both trained and tested")
    several = patients[patients > 1]
    k = folds or int(min(DEFAULT_FOLDS, several.min()))
    rare = [f"{name} ({count})" for name, count in zip(names, patients, strict=True) if 1 < count < k]
    if rare:
        console.warn(f"fewer patients than {k} folds, so some folds hold none of: {', '.join(rare)}")
    fold = stratified(target, groups.code, k, stream(seed, "folds"))
    made = []
    for number in range(k):
        held = np.flatnonzero(fold == number)
        if len(held):
            split = np.full(len(held), "test", object)
            made.append(Fold(str(number), np.flatnonzero(fold != number), held, split))
    return made


def _fewer(fold: Fold, target: np.ndarray, code: np.ndarray, fraction: float, seed: int) -> Fold:
    rng = stream(seed, "fraction", fold.name)
    keep = fraction_of(target[fold.train], code[fold.train], fraction, rng)
    return Fold(fold.name, fold.train[keep], fold.held, fold.split)
