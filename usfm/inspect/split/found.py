"""What came of a split: the parts, their shares, and whether it is clean."""

import numpy as np

from usfm import console
from usfm.inspect.split.assign import Sides
from usfm.quantities import counted
from usfm.screening.sides import near_across, on_two_sides
from usfm.store.reader import Store


def figures_of(store: Store, sides: Sides, features: np.ndarray | None, threshold: float) -> dict:
    """The numbers of the summary and of the history.

    Args:
        store: The input.
        sides: Where each frame is.
        features: (N, D) where near-duplicates were asked for.
        threshold: From which cosine frames are near-duplicates.

    Returns:
        JSON values.
    """
    parts = sides.parts
    names = [name for name in ("train", "val", "test") if (parts == name).any()]
    names += sorted(set(parts.tolist()) - {*names, ""}, key=lambda one: (len(one), one))
    patient = store.of_frames("patient")
    whole = _shares(sides, np.ones(len(store), bool))
    told, gap = {}, 0.0
    for name in names:
        mine = parts == name
        share = _shares(sides, mine)
        gap = max(gap, float(np.abs(share - whole).max(initial=0)))
        told[name] = {
            "frames": int(mine.sum()),
            "share": round(float(mine.mean()), 4),
            "groups": len(np.unique(sides.groups.code[mine])),
            "patients": len(set(patient[mine].tolist()) - {""}),
            "classes": {one or "(none)": round(float(value), 4) for one, value in zip(sides.names, share, strict=True)},
        }
    two = on_two_sides(sides.groups, parts)
    near = None if features is None else near_across(features, parts, threshold)
    return {
        "parts": told,
        "groups": len(sides.groups.names),
        "joined": len(sides.groups.joined),
        "kept": sides.kept,
        "unassigned": int((parts == "").sum()),
        "unmatched": sides.unmatched,
        "widest_gap": round(100 * gap, 3),
        "near_duplicates": near,
        "leaks": len(two) + (near or 0),
        "clean": not len(two) and not near,
    }


def _shares(sides: Sides, mine: np.ndarray) -> np.ndarray:
    counts = np.bincount(sides.stratum[mine], minlength=len(sides.names))
    return counts / max(1, counts.sum())


def say(summary: dict) -> None:
    """Show the parts of a split, and warn where it is not clean."""
    parts = summary.get("parts") or {}
    classes = list(next(iter(parts.values()), {}).get("classes", {}))[:8]
    rows = [
        [name, f"{one['frames']:,}", f"{100 * one['share']:.1f} %", f"{one['groups']:,}", f"{one['patients']:,}",
         *(f"{100 * one['classes'][label]:.1f} %" for label in classes)]
        for name, one in list(parts.items())[:20]
    ]  # fmt: skip
    if rows:
        console.table("", ["part", "frames", "share", "groups", "patients", *classes], rows)
    if not summary.get("clean", True):
        near = summary.get("near_duplicates")
        two = summary["leaks"] - (near or 0)
        what = [f"{counted(two, 'group')} of patients or equal frames"] if two else []
        what += [f"{counted(near, 'frame')} with a near-duplicate"] if near else []
        console.warn(f"this split is not clean: {' and '.join(what)} on two sides; --keep none deals anew")
