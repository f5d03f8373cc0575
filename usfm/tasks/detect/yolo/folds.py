"""`--head yolo` as the command sees it: folds in, boxes out."""

import importlib.metadata
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from usfm.errors import RequestError
from usfm.model.network import Entry
from usfm.store.reader import Store
from usfm.tasks.contract import Known
from usfm.tasks.detect.boxes import learner_of
from usfm.tasks.detect.yolo import process
from usfm.tasks.detect.yolo.job import BEST, FOUND, Job, how_of
from usfm.tasks.detect.yolo.stock import entry_of, installed, is_stock, stock_of

STEP_PX = 32
"""The coarsest level of the head; a frame is a whole number of its cells."""

LICENCE = "ultralytics is AGPL-3.0 (or a paid licence of Ultralytics): it trained these weights in a process of its own"


class Yolo:
    """Trains folds with ultralytics.

    Args:
        store: of the frames.
        known: the truth.
        options: settings of the command and of its training by name.
        seed: of all draws.
        device: as PyTorch names it.
        precision: fp32, bf16 or fp16.

    Raises:
        RequestError: ultralytics is not installed, or a setting has no meaning with it.
    """

    higher = True

    def __init__(self, store: Store, known: Known, options: Mapping[str, Any], seed: int, device: str, precision: str):
        installed()
        self.store, self.known, self.options, self.seed, self.device = store, known, options, seed, device
        self.how = how_of(options, len(known.class_names), precision)
        self.entry, dim = self._entry()
        rows, columns = self.entry.image_size
        if rows != columns or rows % STEP_PX:
            near = -(-max(rows, columns) // STEP_PX) * STEP_PX
            raise RequestError(
                f"--head yolo takes square frames whose side is a multiple of {STEP_PX} px, not {rows} x {columns}; "
                f"give --image-size {near}"
            )
        self.encoder = {"name": self.entry.name, "dim": dim, **self.entry.identity}
        version = importlib.metadata.version("ultralytics")
        self.extra: Mapping = {"yolo": {"ultralytics": version, "licence": LICENCE, "settings": asdict(self.how)}}

    def train(self, train: np.ndarray, validation: np.ndarray, held: np.ndarray, folder: Path, title: str) -> dict:
        """See `learner.Trainer`.

        Raises:
            RequestError: no frame to learn from has a box, or the process refuses the request.
            WorkError: the process ended without a result.
        """
        if not sum(len(self.store.boxes(int(row))[0]) for row in train):
            raise RequestError(f"{title}: no training frame has a box; give --folds another number, or more patients")
        o = self.options
        Job(
            stores=tuple(str(Path(path).resolve()) for path in self.store.paths),
            names=tuple(self.known.class_names),
            of=tuple(self.known.facts["box_classes"]),
            train=tuple(train.tolist()),
            validation=tuple(validation.tolist()),
            held=tuple(held.tolist()),
            encoder=o["encoder"],
            pool=o["pool"],
            resize=o["resize"],
            download=o["download"],
            image_size=o["image_size"],
            seed=self.seed,
            device=self.device,
            how=self.how,
        ).write(folder)
        return process.run(folder, self.how.epochs, title)

    def read(self, held: np.ndarray, folder: Path) -> np.ndarray:
        """See `learner.Trainer`: (m, 100, 6), px of the frames as they were given."""
        learner = learner_of(
            self.store, held, self.known.class_names, list(self.known.facts["box_classes"]), self.entry
        )
        with np.load(folder / FOUND) as found:
            return learner.raw({learner.said: found["held"]}, held)

    def keep(self, folder: Path, new: Path) -> None:
        """See `learner.Trainer`."""
        shutil.copytree(folder / BEST, new)

    def _entry(self) -> tuple[Entry, int]:
        o = self.options
        if is_stock(o["encoder"]):
            return entry_of(stock_of(o["encoder"]), o["image_size"], o["resize"], self.seed), 0
        from usfm.model.sources import network
        from usfm.tasks.detect.heads import taken_of

        made = network(o["encoder"], download=o["download"], seed=self.seed, pool=o["pool"], resize=o["resize"],
                       image_size=o["image_size"])  # fmt: skip
        taken_of(made, "yolo")
        return made.entry, made.dim
