"""Pretrain an encoder on a sector store by masked image modelling: put the parts together, and let the loop run."""

import time
from functools import partial

import numpy as np
import torch

from usfm import console
from usfm.config import Request
from usfm.engine.boards import check_loggers
from usfm.engine.data import Feed, Pixels
from usfm.engine.device import Ranks, crowded
from usfm.engine.group import start_ranks, together
from usfm.engine.loop import fit
from usfm.engine.order import Order
from usfm.engine.record import RunDirectory
from usfm.engine.stream import Stream
from usfm.jobs.outputs import say_up_to_date
from usfm.pretrain.config import Config
from usfm.pretrain.finish import counted, finish, look_back, measured
from usfm.pretrain.frames import one_group
from usfm.pretrain.job import PretrainJob
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.plan import TrainingPlan, blur_px, card_of, planned
from usfm.pretrain.settings import Recipe
from usfm.pretrain.sheets import draw_first
from usfm.pretrain.sweep import asked, sweep
from usfm.pretrain.views import Regions
from usfm.store.reader import Store


def run(config: Config, request: Request) -> dict:
    """Pretrain once, or once for each trial of a sweep.

    Args:
        config: options of the command.
        request: common options.

    Returns:
        The summary: frames, steps, seconds, images_per_s, data_wait, loss, best, held_out_loss; of a sweep as `sweep`.

    Raises:
        RequestError, WorkError, Interrupted: see `engine.loop.fit` and `engine.record.RunDirectory.open`.
    """
    ranks = start_ranks(request.device)
    with together(ranks):
        if not asked(config):
            return _pretrain(config, request, ranks)
        one = partial(_pretrain, ranks=ranks)
        return sweep(config, request, one, first=ranks.first, alone=ranks.world == 1)


def _pretrain(config: Config, request: Request, ranks: Ranks) -> dict:
    started = time.perf_counter()
    loggers = check_loggers(config.log)
    it = planned(config, request, ranks)
    if request.dry_run:
        RunDirectory(str(request.out), it.settings).check("pretrain", request.overwrite)
    moves = bool(it.recipe.augment.scan) or it.recipe.augment.kind != "crop"
    used = it.recipe.selection.region or (moves and it.store.has_regions)
    regions = Regions(it.store, it.device) if used else None
    stream = make_stream(it.recipe, it.store, it.order, it.model.encoder.shape.grid, request.seed, regions)
    if ranks.first and it.reasons:
        console.say(f"fitted to {int(it.order.places):,} frames: {'; '.join(it.reasons)}")
    if request.dry_run:
        return _dry_run(it, stream)
    with RunDirectory(str(request.out), it.settings, writes=ranks.first) as directory:
        status = _open(directory, it)
        if ranks.first and status != "done":
            directory.update({"steps": it.training.steps})
        if status == "done":
            say_up_to_date(str(request.out))
            known = directory.card.get("result", {})
            return {**it.summary(), "seconds": 0.0, "frames_per_s": None, "images_per_s": None, **known}
        _say_plan(it, stream, regions)
        result, watched = _train(it, directory, stream, regions, loggers, resume=status == "resume")
        if ranks.first:
            finish(directory, result, started, it.recipe.optim.warmup, counted(it.store, watched))
    if "profile" in result:
        console.table("milliseconds a step", ("part", "ms"), list(result["profile"].items()))
    seconds = time.perf_counter() - started
    return {**it.summary(), **result, "seconds": round(seconds, 2), "frames_per_s": result["images_per_s"]}


def _dry_run(it: TrainingPlan, stream: Stream) -> dict:
    """Say what the run would take."""
    from usfm.pretrain.estimate import estimate, readable

    plan = estimate(it.recipe, it.model, stream, it.training, it.device)
    console.table("pretrain would train", ("what", "value"), readable(plan, str(it.device)))
    console.say(f"would write {it.request.out}")
    return {**it.summary(), "dry_run": True, "seconds": 0.0, "frames_per_s": None, **plan}


def _train(
    it: TrainingPlan,
    directory: RunDirectory,
    stream: Stream,
    regions: Regions | None,
    loggers: tuple[str, ...],
    *,
    resume: bool,
) -> tuple[dict, np.ndarray]:
    """Train to the end; returns the loop's result, and the rows that the held-out loss was taken of."""
    config, ranks, model = it.config, it.ranks, it.model.to(it.device)
    if config.compile if config.compile is not None else it.device.type == "cuda":
        compile_blocks(model)
    pixels = Pixels(it.store, it.device, config.cache)
    place = None if regions is None else regions.rows
    feed = Feed(stream, pixels, place, rank=ranks.rank, world=ranks.world, accumulate=config.accumulate)
    job = PretrainJob(
        it.recipe,
        model,
        stream,
        pixels,
        regions,
        held_out=it.frames.held_out,
        steps=it.training.steps,
        seed=it.request.seed,
        figures=directory.path / "figures" if ranks.first else None,
        probe=_probe(config, model, it.device, it.request.seed) if ranks.first else None,
        old_held_out=it.frames.old_held_out,
    )
    if ranks.first and not resume and it.start.decoder:
        look_back(directory, job, it.training.precision, it.device)
    if resume:
        job.go_on(directory.path / "last")
    elif ranks.first and it.recipe.augment.kind != "crop":
        draw_first(job, feed, directory.path / "figures")
    result = fit(
        job,
        feed,
        it.training,
        directory,
        ranks=ranks,
        device=it.device,
        resume=resume,
        loggers=loggers,
        profile=config.profile,
        describe=job.describe,
        moments=it.start.moments,
    )
    return {**result, **measured(directory)}, job.held_out


