"""Frames that must stay together: those of one patient, and of patients that share identical content."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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

    Returns:
        The group of each frame, and the groups' names.

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
        for key, k in dict.fromkeys((str(key), int(k)) for key, k in zip(keys, code, strict=True) if key):
            a, b = root(first.setdefault(key, k)), root(k)
            parent[max(a, b)] = min(a, b)
    kept, joined = np.unique([root(k) for k in range(len(names))], return_inverse=True)
    order = np.argsort(joined, kind="stable")
    cuts = np.flatnonzero(np.diff(joined[order])) + 1
    members = [tuple(names[mine].tolist()) for mine in np.split(order, cuts)] if len(kept) else []
    return Groups(
        joined[code] if len(code) else code,
        ["+".join(m) if len(m) < 4 else f"{m[0]}+{len(m) - 1} more" for m in members],
        int((patient == "").sum()),
        [m for m in members if len(m) > 1],
    )
