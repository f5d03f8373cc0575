"""What a run will be, decided before its folder is opened: recipe, frames, order, model, settings."""

import math
from dataclasses import dataclass, replace

import torch

from usfm import provenance
from usfm.config import Request, words_of
from usfm.engine.device import Ranks, choose_precision
from usfm.engine.order import Order
from usfm.engine.step import Training
from usfm.errors import RequestError
from usfm.model import checkpoint, progress
from usfm.model.device import choose_device
from usfm.pretrain import recipe as recipes
from usfm.pretrain.config import Config, given_fields
from usfm.pretrain.degradations import DEGRADATIONS
from usfm.pretrain.fitted import fitted
from usfm.pretrain.frames import Frames, frames_of, order_of, places_of
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.settings import Recipe
from usfm.pretrain.start import Origin, Start, origin_of, refuse_replay_alone, shaped_as, started
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
    if config.balance is not None:
        recipe = replace(recipe, balance=replace(recipe.balance, by=config.balance))
    return recipe


def count_steps(recipe: Recipe, frames: float) -> int:
    """Steps of the run: as many as its epochs take, unless the recipe says how many.

    Args:
        recipe: its [run] says epochs or steps.
        frames: that one epoch is counted as.

    Returns:
        Steps, 1 or more.

    Raises:
        RequestError: the recipe asks for none.
    """
    steps = recipe.run.steps or math.ceil(recipe.run.epochs * frames / recipe.run.batch_size)
    if steps < 1:
        raise RequestError("the run has no steps: give --epochs, or --set steps=")
    return steps


def training_of(recipe: Recipe, steps: int, precision: str, accumulate: int) -> Training:
    """The loop's settings, from the recipe.

    Args:
        recipe: its [optim] and [run].
        steps: of the run.
        precision: fp32, bf16 or fp16.
        accumulate: parts that a step is worked in.

    Returns:
        The settings.
    """
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


@dataclass(frozen=True)
class TrainingPlan:
    """What is decided before the run's folder is opened."""

    config: Config
    request: Request
    ranks: Ranks
    recipe: Recipe
    frames: Frames
    order: Order
    device: torch.device
    start: Start
    training: Training
    settings: dict
    reasons: tuple[str, ...]
    origin: Origin | None = None

    @property
    def store(self) -> Store:
        """All frames of the run, the old ones too."""
        return self.frames.store

    @property
    def model(self) -> MaskedAutoencoder:
        """What is trained."""
        return self.start.model

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
            "frames_trained": len(self.frames.rows),
            "frames_held_out": len(self.frames.held_out),
            **({"frames_replayed": len(self.frames.old)} if self.frames.replayed else {}),
            "steps": self.training.steps,
        }


def planned(config: Config, request: Request, ranks: Ranks) -> TrainingPlan:
    """Open the store, fit the recipe to it, and make the model with its starting weights.

    Args:
        config: options of the command.
        request: common options.
        ranks: the processes of the run.

    Returns:
        What the run will be; nothing is written yet.

    Raises:
        RequestError: the store or the settings do not do.
    """
    recipe, given = resolve_recipe(config), given_fields(config)
    refuse_replay_alone(config.init, config.replay)
    store = Store.open(request.inputs)
    store.require(fixed=True, regions=recipe.selection.region or recipe.selection.by_beam)
    if request.out is None:
        raise RequestError("say where the run goes: --out runs/NAME")
    device = choose_device(request.device, ranks.local)
    precision = choose_precision(config.precision, device)
    origin = origin_of(config.init)
    recipe, settled = shaped_as(recipe, origin, config.recipe, given)
    frames = frames_of(store, config.replay, recipe, origin, request.seed)
    places = places_of(frames, recipe)
    parts = ranks.world * config.accumulate
    fit_ = fitted(recipe, config.recipe, int(places), given=[*given, *settled], parts=parts)
    recipe = fit_.recipe
    steps = count_steps(recipe, places)
    order = order_of(frames, replace(recipe, run=replace(recipe.run, steps=steps)), request.seed)
    if recipe.run.batch_size % parts:
        raise RequestError(
            f"a batch of {recipe.run.batch_size} does not divide into {ranks.world} processes x "
            f"{config.accumulate} parts"
        )
    if config.init is not None and ranks.first:
        progress.say(config.init, strict=request.strict)
    start = started(recipe, request.seed, config.init, origin, tell=ranks.first)
    training = training_of(recipe, steps, precision, config.accumulate)
    settings = run_settings(recipe, config, request, store, precision)
    if frames.replayed:
        settings["replay"] = frames.replayed
    return TrainingPlan(
        config, request, ranks, recipe, frames, order, device, start, training, settings, fit_.reasons, origin
    )


def run_settings(recipe: Recipe, config: Config, request: Request, store: Store, precision: str) -> dict:
    """Everything that changes the result, for telling whether two runs are the same.

    Args:
        recipe: resolved.
        config: options of the command.
        request: common options.
        store: that the run trains on.
        precision: fp32, bf16 or fp16.

    Returns:
        What JSON can hold.
    """
    init = None if config.init is None else provenance.file_sha256(checkpoint.locate(config.init)[0])
    return {
        "recipe": recipes.settings_of(recipe),
        "seed": request.seed,
        "precision": precision,
        "init": init,
        "inputs": store.content_id,
    }


def blur_px(recipe: Recipe) -> float:
    """The blur that frames need wherever the encoder is used, px; 0 for none."""
    return recipe.degrade.sigma_px if DEGRADATIONS[recipe.degrade.kind].downstream else 0.0


def card_of(it: TrainingPlan) -> dict:
    """What the run's card says from the beginning."""
    encoder, model, patients = it.model.encoder, it.model, it.store.of_frames("patient")
    return {
        "command": "pretrain",
        "recipe": it.config.recipe,
        "about": it.recipe.as_dict()["about"],
        "encoder": encoder.shape.as_dict(),
        "normalisation": {"mean": encoder.mean.flatten().tolist(), "std": encoder.std.flatten().tolist()},
        "pool": "mean",
        "blur_px": blur_px(it.recipe) or None,
        "decoder": {"layout": model.decoder.layout, "unit": model.target.unit},
        "frames": len(it.store),
        "counts": {
            f"{what}_{part}": len(rows) if what == "frames" else len(set(patients[rows]) - {""})
            for part, rows in (("trained", it.frames.rows), ("held_out", it.frames.held_out))
            for what in ("frames", "patients")
        },
        **({"frames_replayed": len(it.frames.old)} if it.frames.replayed else {}),
        "before": _before(it) or None,
        "flags": words_of(it.config) + (["--seed", str(it.request.seed)] if it.request.seed else []),
        "software": provenance.software(),
    }


def _before(it: TrainingPlan) -> list[str]:
    """Ids of other stores that the weights have seen: the replayed one, and those of the run that is gone on from."""
    origin = it.origin
    ids = [it.frames.replayed, *((origin.inputs, *origin.before) if origin is not None else ())]
    return list(dict.fromkeys(filter(None, ids)))
