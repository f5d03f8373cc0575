"""What a person needs to judge a threshold: pairs at each similarity, and frames whose labels or patients disagree."""

import numpy as np

from usfm.curate.dedup.groups import one_feature_a_picture
from usfm.curate.dedup.select import Compared
from usfm.imaging.neighbours import cosine_pairs
from usfm.screening import leaks
from usfm.screening.leaks import Pairs
from usfm.store.reader import Store

EDGES = (0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 1.001)
"""Bins of similarity that pairs are shown for."""

PAIRS_PER_BIN = 4
GROUPS_LOOKED_AT = 300
FRAMES_PER_GROUP = 150


def example_pairs(frames: Compared, seed: np.random.Generator) -> list[tuple[int, int, float]]:
    """Pick some pairs of each bin of similarity, from as many groups as possible.

    Args:
        frames: The frames.
        seed: Chooses groups and pairs.

    Returns:
        (i, j, cosine), by rising similarity.
    """
    chosen: dict[int, list[tuple[int, int, float]]] = {b: [] for b in range(len(EDGES) - 1)}
    members = [rows for rows in frames.members() if len(rows) > 1]
    for number in seed.permutation(len(members))[:GROUPS_LOOKED_AT]:
        rows = members[number]
        if len(rows) > FRAMES_PER_GROUP:
            rows = np.sort(seed.choice(rows, FRAMES_PER_GROUP, replace=False))
        i, j, similarity = cosine_pairs(frames.features[rows], EDGES[0])
        bins = np.digitize(similarity, EDGES) - 1
        for b in np.unique(bins):
            if b not in chosen or len(chosen[b]) >= PAIRS_PER_BIN:  # rounding lets in what is just under the first edge
                continue
            at = int(seed.choice(np.flatnonzero(bins == b)))
            chosen[b].append((int(rows[i[at]]), int(rows[j[at]]), float(similarity[at])))
    return sorted((pair for pairs in chosen.values() for pair in pairs), key=lambda pair: pair[2])


def disagreements(store: Store, features: np.ndarray, seen: np.ndarray, threshold: float) -> dict[str, Pairs]:
    """Near-duplicates anywhere in the store that carry different labels, or belong to different patients.

    Args:
        store: The input.
        features: (N, D) rows of length 1.
        seen: (N,) bool, frames that show something.
        threshold: Cosine, -1 to 1.

    Returns:
        "label" and "patient" -> pairs in rows of the store; a kind of which fewer than two occur is absent.
    """
    labels, patients = np.asarray(store.labels_class()), store.of_frames("patient")
    known = {"label": seen & (labels >= 0), "patient": seen & (patients != "")}
    names = {"label": labels.astype(str), "patient": patients}
    tags = {name: np.where(known[name], values, "") for name, values in names.items()}
    tags = {name: tag for name, tag in tags.items() if len(set(tag[known[name]].tolist())) > 1}
    rows = np.flatnonzero(np.logical_or.reduce([known[name] for name in tags] or [np.zeros(len(store), bool)]))
    features = one_feature_a_picture(features[rows], store.column("digest")[rows], rows)
    found = leaks.disagreements(features, {name: tag[rows] for name, tag in tags.items()}, threshold)
    return {name: Pairs(rows[p.i], rows[p.j], p.similarity, p.total) for name, p in found.items()}
