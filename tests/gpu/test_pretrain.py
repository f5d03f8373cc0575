"""What only a GPU can show: no waiting in the loop, the same losses as the CPU, every way of running.

Run with `pytest -m gpu tests/gpu`.
"""

import numpy as np
import pytest
import torch

from usfm.config import Request
from usfm.engine.data import Feed, Pixels
from usfm.engine.device import Ranks
from usfm.engine.step import Loop, Training
from usfm.engine.timing import Clock
from usfm.imaging.region import Region
from usfm.pretrain import recipe as recipes
from usfm.pretrain.config import Config
from usfm.pretrain.job import PretrainJob
from usfm.pretrain.run import compile_blocks, make_stream, run
from usfm.pretrain.start import build_model
from usfm.pretrain.views import Regions
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
SMALL = (
    "model.name=vit_nano_patch16_64",
    "decoder.width=32",
    "decoder.depth=1",
    "decoder.heads=2",
    "run.batch_size=8",
    "run.steps=6",
    "run.checks=2",
    "run.saves=2",
)


@pytest.fixture(scope="module")
def store_path(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("store"), np.random.default_rng(0)
    part, mask = PartWriter(contiguous=True), np.zeros((64, 64), bool)
    mask[:, 8:56] = True
    for clip in range(3):
        source = part.source(path=f"{clip}", sha256=f"{clip:064x}", kind="video", frames=8, patient=f"p{clip}")
        region = part.region(Region(mask), f"{clip}")
        for k in range(8):
            frame = rng.integers(0, 256, (64, 64), np.uint8) * mask
            part.frame(frame, frame_id=f"{clip:016x}:{k}", source=source, index=k, time_s=k / 3, region_row=region)
    (folder / "part").write_bytes(part.to_bytes())
    assemble(folder / "s.h5", [("all", folder / "part")], step={"command": "sector"})
    return str(folder / "s.h5")


def make_loop(path, device, name="polarmae", cache="auto", compiled=False, precision="fp32"):
    recipe, store = recipes.load(name, SMALL), Store.open(path)
    model = build_model(recipe, 0).to(device)
    if compiled:
        compile_blocks(model)
    regions = Regions(store, device) if recipe.selection.region else None
    rows = np.arange(len(store))
    stream = make_stream(recipe, store, rows, model.encoder.shape.grid, 0, regions)
    pixels = Pixels(store, device, cache)
    feed = Feed(stream, pixels, None if regions is None else regions.rows)
    job = PretrainJob(recipe, model, stream, pixels, regions, held_out=rows[:0], steps=6, seed=0)
    training = Training(6, 1e-3, clip=1.0, precision=precision)
    return Loop(job, training, Ranks(), device), feed


@pytest.mark.parametrize("name", ["mae", "polarmae", "polarmae-published"])
def test_a_step_never_waits_for_the_device(store_path, name):
    device = torch.device("cuda:0")
    loop, feed = make_loop(store_path, device, name, precision="bf16")
    clock = Clock(device)
    loop.advance(feed.make(0), clock)
    batches = [feed.make(step) for step in range(1, 5)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for parts in batches:
            loop.advance(parts, clock)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("cache", ["gpu", "ram", "none"])
def test_where_frames_wait_changes_nothing(store_path, cache):
    device = torch.device("cuda:0")
    _, feed = make_loop(store_path, device, cache=cache)
    _, plain = make_loop(store_path, torch.device("cpu"))
    assert torch.equal(feed.make(2)[0].frames.cpu(), plain.make(2)[0].frames)


def test_views_and_priors_are_the_cpus(store_path):
    from usfm.pretrain.selection.draw import prior

    made = []
    for device in (torch.device("cpu"), torch.device("cuda:0")):
        loop, feed = make_loop(store_path, device)
        batch = feed.make(0)[0]
        images, view = loop.job.views.make(batch.frames, batch.crops, batch.regions)
        made.append((images.cpu(), view.coverage.cpu(), prior(view, loop.job.recipe.selection).cpu()))
    for ours, theirs in zip(*made, strict=True):
        assert torch.allclose(ours, theirs, atol=0.6 if ours.ndim == 4 else 2e-3)


def test_compiled_blocks_give_the_same_loss(store_path):
    device = torch.device("cuda:0")
    values = []
    for compiled in (False, True):
        loop, feed = make_loop(store_path, device, compiled=compiled)
        values.append([loop.advance(feed.make(step), Clock(device))["loss"].item() for step in range(3)])
    assert values[0] == pytest.approx(values[1], rel=1e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_a_run(store_path, tmp_path, precision):
    config = Config(recipe="polarmae", set=SMALL, precision=precision)
    summary = run(config, Request(inputs=(store_path,), out=str(tmp_path / "run"), device="cuda"))
    assert summary["steps"] == 6
    assert np.isfinite(summary["loss"])
