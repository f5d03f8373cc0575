"""The training loop that every training shares: accumulate, clip, step, log, check, save, stop well, go on exactly."""

import math
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from usfm import console
from usfm.engine.data import Batch, Feed
from usfm.engine.device import Ranks, autocast, is_out_of_memory
from usfm.engine.optim import Average, adamw
from usfm.engine.record import RunDirectory, announce_resume
from usfm.engine.schedule import cosine
from usfm.engine.timing import Clock
from usfm.errors import Interrupted, RequestError, WorkError
from usfm.model import checkpoint


class Job(Protocol):
    """What is trained. `model.encoder` is the encoder that checkpoints carry.

    `loss` gets the model or its distributed wrapper as `net`; `check` runs on the first rank only.
    """

    model: nn.Module

    def loss(self, net: nn.Module, batch: Batch, step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The scalar loss of one part of a batch, and more scalars to log, on the device."""
        ...

    def check(self, model: nn.Module, step: int) -> dict[str, float]:
        """Figures of a moment, among them `score` (lower is better)."""
        ...


@dataclass(frozen=True)
class Training:
    """How a job is trained.

    Attributes:
        steps: in all.
        lr: peak; min_lr: at the end; warmup: share of the run.
        weight_decay: of AdamW; betas: its moments.
        clip: largest gradient norm, 0 = none; ema: decay of averaged weights, 0 = none.
        precision: fp32, bf16 or fp16.
        checks: times in the run that `Job.check` is called; saves: that a checkpoint is written; keep: older ones kept.
        accumulate: parts a step is worked in.
    """

    steps: int
    lr: float
    min_lr: float = 0.0
    warmup: float = 0.05
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 0.0
    ema: float = 0.0
    precision: str = "fp32"
    checks: int = 20
    saves: int = 20
    keep: int = 0
    accumulate: int = 1

    @property
    def log_every(self) -> int:
        """Steps that one line of metrics covers."""
        return max(1, min(50, self.steps // 2000))

    def due(self, times: int, step: int) -> bool:
        """Whether something that happens `times` times in the run happens after this many steps."""
        return step == self.steps or (step * times) // self.steps > ((step - 1) * times) // self.steps


class _Signals:
    """SIGINT and SIGTERM set a flag that the loop looks at between steps; the second one stops at once."""

    def __enter__(self) -> "_Signals":
        self.asked, self._old = False, {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        console.say("stopping after this step; once more to stop at once")

    def __exit__(self, *error: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)


class Loop:
    """The state of one training and what moves it on; `fit` is the way in."""

    def __init__(self, job: Job, training: Training, run: RunDirectory, ranks: Ranks, device: torch.device):
        self.job, self.training, self.run, self.ranks, self.device = job, training, run, ranks, device
        self.model = job.model
        self.net: nn.Module = self.model
        if ranks.world > 1:
            ids = [device.index] if device.type == "cuda" else None
            self.net = DistributedDataParallel(self.model, device_ids=ids, gradient_as_bucket_view=True)
        t = training
        self.optimizer = adamw(self.model, weight_decay=t.weight_decay, betas=t.betas, lr=t.lr)
        self.average = Average(self.model, t.ema) if t.ema else None
        self.scaler = torch.amp.GradScaler(device.type, enabled=t.precision == "fp16")
        self.step, self.best = 0, math.inf
        self.pending: list[torch.Tensor] = []

    # ------------------------------------------------------------ one step

    def advance(self, parts: list[Batch], clock: Clock) -> dict[str, torch.Tensor]:
        """One optimiser step over the parts of a batch; returns scalars on the device."""
        t = self.training
        lr = cosine((self.step + 1) / t.steps, peak=t.lr, floor=t.min_lr, warmup=t.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        total, more = torch.zeros((), device=self.device), {}
        for k, part in enumerate(parts):
            sync = k == len(parts) - 1 or self.ranks.world == 1
            self.net.require_backward_grad_sync = sync  # type: ignore[assignment]
            with clock("forward"), autocast(t.precision, self.device):
                loss, more = self.job.loss(self.net, part, self.step)
            if self.device.type == "cpu" and not math.isfinite(loss.item()):
                raise NotFinite(part, self.step)
            with clock("backward"):
                self.scaler.scale(loss / len(parts)).backward()
            total += loss.detach() / len(parts)
        with clock("optimise"):
            if t.clip:
                self.scaler.unscale_(self.optimizer)
                more["grad_norm"] = nn.utils.clip_grad_norm_(self.model.parameters(), t.clip)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
            if self.average:
                self.average.update()
        self.step += 1
        self.pending.append(total)
        return {"loss": total, **more}

    # ------------------------------------------------------------ checkpoints

    def state(self) -> dict:
        """Everything beside the weights that is needed to go on: nothing random, since all draws come from counters."""
        return {
            "step": self.step,
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "pending": [value.item() for value in self.pending],
            "average": None if not self.average else {"steps": self.average.steps, "weights": self.average.weights},
        }

    def save(self, name: str) -> None:
        """Write a checkpoint of the run."""
        if self.ranks.first:
            kept = self.average.weights if self.average else self.model.state_dict()
            encoder = {k.removeprefix("encoder."): v for k, v in kept.items() if k.startswith("encoder.")}
            try:
                checkpoint.save(
                    self.run.path / name,
                    encoder,
                    self.model.encoder.shape,
                    model=self.model.state_dict(),
                    state=self.state(),
                )
            except OSError as error:
                raise WorkError(
                    f"{self.run.path / name}: cannot be written ({error.strerror}); make room and type the same command"
                ) from None

    def keep(self) -> None:
        """Keep `last` under its step's name too, and drop the oldest beyond the number asked for."""
        if self.ranks.first and self.training.keep:
            shutil.copytree(self.run.path / "last", self.run.path / f"step-{self.step:08d}", dirs_exist_ok=True)
            for folder in sorted(self.run.path.glob("step-*"))[: -self.training.keep]:
                shutil.rmtree(folder, ignore_errors=True)

    def resume(self) -> None:
        """Go on from `last`."""
        weights, state = checkpoint.load_state(self.run.path / "last")
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step, self.best = state["step"], state["best"]
        self.pending = [torch.tensor(value, device=self.device) for value in state["pending"]]
        if self.average and state["average"]:
            self.average.load(state["average"]["weights"], state["average"]["steps"])

    # ------------------------------------------------------------ logging

    def flush(self, scalars: dict[str, torch.Tensor], more: dict[str, Any]) -> float:
        """Write one line of metrics over the steps since the last; the one place that waits for the device."""
        loss = self.ranks.mean(torch.stack(self.pending).mean()).item()
        self.pending.clear()
        figures = {name: value.item() for name, value in scalars.items() if name != "loss"}
        self.run.log({"step": self.step, "loss": loss, "lr": self.optimizer.param_groups[0]["lr"], **figures, **more})
        return loss


class NotFinite(Exception):
    """The loss of a batch is not a number."""

    def __init__(self, batch: Batch, step: int):
        super().__init__(f"the loss of step {step} is not finite")
        self.batch, self.step = batch, step


def fit(
    job: Job,
    feed: Feed,
    training: Training,
    run: RunDirectory,
    *,
    ranks: Ranks,
    device: torch.device,
    resume: bool = False,
    loggers: tuple[str, ...] = (),
    profile: bool = False,
    describe: Callable[[Batch], dict] = lambda batch: {},
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
        loggers: tensorboard, wandb.
        profile: measure each part of a step (waits for the device, so the run is slower).
        describe: more figures of a batch for the log, known on the host.

    Returns:
        steps, seconds, images_per_s, data_wait (share of the time), loss, best.

    Raises:
        Interrupted: SIGINT or SIGTERM; `last` is saved.
        WorkError: the loss is not finite (the batch is saved), memory or disk ran out.
    """
    loop = Loop(job, training, run, ranks, device)
    if resume:
        loop.resume()
        if ranks.first:
            announce_resume(run.path, loop.step, training.steps)
    run.start_metrics(loop.step, loggers)
    started, first, loss, images = time.perf_counter(), loop.step, math.nan, feed.stream.batch
    clock = Clock(device, enabled=profile)
    with _Signals() as signals, console.progress("pretrain", training.steps, "steps") as bar:
        bar.advance(loop.step)
        for parts in feed.batches(loop.step, training.steps):
            try:
                scalars = loop.advance(parts, clock)
            except NotFinite as problem:
                raise _stopped(problem, loop) from None
            except (RuntimeError, MemoryError) as error:
                if is_out_of_memory(error):
                    raise _too_big(loop, parts[0]) from None
                raise
            if loop.step % training.log_every == 0 or loop.step == training.steps:
                rate = images * (loop.step - first) / (time.perf_counter() - started)
                loss = loop.flush(scalars, {"images_per_s": round(rate, 2), **describe(parts[0])})
                if not math.isfinite(loss):
                    raise _stopped(NotFinite(parts[0], loop.step - 1), loop)
            bar.advance(1, f"loss {loss:.4f}")
            asked = signals.asked if ranks.world == 1 else loop.step % 8 == 0 and ranks.any(signals.asked, device)
            if training.due(training.checks, loop.step):
                _check(loop, clock)
            if training.due(training.saves, loop.step) or asked:
                if loop.pending and not math.isfinite(torch.stack(loop.pending).sum().item()):
                    raise _stopped(NotFinite(parts[0], loop.step - 1), loop)
                with clock("save"):
                    loop.save("last")
                    loop.keep()
            if asked:
                ranks.wait()
                raise Interrupted(
                    f"stopped after step {loop.step:,} of {training.steps:,}; the same command goes on from {run.path}"
                )
    ranks.wait()
    seconds = time.perf_counter() - started
    done = loop.step - first
    return {
        "steps": loop.step,
        "loss": loss,
        "best": loop.best if math.isfinite(loop.best) else None,
        "images_per_s": round(images * done / seconds, 2) if done else None,
        "data_wait": round(feed.waited_s / seconds, 4) if done else None,
        **({"profile": clock.table(done)} if profile else {}),
    }


def _check(loop: Loop, clock: Clock) -> None:
    """Held-out figures, pictures, and `best`; on the first rank, the others wait."""
    if loop.ranks.first:
        with clock("check"):
            loop.model.eval()
            with torch.no_grad(), autocast(loop.training.precision, loop.device):
                figures = loop.job.check(loop.model, loop.step)
            loop.model.train()
        score = figures.pop("score", math.inf)
        loop.run.log({"step": loop.step, **figures})
        if score < loop.best:
            loop.best = score
            loop.save("best")
    loop.ranks.wait()


def _stopped(problem: NotFinite, loop: Loop) -> WorkError:
    """Save the batch that broke the run, with what made it, and say where it is."""
    folder = Path(loop.run.path) / "nonfinite"
    if loop.ranks.first:
        folder.mkdir(exist_ok=True)
        batch = problem.batch
        torch.save(
            {
                "step": problem.step,
                "rows": torch.from_numpy(batch.plan.rows[batch.part].copy()),
                "frames": batch.frames.cpu(),
                "crops": batch.crops.cpu(),
                "regions": batch.regions.cpu(),
                "model": {k: v.detach().cpu() for k, v in loop.model.state_dict().items()},
            },
            folder / "batch.pt",
        )
    return WorkError(
        f"the loss of step {problem.step} is not finite; the batch is kept in {folder / 'batch.pt'} and the last good "
        f"checkpoint in {loop.run.path / 'last'}: lower --lr, or use --precision bf16 or fp32"
    )


def _too_big(loop: Loop, part: Batch) -> WorkError | RequestError:
    """Find the largest power-of-two share of the part that fits, and say it."""
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
    return WorkError(f"out of memory with {len(part.frames)} images at a time; {advice}, or a smaller --model")
