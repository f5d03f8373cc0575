"""Protocols that train a network on labels, fold by fold: frozen (its head only), lora, full."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, as_dict
from usfm.engine.device import Ranks, choose_precision
from usfm.engine.prepared import Prepared
from usfm.engine.record import RunDirectory
from usfm.engine.windows import Windows, check_large, prepared
from usfm.errors import RequestError
from usfm.finetune import plan as planning
from usfm.finetune.config import Config
from usfm.finetune.fold import line_of, predicted, warn_of_lacking
from usfm.finetune.settings import Tuning, identity, tuning_of
from usfm.finetune.supervised import build
from usfm.finetune.train import BATCH, Fold, say_share, train
from usfm.model import cost, lora
from usfm.model.device import choose_device
from usfm.model.network import Network, tapped
from usfm.model.sources import network
from usfm.seeding import stream
from usfm.store.reader import Store
from usfm.tasks import TASKS, folds, learning, predictions
from usfm.tasks.directory import NETWORKS
from usfm.tasks.learner import Learner, Learns
from usfm.tasks.predictions import Predictions
from usfm.tasks.trained import Model, use, write_weights

INNER = 5
"""One part in so many of the training patients chooses the best moment."""


def tuning(config: Config) -> Tuning:
    """The settings of the training that a command asks for."""
    return tuning_of(
        config.set,
        epochs=config.epochs,
        batch_size=config.batch_size,
        lr=config.lr,
        layer_decay=config.layer_decay,
        augment=config.augment,
        patience=config.patience,
    )


class Networks:
    """Trains a network for each fold.

    Args:
        config: how.
        request: common options.
        plan: the cases.
        store: of the frames.
        ranks: this process among others.

    Attributes:
        encoder: name, dim and identity of the encoder, for the card.
        extra: the training's settings, which make another run.
        seconds_embedding: always 0, no features are made.
    """

    seconds_embedding = 0.0

    def __init__(self, config: Config, request: Request, plan: planning.Cases, store: Store, ranks: Ranks):
        self.config, self.request, self.plan, self.store, self.ranks = config, request, plan, store, ranks
        self.protocol = config.protocol or TASKS[config.task].default_protocol
        self.tuning, self.device = tuning(config), choose_device(request.device, ranks.local)
        self.precision = choose_precision(config.precision or "auto", self.device)
        first = self._network()
        self.entry = first.entry
        self.encoder = {"name": self.entry.name, "dim": first.dim, **self.entry.identity}
        self.extra: Mapping = {"tuning": identity(self.tuning), "precision": self.precision}
        self._made: list[tuple[str, Learner]] = []
        self._first = first

    def fit_all(self, out: Path, key: str) -> tuple[Predictions, list[dict]]:
        """Train every fold, each in a folder beside the run directory, so that the same command goes on.

        Args:
            out: run directory.
            key: of the run.

        Returns:
            All predictions, and a line of figures a fold.
        """
        plan, task = self.plan, TASKS[self.config.task]
        used = np.unique(np.concatenate([np.union1d(fold.train, fold.held) for fold in plan.folds]))
        if self.config.window is not None:
            check_large(self.store, plan.rows[used], self.config.window)
        frames = prepared(self.store, plan.rows[used], self.entry, self.device, self.config.window, self.config.overlap)
        if isinstance(frames, Windows) and self.ranks.first:
            console.say(
                f"{len(used):,} frames are seen through {frames.count:,} windows of {frames.size[0]} x "
                f"{frames.size[1]} px" + (f"; {frames.padded:,} are smaller and get a border" if frames.padded else "")
            )
        parts, lines = [], []
        for number, fold in enumerate(plan.folds):
            started = time.monotonic()
            validation = validation_of(plan, fold, self.request.seed)
            learning = np.setdiff1d(fold.train, validation)
            learner = self._learner(frames, learning)
            if self.ranks.first:
                self._say(fold, learning, validation, learner, number)
            done = train(
                Fold(fold.name, plan.rows[learning], plan.rows[validation], plan.rows[fold.held]),
                self._network,
                learner,
                frames,
                protocol=self.protocol,
                tuning=self.tuning,
                folder=beside(out) / fold.name,
                settings={"key": key, "fold": fold.name},
                seed=self.request.seed,
                ranks=self.ranks,
                precision=self.precision,
                accumulate=self.config.accumulate or 1,
                overwrite=self.request.overwrite,
            )
            chosen = {"validation_frames": len(validation), "higher_is_better": learner.higher, **done.line}
            chosen |= learner.afterwards(done.validation, plan.rows[validation])
            part = predicted(plan, task, fold, self.store, learner.raw(done.decoded, plan.rows[fold.held]))
            lines.append(line_of(plan, fold, part, chosen, time.monotonic() - started))
            parts.append(part)
            self._made.append((fold.name, learner))
        self._beside = beside(out)
        return predictions.joined(parts), lines

    def cost(self) -> dict:
        """Parameters of encoder and head, those of them that are trained, and memory of this process, for the card."""
        model = self._model(self._made[0][1])
        return {"parameters": cost.parameters(model), "trained_parameters": lora.trained(model)[0],
                **cost.peak(self.device)}  # fmt: skip

    def keep(self, new: Path) -> None:
        """Write the weights of each fold's best moment into a run directory, without what only a resume needs."""
        for name, learner in self._made:
            model, folder = self._model(learner), self._beside / name
            use(model, folder / "best" if (folder / "best").is_dir() else folder / "last")
            (new / NETWORKS).mkdir(exist_ok=True)
            write_weights(model, new / NETWORKS / name)
            picture = folder / "figures" / BATCH
            if picture.is_file():
                (new / "figures").mkdir(exist_ok=True)
                shutil.copyfile(picture, new / "figures" / f"batch-{name}.png")

        directories = {name: RunDirectory(self._beside / name, {}, writes=False) for name, _ in self._made}
        learning.write(new, learning.of_logs({name: one.metrics() for name, one in directories.items()}))

    def clear(self, out: Path) -> None:
        """Remove the folders that the folds were trained in."""
        shutil.rmtree(beside(out), ignore_errors=True)

    def _network(self) -> Network:
        c = self.config
        made = network(c.encoder, download=c.download, seed=self.request.seed, pool=c.pool, resize=c.resize,
                       image_size=c.image_size)  # fmt: skip
        return tapped(made, c.tap or 0)

    def _model(self, learner: Learner) -> Model:
        return build(self._network(), learner, self.protocol, self.tuning, self.request.seed)

    def _learner(self, frames: Prepared, learning: np.ndarray) -> Learner:
        task = TASKS[self.config.task]
        if not isinstance(task, Learns):
            raise RequestError(
                f"--protocol {self.config.protocol}: {self.config.task} has nothing to train a network for"
            )
        options = {**as_dict(self.config), **asdict(self.tuning)}
        return task.learner(self.plan.known, frames, self.plan.groups.code, learning, options)

    def _say(
        self, fold: folds.Fold, learning: np.ndarray, validation: np.ndarray, learner: Learner, number: int
    ) -> None:
        if not number:
            say_share(build(self._first, learner, self.protocol, self.tuning, self.request.seed),
                      self.protocol)  # fmt: skip
        warn_of_lacking(fold, self.plan)
        if not len(validation):
            console.warn(
                f"fold {fold.name}: too few training patients to choose a best moment by; the last one is used"
            )
        else:
            console.say(
                f"fold {fold.name}: {len(learning):,} frames to train on; {len(validation):,} of "
                f"{planning.patients_of(self.plan, validation)} patients choose the best moment"
            )


def beside(out: Path) -> Path:
    """Where the folds of a run are trained until it is whole."""
    return out.with_name(f"{out.name}.{NETWORKS}")


def validation_of(plan: planning.Cases, fold: folds.Fold, seed: int) -> np.ndarray:
    """Who chooses the best moment of a fold: never a test frame.

    Args:
        plan: the cases.
        fold: the fold; where it holds out val frames beside test frames, they are taken.
        seed: of the choice.

    Returns:
        Positions in the plan's cases; else one part in five of the training patients, of each class alike. None where
        a class has one training patient only.
    """
    split = np.asarray(fold.split, object)
    if (split == "val").any() and (split == "test").any():
        return fold.held[split == "val"]
    strata, code = plan.known.strata[fold.train], plan.groups.code[fold.train]
    several = folds.groups_per_class(strata, code, int(strata.max(initial=0)) + 1)
    count = int(min(INNER, several[several > 0].min(initial=INNER)))
    if count < 2:
        return fold.train[:0]
    part = folds.stratified(strata, code, count, stream(seed, "validation", fold.name))
    return fold.train[part == 0]
