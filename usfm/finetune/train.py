"""One fold trained through the engine's loop, in a folder of its own, so that the same command goes on with it."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from usfm import console
from usfm.engine.data import Feed
from usfm.engine.device import Ranks
from usfm.engine.loop import fit
from usfm.engine.prepared import Prepared
from usfm.engine.record import RunDirectory
from usfm.engine.step import Training
from usfm.engine.stream import Stream
from usfm.errors import RequestError
from usfm.finetune.settings import Tuning, identity
from usfm.finetune.supervised import Supervised, build
from usfm.model import lora
from usfm.model.network import Network
from usfm.tasks.learner import Learner
from usfm.tasks.trained import Model, use

BATCH, SHOWN = "batch.png", 8
"""The picture of a fold's first batch, and how many frames of it are drawn."""
SMALL = 10_000_000
"""Parameters under which LoRA spares nothing."""


@dataclass(frozen=True)
class Trained:
    """A fold after its training.

    Attributes:
        decoded: what the model says of the held-out rows, name -> (n, ...).
        validation: the same of the validation rows.
        line: figures of the training, JSON values.
    """

    decoded: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]
    line: dict


@dataclass(frozen=True)
class Fold:
    """Rows of the store that one training uses.

    Attributes:
        name: of the fold.
        train: to learn from.
        validation: to choose the best moment by; none of them is in the others.
        held: to be predicted after it.
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    held: np.ndarray


def rate_of(protocol: str, tuning: Tuning, batch: int) -> float:
    """The peak learning rate.

    Args:
        protocol: frozen, lora or full.
        tuning: its lr wins.
        batch: frames a step.

    Returns:
        The rate of a parameter whose factor is 1. Source: MAE's fine-tuning has 1e-3 for a batch of 256 (ViT-L), in
        proportion to the batch; LoRA about ten times full fine-tuning.
    """
    usual = {"full": 1e-3 * batch / 256, "frozen": 1e-3, "lora": 5e-4}
    return usual[protocol] if tuning.lr is None else tuning.lr


def training_of(
    protocol: str, tuning: Tuning, frames: int, precision: str, accumulate: int, parts: int, higher: bool
) -> Training:
    """The loop's settings for so many training frames.

    Args:
        protocol: frozen, lora or full.
        tuning: how.
        frames: to train on.
        precision: fp32, bf16 or fp16.
        accumulate: parts that a step is worked in.
        parts: that each step is cut into over all processes; a batch is a multiple of them.
        higher: whether a higher score is better.

    Returns:
        The settings; one check an epoch.

    Raises:
        RequestError: there are fewer frames than parts.
    """
    batch = batch_of(tuning, frames, parts)
    epoch = math.ceil(frames / batch)
    steps = tuning.steps or tuning.epochs * epoch
    checks = max(1, round(steps / epoch))
    return Training(
        steps=steps,
        lr=rate_of(protocol, tuning, batch),
        min_lr=min(tuning.min_lr, rate_of(protocol, tuning, batch)),
        warmup=tuning.warmup,
        weight_decay=tuning.weight_decay,
        betas=(0.9, 0.999),
        clip=tuning.clip,
        ema=tuning.ema,
        precision=precision,
        checks=checks,
        saves=min(checks, 20),
        accumulate=accumulate,
        patience=tuning.patience,
        higher=higher,
    )


def batch_of(tuning: Tuning, frames: int, parts: int) -> int:
    """Frames a step: as many as asked for, as far as there are so many, and a multiple of the parts.

    Args:
        tuning: its batch_size.
        frames: to train on.
        parts: that each step is cut into.

    Returns:
        At least one a part.

    Raises:
        RequestError: there are fewer frames than parts.
    """
    batch = min(tuning.batch_size, frames) // parts * parts
    if not batch:
        raise RequestError(
            f"{min(tuning.batch_size, frames)} frames a step cannot be cut into {parts} parts; give fewer processes "
            "or a smaller --accumulate"
        )
    return batch


def train(
    fold: Fold,
    make: Callable[[], Network],
    learner: Learner,
    frames: Prepared,
    *,
    protocol: str,
    tuning: Tuning,
    folder: Path,
    settings: dict,
    seed: int,
    ranks: Ranks,
    precision: str = "fp32",
    accumulate: int = 1,
    overwrite: bool = False,
) -> Trained:
    """Train on a fold, or go on with it, and predict its held-out frames with the weights of its best moment.

    Args:
        fold: the rows.
        make: loads the network anew.
        learner: of the task.
        frames: prepared frames of all these rows.
        protocol: frozen, lora or full.
        tuning: how.
        folder: of the fold; a training that was stopped there goes on.
        settings: what makes another training of it, JSON values.
        seed: of all draws.
        ranks: this process among others.
        precision: fp32, bf16 or fp16.
        accumulate: parts that a step is worked in.
        overwrite: whether another training in the folder may be replaced.

    Returns:
        What it says of the held-out and the validation rows.

    Raises:
        RequestError, WorkError, Interrupted: as `usfm.engine.loop.fit`.
    """
    started, parts = time.monotonic(), ranks.world * accumulate
    model = build(make(), learner, protocol, tuning, seed).to(frames.device)
    job = Supervised(model, learner, frames, tuning, fold.validation, seed)
    samples = frames.samples(fold.train)
    how = training_of(protocol, tuning, len(samples), precision, accumulate, parts, learner.higher)
    batch = batch_of(tuning, len(samples), parts)
    refuse_lone_values(model, frames, batch // parts)
    stream = Stream(samples, batch, frames.entry.image_size, (1, 1), seed)
    feed = Feed(stream, frames, rank=ranks.rank, world=ranks.world, accumulate=accumulate, truth=learner.truth)
    shares = lora.trained(model)
    with RunDirectory(folder, settings, writes=ranks.first) as directory:
        status = _opened(directory, ranks, fold.name, tuning, overwrite)
        if status == "done":
            line = dict(directory.card["result"])
        else:
            if ranks.first:
                draw_batch(job, feed, directory.path / "figures" / BATCH)
            line = fit(job, feed, how, directory, ranks=ranks, device=frames.device, resume=status == "resume",
                       title=f"fold {fold.name}")  # fmt: skip
            line |= {"trained_parameters": shares[0], "parameters": shares[1],
                     "seconds": round(time.monotonic() - started, 2)}  # fmt: skip
            if ranks.first:
                directory.update({"status": "complete", "result": line})
        ranks.wait()
        best = directory.path / ("best" if (directory.path / "best").is_dir() else "last")
        use(model, best)
    decoded = job.predict(model, fold.held, precision)
    return Trained(decoded, job.predict(model, fold.validation, precision), line)


def _opened(directory: RunDirectory, ranks: Ranks, fold: str, tuning: Tuning, overwrite: bool) -> str:
    """Open the directory of a fold, the first process before the others; says new, resume or done."""
    card = {"command": "finetune", "kind": "fold", "fold": fold}
    if ranks.first:
        status = directory.open(overwrite=overwrite, recipe={"finetune": _said(tuning)}, card=card)
        ranks.wait()
        return status
    ranks.wait()
    return directory.open(overwrite=False, recipe={}, card=card)


def refuse_lone_values(model: Model, frames: Prepared, part: int) -> None:
    """See that no batch norm is left with a single value, before anything is written.

    Args:
        model: in training mode; it stays as it is.
        frames: say the size of a frame.
        part: frames that are trained on at once.

    Raises:
        RequestError: a norm over the batch has one value, of which there is no spread.
    """
    if part > 1 or not any(isinstance(each, _BatchNorm) for each in model.modules()):
        return
    size = frames.entry.image_size
    try:
        with torch.no_grad(), torch.random.fork_rng():
            copy.deepcopy(model)(torch.zeros(1, frames.entry.in_chans, *size, device=frames.device))
    except ValueError as error:
        if "more than 1 value" not in str(error):
            raise
        raise RequestError(
            f"one frame of {size[0]} x {size[1]} px at a time leaves a norm of this network a single value; give a "
            "larger --batch-size or --image-size, a smaller --accumulate, or another --head"
        ) from None


def draw_batch(job: Supervised, feed: Feed, path: Path) -> None:
    """Draw some frames of the first batch, as they are above as the network sees them.

    Args:
        job: augments them.
        feed: gives the batch.
        path: where to.
    """
    from usfm.pictures.sheet import contact_sheet

    batch = feed.make(0)[0].head(SHOWN)
    seen = job.view(batch)[0].round().clamp(0, 255).byte()
    rows = [each.cpu().numpy().transpose(0, 2, 3, 1).squeeze(-1) if each.shape[1] == 1 else
            each.cpu().numpy().transpose(0, 2, 3, 1) for each in (batch.frames, seen)]  # fmt: skip
    title = f"the first batch: stored frames above, with --augment {job.tuning.augment} below"
    contact_sheet([*rows[0], *rows[1]], None, len(rows[0]), 112, path, title=title)


def _said(tuning: Tuning) -> dict:
    return {name: value for name, value in identity(tuning).items() if value is not None}


def say_share(model: Model, protocol: str) -> None:
    """Say how much of a model is trained, and that LoRA on a small one spares little.

    Args:
        model: as `build` makes it.
        protocol: frozen, lora or full.
    """
    some, whole = lora.trained(model)
    console.say(f"{protocol}: {some:,} of {whole:,} parameters are trained ({100 * some / whole:.1f} %)")
    if protocol == "lora" and whole < SMALL:
        console.warn(
            f"an encoder of {whole / 1e6:.1f} million parameters gains little from lora; --protocol full takes it whole"
        )
