"""A recipe fitted to a store: model, decoder, batch, rate and length for as many frames as there are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from usfm.model.vit import SIZES, encoder_shape
from usfm.pretrain.settings import Recipe

SMALL_STORES = ((5_000, "tiny", 1_000), (50_000, "small", 2_000))
"""Under so many training frames the encoder is at most of this size, and the run has at most so many steps."""

STEPS_PER_EPOCH = 12
"""Batches that an epoch has at least, where the batch is fitted."""

LEAST_BATCH = 8
PUBLISHED = "-published"


@dataclass(frozen=True)
class Fit:
    """What was fitted.

    Attributes:
        recipe: with the fitted values.
        reasons: one sentence each, for people; empty where the recipe stays as it is.
    """

    recipe: Recipe
    reasons: tuple[str, ...]


def fitted(recipe: Recipe, name: str, frames: int, *, given: Sequence[str] = (), parts: int = 1) -> Fit:
    """Fit a recipe to a store, where neither the user nor a published recipe says otherwise.

    The encoder is a vit_tiny under 5,000 training frames and a vit_small under 50,000, never larger than the recipe's.
    The decoder keeps the proportions that it has in the recipe. The batch is the largest power of two that gives an
    epoch twelve batches, never more than the recipe's. The peak rate falls with the square root of the batch, as suits
    AdamW; MAE's linear rule would bring it to almost nothing. Below those numbers of frames a run has 1,000 or 2,000
    steps at most: the recipe's epochs are meant for large collections and GPUs.

    Args:
        recipe: with what the user changed.
        name: as typed. Recipes named `*-published` and recipe files say everything and are never fitted.
        frames: to train on.
        given: fields that the user set, by the last part of their names ("batch_size", "lr", "name", ...).
        parts: processes times accumulated parts, into which a batch must divide.

    Returns:
        The recipe to run, and what was fitted.
    """
    if name.endswith((PUBLISHED, ".toml")) or frames < 1:
        return Fit(recipe, ())
    reasons: list[str] = []
    for fit in (_model, _batch, _length):
        recipe, reason = fit(recipe, frames, set(given), parts)
        if reason:
            reasons.append(reason)
    return Fit(recipe, tuple(reasons))


def _model(recipe: Recipe, frames: int, given: set[str], parts: int) -> tuple[Recipe, str]:
    own = encoder_shape(recipe.model.name, image_size=recipe.model.image_size or None)
    limit, size, _ = _small(frames)
    reason = ""
    if limit and "name" not in given and SIZES[size][0] < own.embed_dim:
        model = re.sub(r"^vit_[a-z]+_", f"vit_{size}_", recipe.model.name)
        recipe = replace(recipe, model=replace(recipe.model, name=model))
        reason = f"{model}, since there are under {limit:,} frames to train on"
    now = encoder_shape(recipe.model.name, image_size=recipe.model.image_size or None)
    if now.embed_dim < own.embed_dim or "name" in given:
        recipe = replace(recipe, decoder=_decoder(recipe, now.embed_dim, now.depth, given))
    return recipe, reason


def _decoder(recipe: Recipe, width: int, depth: int, given: set[str]):
    """The decoder beside an encoder of another size: in proportion to ViT-B's, heads as wide as they were."""
    d, (base_width, base_depth, _) = recipe.decoder, SIZES["base"]
    head = max(1, d.width // d.heads)
    wide = max(head, round(d.width * width / base_width / head) * head)
    wide = min(d.width, wide) if "width" not in given else d.width
    deep = d.depth if "depth" in given else max(1, min(d.depth, round(d.depth * depth / base_depth)))
    heads = d.heads if "heads" in given else max(1, wide // head)
    return replace(d, width=wide, depth=deep, heads=heads if wide % heads == 0 else d.heads)


def _batch(recipe: Recipe, frames: int, given: set[str], parts: int) -> tuple[Recipe, str]:
    own = recipe.run.batch_size
    wanted = max(LEAST_BATCH, 1 << max(0, (frames // STEPS_PER_EPOCH).bit_length() - 1))
    batch = min(own, wanted, frames)
    batch = max(parts, batch - batch % parts) if batch >= parts else batch
    if "batch_size" in given or batch >= own:
        return recipe, ""
    reason = f"batches of {batch}, since {STEPS_PER_EPOCH} or more make an epoch"
    if not {"lr", "base_lr"} & given:
        peak = recipe.optim.lr or recipe.optim.base_lr * own / 256
        rate = float(f"{peak * (batch / own) ** 0.5:.3g}")
        recipe = replace(recipe, optim=replace(recipe.optim, lr=rate))
        reason += f", and a peak rate of {rate:g}, which falls with the square root of the batch"
    return replace(recipe, run=replace(recipe.run, batch_size=batch)), reason


def _length(recipe: Recipe, frames: int, given: set[str], parts: int) -> tuple[Recipe, str]:
    steps, batch = _small(frames)[2], recipe.run.batch_size
    own = recipe.run.steps or recipe.run.epochs * frames / batch
    if not steps or own <= steps or {"epochs", "steps"} & given:
        return recipe, ""
    reason = f"{steps:,} steps, {steps * batch / frames:.0f} passes over the frames (--epochs for more)"
    return replace(recipe, run=replace(recipe.run, steps=steps)), reason


def _small(frames: int) -> tuple[int, str, int]:
    return next((row for row in SMALL_STORES if frames < row[0]), (0, "", 0))
