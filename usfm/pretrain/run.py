"""Pretrain an encoder on a sector store by masked image modelling: put the parts together, and let the loop run."""

import math
import time
from dataclasses import replace

import numpy as np
import torch

from usfm import console, provenance
from usfm.config import Request, words_of
from usfm.engine.data import Feed, Pixels, hold_out
from usfm.engine.device import Ranks, choose_precision, crowded
from usfm.engine.group import start_ranks, together
from usfm.engine.loop import fit
from usfm.engine.record import RunDirectory, check_loggers
from usfm.engine.step import Training
from usfm.engine.stream import Stream
from usfm.errors import RequestError
from usfm.jobs.outputs import say_up_to_date
from usfm.model import checkpoint, progress
from usfm.model.device import choose_device
from usfm.model.weights import grid_of, load_into, read_weights
from usfm.pretrain import recipe as recipes
from usfm.pretrain.config import Config
from usfm.pretrain.degradations import DEGRADATIONS
from usfm.pretrain.fitted import fields_of, fitted
from usfm.pretrain.job import PretrainJob
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.settings import Recipe
from usfm.pretrain.views import Regions
from usfm.seeding import torch_seed
from usfm.store.reader import Store


def resolve_recipe(config: Config) -> Recipe:
    """The recipe with everything that the command line changes."""
    recipe = recipes.load(config.recipe, config.set)
    if config.model is not None:
        recipe = replace(recipe, model=replace(recipe.model, name=config.model, image_size=0))
    if config.epochs is not None:
        recipe = replace(recipe, run=replace(recipe.run, epochs=config.epochs, steps=0))
    if config.batch_size is not None:
        recipe = replace(recipe, run=replace(recipe.run, batch_size=config.batch_size))
    if config.lr is not None:
        recipe = replace(recipe, optim=replace(recipe.optim, lr=config.lr))
    return recipe


def _given(config: Config) -> list[str]:
    """Fields of the recipe that the command line says, by the last part of their names."""
    flags = {"name": config.model, "batch_size": config.batch_size, "lr": config.lr, "epochs": config.epochs}
    return [name for name, value in flags.items() if value is not None] + fields_of(config.set)


def count_steps(recipe: Recipe, frames: int) -> int:
    """Steps of the run: as many as its epochs take, unless the recipe says how many."""
    steps = recipe.run.steps or math.ceil(recipe.run.epochs * frames / recipe.run.batch_size)
    if steps < 1:
        raise RequestError("the run has no steps: give --epochs, or --set steps=")
    return steps


def training_of(recipe: Recipe, steps: int, precision: str, accumulate: int) -> Training:
    """The loop's settings, from the recipe."""
    o, r = recipe.optim, recipe.run
    return Training(
        steps=steps,
        lr=o.lr or o.base_lr * r.batch_size / 256,
        min_lr=o.min_lr,
        warmup=o.warmup,
        weight_decay=o.weight_decay,
        betas=(o.beta1, o.beta2),
        clip=o.clip,
        ema=o.ema,
        precision=precision,
        checks=r.checks,
        saves=r.saves,
        keep=r.keep,
        accumulate=accumulate,
    )


def build_model(recipe: Recipe, seed: int, init: str | None = None) -> MaskedAutoencoder:
    """The model with its starting weights: random by the seed, or from `init`."""
    torch.manual_seed(torch_seed(seed, "weights"))
    model = MaskedAutoencoder(recipe)
    if init is not None:
        file, _ = checkpoint.locate(init)
        weights = read_weights(file)
        report = load_into(model.encoder, weights, file, grid_of(weights, file))
        console.say(f"start from {init}: {report}")
    return model


def run(config: Config, request: Request) -> dict:
    """Pretrain.

    Returns:
        The summary: frames, steps, seconds, images_per_s, data_wait, loss, best.

    Raises:
        RequestError, WorkError, Interrupted: see `engine.loop.fit` and `engine.record.RunDirectory.open`.
    """
    ranks = start_ranks(request.device)
    with together(ranks):
        return _pretrain(config, request, ranks)


