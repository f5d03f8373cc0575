"""One training as it stands: model, optimiser, averages, step; how it takes steps, and what it takes to go on."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from usfm.engine.data import Batch
from usfm.engine.device import Ranks, autocast
from usfm.engine.optim import Group, adamw
from usfm.engine.schedule import cosine
from usfm.engine.strategy import Strategy, strategy_of
from usfm.engine.timing import Clock


class Job(Protocol):
    """What is trained.

    `loss` gets the model or what the strategy wraps it in as `net`; `check` runs where a whole model is: on the first
    process, or on all of them together.
    """

    @property
    def model(self) -> nn.Module:
        """The module that is trained."""
        ...

    def loss(self, net: nn.Module, batch: Batch, step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The scalar loss of one part of a batch, and more scalars to log, on the device.

        Args:
            net: the model, wrapped as the strategy wants it.
            batch: one part of a step.
            step: steps taken before.

        Returns:
            The loss, and name -> scalar.
        """
        ...

    def check(self, model: Any, step: int) -> dict[str, Any]:
        """Figures of a moment, among them `score`, by which the best moment is chosen.

        Args:
            model: with the weights to be judged.
            step: steps taken.

        Returns:
            Name -> figure.
        """
        ...

    def group(self, name: str) -> Group:
        """How a parameter of the model is trained."""
        ...

    def write(self, folder: Path, kept: Mapping[str, torch.Tensor], trained: Mapping[str, torch.Tensor], state: dict):
        """Write a checkpoint: the weights to use (averaged, or those trained), and what is needed to go on.

        Args:
            folder: of the checkpoint, made whole or not at all.
            kept: the weights to use.
            trained: the weights as the optimiser left them.
            state: what `Loop.go_on` needs beside them.
        """
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
        higher: whether a higher score is better.
        patience: checks in a row without a better score after which the run ends; 0 = never.
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
    higher: bool = False
    patience: int = 0

    @property
    def log_every(self) -> int:
        """Steps that one line of metrics covers."""
        return max(1, min(50, self.steps // 2000))

    @property
    def worst(self) -> float:
        """The score that every other one is better than."""
        return -math.inf if self.higher else math.inf

    def due(self, times: int, step: int) -> bool:
        """Whether something that happens `times` times in the run happens after this many steps.

        Args:
            times: how often in the run.
            step: steps taken.

        Returns:
            True also at the last step.
        """
        return step == self.steps or (step * times) // self.steps > ((step - 1) * times) // self.steps

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0, for a parameter whose factor is 1."""
        return cosine((step + 0.5) / self.steps, peak=self.lr, floor=self.min_lr, warmup=self.warmup)


class Loop:
    """The state of one training and what moves it on; it writes nothing. `fit` trains to the end, with a run directory.

    Attributes:
        step: steps taken.
        best: best score of a check so far; waited: checks since then.
        pending: losses of the steps since they were asked for last, on the device.
    """

    def __init__(
        self, job: Job, training: Training, ranks: Ranks, device: torch.device, strategy: Strategy | None = None
    ):
        self.job, self.training, self.ranks, self.device = job, training, ranks, device
        self.strategy = strategy or strategy_of(ranks, device)
        self.model = job.model
        self.net = self.strategy.wrap(self.model)
        t = training
        self.optimizer = adamw(self.model, weight_decay=t.weight_decay, betas=t.betas, lr=t.lr, group=job.group)
        self.average = self.strategy.average(self.model, t.ema) if t.ema else None
        self.scaler = torch.amp.GradScaler(device.type, enabled=t.precision == "fp16")
        self.step, self.best, self.waited = 0, t.worst, 0
        self.pending: list[torch.Tensor] = []

    # ------------------------------------------------------------ steps

    def advance(self, parts: list[Batch], clock: Clock) -> dict[str, torch.Tensor]:
        """One optimiser step over the parts of a batch.

        Args:
            parts: of the batch; their gradients are averaged.
            clock: is told which phase the time goes to.

        Returns:
            Name -> scalar, on the device: the loss, and what the job logs of the last part.

        Raises:
            NotFinite: the loss is not; on a GPU, which is not waited for, `losses` raises it later.
        """
        t = self.training
        rate = t.rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        total, more = torch.zeros((), device=self.device), {}
        for k, part in enumerate(parts):
            self.strategy.exchange(self.net, k == len(parts) - 1)
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
                more["grad_norm"] = self.strategy.clip(self.model, t.clip)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
            if self.average:
                self.average.update()
        self.step += 1
        self.pending.append(total)
        return {"loss": total, **more}

    def take(self, batches: Iterable[list[Batch]]) -> float:
        """Take one step for each batch, and nothing else: no checks, no files, no signals.

        Args:
            batches: from `Feed.batches`, or any other; as many as steps are wanted.

        Returns:
            The mean loss of these steps, over all processes; NaN without a batch.

        Raises:
            NotFinite: a loss is not.
        """
        clock = Clock(self.device)
        for parts in batches:
            self.advance(parts, clock)
        return self.losses()

    def start_from(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take other weights and forget the moments of the old ones: a new round of a training among several sites."""
        self.strategy.load(self.model, weights)
        self.optimizer.state.clear()
        if self.average:
            self.average = self.strategy.average(self.model, self.training.ema)

    def losses(self) -> float:
        """The mean loss of the steps since it was asked for last; the one place that waits for the device.

        Raises:
            NotFinite: a loss is not.
        """
        self.refuse_not_finite()
        if not self.pending:
            return math.nan
        loss = self.ranks.mean(torch.stack(self.pending).mean()).item()
        self.pending.clear()
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

    # ------------------------------------------------------------ scores

    def judge(self, score: float | None) -> bool:
        """Take a check's score in; says whether it is the best so far. A check without one changes nothing."""
        if score is None:
            return False
        better = score > self.best if self.training.higher else score < self.best  # False for NaN
        self.best, self.waited = (score, 0) if better else (self.best, self.waited + 1)
        return better

    @property
    def tired(self) -> bool:
        """Whether the score has not become better for as many checks as the training has patience."""
        return 0 < self.training.patience <= self.waited

    # ------------------------------------------------------------ state

    def state(self) -> dict:
        """Everything beside the weights that is needed to go on: nothing random, since all draws come from counters."""
        average = self.average
        return {
            "step": self.step,
            "best": self.best,
            "waited": self.waited,
            "optimizer": self.strategy.gather_optimizer(self.optimizer),
            "scaler": self.scaler.state_dict(),
            "pending": [value.item() for value in self.pending],
            "average": average and {"steps": average.steps, "weights": self.strategy.gather(average.weights)},
        }

    def go_on(self, weights: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Take a saved state in; raises whatever it meets where the state does not fit.

        Args:
            weights: those that are trained, whole.
            state: from `state`.

        Raises:
            ValueError: a count or a step makes no sense; where something is missing, whatever Python raises.
        """
        self.strategy.load(self.model, weights)
        self.take_moments(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step, self.best = state["step"], float(state["best"])
        self.waited = state.get("waited", 0)  # states of earlier versions have none
        counts = (self.step, self.waited)
        if any(type(count) is not int for count in counts) or math.isnan(self.best):
            raise ValueError("counts that are none")
        if not 0 <= self.step <= self.training.steps or self.waited < 0:
            raise ValueError("a step outside the run")
        self.pending = [torch.tensor(float(value), device=self.device) for value in state["pending"]]
        if self.average and state["average"]:
            if set(state["average"]["weights"]) != set(self.average.weights):
                raise KeyError("an average of other weights")
            self.average.load(state["average"]["weights"], int(state["average"]["steps"]))

    def take_moments(self, state: dict) -> None:
        """Take the moments of an optimiser's state in, with the settings of this command.

        Args:
            state: of an optimiser of a model with the same parameters; raises whatever it meets where it is not.

        Raises:
            ValueError: moments have another shape than their parameter.
        """
        own = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        self.strategy.load_optimizer(self.optimizer, state)
        for group, settings in zip(self.optimizer.param_groups, own, strict=True):
            group.update(settings)
        for parameter, moments in self.optimizer.state.items():
            if any(moments[name].shape != parameter.shape for name in ("exp_avg", "exp_avg_sq")):
                raise ValueError("moments of another shape")
            float(moments["step"])

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


class NotFinite(Exception):
    """The loss of a step, counted from 0, is not a number."""

    def __init__(self, step: int):
        super().__init__(f"the loss of step {step} is not finite")
        self.step = step
