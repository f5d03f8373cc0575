"""Does labelling in the order of `--rank` help? Balanced accuracy against random orders, on simulated patients.

    python tests/bench/rank_order.py --work FOLDER [--seeds 12]

Each seed has its own 60 patients to label from and 40 held-out ones, six frames each, of three classes (a small,
middle or large bright body in speckle, with the gain and grain of the patient). Vectors are of an untrained network; a
softmax probe learns from what is labelled. Six patients begin with a frame each;
each of five rounds labels six more frames.
The orders differ in nothing else. The table has the mean over the seeds and the mean difference, seed by seed, from
random frames, with a 95% interval of Student's t. There is no gate: it says what comes out.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np

POOL, HELD, FRAMES, ROUNDS, EACH, SIDE = 60, 40, 6, 5, 6, 64
ORDERS = ("random", "random, patients in turn", "uncertainty", "diversity")
T_95 = {10: 2.262, 11: 2.228, 12: 2.201, 16: 2.131, 20: 2.093}
"""Of Student's t by number of seeds."""


def simulate(path: Path, rng: np.random.Generator):
    """A store of all patients; the first `POOL` are to be labelled."""
    from usfm.store.assemble import write_store
    from usfm.store.reader import Store
    from usfm.store.schema import frame_id
    from usfm.store.writer import PartWriter

    part = PartWriter(class_names=("small", "middle", "large"))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for k in range(POOL + HELD):
        sha, kind = f"{k:064x}"[::-1], int(rng.integers(3))
        source = part.source(path=f"{k}.mp4", sha256=sha, kind="video", patient=f"p{k:03}")
        gain, grain = rng.uniform(0.6, 1.4), rng.uniform(0.2, 0.7)
        for index in range(FRAMES):
            echo = np.full((SIDE, SIDE), 50.0)
            (y, x), r = rng.uniform(16, SIDE - 16, 2), (4, 8, 14)[kind] * rng.uniform(0.8, 1.2)
            echo += 90 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * r * r))
            pixels = (gain * echo * (1 + grain * rng.normal(size=echo.shape))).clip(0, 255).astype(np.uint8)
            part.frame(pixels, frame_id=frame_id(sha, index), source=source, index=index, time_s=index / 3, label=kind)
    return Store.open(write_store(path, part))


def probe(vectors: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Probabilities of the new vectors by a softmax probe with weight decay: (n, 3)."""
    mean, std = vectors.mean(0), vectors.std(0) + 1e-6
    known, weight = np.c_[(vectors - mean) / std, np.ones(len(vectors))], np.zeros((vectors.shape[1] + 1, 3))
    for _ in range(400):
        said = softmax(known @ weight)
        weight -= 0.1 * (known.T @ (said - np.eye(3)[labels]) / len(known) + 0.01 * weight)
    return softmax(np.c_[(new - mean) / std, np.ones(len(new))] @ weight)


def softmax(values: np.ndarray) -> np.ndarray:
    """Rows that sum to 1."""
    values = np.exp(values - values.max(1, keepdims=True))
    return values / values.sum(1, keepdims=True)


def balanced(said: np.ndarray, truth: np.ndarray) -> float:
    """Mean recall of the classes."""
    return float(np.mean([(said[truth == c] == c).mean() for c in np.unique(truth)]))


def ranked(order: str, vectors, labels, group, labelled, rng) -> np.ndarray:
    """The ranks of an order, NaN for what is labelled."""
    from usfm.predict import rank

    if order == "uncertainty":
        shares = probe(vectors[labelled], labels[labelled], vectors)
        return rank.by_uncertainty(rank.entropy(shares), group, ~labelled)
    if order == "diversity":
        return rank.by_diversity(vectors, ~labelled, group)
    drawn = rng.random(len(vectors))
    if order == "random":
        return np.where(labelled, np.nan, drawn)
    return rank.by_uncertainty(drawn, group, ~labelled)


def one_seed(work: Path, seed: int) -> np.ndarray:
    """(orders, rounds + 1) balanced accuracy on the frames of the held-out patients."""
    from usfm.model import embedders, features

    rng = np.random.default_rng(seed)
    store = simulate(work / f"{seed}.h5", rng)
    encoder = embedders.load("random:vit_nano_patch16_64", device="cpu", seed=seed)
    vectors = features.of_rows(store, np.arange(len(store)), encoder).astype(float)
    labels, group = np.asarray(store.labels_class()), np.repeat(np.arange(POOL + HELD), FRAMES)
    pool, held = group < POOL, group >= POOL
    first = np.zeros(len(labels), bool)
    first[rng.choice(POOL, EACH, replace=False) * FRAMES] = True
    table = np.zeros((len(ORDERS), ROUNDS + 1))
    for k, order in enumerate(ORDERS):
        labelled = first[pool].copy()
        draws = np.random.default_rng([seed, k])
        for n in range(ROUNDS + 1):
            said = probe(vectors[pool][labelled], labels[pool][labelled], vectors[held]).argmax(1)
            table[k, n] = balanced(said, labels[held])
            ranks = ranked(order, vectors[pool], labels[pool], group[pool], labelled, draws)
            labelled[np.argsort(np.where(np.isnan(ranks), np.inf, ranks), kind="stable")[:EACH]] = True
    (work / f"{seed}.h5").unlink()
    return table


def main(words: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, choices=sorted(T_95), default=12)
    asked = parser.parse_args(words)
    asked.work.mkdir(parents=True, exist_ok=True)
    found = np.stack([one_seed(asked.work, seed) for seed in range(asked.seeds)])
    print(f"{asked.seeds} seeds; balanced accuracy of the held-out frames (chance 0.333), after labelling")
    print("order".ljust(28), *(f"{EACH * (n + 1):>6}" for n in range(ROUNDS + 1)), "  mean of rounds - random [95%]")
    for k, order in enumerate(ORDERS):
        apart = (found[:, k, 1:] - found[:, 0, 1:]).mean(1)
        half = T_95[asked.seeds] * apart.std(ddof=1) / math.sqrt(asked.seeds)
        shown = f"  {apart.mean():+.3f} [{apart.mean() - half:+.3f}, {apart.mean() + half:+.3f}]" if k else ""
        print(order.ljust(28), *(f"{value:6.3f}" for value in found[:, k].mean(0)), shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