def _probe(config: Config, model: MaskedAutoencoder, device: torch.device, seed: int):
    """The probe that watches, where one was asked for."""
    if config.probe is None:
        return None
    from usfm.pretrain.watch import OnlineProbe

    blur = blur_px(model.recipe)
    return OnlineProbe(config.probe, model.encoder.shape.image_size, device, seed, blur_px=blur)


def make_stream(
    recipe: Recipe, store: Store, rows: np.ndarray | Order, grid, seed: int, regions: Regions | None
) -> Stream:
    """The stream of batches that a recipe asks for, over some rows or in some order.

    Args:
        recipe: its [augment], [run] and [selection].
        store: of the frames.
        rows: (n,) of the store, or an order of them.
        grid: (rows, columns) of patches.
        seed: of the run.
        regions: of the store's frames, None where it has none.

    Returns:
        The stream.
    """
    a, inside = recipe.augment, regions if recipe.selection.region else None
    crop = {"area": (a.crop_low, a.crop_high), "hflip": a.hflip, "vflip": a.vflip, "rotate_deg": a.rotate_deg}
    if a.kind != "crop":  # a set cuts by itself, out of the whole frame
        side = store.frame_size[1] / store.frame_size[0]
        crop = {"area": (1.0, 1.0), "ratio": (side, side), "hflip": 0.0}
    return Stream(
        rows,
        recipe.run.batch_size,
        store.frame_size,
        grid,
        seed,
        crop=crop,
        areas=None if inside is None else inside.areas,
        region_rows=None if inside is None else inside.rows,
        tau=recipe.selection.tau,
        retries=a.retries,
    )


def compile_blocks(model: MaskedAutoencoder) -> None:
    """Compile the transformer blocks one by one: a few seconds, and one program for blocks of the same shape."""
    import torch._dynamo

    limit = "recompile_limit" if hasattr(torch._dynamo.config, "recompile_limit") else "cache_size_limit"
    setattr(torch._dynamo.config, limit, 64)  # one a bucket of candidates, for encoder and decoder
    for block in [*model.encoder.blocks, *model.decoder.blocks()]:
        block.compile(dynamic=False)


def _open(directory: RunDirectory, it: TrainingPlan) -> str:
    """Enter the run's folder; the first rank makes it before the others look."""
    card = card_of(it)
    if it.ranks.first:
        status = directory.open(overwrite=it.request.overwrite, recipe=it.recipe.as_dict(), card=card)
        it.ranks.wait()
        return status
    it.ranks.wait()
    return directory.open(overwrite=False, recipe={}, card=card)


def _say_plan(it: TrainingPlan, stream: Stream, regions: Regions | None) -> None:
    if not it.ranks.first:
        return
    steps, recipe = it.training.steps, it.recipe
    console.say(
        f"{len(it.frames.rows):,} frames to train on, {len(it.frames.held_out):,} held out, {steps:,} steps of "
        f"{recipe.run.batch_size} ({steps / stream.steps_per_epoch():.1f} epochs), {recipe.model.name} in "
        f"{it.training.precision} on {it.device}" + (f", {it.ranks.world} processes" if it.ranks.world > 1 else "")
    )
    if crowd := crowded(it.device):
        console.warn(crowd)
    _say_replay(it)
    if not len(it.frames.held_out):
        console.warn("one source or patient only, so nothing is held out and there will be no best/ beside last/")
    bends = recipe.augment.scan or recipe.augment.kind == "augus-o"
    if bends and (regions is None or regions.without_fit):
        count = len(it.store) if regions is None else regions.without_fit
        console.warn(
            f"{count:,} frames have no fitted geometry, so their sector is never drawn anew; see `usfm sector`"
        )
    if recipe.selection.by_beam and regions is not None and regions.without_fit:
        console.warn(f"{regions.without_fit:,} frames have no fitted geometry and use the grid instead of the beams")


def _say_replay(it: TrainingPlan) -> None:
    frames, recipe = it.frames, it.recipe
    for sentence in frames.said:
        console.warn(sentence)
    if it.config.init is not None:
        warm = round(recipe.optim.warmup * it.training.steps)
        console.say(f"the learning rate rises anew to {it.training.lr:.2g} over {warm:,} steps, and falls to the end")
    if frames.replayed:
        console.say(
            f"{100 * recipe.replay.share:g} % of each batch are of {len(frames.old):,} old frames; the loss on "
            f"{len(frames.old_held_out):,} held-out old frames tells what is forgotten"
        )
    if one_group(frames, recipe):
        console.warn(f"all frames are of one {recipe.balance.by}, so --balance {recipe.balance.by} changes nothing")
