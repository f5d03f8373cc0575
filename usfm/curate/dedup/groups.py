"""Which frames are compared with one another, and which of a group is kept rather."""

import posixpath

import numpy as np

from usfm.imaging.neighbours import Allowed, cosine_blocks, reaches
from usfm.store.reader import Store


def group_numbers(store: Store, scope: str) -> np.ndarray:
    """Number the groups inside which the visual stage compares.

    Args:
        store: The input.
        scope: "clip" (a source; the stills of one folder together), "group" (an exam, else a patient, else the clip),
            "all".

    Returns:
        (N,) int64 group of each frame, numbered in order of first appearance.
    """
    if scope == "all":
        return np.zeros(len(store), np.int64)
    names = []
    kinds, paths, lengths = (store.source_column(name) for name in ("kind", "path", "frames"))
    datasets, exams, patients = (store.source_column(name) for name in ("dataset", "exam", "patient"))
    for row in range(store.num_sources):
        still = kinds[row] == "image" or lengths[row] == 1
        name = ("folder", datasets[row], posixpath.dirname(paths[row])) if still else ("clip", row)
        if scope == "group" and exams[row]:
            name = ("exam", datasets[row], patients[row], exams[row])
        elif scope == "group" and patients[row]:
            name = (datasets[row], patients[row])
        names.append(name)
    numbers: dict = {}
    of_source = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
    groups = of_source[store.column("source")]
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def canonical_order(store: Store) -> np.ndarray:
    """Place of each frame when sources stand in their canonical order and frames in the order of time.

    Args:
        store: The input.

    Returns:
        (N,) int64, a permutation.
    """
    order = np.concatenate([np.empty(0, np.int64), *store.clips()]).astype(np.int64)
    place = np.empty(len(store), np.int64)
    place[order] = np.arange(len(order))
    return place


def one_feature_a_picture(
    features: np.ndarray, digest: np.ndarray, order: np.ndarray, group: np.ndarray | None = None
) -> np.ndarray:
    """Give frames of the same pixels the same feature, that of the first of them, so that their similarity is 1.

    Their features can differ only where their acoustic regions do, for instance in two clips.

    Args:
        features: (n, D) float32.
        digest: (n,) str, digest of the pixels; "" is like none.
        order: (n,) int, canonical place.
        group: (n,) int; frames of different groups are left apart; default: one group.

    Returns:
        (n, D) float32.
    """
    first: dict[tuple, int] = {}
    source = np.arange(len(features))
    groups = [0] * len(digest) if group is None else group.tolist()
    keys = list(zip(groups, digest.tolist(), strict=True))
    for row in np.argsort(order, kind="stable").tolist():
        if keys[row][1]:
            source[row] = first.setdefault(keys[row], row)
    return features if (source == np.arange(len(source))).all() else features[source]


def labelled(store: Store) -> np.ndarray:
    """Which frames carry any label: (N,) bool."""
    found = np.asarray(store.labels_class()) >= 0
    multi = store.labels_multi()
    if multi is not None:
        found = found | (multi != 255).any(axis=1)
    return found | np.asarray(store.has_masks()) | np.asarray(store.has_boxes())


def within_window(source: np.ndarray, time_s: np.ndarray, window_s: float) -> Allowed:
    """The condition that two frames of one clip lie close in time; frames of different sources always pass.

    Args:
        source: (n,) source of each frame.
        time_s: (n,) presentation time, NaN = none (passes).
        window_s: Largest distance, s.

    Returns:
        A function of two arrays of rows: (n, m) bool, whether these rows may be compared.
    """

    def allowed(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        far = np.abs(time_s[i][:, None] - time_s[j][None]) > window_s + 1e-6
        return ~(far & (source[i][:, None] == source[j][None]))

    return allowed


def neighbour_counts(features: np.ndarray, threshold: float) -> np.ndarray:
    """How many frames each frame could stand for.

    Args:
        features: (n, D) float32 rows of length 1.
        threshold: Cosine, -1 to 1.

    Returns:
        (n,) int64, itself not counted.
    """
    counts = np.full(len(features), -1, np.int64)
    for row, column, tile in cosine_blocks(features):
        hit = reaches(tile, threshold)
        counts[row : row + len(tile)] += hit.sum(axis=1)
        if column != row:
            counts[column : column + tile.shape[1]] += hit.sum(axis=0)
    return counts
