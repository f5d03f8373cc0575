"""Do the features learn what tells phantom classes apart? polarmae, mae and random weights at equal seconds.

    python tests/bench/pretrain_learns.py sector.h5 --seconds 100 --seeds 5 [--model vit_tiny_patch16_224] [--set A=B]
        [--arms polarmae mae mae:target.kind=hog polarmae:temperature=-1,expansion=none]

Each seed trains every arm (a recipe, with its own changes behind a colon) for as many steps as fit into the seconds
(timed on this machine just before, by processor time of one thread, so that another job beside it does not count), then
a linear probe and neighbours vote by patient on the whole store. Printed: balanced accuracy of each seed, the mean, and
a 95 % interval by Student's t over the seeds, also of the differences of the first arm from the others within a seed.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from usfm import console
from usfm.config import Request
from usfm.model.checkpoint import load_encoder
from usfm.pretrain import recipe as recipes
from usfm.pretrain.config import Config
from usfm.pretrain.run import run
from usfm.pretrain.start import build_model
from usfm.pretrain.watch import OnlineProbe

SMALL = (
    "decoder.width=64",
    "decoder.depth=2",
    "decoder.heads=2",
    "crop_low=0.8",
    "optim.lr=4e-3",
    "optim.warmup=0.1",
    "optim.clip=1",
    "batch_size=32",
    "checks=1",
    "saves=1",
)
"""What both recipes change to be small: the numbers of the recipe `debug`."""


def interval(values: list[float]) -> list[float]:
    """Mean and 95 % interval by Student's t."""
    from scipy.stats import t

    mean = statistics.mean(values)
    if len(values) < 2:
        return [round(mean, 4), math.nan, math.nan]
    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return [round(v, 4) for v in (mean, mean - half, mean + half)]


def train(store: str, arm: str, changes: tuple[str, ...], steps: int, seed: int, folder: Path) -> Path:
    """One run of so many steps."""
    recipe, _, own = arm.partition(":")
    out = folder / f"{arm.replace('/', '_')}-{steps}-{seed}"
    changes = (*changes, *filter(None, own.split(",")), f"run.steps={steps}")
    run(Config(recipe=recipe, set=changes), Request(inputs=(store,), out=str(out), device="cpu", seed=seed))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--model", default="vit_nano_patch16_128")
    parser.add_argument("--arms", nargs="+", default=["polarmae", "mae"])
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    console.configure(quiet=True)
    torch.set_num_threads(1)
    changes = (*SMALL, f"model.name={options.model}", *options.set)
    names = options.arms
    with tempfile.TemporaryDirectory() as name:
        folder, steps = Path(name), {}
        for arm in names:
            taken = []
            for count in (3, 10, 60):  # the difference of the last two leaves the starting up out
                started = time.process_time()
                train(options.store, arm, (*changes, "held_out=0"), count, 99, folder)
                taken.append(time.process_time() - started)
            steps[arm] = max(1, round(50 * options.seconds / (taken[2] - taken[1])))
        scores: dict[str, dict[str, list[float]]] = {}
        for seed in range(options.seeds):
            shape = build_model(replace(recipes.load(names[0].partition(":")[0], changes)), seed).encoder
            probe = OnlineProbe(options.store, shape.shape.image_size, torch.device("cpu"), seed)
            runs = {arm: train(options.store, arm, changes, steps[arm], seed, folder) for arm in names}
            encoders = {arm: load_encoder(out / "last")[0] for arm, out in runs.items()}
            for arm, encoder in {"random": shape.eval(), **encoders}.items():
                with torch.no_grad():
                    for figure, value in probe(encoder).items():
                        scores.setdefault(figure, {}).setdefault(arm, []).append(value)
    result: dict = {"steps": steps}
    for figure, of in scores.items():
        result[figure] = {arm: {"seeds": values, "mean, low, high": interval(values)} for arm, values in of.items()}
        for other in ("random", *names[1:]):
            differences = (np.array(of[names[0]]) - np.array(of[other])).tolist()
            result[figure][f"{names[0]} - {other}"] = interval(differences)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
