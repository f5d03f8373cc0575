"""Images per second of pretraining: a textbook MAE on an image folder, and ours from a store.

    python tests/bench/pretrain_speed.py --repeats 3 --steps 3 --batch 8 [--device cuda] [--model vit_base_patch16_224]

Every repeat runs each variant once, in turn, so that a busy machine slows all of them; what is printed is the median of
the repeats, and the ratios within each repeat. The textbook is what one writes on a first day: timm's blocks, PNG
files, torchvision's transforms, three channels, a DataLoader with a worker per core, AdamW as it comes.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from usfm.engine.data import Feed, Pixels
from usfm.engine.device import Ranks, autocast
from usfm.engine.step import Loop, Training
from usfm.engine.timing import Clock
from usfm.imaging.region import Region
from usfm.pretrain import recipe as recipes
from usfm.pretrain.estimate import flops_per_image
from usfm.pretrain.job import PretrainJob
from usfm.pretrain.run import compile_blocks, make_stream
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.start import build_model
from usfm.pretrain.views import Regions
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

SIDE = 256


def make_data(folder: Path, frames: int, patches: int) -> Path:
    """Noise frames as PNG files in a class folder, and as a store whose region keeps the first `patches` of 196."""
    rng = np.random.default_rng(0)
    part = PartWriter(contiguous=True)
    mask = np.zeros((SIDE, SIDE), bool)
    rows, rest, side = patches // 14, patches % 14, SIDE / 14
    mask[: round(rows * side)] = True
    mask[: round((rows + 1) * side), : round(rest * side)] = True
    source = part.source(path="noise", sha256="0" * 64, kind="video", frames=frames)
    region = part.region(Region(mask), "one")
    (folder / "png" / "all").mkdir(parents=True, exist_ok=True)
    for i in range(frames):
        frame = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
        Image.fromarray(frame).save(folder / "png" / "all" / f"{i}.png")
        part.frame(frame, frame_id=f"{0:016x}:{i}", source=source, index=i, time_s=float(i), region_row=region)
    piece = folder / "part"
    piece.write_bytes(part.to_bytes())
    out = folder / f"noise-{patches}.h5"
    assemble(out, [("all", piece)], step={"command": "sector"})
    return out


class Textbook(torch.nn.Module):
    """A masked autoencoder out of timm's blocks, as the paper's code goes about it."""

    def __init__(self, dim=768, depth=12, heads=12, width=512, layers=8, decoder_heads=16):
        super().__init__()
        from timm.layers import PatchEmbed
        from timm.models.vision_transformer import Block

        norm = torch.nn.LayerNorm
        self.patch_embed = PatchEmbed(224, 16, 3, dim)
        self.cls, self.mask = (torch.nn.Parameter(torch.zeros(1, 1, d)) for d in (dim, width))
        self.pos = torch.nn.Parameter(torch.randn(1, 197, dim) * 0.02, requires_grad=False)
        self.dpos = torch.nn.Parameter(torch.randn(1, 197, width) * 0.02, requires_grad=False)
        self.blocks = torch.nn.ModuleList(Block(dim, heads, 4, qkv_bias=True, norm_layer=norm) for _ in range(depth))
        self.norm, self.embed = norm(dim), torch.nn.Linear(dim, width)
        self.dblocks = torch.nn.ModuleList(
            Block(width, decoder_heads, 4, qkv_bias=True, norm_layer=norm) for _ in range(layers)
        )
        self.dnorm, self.head = norm(width), torch.nn.Linear(width, 768)

    def forward(self, images):
        x = self.patch_embed(images) + self.pos[:, 1:]
        b, n, d = x.shape
        shuffle = torch.rand(b, n, device=x.device).argsort(1)
        restore, keep = shuffle.argsort(1), shuffle[:, : n // 4]
        x = x.gather(1, keep.unsqueeze(-1).repeat(1, 1, d))
        x = torch.cat([(self.cls + self.pos[:, :1]).expand(b, -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        x = self.embed(self.norm(x))
        full = torch.cat([x[:, 1:], self.mask.to(x.dtype).expand(b, n - keep.shape[1], -1)], 1)
        full = full.gather(1, restore.unsqueeze(-1).repeat(1, 1, x.shape[2]))
        x = torch.cat([x[:, :1], full], 1) + self.dpos
        for block in self.dblocks:
            x = block(x)
        pred = self.head(self.dnorm(x))[:, 1:]
        target = images.reshape(b, 3, 14, 16, 14, 16).permute(0, 2, 4, 3, 5, 1).reshape(b, n, 768)
        target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
        mask = (torch.ones(b, n, device=x.device)).scatter(1, keep, 0.0)
        return (((pred - target) ** 2).mean(-1) * mask).sum() / mask.sum()


def textbook(folder: Path, batch: int, device: torch.device, compiled: bool):
    """A function (steps) -> seconds of the textbook."""
    from torchvision import transforms
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import InterpolationMode

    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(224, (0.2, 1.0), interpolation=InterpolationMode.BICUBIC),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    loader = torch.utils.data.DataLoader(
        ImageFolder(str(folder / "png"), change),
        batch,
        shuffle=True,
        num_workers=len(os.sched_getaffinity(0)),
        drop_last=True,
        persistent_workers=True,
        pin_memory=device.type == "cuda",
    )
    torch.manual_seed(0)
    model = Textbook().to(device)
    net = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, betas=(0.9, 0.95), weight_decay=0.05)

    def endless():
        while True:
            yield from loader

    batches = endless()

    def steps(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            images, _ = next(batches)
            with autocast("bf16", device):
                loss = net(images.to(device, non_blocking=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()
        return time.perf_counter() - started

    return steps


def ours(store_path: Path, name: str, model_name: str, batch: int, device: torch.device, compiled: bool, *changes):
    """A function (steps) -> seconds of a recipe, and its FLOP per image and K."""
    recipe = recipes.load(name, (f"model.name={model_name}", f"run.batch_size={batch}", *changes))
    store = Store.open(store_path)
    model = build_model(recipe, 0).to(device)
    if compiled:
        compile_blocks(model)
    regions = Regions(store, device) if recipe.selection.region else None
    rows = np.arange(len(store))
    stream = make_stream(recipe, store, rows, model.encoder.shape.grid, 0, regions)
    pixels = Pixels(store, device)
    feed = Feed(stream, pixels, None if regions is None else regions.rows)
    job = PretrainJob(recipe, model, stream, pixels, regions, held_out=rows[:0], steps=10_000, seed=0)
    loop = Loop(job, Training(10_000, 1e-4, clip=recipe.optim.clip, precision="bf16"), Ranks(), device)
    batches = feed.batches(0, 10_000)
    clock = Clock(device)
    seen = []

    def steps(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            parts = next(batches)
            seen.append(parts[0].plan.candidates)
            loop.advance(parts, clock)
        loop.pending[-1].item()
        loop.pending.clear()
        return time.perf_counter() - started

    counts = Counts.of(stream.plan(0).candidates, recipe.selection)
    return steps, {"flops_per_image": flops_per_image(model, counts), "K": seen}, batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument(
        "--cpu-time", action="store_true", help="one thread, and its processor time instead of the wall's"
    )
    options = parser.parse_args()
    device = torch.device(options.device)
    if options.cpu_time:
        torch.set_num_threads(1)
        time.perf_counter = time.process_time
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        full = make_data(folder, options.frames, 196)
        part = make_data(folder, options.frames, 128)
        common = (options.model, options.batch, device, options.compile)
        fixed = ("crop_low=1", "crop_high=1", "hflip=0")  # so that K is 128 after augmentation
        made = {
            "ours mae": ours(full, "mae", *common),
            "ours polarmae K=128": ours(part, "polarmae", *common, *fixed, "tau=0.5"),
            "ours polarmae full": ours(full, "polarmae", *common),
        }
        variants = {"textbook mae": textbook(folder, options.batch, device, options.compile)}
        variants |= {name: steps for name, (steps, _, _) in made.items()}
        for steps in variants.values():
            steps(1)
        rates: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(options.repeats):
            for name, steps in variants.items():
                rates[name].append(options.batch * options.steps / steps(options.steps))
        for _, _, batches in made.values():
            batches.close()
    result = {name: {"images_per_s": round(statistics.median(r), 3)} for name, r in rates.items()}
    for name, (_, facts, _) in made.items():
        result[name] |= {"gflop_per_image": round(facts["flops_per_image"] / 1e9, 2), "K": sorted(set(facts["K"]))}
    for name, against in (
        ("ours mae", "textbook mae"),
        ("ours polarmae K=128", "ours mae"),
        ("ours polarmae full", "ours mae"),
    ):
        ratios = [a / b for a, b in zip(rates[name], rates[against], strict=True)]
        result[name][f"over {against}"] = [round(v, 3) for v in (min(ratios), statistics.median(ratios), max(ratios))]
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
