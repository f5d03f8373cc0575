"""Pretrain an encoder on a sector store by masked image modelling: put the parts together, and let the loop run."""

import math
import time
from dataclasses import dataclass, replace

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
from usfm.pretrain.finish import counted, finish
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


@dataclass(frozen=True)
class _Prepared:
    """What is decided before the run's folder is opened."""

    config: Config
    request: Request
    ranks: Ranks
    recipe: Recipe
    store: Store
    rows: np.ndarray
    held_out: np.ndarray
    device: torch.device
    model: MaskedAutoencoder
    training: Training
    settings: dict
    reasons: tuple[str, ...]

    def summary(self) -> dict:
        """What is known of the run before it begins."""
        return {
            "command": "pretrain",
            "out": str(self.request.out),
            "frames_in": len(self.store),
            "frames_out": len(self.store),
            "dropped": 0,
            "rejected": 0,
            "sources": self.store.num_sources,
            "classes": len(self.store.class_names),
            "frames_trained": len(self.rows),
            "frames_held_out": len(self.held_out),
            "steps": self.training.steps,
        }


def _pretrain(config: Config, request: Request, ranks: Ranks) -> dict:
    started = time.perf_counter()
    loggers = check_loggers(config.log)
    it = _prepared(config, request, ranks)
    if request.dry_run:
        RunDirectory(str(request.out), it.settings).check("pretrain", request.overwrite)
    regions = Regions(it.store, it.device) if it.recipe.selection.region else None
    stream = make_stream(it.recipe, it.store, it.rows, it.model.encoder.shape.grid, request.seed, regions)
    if ranks.first and it.reasons:
        console.say(f"fitted to {len(it.rows):,} frames: {'; '.join(it.reasons)}")
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


def _prepared(config: Config, request: Request, ranks: Ranks) -> _Prepared:
    """Open the store, fit the recipe to it, and make the model with its starting weights.

    Raises:
        RequestError: the store or the settings do not do.
    """
    recipe = resolve_recipe(config)
    store = Store.open(request.inputs)
    store.require(fixed=True, regions=recipe.selection.region or recipe.selection.by_beam)
    if request.out is None:
        raise RequestError("say where the run goes: --out runs/NAME")
    device = choose_device(request.device, ranks.local)
    precision = choose_precision(config.precision, device)
    rows, held_out = hold_out(store, recipe.run.held_out, request.seed)
    parts = ranks.world * config.accumulate
    fit_ = fitted(recipe, config.recipe, len(rows), given=_given(config), parts=parts)
    recipe = fit_.recipe
    steps = count_steps(recipe, len(rows))
    if recipe.run.batch_size % parts:
        raise RequestError(
            f"a batch of {recipe.run.batch_size} does not divide into {ranks.world} processes x "
            f"{config.accumulate} parts"
        )
    if config.init is not None and ranks.first:
        progress.say(config.init, strict=request.strict)
    model = build_model(recipe, request.seed, config.init)
    training = training_of(recipe, steps, precision, config.accumulate)
    settings = run_settings(recipe, config, request, store, precision)
    return _Prepared(
        config, request, ranks, recipe, store, rows, held_out, device, model, training, settings, fit_.reasons
    )


def _dry_run(it: _Prepared, stream: Stream) -> dict:
    """Say what the run would take."""
    from usfm.pretrain.estimate import estimate, readable

    plan = estimate(it.recipe, it.model, stream, it.training, it.device)
    console.table("pretrain would train", ("what", "value"), readable(plan, str(it.device)))
    console.say(f"would write {it.request.out}")
    return {**it.summary(), "dry_run": True, "seconds": 0.0, "frames_per_s": None, **plan}


def _train(
    it: _Prepared,
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
        held_out=it.held_out,
        steps=it.training.steps,
        seed=it.request.seed,
        figures=directory.path / "figures" if ranks.first else None,
        probe=_probe(config, model, it.device, it.request.seed) if ranks.first else None,
    )
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
    )
    return result, job.held_out


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


def _open(directory: RunDirectory, it: _Prepared) -> str:
    """Enter the run's folder; the first rank makes it before the others look."""
    card = _card(it)
    if it.ranks.first:
        status = directory.open(overwrite=it.request.overwrite, recipe=it.recipe.as_dict(), card=card)
        it.ranks.wait()
        return status
    it.ranks.wait()
    return directory.open(overwrite=False, recipe={}, card=card)


def _card(it: _Prepared) -> dict:
    """What the run's card says from the beginning."""
    encoder, model, patients = it.model.encoder, it.model, it.store.of_frames("patient")
    return {
        "command": "pretrain",
        "recipe": it.config.recipe,
        "about": it.recipe.as_dict()["about"],
        "encoder": encoder.shape.as_dict(),
        "normalisation": {"mean": encoder.mean.flatten().tolist(), "std": encoder.std.flatten().tolist()},
        "pool": "mean",
        "blur_px": _blur_px(it.recipe) or None,
        "decoder": {"layout": model.decoder.layout, "unit": model.target.unit},
        "frames": len(it.store),
        "counts": {
            f"{what}_{part}": len(rows) if what == "frames" else len(set(patients[rows]) - {""})
            for part, rows in (("trained", it.rows), ("held_out", it.held_out))
            for what in ("frames", "patients")
        },
        "flags": words_of(it.config) + (["--seed", str(it.request.seed)] if it.request.seed else []),
        "software": provenance.software(),
    }


def _say_plan(it: _Prepared, stream: Stream, regions: Regions | None) -> None:
    if not it.ranks.first:
        return
    steps, recipe = it.training.steps, it.recipe
    console.say(
        f"{len(it.rows):,} frames to train on, {len(it.held_out):,} held out, {steps:,} steps of "
        f"{recipe.run.batch_size} ({steps / stream.steps_per_epoch():.1f} epochs), {recipe.model.name} in "
        f"{it.training.precision} on {it.device}" + (f", {it.ranks.world} processes" if it.ranks.world > 1 else "")
    )
    if crowd := crowded(it.device):
        console.warn(crowd)
    if not len(it.held_out):
        console.warn("one source or patient only, so nothing is held out and there will be no best/ beside last/")
    if recipe.selection.by_beam and regions is not None and regions.without_fit:
        console.warn(f"{regions.without_fit:,} frames have no fitted geometry and use the grid instead of the beams")
