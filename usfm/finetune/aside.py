"""Folds that a trainer of somebody else trains, in a process of its own."""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, as_dict
from usfm.engine.device import choose_precision
from usfm.engine.record import RunDirectory
from usfm.errors import RequestError
from usfm.finetune import plan as planning
from usfm.finetune.config import TRAINING_ONLY, Config
from usfm.finetune.fold import line_of, predicted, warn_of_lacking
from usfm.finetune.networks import beside, tuning, validation_of
from usfm.model.device import choose_device
from usfm.store.reader import Store
from usfm.tasks import TASKS, predictions
from usfm.tasks.directory import NETWORKS
from usfm.tasks.learner import Aside, Trainer
from usfm.tasks.predictions import Predictions

COST = ("parameters", "trained_parameters", "memory_bytes")


def wanted(config: Config) -> bool:
    """Whether a request is one for a trainer of somebody else.

    Args:
        config: what to fit.

    Returns:
        Whether it is.

    Raises:
        RequestError: `torchrun` has started several processes, which it does not know of.
    """
    task = TASKS[config.task]
    if not isinstance(task, Aside) or not task.aside(as_dict(config)):
        return False
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RequestError(f"--head {config.head} trains in one process of its own; run it without torchrun")
    return True


class Asides:
    """Trains each fold with a trainer of somebody else.

    Args:
        config: how.
        request: common options.
        plan: the cases.
        store: of the frames.

    Attributes:
        encoder: name, dim and identity of the network, for the card.
        extra: the training's settings, which make another run.
        seconds_embedding: always 0, no features are made.
    """

    seconds_embedding = 0.0

    def __init__(self, config: Config, request: Request, plan: planning.Cases, store: Store):
        self.config, self.request, self.plan, self.store = config, request, plan, store
        task, device = TASKS[config.task], choose_device(request.device)
        assert isinstance(task, Aside)
        precision = choose_precision(config.precision or "auto", device)
        given = {each.partition("=")[0].strip() for each in config.set}
        given |= {name for name in TRAINING_ONLY if getattr(config, name) not in (None, ())}
        options = {**as_dict(config), **asdict(tuning(config)), "given": sorted(given)}
        self.trainer: Trainer = task.trainer(store, plan.known, options, request.seed, str(device), precision)
        self.encoder, self.extra = self.trainer.encoder, self.trainer.extra
        self._made: list[tuple[str, Path]] = []

    def fit_all(self, out: Path, key: str) -> tuple[Predictions, list[dict]]:
        """Train every fold in a folder beside the run directory; the same command goes on with the next one.

        Args:
            out: run directory.
            key: of the run.

        Returns:
            All predictions, and a line of figures a fold.
        """
        plan, task, parts, lines = self.plan, TASKS[self.config.task], [], []
        for fold in plan.folds:
            started = time.monotonic()
            validation = validation_of(plan, fold, self.request.seed)
            learning = np.setdiff1d(fold.train, validation)
            warn_of_lacking(fold, plan)
            held, work = plan.rows[fold.held], beside(out) / f"{fold.name}.work"
            with RunDirectory(beside(out) / fold.name, {"key": key, "fold": fold.name}) as directory:
                card = {"command": "finetune", "kind": "fold", "fold": fold.name}
                status = directory.open(overwrite=self.request.overwrite, recipe=_said(self.extra), card=card)
                if status != "done" or not work.is_dir():
                    self._say(fold.name, learning, validation)
                    shutil.rmtree(work, ignore_errors=True)  # of a training that was stopped: it begins again
                    work.mkdir()
                    rows = plan.rows[learning], plan.rows[validation], held
                    line = self.trainer.train(*rows, work, f"fold {fold.name}")
                    directory.update({"status": "complete", "result": line})
                line = directory.card["result"]
            chosen = {"validation_frames": len(validation), "higher_is_better": self.trainer.higher, **line}
            part = predicted(plan, task, fold, self.store, self.trainer.read(held, work))
            lines.append(line_of(plan, fold, part, chosen, time.monotonic() - started))
            parts.append(part)
            self._made.append((fold.name, work))
        self._lines = lines
        return predictions.joined(parts), lines

    def cost(self) -> dict:
        """Parameters of the network and memory of the process that trained it, for the card."""
        return {name: max(line[name] for line in self._lines) for name in COST if name in self._lines[0]} | {
            name: self._lines[0][name] for name in ("memory_of",) if name in self._lines[0]
        }

    def keep(self, new: Path) -> None:
        """Write the weights of each fold's best moment into a run directory."""
        (new / NETWORKS).mkdir()
        for name, work in self._made:
            self.trainer.keep(work, new / NETWORKS / name)

    def clear(self, out: Path) -> None:
        """Remove the folders that the folds were trained in."""
        shutil.rmtree(beside(out), ignore_errors=True)

    def _say(self, name: str, learning: np.ndarray, validation: np.ndarray) -> None:
        if len(validation):
            console.say(
                f"fold {name}: {len(learning):,} frames to train on; {len(validation):,} of "
                f"{planning.patients_of(self.plan, validation)} patients choose the best moment"
            )
        else:
            console.warn(f"fold {name}: too few training patients to choose a best moment by; the last one is used")


def _said(extra: Mapping) -> dict:
    return {name: dict(value) for name, value in extra.items()}
