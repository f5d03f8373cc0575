"""One training as it stands: model, optimiser, averages, step; how it takes a step, saves itself and goes on."""

import math
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from usfm.engine.data import Batch
from usfm.engine.device import Ranks, autocast
from usfm.engine.optim import Average, adamw
from usfm.engine.record import RunDirectory
from usfm.engine.schedule import cosine
from usfm.engine.timing import Clock
from usfm.errors import WorkError
from usfm.model import checkpoint
from usfm.store.whole import private, put_in_place


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
        lr = cosine((self.step + 0.5) / t.steps, peak=t.lr, floor=t.min_lr, warmup=t.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        total, more = torch.zeros((), device=self.device), {}
        for k, part in enumerate(parts):
            sync = k == len(parts) - 1 or self.ranks.world == 1
            self.net.require_backward_grad_sync = sync  # type: ignore[assignment]
            with clock("forward"), autocast(t.precision, self.device):
                loss, more = self.job.loss(self.net, part, self.step)
            with clock("backward"):
                self.scaler.scale(loss / len(parts)).backward()
            total += loss.detach() / len(parts)
        if self.device.type == "cpu" and self.ranks.any(not math.isfinite(total.item()), self.device):
            self.optimizer.zero_grad(set_to_none=True)
            raise NotFinite(self.step)  # on every rank, before the weights take it in
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
                if name == "last":
                    self.run.update({"step": self.step})
            except OSError as error:
                raise WorkError(
                    f"{self.run.path / name}: cannot be written ({error.strerror}); make room and type the same command"
                ) from None

    def keep(self) -> None:
        """Keep `last` under its step's name too, and drop the oldest beyond the number asked for."""
        if self.ranks.first and self.training.keep:
            final = self.run.path / f"step-{self.step:08d}"
            new = private(final)
            shutil.copytree(self.run.path / "last", new)
            old = put_in_place(new, final)
            older = [one for one in self.run.path.glob("step-*") if re.fullmatch(r"step-\d{8}", one.name)]
            for folder in [*sorted(older)[: -self.training.keep], *([old] if old else [])]:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def as_kept(self) -> Iterator[nn.Module]:
        """The model with the weights that a checkpoint's encoder has: the average where there is one."""
        if self.average is None:
            yield self.model
            return
        trained = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.weights)
        try:
            yield self.model
        finally:
            self.model.load_state_dict(trained)

    def resume(self) -> None:
        """Go on from `last`.

        Raises:
            RequestError: it is damaged, or not of this model and these settings.
        """
        last = self.run.path / "last"
        weights, state = checkpoint.load_state(last)
        try:
            self._take(weights, state)
        except (KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
            raise checkpoint.incomplete(last, f"its state does not fit the run: {type(error).__name__}") from None

    def _take(self, weights: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Take a saved state in; raises whatever it meets where the state does not fit."""
        self.model.load_state_dict(weights)
        own = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, settings in zip(self.optimizer.param_groups, own, strict=True):
            group.update(settings)  # those of this command, which are the same or the run would be another one
        for parameter, moments in self.optimizer.state.items():
            if any(moments[name].shape != parameter.shape for name in ("exp_avg", "exp_avg_sq")):
                raise ValueError("moments of another shape")
            float(moments["step"])
        self.scaler.load_state_dict(state["scaler"])
        self.step, self.best = state["step"], float(state["best"])
        if type(self.step) is not int or not 0 <= self.step <= self.training.steps or math.isnan(self.best):
            raise ValueError("a step outside the run")
        self.pending = [torch.tensor(float(value), device=self.device) for value in state["pending"]]
        if self.average and state["average"]:
            if set(state["average"]["weights"]) != set(self.average.weights):
                raise KeyError("an average of other weights")
            self.average.load(state["average"]["weights"], int(state["average"]["steps"]))

    # ------------------------------------------------------------ logging

    def flush(self, scalars: dict[str, torch.Tensor], more: dict[str, Any]) -> float:
        """Write one line of metrics over the steps since the last; the one place that waits for the device."""
        self.refuse_not_finite()
        loss = self.ranks.mean(torch.stack(self.pending).mean()).item()
        self.pending.clear()
        figures = {name: value.item() for name, value in scalars.items() if name != "loss"}
        self.run.log({"step": self.step, "loss": loss, "lr": self.optimizer.param_groups[0]["lr"], **figures, **more})
        return loss

    def refuse_not_finite(self) -> None:
        """See that the losses since the last line are finite, on every rank.

        Raises:
            NotFinite: with the first step whose loss is not.
        """
        if not self.pending:
            return
        losses = self.ranks.mean(torch.stack(self.pending)).tolist()  # NaN on one rank is NaN on all
        for k, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise NotFinite(self.step - len(losses) + k)


class NotFinite(Exception):
    """The loss of a step, counted from 0, is not a number."""

    def __init__(self, step: int):
        super().__init__(f"the loss of step {step} is not finite")
        self.step = step
