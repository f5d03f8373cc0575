"""What labels a store has, counted by kind, class, split and patient; and where alike frames disagree."""

from collections.abc import Sequence

import numpy as np

from usfm.store.reader import Store

NAMED = 20
"""Pairs of frames that are named."""
MOST_COMPARED = 20_000
"""Labelled frames of which near-identical ones are looked for."""


def counts(store: Store) -> dict:
    """Return how many frames, sources and patients have each label, by kind; kinds that nobody used are left out."""
    found = {"class": _classes(store), "multi": _multi(store), "boxes": _boxes(store), "values": _values(store)}
    masks = int(store.has_masks().sum())
    if masks:
        found["masks"] = {"frames": masks, "kind": store.mask_kind, "names": store.mask_names, **_by(store.mask_run)}
    found["scores"] = {name: int((~np.isnan(store.scores(name))).sum()) for name in store.score_names}
    return {kind: value for kind, value in found.items() if value}


def _classes(store: Store) -> dict:
    labels, source, patients = store.labels_class(), store.column("source"), store.of_frames("patient")
    split = store.split()
    found = {}
    for number, name in enumerate(store.class_names):
        there = labels == number
        found[name] = {
            "frames": int(there.sum()),
            "sources": len(set(source[there].tolist())),
            "patients": len(set(patients[there].tolist()) - {""}),
            "splits": {str(one) or "(no split)": int((split[there] == one).sum()) for one in sorted(set(split[there]))},
        }
    return found


def _multi(store: Store) -> dict:
    values = store.labels_multi()
    if values is None:
        return {}
    return {name: {"yes": int((values[:, at] == 1).sum()), "no": int((values[:, at] == 0).sum())}
            for at, name in enumerate(store.multi_names)}  # fmt: skip


def _boxes(store: Store) -> dict:
    known = np.flatnonzero(store.has_boxes())
    if not len(known):
        return {}
    boxes, frames = np.zeros(len(store.box_names) + 1, np.int64), np.zeros(len(store.box_names) + 1, np.int64)
    empty = 0
    for i in known:
        classes = store.boxes(int(i))[1]
        empty += not len(classes)
        np.add.at(boxes, classes, 1)
        frames[np.unique(classes)] += 1
    classes = {name: {"boxes": int(boxes[at]), "frames": int(frames[at])} for at, name in enumerate(store.box_names)}
    return {"frames": len(known), "frames_without_any": empty, "classes": classes, **_by(store.box_run)}


def _by(run: str) -> dict:
    return {"predicted_by": run} if run else {}


def _values(store: Store) -> dict:
    found = {}
    for name in store.value_names:
        known = store.values(name)
        known = known[~np.isnan(known)]
        if len(known):
            low, middle, high = np.quantile(known, [0, 0.5, 1]).tolist()
            found[name] = {"frames": len(known), "least": low, "median": middle, "most": high}
    return found


def structures(store: Store) -> dict[str, int]:
    """Return on how many frames each structure of the label masks is; reads all masks."""
    found: dict[str, int] = dict.fromkeys(store.mask_names, 0)
    for i in np.flatnonzero(store.has_masks()):
        mask = store.label_mask(int(i))
        values = np.unique(mask if mask is not None else np.empty(0, np.uint8))
        if store.mask_kind == "bits":
            joined = int(np.bitwise_or.reduce(values))
            there = [name for bit, name in enumerate(store.mask_names) if joined >> bit & 1]
        else:
            names = store.mask_names or [str(value) for value in range(1, 255)]
            there = [names[value - 1] for value in values.tolist() if 0 < value < 255]
        for name in there:
            found[name] = found.get(name, 0) + 1
    return found


# ---------------------------------------------------------------- conflicts


def identical_conflicts(store: Store) -> dict:
    """Return frames of the same pixels that carry different classes: how many sets, and the first of them by name."""
    labels = store.labels_class()
    digests, sizes = store.column("digest"), store.column("pixels_group")
    groups: dict[tuple, list[int]] = {}
    for i in np.flatnonzero(labels >= 0).tolist():
        groups.setdefault((digests[i], sizes[i]), []).append(i)
    sets = [rows for rows in groups.values() if len({labels[i] for i in rows}) > 1]
    return {"sets": len(sets), "named": [_told(store, labels, rows[:NAMED]) for rows in sets[:NAMED]]}


def near_conflicts(store: Store, features: np.ndarray | None = None) -> dict | None:
    """Return pairs of frames that look the same and carry different classes; None for too many frames to compare.

    Args:
        store: The store.
        features: (N, D) visual features of all its frames, where they are known already.

    Returns:
        `pairs`, how many there are, and `named`, the most alike of them with what they are.
    """
    from usfm.screening.features import visual_features
    from usfm.screening.leaks import unlike_pairs

    labels = store.labels_class()
    rows = np.flatnonzero(labels >= 0)
    if len(rows) > MOST_COMPARED:
        return None
    if len(set(labels[rows].tolist())) < 2:
        return {"pairs": 0, "named": []}
    looks = visual_features(store, rows) if features is None else features[rows]
    found = unlike_pairs(looks, labels[rows].tolist(), limit=NAMED)
    named = [
        _told(store, labels, (int(rows[a]), int(rows[b]))) | {"similarity": round(float(cosine), 4)}
        for a, b, cosine in zip(found.i, found.j, found.similarity, strict=True)
    ]
    return {"pairs": found.total, "named": named}


def _told(store: Store, labels: np.ndarray, rows: Sequence[int]) -> dict:
    ids, paths = store.column("frame_id"), store.of_frames("path")
    return {
        "frames": [str(ids[i]) for i in rows],
        "sources": [str(paths[i]) for i in rows],
        "classes": [store.class_names[labels[i]] for i in rows],
    }
