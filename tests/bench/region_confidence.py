"""Weights of the confidence of regions, and how reliable it is, from regions whose truth is known.

    usfm simulate --out stills --clips 0 --stills 120 --format png --seed 9000
    python tests/bench/region_confidence.py DATA_FOLDER [stills] [--scenes 8]

DATA_FOLDER is that of `region_truth.py`: each clip gives its frames together, and two single ones. The phantom's seed
9000 was chosen before any weight. ``--scenes`` adds as many screens of each kind of `region_scenes.py`, seed 0 (every
fourth as a clip); its odd seeds stay for figures. Probabilities of the table are for groups (geometries, simulated
patients, scenes) that the weights had not seen, in ten folds; the printed weights are from all.
"""

import argparse
import csv
import dataclasses
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import region_scenes
from PIL import Image
from region_truth import frames_of, groups_of, overlap
from sklearn.linear_model import LogisticRegression, Ridge

from usfm.imaging import region_evidence, region_score, region_search, region_seeds, shaped

RIGHT = 0.9
BINS = (0, 0.25, 0.5, 0.7, 0.85, 0.95, 1.01)
PHANTOM_WEIGHT, SCENE_WEIGHT = 0.6, 0.5


def row_of(frames: list[np.ndarray], wanted: np.ndarray) -> tuple[dict, float]:
    """Find the region of some frames; returns what is weighed (nothing where none was found) and the overlap."""
    stack, scale = region_seeds.shrink(frames)
    spread = stack.astype(np.float32).std(0)
    moves = bool(len(stack) > 1 and (spread > 1.0).mean() >= 0.02)
    found = region_search.search(stack, spread if moves else None)
    if found.mask.all():
        return {}, overlap(found.mask, wanted) if found.mask.shape == wanted.shape else 0.0
    small = region_evidence.smaller(stack)
    mask = cv2.resize(found.mask.astype(np.float32), small.shape[:0:-1], interpolation=cv2.INTER_AREA) > 0.5
    seen = region_evidence.evidence(small, moves)
    values = region_score.features(dataclasses.replace(found, mask=mask), seen)
    return values, overlap(shaped.enlarged(found, scale, wanted.shape).mask, wanted)


def drawn(data: Path) -> list[tuple]:
    """Rows of the hand-drawn regions: (numbers, overlap, group, weight)."""
    items = list(csv.DictReader((data / "truth" / "truth.csv").open()))
    rows = []
    for item, group in zip(items, groups_of(items), strict=True):
        wanted = np.asarray(Image.open(data / "truth" / item["mask"]).convert("L")) > 127
        frames = frames_of(data / item["file"])
        frames = [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, 48).round().astype(int))]
        sets = [[frames[len(frames) // 2]]] + ([frames] if len(frames) > 1 else [])
        sets += [[frames[len(frames) // 5]]] if len(frames) > 4 else []
        rows += [(*row_of(chosen, wanted), f"drawn {group}", 1.0) for chosen in sets]
    return rows


def simulated(folder: Path) -> list[tuple]:
    """Rows of the phantom's stills."""
    truth = folder.with_name(folder.name + ".truth")
    rows = []
    for item in json.loads((truth / "truth.json").read_text())["items"]:
        if item["kind"] == "still" and not item["repeat"]:
            wanted = cv2.imread(str(truth / item["masks"]["sector"]), cv2.IMREAD_GRAYSCALE) > 0
            frame = cv2.cvtColor(cv2.imread(str(folder / item["path"])), cv2.COLOR_BGR2RGB)
            rows.append((*row_of([frame], wanted), item["patient"], PHANTOM_WEIGHT))
    return rows


def scenes(count: int) -> list[tuple]:
    """Rows of screens of the kinds that a finder gets wrong."""
    rows = []
    for kind in region_scenes.KINDS:
        for number in range(count):
            scene = region_scenes.scene_of(kind, number, 0, region_scenes.FRAMES if number % 4 == 3 else 1)
            rows.append((*row_of(scene.frames, scene.mask), f"{kind} {number}", SCENE_WEIGHT))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("stills", type=Path, nargs="?")
    parser.add_argument("--scenes", type=int, default=0)
    asked = parser.parse_args()
    rows = drawn(asked.data) + (simulated(asked.stills) if asked.stills else []) + scenes(asked.scenes)
    rows = [row for row in rows if row[0]]
    names = [name for name, *_ in region_score.WEIGHTS]
    table = np.array([[values[name] for name in names] for values, *_ in rows])
    mean, deviation = table.mean(0), table.std(0) + 1e-6
    table = np.clip((table - mean) / deviation, -3, 3)
    iou, weight = np.array([row[1] for row in rows]), np.array([row[3] for row in rows])
    right, groups = iou >= RIGHT, [row[2] for row in rows]
    fold = np.array([sorted(set(groups)).index(group) % 10 for group in groups])
    odds = LogisticRegression(C=0.1, max_iter=500)
    chance = np.zeros(len(rows))
    for k in range(10):
        odds.fit(table[fold != k], right[fold != k], sample_weight=weight[fold != k])
        chance[fold == k] = odds.predict_proba(table[fold == k])[:, 1]
    for low, high in itertools.pairwise(BINS):
        here = (chance >= low) & (chance < high)
        if here.any():
            print(f"{low:.2f} to {min(high, 1):.2f}: n {here.sum()}, mean {chance[here].mean():.2f}, "
                  f"right {right[here].mean():.2f}")  # fmt: skip
    above = (chance[right][:, None] > chance[~right][None]).mean()
    print(f"n {len(rows)}, under {RIGHT}: {(~right).sum()}, AUROC {above:.3f}")
    odds.fit(table, right, sample_weight=weight)
    line = Ridge(10).fit(table, iou, sample_weight=weight)
    for values in zip(names, mean, deviation, odds.coef_[0], line.coef_, strict=True):
        print("({!r}, {:.3f}, {:.3f}, {:.3f}, {:.4f}),".format(*values))
    print(f"{odds.intercept_[0]:.3f} {line.intercept_:.4f}")


if __name__ == "__main__":
    main()
