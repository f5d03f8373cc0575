"""What a run would take, before it starts: parameters, arithmetic, memory, time."""

import time
from dataclasses import replace

import torch

from usfm.engine.device import autocast
from usfm.engine.step import Training
from usfm.engine.stream import Stream
from usfm.pretrain.decoders.contract import block_flops
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import NOISES, Counts
from usfm.pretrain.settings import Recipe
from usfm.quantities import duration, size

TRIAL = 4  # images in the timed step


def flops_per_image(model: MaskedAutoencoder, counts: Counts) -> float:
    """Forward and backward of one image (backward counted as twice the forward): encoder, decoder, projections.

    Args:
        model: the model.
        counts: tokens of each kind.

    Returns:
        Operations, a multiplication and an addition counted as two.
    """
    shape = model.encoder.shape
    patch, total = shape.patch**2 * shape.in_chans, shape.grid[0] * shape.grid[1]
    counts = had_by_encoder(model, counts)
    seen = counts.visible + 1
    encoder = shape.depth * block_flops(seen, seen, shape.embed_dim) + 2 * seen * patch * shape.embed_dim
    looked = 2 * total * patch * shape.embed_dim if counts.grown else 0.0  # tokens for similarity, forward only
    return 3 * (encoder + model.decoder.flops(counts)) + looked


def had_by_encoder(model: MaskedAutoencoder, counts: Counts) -> Counts:
    """Counts with as many visible tokens as pass the encoder: all of them where hidden ones are only filled.

    Args:
        model: the model, whose recipe says how tokens are hidden.
        counts: tokens of each kind, as they are drawn.

    Returns:
        `counts` itself, or the changed ones.
    """
    if model.recipe.selection.hide == "drop":
        return counts
    return replace(counts, first=model.encoder.shape.grid[0] * model.encoder.shape.grid[1], grown=0)


def memory_bytes(model: MaskedAutoencoder, counts: Counts, images: int, precision: str) -> float:
    """Weights, gradients, two moments, and what the backward pass keeps; a guide, not a promise.

    A block keeps about 16 values of its width a token besides the attention's (which the fused kernel recomputes).

    Args:
        model: the model.
        counts: tokens of each kind.
        images: of one part of a step.
        precision: fp32, bf16 or fp16.

    Returns:
        Bytes.
    """
    shape, counts = model.encoder.shape, had_by_encoder(model, counts)
    parameters = sum(p.numel() for p in model.parameters())
    size = 4 if precision == "fp32" else 2
    decoded = model.decoder.tokens(counts) * model.recipe.decoder.width
    kept = 16 * size * (shape.depth * (counts.visible + 1) * shape.embed_dim + decoded)
    pixels = 16 * shape.image_size[0] * shape.image_size[1]
    return parameters * 16 + images * (kept + pixels)


def estimate(
    recipe: Recipe, model: MaskedAutoencoder, stream: Stream, training: Training, device: torch.device
) -> dict:
    """Figures for `--dry-run`: the first batches' plans are made, and one small step is timed on random frames.

    Args:
        recipe: of the run.
        model: moved to the device.
        stream: of the run's batches.
        training: the loop's settings.
        device: that the step is timed on.

    Returns:
        Figures by name, with their units in the names.
    """
    plans = [stream.plan(step) for step in range(min(8, training.steps))]
    k = sorted(plan.candidates for plan in plans)[len(plans) // 2]
    counts = Counts.of(k, recipe.selection)
    shape = model.encoder.shape
    seconds = _time(model.to(device), counts, training, device)
    batch = recipe.run.batch_size
    return {
        "model": shape.name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "encoder_parameters": sum(p.numel() for p in model.encoder.parameters()),
        "batch_size": recipe.run.batch_size,
        "steps": training.steps,
        "epochs": round(training.steps / stream.steps_per_epoch(), 2),
        "peak_lr": training.lr,
        "candidates": k,
        "visible": counts.visible,
        "targets": counts.targets,
        "flops_per_image": flops_per_image(model, counts),
        "memory_bytes": memory_bytes(model, counts, -(-batch // training.accumulate), training.precision),
        "images_per_s": round(1 / seconds, 2),
        "eta_s": round(training.steps * batch * seconds, 1),
    }


GPU_FLOP_PER_S = 1e14
"""What a large GPU of today sustains in bf16 on such networks, about a fifth of what its maker prints."""


def readable(plan: dict, device: str) -> list[tuple[str, str]]:
    """The figures of `estimate` in units that a person reads.

    Args:
        plan: from `estimate`.
        device: that the time was measured on.

    Returns:
        (what, figure) for each line.
    """
    seconds = plan["flops_per_image"] * plan["batch_size"] * plan["steps"] / GPU_FLOP_PER_S
    quick = "minutes"  # starting and reading take longer than the arithmetic then
    parameters, encoder = plan["parameters"] / 1e6, plan["encoder_parameters"] / 1e6
    return [
        ("encoder", plan["model"]),
        ("parameters", f"{parameters:,.1f} million, {encoder:,.1f} of them in the encoder"),
        ("batch", f"{plan['batch_size']:,} images"),
        ("length", f"{plan['steps']:,} steps, {plan['epochs']:,.1f} epochs"),
        ("peak learning rate", f"{plan['peak_lr']:.2g}"),
        ("tokens an image", f"{plan['candidates']}: {plan['visible']} seen, {plan['targets']} reconstructed"),
        ("memory", f"about {size(plan['memory_bytes'])}"),
        (f"time on {device}", f"{duration(plan['eta_s'])} at {plan['images_per_s']:,.1f} images/s"),
        ("time on a large GPU", f"{quick if seconds < 60 else f'about {duration(seconds)}'}, if fed fast enough"),
    ]


def _time(model: MaskedAutoencoder, counts: Counts, training: Training, device: torch.device) -> float:
    """Seconds an image takes, forward and backward, once warm."""
    shape = model.encoder.shape
    total = shape.grid[0] * shape.grid[1]
    images = torch.rand(TRIAL, shape.in_chans, *shape.image_size, device=device) * 255
    view = View(images[:, :1], torch.ones(TRIAL, total, device=device), shape.grid)
    noise = torch.rand(NOISES, TRIAL, total, device=device)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        with autocast(training.precision, device):
            loss = model(images, view, counts, noise, 0.0).loss
        loss.backward()
        loss.item()
        best = min(best, time.perf_counter() - started)
    model.zero_grad(set_to_none=True)
    return best / TRIAL
