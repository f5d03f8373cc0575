"""Whether the split of a store is clean: what `usfm info` says of it, and `docs/splits.md` explains."""

import numpy as np

from usfm.quantities import counted
from usfm.screening.features import visual_features
from usfm.screening.sides import near_across, on_two_sides
from usfm.screening.together import kept_together
from usfm.store.reader import Store

COMPARED, COMPARED_PX = 2_000, 200_000_000
"""Frames, and pixels of them all, up to which near-duplicates are looked for unasked: a second or two."""
NAMED = 5
"""Groups on two sides that are named."""
FOLD = "fold"


def looks(store: Store) -> np.ndarray | None:
    """Visual features of all frames; None where nothing asks for them, or they are too many to describe unasked."""
    several = len(_columns(store)) > 0 or len(set(store.labels_class().tolist()) - {-1}) > 1
    pixels = int((store.column("height").astype(np.int64) * store.column("width")).sum())
    few = 0 < len(store) <= COMPARED and pixels <= COMPARED_PX
    return visual_features(store, np.arange(len(store))) if several and few else None


def _columns(store: Store) -> dict[str, np.ndarray]:
    """The split and the folds of each frame, as far as there are several parts."""
    columns = {"split": np.asarray(store.split(), object)}
    if FOLD in store.source_columns:
        columns[FOLD] = np.array([str(one) for one in store.of_frames(FOLD)], object)
    return {name: parts for name, parts in columns.items() if len(set(parts.tolist()) - {""}) > 1}


def check(store: Store, features: np.ndarray | None) -> dict | None:
    """Look at the split and the folds of a store.

    Args:
        store: The store.
        features: (N, D) of `looks`, None to leave near-duplicates out.

    Returns:
        None without a split. Else `clean`, and for "split" and "fold", as far as they are there: `groups` on two
        sides, the first of them by name, and `near_duplicates` (frames with one in another part; None: not compared).
    """
    columns = _columns(store)
    if not columns:
        return None
    groups = kept_together(store)
    found: dict = {}
    for name, parts in columns.items():
        two = on_two_sides(groups, parts)
        near = None if features is None else near_across(features, parts)
        found[name] = {"groups": len(two), "named": [groups.names[k] for k in two[:NAMED]], "near_duplicates": near,
                       "unassigned": int((parts == "").sum())}  # fmt: skip
    clean = all(not one["groups"] and not one["near_duplicates"] for one in found.values())
    return {"clean": clean, "frames_without_patient": groups.without_patient, **found}


def lines(found: dict) -> list[str]:
    """The check as a person reads it, a line a split."""
    told = []
    for name, one in found.items():
        if not isinstance(one, dict):
            continue
        words = [f"{counted(one['groups'], 'group')} of patients or equal frames on two sides"]
        if one["named"]:
            words[0] += f" (such as {', '.join(one['named'])})"
        near = one["near_duplicates"]
        words.append("near-duplicates not compared" if near is None else
                     f"{counted(near, 'frame')} with a near-duplicate on another side")  # fmt: skip
        if one["unassigned"]:
            words.append(f"{counted(one['unassigned'], 'frame')} in no part")
        clean = not one["groups"] and not near
        told.append(f"{name}: {'clean' if clean else 'not clean'}; {'; '.join(words)}")
    if told and found["frames_without_patient"]:
        told.append(f"  {counted(found['frames_without_patient'], 'frame')} without a patient count by exam or clip")
    return told


def leaks(found: dict | None) -> int:
    """How many groups and frames are on two sides."""
    sides = [one for one in (found or {}).values() if isinstance(one, dict)]
    return sum(one["groups"] + (one["near_duplicates"] or 0) for one in sides)
