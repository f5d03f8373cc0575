"""The training loop that every training shares: accumulate, clip, step, log, check, save, stop well, go on exactly."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch

from usfm import console
from usfm.engine import keep
from usfm.engine.data import Batch, Feed
from usfm.engine.device import Ranks, autocast, is_out_of_memory
from usfm.engine.record import RunDirectory, announce_resume
from usfm.engine.step import Job, Loop, NotFinite, Training
from usfm.engine.strategy import Strategy
from usfm.engine.timing import Clock
from usfm.errors import Interrupted, WorkError
from usfm.jobs.interrupts import Interrupts
from usfm.model.checkpoint import save_plain
from usfm.store.whole import whole_file


def fit(
    job: Job,
    feed: Feed,
    training: Training,
    run: RunDirectory,
    *,
    ranks: Ranks,
    device: torch.device,
    resume: bool = False,
    title: str = "pretrain",
    loggers: tuple[str, ...] = (),
    profile: bool = False,
    describe: Callable[[Batch], dict] = lambda batch: {},
    strategy: Strategy | None = None,
    moments: dict | None = None,
) -> dict:
    """Train a job to its end, or go on with it.

    Args:
        job: model, loss and check.
        feed: batches by step.
        training: how.
        run: where to.
        ranks: this process among others.
        device: where.
        resume: go on from the run's `last`.
        title: of the progress bar.
        loggers: tensorboard, wandb.
        profile: measure each part of a step (waits for the device, so the run is slower).
        describe: more figures of a batch for the log, known on the host.
        strategy: how processes share the model; None is the usual one.
        moments: optimiser's state of an earlier run, for a run that starts from its weights; unused where it resumes.

    Returns:
        steps, images_per_s, data_wait (share of the time), loss, best; `stopped_early` where patience ended the run.

    Raises:
        Interrupted: SIGINT or SIGTERM; `last` is saved.
        WorkError: the loss is not finite (the batch is saved), memory or disk ran out.
    """
    loop = Loop(job, training, ranks, device, strategy)
    if resume:
        keep.resume(loop, run)
        if ranks.first:
            announce_resume(run.path, loop.step, training.steps)
    elif moments is not None:
        loop.take_moments(moments)
    run.start_metrics(loop.step, loggers)
    started, first = time.perf_counter(), loop.step
    clock = Clock(device, enabled=profile)
    try:
        loss = _train(loop, feed, run, clock, title, describe)
    except NotFinite as problem:
        raise _stopped(problem, loop, run, feed) from None
    ranks.wait()
    seconds = time.perf_counter() - started
    done = loop.step - first
    return {
        "steps": loop.step,
        "loss": loss if math.isfinite(loss) else None,
        "best": loop.best if math.isfinite(loop.best) else None,
        "images_per_s": round(feed.stream.batch * done / seconds, 2) if done else None,
        "data_wait": round(feed.waited_s / seconds, 4) if done else None,
        **({"stopped_early": True} if loop.tired and loop.step < training.steps else {}),
        **({"profile": clock.table(done)} if profile else {}),
    }


def _train(
    loop: Loop, feed: Feed, run: RunDirectory, clock: Clock, title: str, describe: Callable[[Batch], dict]
) -> float:
    """Take the steps that are left, with checks and checkpoints on the way; returns the last loss.

    Raises:
        NotFinite, Interrupted, WorkError: as `fit` says.
    """
    t, loss = loop.training, run.last_loss()
    started, first = time.perf_counter(), loop.step
    end = first if loop.tired else t.steps
    with (
        Interrupts("stopping after this step; press Ctrl-C again to stop at once") as signals,
        console.progress(title, t.steps, "steps") as bar,
    ):
        bar.skip(first)
        for parts in feed.batches(first, end):
            try:
                scalars = loop.advance(parts, clock)
            except (RuntimeError, MemoryError) as error:
                if is_out_of_memory(error):
                    raise _too_big(loop, parts[0]) from None
                raise
            if loop.step % t.log_every == 0 or loop.step == t.steps:
                rate = feed.stream.batch * (loop.step - first) / (time.perf_counter() - started)
                loss = keep.note(loop, run, scalars, {"images_per_s": round(rate, 2), **describe(parts[0])})
            bar.advance(1, f"loss {loss:.4f}")
            asked = signals.asked if loop.ranks.world == 1 else loop.step % 8 == 0 and _any(loop, bool(signals.asked))
            if t.due(t.checks, loop.step):
                _check(loop, run, clock)
            if loop.tired and loop.pending:
                loss = keep.note(loop, run, scalars, describe(parts[0]))
            if t.due(t.saves, loop.step) or asked or loop.tired:
                loop.refuse_not_finite()
                with clock("save"):
                    keep.save(loop, run, "last")
                    keep.keep(loop, run)
            if asked:
                loop.ranks.wait()
                raise Interrupted(
                    f"stopped after step {loop.step:,} of {t.steps:,}; the same command goes on from {run.path}"
                )
            if loop.tired:
                break
    return loss


def _any(loop: Loop, flag: bool) -> bool:
    return loop.ranks.any(flag, loop.device)


def _check(loop: Loop, run: RunDirectory, clock: Clock) -> None:
    """Held-out figures, pictures, and `best`.

    The first rank makes them while the others wait; where each holds a part of the model, all make them together.
    """
    score: float | None = None
    if loop.ranks.first or loop.strategy.shards:
        with clock("check"):
            loop.model.eval()
            with loop.as_kept() as model, torch.no_grad(), autocast(loop.training.precision, loop.device):
                figures = loop.job.check(model, loop.step)
            loop.model.train()
        score = figures.pop("score", None)
        run.log({"step": loop.step, **figures})
    if loop.judge(loop.ranks.told(score, loop.device)):
        keep.save(loop, run, "best")
    loop.ranks.wait()


def _stopped(problem: NotFinite, loop: Loop, run: RunDirectory, feed: Feed) -> WorkError:
    """Save the batch of the step that broke the run, with what made it, and say where it is.

    A GPU is asked for its losses now and then, so the step may lie some way back. What is in a batch depends on the
    step alone: it is made again. The weights that met it are kept with it only where they are still there.
    """
    file = Path(run.path) / "nonfinite" / "batch.pt"
    if loop.ranks.first:
        batch = Feed(feed.stream, feed.pixels, feed.region_rows).make(problem.step)[0]
        kept = {
            "step": problem.step,
            "rows": torch.from_numpy(batch.plan.rows[batch.part].copy()),
            "frames": batch.frames.cpu(),
            "crops": batch.crops.cpu(),
            "regions": batch.regions.cpu(),
        }
        if loop.step == problem.step:
            kept["model"] = {k: v.detach().cpu() for k, v in loop.model.state_dict().items()}
        file.parent.mkdir(exist_ok=True)
        with whole_file(file) as temporary:
            save_plain(kept, temporary)
    last = run.path / "last"
    good = f"the last good checkpoint in {last}" if last.is_dir() else "there was no checkpoint yet"
    return WorkError(
        f"the loss of step {problem.step} is not finite; its batch is kept in {file} and {good}: lower --lr, or use "
        "--precision bf16 or fp32"
    )


def _too_big(loop: Loop, part: Batch) -> WorkError:
    """Find the largest power-of-two share of the part that fits, and say it; alone, since other ranks would wait."""
    if loop.ranks.world > 1:
        return WorkError(
            f"out of memory with {len(part.frames)} images at a time on process {loop.ranks.rank}; use "
            f"--accumulate {2 * loop.training.accumulate}, or a smaller model"
        )
    size = len(part.frames) // 2
    while size >= 1:
        try:
            loop.optimizer.zero_grad(set_to_none=True)
            if loop.device.type == "cuda":
                torch.cuda.empty_cache()
            with autocast(loop.training.precision, loop.device):
                loop.job.loss(loop.net, part.head(size), loop.step)[0].backward()
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            size //= 2
    parts = math.ceil(len(part.frames) / size) * loop.training.accumulate if size else 0
    advice = f"the largest that fitted is {size}: use --accumulate {parts}" if size else "not even one image fits"
    return WorkError(f"out of memory with {len(part.frames)} images at a time; {advice}, or a smaller model")