def _pretrain(config: Config, request: Request, ranks: Ranks) -> dict:
    started = time.perf_counter()
    recipe = resolve_recipe(config)
    store = Store.open(request.inputs)
    store.require(fixed=True, regions=recipe.selection.region or recipe.selection.by_beam)
    if request.out is None:
        raise RequestError("say where the run goes: --out runs/NAME")
    loggers = check_loggers(config.log)
    device = choose_device(request.device, ranks.local)
    precision = choose_precision(config.precision, device)
    rows, held_out = hold_out(store, recipe.run.held_out, request.seed)
    fit_ = fitted(recipe, config.recipe, len(rows), given=_given(config), parts=ranks.world * config.accumulate)
    recipe = fit_.recipe
    steps = count_steps(recipe, len(rows))
    if recipe.run.batch_size % (ranks.world * config.accumulate):
        raise RequestError(
            f"a batch of {recipe.run.batch_size} does not divide into {ranks.world} processes x "
            f"{config.accumulate} parts"
        )
    if config.init is not None and ranks.first:
        progress.say(config.init, strict=request.strict)
    model = build_model(recipe, request.seed, config.init)
    summary = {
        "command": "pretrain",
        "out": str(request.out),
        "frames_in": len(store),
        "frames_out": len(store),
        "dropped": 0,
        "rejected": 0,
        "sources": store.num_sources,
        "classes": len(store.class_names),
        "frames_trained": len(rows),
        "frames_held_out": len(held_out),
        "steps": steps,
    }
    settings = run_settings(recipe, config, request, store, precision)
    if request.dry_run:
        RunDirectory(request.out, settings).check("pretrain", request.overwrite)
    regions = Regions(store, device) if recipe.selection.region else None
    stream = make_stream(recipe, store, rows, model.encoder.shape.grid, request.seed, regions)
    training = training_of(recipe, steps, precision, config.accumulate)
    if ranks.first and fit_.reasons:
        console.say(f"fitted to {len(rows):,} frames: {'; '.join(fit_.reasons)}")
    if request.dry_run:
        from usfm.pretrain.estimate import estimate, readable

        plan = estimate(recipe, model, stream, training, device)
        console.table("pretrain would train", ("what", "value"), readable(plan, str(device)))
        console.say(f"would write {request.out}")
        return {**summary, "dry_run": True, "seconds": 0.0, "frames_per_s": None, **plan}

    with RunDirectory(request.out, settings, writes=ranks.first) as directory:
        status = _open(directory, config, request, recipe, model, store, ranks, (rows, held_out))
        if ranks.first and status != "done":
            directory.update({"steps": steps})
        if status == "done":
            say_up_to_date(request.out)
            known = directory.card.get("result", {})
            return {**summary, "seconds": 0.0, "frames_per_s": None, "images_per_s": None, **known}
        _say_plan(recipe, stream, regions, len(rows), len(held_out), steps, device, precision, ranks)
        model.to(device)
        if config.compile if config.compile is not None else device.type == "cuda":
            compile_blocks(model)
        pixels = Pixels(store, device, config.cache)
        place = None if regions is None else regions.rows
        feed = Feed(stream, pixels, place, rank=ranks.rank, world=ranks.world, accumulate=config.accumulate)
        job = PretrainJob(
            recipe,
            model,
            stream,
            pixels,
            regions,
            held_out=held_out,
            steps=steps,
            seed=request.seed,
            figures=directory.path / "figures" if ranks.first else None,
            probe=_probe(config, model, device, request.seed) if ranks.first else None,
        )
        result = fit(
            job,
            feed,
            training,
            directory,
            ranks=ranks,
            device=device,
            resume=status == "resume",
            loggers=loggers,
            profile=config.profile,
            describe=job.describe,
        )
        if ranks.first:
            _finish(directory, result, started, recipe.optim.warmup, _counted(store, job.held_out))
    if "profile" in result:
        console.table("milliseconds a step", ("part", "ms"), list(result["profile"].items()))
    seconds = time.perf_counter() - started
    return {**summary, **result, "seconds": round(seconds, 2), "frames_per_s": result["images_per_s"]}


