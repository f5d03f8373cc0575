"""Images per second and arithmetic of every recipe beside `mae`, one after another in one run.

    python tests/bench/recipes_speed.py [--model vit_tiny_patch16_224] [--batch 16] [--steps 4] [--repeats 3]

Every repeat runs each recipe once, in turn, so that a busy machine slows all of them. All have the same encoder, batch
and precision, and each its own decoder in proportion to the encoder, so that what differs is the method: tokens,
decoder, target and degradation. Printed are the median of
the repeats, the ratio to `mae` within each repeat (its median), and the arithmetic of one image by count.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from usfm.engine.data import Feed, Pixels
from usfm.engine.device import Ranks
from usfm.engine.step import Loop
from usfm.imaging.fan import SectorGeometry, mask
from usfm.imaging.region import Region
from usfm.model.device import choose_device
from usfm.pretrain import recipe as recipes
from usfm.pretrain.estimate import flops_per_image
from usfm.pretrain.fitted import fitted
from usfm.pretrain.job import PretrainJob
from usfm.pretrain.plan import training_of
from usfm.pretrain.run import compile_blocks, make_stream
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.settings import names
from usfm.pretrain.start import build_model
from usfm.pretrain.views import Regions
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

SIDE = 256


def make_store(folder: Path, frames: int) -> str:
    """Noise inside a convex sector."""
    rng, part = np.random.default_rng(0), PartWriter(contiguous=True)
    geometry = SectorGeometry("convex", 128.0, -56.0, 64.0, 296.0, -0.5, 0.5)
    inside = mask(geometry, (SIDE, SIDE))
    source = part.source(path="noise", sha256="0" * 64, kind="video", frames=frames)
    region = part.region(Region(inside, geometry.shape, geometry, 0.9, "motion"), "one")
    for i in range(frames):
        frame = (rng.integers(0, 256, (SIDE, SIDE)) * inside).astype(np.uint8)
        part.frame(frame, frame_id=f"{0:016x}:{i}", source=source, index=i, time_s=float(i), region_row=region)
    piece = folder / "part"
    piece.write_bytes(part.to_bytes())
    assemble(folder / "noise.h5", [("all", piece)], step={"command": "sector"})
    return str(folder / "noise.h5")


def prepared(name: str, store: Store, model: str, batch: int, precision: str, device: torch.device):
    """A function (steps) -> seconds of one recipe, and its facts."""
    recipe = recipes.load(name, ("steps=100000", f"batch_size={batch}", f"model.name={model}"))
    recipe = replace(recipe, model=replace(recipe.model, image_size=0))
    recipe = fitted(recipe, name, 10**6, given=("name", "batch_size", "steps", "lr")).recipe
    rows, network = np.arange(len(store)), build_model(recipe, 0).to(device)
    if device.type == "cuda":
        compile_blocks(network)
    regions = Regions(store, device) if recipe.selection.region or recipe.augment.scan else None
    stream = make_stream(recipe, store, rows, network.encoder.shape.grid, 0, regions)
    pixels = Pixels(store, device)
    feed = Feed(stream, pixels, None if regions is None else regions.rows)
    job = PretrainJob(recipe, network, stream, pixels, regions, held_out=rows[:0], steps=100_000, seed=0)
    loop = Loop(job, training_of(recipe, 100_000, precision, 1), Ranks(), device)
    counts = Counts.of(stream.plan(0).candidates, recipe.selection)

    def timed(steps: int) -> float:
        started = time.perf_counter()
        loop.take(feed.batches(loop.step, loop.step + steps))
        return time.perf_counter() - started

    facts = {"visible": counts.visible, "targets": counts.targets, "gflop": flops_per_image(network, counts) / 1e9}
    return timed, facts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="vit_tiny_patch16_224")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--recipes", nargs="*", default=[n for n in names() if not n.endswith("-published")])
    o = parser.parse_args()
    device = choose_device(o.device)
    wanted = ["mae", *(name for name in o.recipes if name not in ("mae", "debug"))]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(make_store(Path(folder), 8 * o.batch))
        made = {name: prepared(name, store, o.model, o.batch, o.precision, device) for name in wanted}
        for timed, _ in made.values():
            timed(1)
        rates: dict[str, list[float]] = {name: [] for name in made}
        for _ in range(o.repeats):
            for name, (timed, _) in made.items():
                rates[name].append(o.batch * o.steps / timed(o.steps))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    for name, (_, facts) in made.items():
        ratio = statistics.median(a / b for a, b in zip(rates[name], rates["mae"], strict=True))
        row = {"recipe": name, "images_per_s": round(statistics.median(rates[name]), 1), "to_mae": round(ratio, 2)}
        print(json.dumps({**row, **facts, "gflop": round(facts["gflop"], 2)}))
    print(json.dumps({"model": o.model, "batch": o.batch, "precision": o.precision, "device": str(device),
                      "threads": torch.get_num_threads(), "load": load}))  # fmt: skip


if __name__ == "__main__":
    main()
