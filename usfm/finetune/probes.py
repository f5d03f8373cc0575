"""Protocols on features of a frozen encoder that are made once: a probe is fitted fold by fold."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request
from usfm.finetune import plan as planning
from usfm.finetune.config import Config
from usfm.finetune.fold import line_of, predicted, warn_of_lacking
from usfm.model import cost, features
from usfm.model.asked import asked_for
from usfm.model.device import choose_device
from usfm.store.reader import Store
from usfm.tasks import TASKS, directory, predictions
from usfm.tasks.contract import Fitted
from usfm.tasks.folds import Fold
from usfm.tasks.predictions import Predictions


class Probes:
    """Fits a protocol of `Task.protocols`.

    Args:
        config: which one.
        request: common options.
        plan: the cases.
        store: of the frames.

    Attributes:
        encoder: name, dim and identity of the encoder, for the card.
        extra: more settings that make another run; none here.
        seconds_embedding: that features took.
    """

    extra: Mapping = {}

    def __init__(self, config: Config, request: Request, plan: planning.Cases, store: Store):
        self.config, self.seed, self.plan, self.store = config, request.seed, plan, store
        self.embedder = asked_for(config, request)
        self.encoder = {"name": self.embedder.name, "dim": self.embedder.dim, **self.embedder.identity}
        self.seconds_embedding, self.device = 0.0, request.device
        self._arrays: dict[str, np.ndarray] = {}

    def fit_all(self, out: Path, key: str) -> tuple[Predictions, list[dict]]:
        """Fit every fold.

        Args:
            out: run directory; features are kept beside it.
            key: of the run.

        Returns:
            All predictions, and a line of figures a fold.
        """
        started, config, plan = time.monotonic(), self.config, self.plan
        with console.progress(f"embedding with {self.embedder.name}", len(plan.rows)) as bar:
            size = config.batch_size or 64
            vectors = features.cached(
                self.store, plan.rows, self.embedder, out.parent / ".features", batch_size=size, advance=bar.advance
            )
        self.seconds_embedding = time.monotonic() - started
        parts, lines = [], []
        with console.progress(f"fitting {config.protocol}", len(plan.folds), unit="folds") as bar:
            for fold in plan.folds:
                part, line, fitted = self._fit(fold, vectors)
                parts.append(part)
                lines.append(line)
                self._arrays |= {f"{fold.name}.{name}": array for name, array in fitted.arrays.items()}
                bar.advance(1)
        return predictions.joined(parts), lines

    def cost(self) -> dict:
        """Parameters of the encoder, those of a probe that are fitted, and memory, for the card."""
        first = self.plan.folds[0].name
        fitted = sum(self._arrays[key].size for key in (f"{first}.weight", f"{first}.bias") if key in self._arrays)
        whole = self.embedder.parameters
        return {
            **({"parameters": whole + fitted} if whole else {}),
            "trained_parameters": fitted,
            **(cost.peak(choose_device(self.device)) if whole else {}),
        }

    def keep(self, new: Path) -> None:
        """Write the probes into a run directory."""
        if self._arrays:
            np.savez(new / directory.PROBE, **self._arrays)  # type: ignore[arg-type]

    def clear(self, out: Path) -> None:
        """Nothing is left beside the run but the features, which other runs use."""

    def _fit(self, fold: Fold, vectors: np.ndarray) -> tuple[Predictions, dict, Fitted]:
        started, config, plan = time.monotonic(), self.config, self.plan
        known, code, task = plan.known, plan.groups.code, TASKS[config.task]
        probe, classes = task.protocols[config.protocol or task.default_protocol], len(known.class_names)
        options = {"class_weights": config.class_weights, "neighbours": config.neighbours}
        fitted = probe(vectors[fold.train], known.target[fold.train], code[fold.train], classes, self.seed, options)
        warn_of_lacking(fold, plan)
        if fitted.chosen.get("not_converged") or fitted.chosen.get("inner_not_converged"):
            console.warn("the logistic regression did not always converge in 1000 steps; see metrics.jsonl")
        part = predicted(plan, task, fold, self.store, fitted.scores(vectors[fold.held]))
        return part, line_of(plan, fold, part, fitted.chosen, time.monotonic() - started), fitted