def _probe(config: Config, model: MaskedAutoencoder, device: torch.device, seed: int):
    """The probe that watches, where one was asked for."""
    if config.probe is None:
        return None
    from usfm.pretrain.watch import OnlineProbe

    blur_px = _blur_px(model.recipe)
    return OnlineProbe(config.probe, model.encoder.shape.image_size, device, seed, blur_px=blur_px)


def _blur_px(recipe: Recipe) -> float:
    """The blur that frames need wherever the encoder is used, px; 0 for none."""
    return recipe.degrade.sigma_px if DEGRADATIONS[recipe.degrade.kind].downstream else 0.0


def make_stream(recipe: Recipe, store: Store, rows, grid, seed: int, regions: Regions | None) -> Stream:
    """The stream of batches that a recipe asks for."""
    a = recipe.augment
    crop = {"area": (a.crop_low, a.crop_high), "hflip": a.hflip, "vflip": a.vflip, "rotate_deg": a.rotate_deg}
    return Stream(
        rows,
        recipe.run.batch_size,
        store.frame_size,
        grid,
        seed,
        crop=crop,
        areas=None if regions is None else regions.areas,
        region_rows=None if regions is None else regions.rows,
        tau=recipe.selection.tau,
    )


def run_settings(recipe: Recipe, config: Config, request: Request, store: Store, precision: str) -> dict:
    """Everything that changes the result, for telling whether two runs are the same."""
    init = None if config.init is None else provenance.file_sha256(checkpoint.locate(config.init)[0])
    return {
        "recipe": recipes.settings_of(recipe),
        "seed": request.seed,
        "precision": precision,
        "init": init,
        "inputs": store.content_id,
    }


def compile_blocks(model: MaskedAutoencoder) -> None:
    """Compile the transformer blocks one by one: a few seconds, and one program for blocks of the same shape."""
    import torch._dynamo

    limit = "recompile_limit" if hasattr(torch._dynamo.config, "recompile_limit") else "cache_size_limit"
    setattr(torch._dynamo.config, limit, 64)  # one a bucket of candidates, for encoder and decoder
    for block in [*model.encoder.blocks, *model.decoder.blocks()]:
        block.compile(dynamic=False)


def _open(
    directory: RunDirectory,
    config: Config,
    request: Request,
    recipe: Recipe,
    model,
    store: Store,
    ranks: Ranks,
    cut: tuple[np.ndarray, np.ndarray],
) -> str:
    """Enter the run's folder; the first rank makes it before the others look."""
    patients = store.of_frames("patient")
    card = {
        "command": "pretrain",
        "recipe": config.recipe,
        "about": recipe.as_dict()["about"],
        "encoder": model.encoder.shape.as_dict(),
        "normalisation": {"mean": model.encoder.mean.flatten().tolist(), "std": model.encoder.std.flatten().tolist()},
        "pool": "mean",
        "blur_px": _blur_px(recipe) or None,
        "decoder": {"layout": model.decoder.layout, "unit": model.target.unit},
        "frames": len(store),
        "counts": {
            f"{what}_{part}": len(rows) if what == "frames" else len(set(patients[rows]) - {""})
            for part, rows in zip(("trained", "held_out"), cut, strict=True)
            for what in ("frames", "patients")
        },
        "flags": words_of(config) + (["--seed", str(request.seed)] if request.seed else []),
        "software": provenance.software(),
    }
    if ranks.first:
        status = directory.open(overwrite=request.overwrite, recipe=recipe.as_dict(), card=card)
        ranks.wait()
        return status
    ranks.wait()
    status = directory.open(overwrite=False, recipe={}, card=card)
    return status


def _say_plan(recipe, stream, regions, trained, held_out, steps, device, precision, ranks) -> None:
    if not ranks.first:
        return
    console.say(
        f"{trained:,} frames to train on, {held_out:,} held out, {steps:,} steps of {recipe.run.batch_size} "
        f"({steps / stream.steps_per_epoch():.1f} epochs), {recipe.model.name} in {precision} on {device}"
        + (f", {ranks.world} processes" if ranks.world > 1 else "")
    )
    if crowd := crowded(device):
        console.warn(crowd)
    if not held_out:
        console.warn("one source or patient only, so nothing is held out and there will be no best/ beside last/")
    if recipe.selection.by_beam and regions is not None and regions.without_fit:
        console.warn(f"{regions.without_fit:,} frames have no fitted geometry and use the grid instead of the beams")


def _averaged(steps: list[int], losses: list[float], points: int = 200) -> tuple[list[float], list[float]]:
    """Means over runs of neighbours: regions differ from batch to batch, so that single losses hide the course.

    >>> _averaged([1, 2, 3, 4], [8.0, 6.0, 4.0, 2.0], points=2), _averaged([], [])
    (([1.5, 3.5], [7.0, 3.0]), ([], []))
    """
    runs = [run for run in np.array_split(np.arange(len(steps)), points) if len(run)]
    return [float(np.mean(np.take(steps, run))) for run in runs], [float(np.mean(np.take(losses, run))) for run in runs]


def _settled(series: dict[str, tuple[list, list]], steps: int, warmup: float) -> tuple[float, float] | None:
    """Limits of y that show the course after the warm-up: losses of the first steps would flatten the rest.

    Args:
        series: name -> (steps, losses).
        steps: of the run.
        warmup: share of the run that warms up.

    Returns:
        (low, high) with a margin, or None where no step lies behind the warm-up.

    >>> _settled({"training": ([1, 50, 100], [90.0, 2.0, 1.0])}, 100, 0.05)
    (0.95, 2.05)
    """
    values = [y for at, ys in series.values() for x, y in zip(at, ys, strict=True) if x > warmup * steps]
    if not values or min(values) == max(values):
        return None
    margin = (max(values) - min(values)) / 20
    return min(values) - margin, max(values) + margin


def _finish(directory: RunDirectory, result: dict, started: float, warmup: float, held_out: str) -> None:
    from usfm.pictures.curves import curves

    rows = directory.metrics()
    train = [row for row in rows if row.get("loss") is not None]
    held = [row for row in rows if row.get("held_out_loss") is not None]
    series = {"training": _averaged([r["step"] for r in train], [r["loss"] for r in train])}
    if held:
        series[f"held out ({held_out})"] = ([r["step"] for r in held], [r["held_out_loss"] for r in held])
    limits = _settled(series, result["steps"], warmup)
    curves(directory.path / "figures" / "loss.png", series, "step", "reconstruction loss", ylim=limits)
    probed = [row for row in rows if "probe_knn" in row]
    if probed:
        steps = [row["step"] for row in probed]
        named = {name: (steps, [row[name] for row in probed]) for name in ("probe_knn", "probe_linear")}
        curves(directory.path / "figures" / "probe.png", named, "step", "balanced accuracy", markers=True)
    seconds = round(time.perf_counter() - started, 2)
    directory.update(
        {"status": "complete", "result": {k: v for k, v in result.items() if k != "profile"}, "seconds": seconds}
    )


def _counted(store: Store, rows: np.ndarray) -> str:
    """How many frames, sources and patients some rows are, in words."""
    patients = set(store.of_frames("patient")[rows]) - {""}
    sources = len(set(store.column("source")[rows].tolist()))
    whose = f", {len(patients)} patients" if patients else ""
    return f"{len(rows):,} frames, {sources:,} sources{whose}"
