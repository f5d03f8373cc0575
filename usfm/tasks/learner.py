"""What a task brings to a training of a network: a head, a loss, and what its outputs say."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from usfm.engine.prepared import Prepared
from usfm.engine.truth import Truth
from usfm.model.network import Entry, Network
from usfm.store.reader import Store
from usfm.tasks.contract import Known
from usfm.tasks.predictions import Predictions


class Head(Protocol):
    """What stands on a network, and how its outputs are read; enough to ask a network that was trained."""

    def head(self, network: Network) -> nn.Module:
        """A module that is called with the network and frames, (B, C, H, W) of 0 to 255, and gives the outputs."""
        ...

    def decode(self, outputs: Any) -> dict[str, torch.Tensor]:
        """Outputs of a batch as what is kept of each frame: name -> (B, ...)."""
        ...


class Learner(Head, Protocol):
    """One task's part of a training; the rest is the same for all tasks (`usfm.finetune.training`).

    `higher` says whether a higher score of the validation frames is better.
    """

    higher: bool

    def truth(self, rows: np.ndarray) -> Truth:
        """What is known of rows of the store, in the pixels of the prepared frames; on the host."""
        ...

    def loss(self, outputs: Any, truth: Truth) -> torch.Tensor:
        """The loss of a batch.

        Args:
            outputs: of the head.
            truth: on the device, moved as the frames are.

        Returns:
            A scalar on the device.
        """
        ...

    def mixed(self, truth: Truth, share: float) -> Truth | None:
        """The truth of mixed frames.

        Args:
            truth: of the batch.
            share: of each frame itself; the rest is the one opposite in the batch.

        Returns:
            The truth; None where it cannot be mixed, and then the frames are not.
        """
        ...

    def score(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
        """Figures of validation rows.

        Args:
            decoded: of the rows.
            rows: (n,) of the store.

        Returns:
            Name -> figure, among them `score`, by which the best moment is chosen.
        """
        ...

    def raw(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> Any:
        """What `Task.predicted` takes.

        Args:
            decoded: of the rows.
            rows: (n,) of the store.

        Returns:
            (n, ...) in the coordinates of the frames as they were given.
        """
        ...

    def afterwards(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict:
        """What the outputs need to be read again, and what is fitted on the validation frames, such as a temperature.

        Args:
            decoded: of the rows; empty where there are none.
            rows: (n,) of the store.

        Returns:
            JSON values, kept for each fold in the run's card.
        """
        ...


@runtime_checkable
class Learns(Protocol):
    """A task that a network can be trained for (`--protocol frozen`, `lora` or `full`)."""

    def learner(
        self, known: Known, frames: Prepared, groups: np.ndarray, train: np.ndarray, options: Mapping[str, Any]
    ) -> Learner:
        """Its part of the training of one fold.

        Args:
            known: the truth.
            frames: the store's frames as the network takes them; `frames.framing(row)` maps coordinates.
            groups: (n,) int patient of each frame of `known`.
            train: (t,) positions in `known` that are trained on.
            options: settings of the command and of the training by name.

        Returns:
            The learner.
        """
        ...


class Trainer(Protocol):
    """A trainer of somebody else, in a process of its own; folds, truth and measures stay those of the task.

    Attributes:
        encoder: name, dim and identity of the network, for the card.
        extra: what makes another run and what the card says of the trainer, JSON values.
        higher: whether a higher score of the validation frames is better.
    """

    encoder: dict
    extra: Mapping
    higher: bool

    def train(self, train: np.ndarray, validation: np.ndarray, held: np.ndarray, folder: Path, title: str) -> dict:
        """Train on rows.

        Args:
            train: (t,) rows of the store to learn from.
            validation: (v,) rows that choose the best moment; may be empty.
            held: (m,) rows to be predicted.
            folder: empty; predictions and weights are written there.
            title: of the progress.

        Returns:
            Figures of the training, JSON values.
        """
        ...

    def read(self, held: np.ndarray, folder: Path) -> Any:
        """What was predicted.

        Args:
            held: (m,) rows of the store.
            folder: that the fold was trained in.

        Returns:
            What `Task.predicted` takes.
        """
        ...

    def keep(self, folder: Path, new: Path) -> None:
        """Copy the weights of a fold.

        Args:
            folder: that it was trained in.
            new: where to.
        """
        ...


class Asker(Protocol):
    """Networks that somebody else's trainer has made, asked in a process of its own.

    Attributes:
        entry: how frames enter them.
        said: what their answer is called among those of `Head.decode`.
    """

    entry: Entry
    said: str

    def answers(
        self, store: Store, rows: Mapping[str, np.ndarray], device: str
    ) -> AbstractContextManager[Mapping[str, np.ndarray]]:
        """What the network of each fold says, for as long as the context is open.

        Args:
            store: of the frames.
            rows: fold -> (n,) rows of the store.
            device: as PyTorch names it.

        Returns:
            Fold -> (n, ...) as `Head.decode` gives it; folds without rows are left out.
        """
        ...


def mixed_labels(truth: Truth, share: float) -> Truth:
    """Labels of mixed frames, for learners whose labels are shares or numbers.

    Args:
        truth: of the batch; its labels are (B, ...).
        share: of each frame itself; the rest is the one opposite in the batch.

    Returns:
        The truth of the mixed batch.
    """
    labels = torch.as_tensor(truth.labels)
    return Truth(labels=share * labels + (1 - share) * labels.flip(0))


@runtime_checkable
class Aside(Protocol):
    """A task some of whose heads have a trainer of somebody else."""

    def aside(self, options: Mapping[str, Any]) -> bool:
        """Whether these settings ask for it."""
        ...

    def trainer(
        self, store: Store, known: Known, options: Mapping[str, Any], seed: int, device: str, precision: str
    ) -> Trainer:
        """The trainer.

        Args:
            store: of the frames.
            known: the truth.
            options: settings of the command and of its training by name.
            seed: of all draws.
            device: as PyTorch names it.
            precision: fp32, bf16 or fp16.

        Returns:
            The trainer.

        Raises:
            RequestError: it is not installed, or a setting has no meaning with it.
        """
        ...

    def asker(self, run: Path, classes: int) -> Asker:
        """What asks the networks of a run that it made.

        Args:
            run: directory.
            classes: how many the run knows.

        Returns:
            The asker.

        Raises:
            RequestError: it is not installed, or the run is damaged.
        """
        ...


@dataclass(frozen=True)
class Labels:
    """What a trained run says of one frame, in the coordinates of that frame.

    Attributes:
        scores: a number for each of `Teller.columns`.
        mask: uint8 (H, W), by number or by bit as `Teller.mask_kind` says; None where the task has none.
        boxes: (k, 4) float32 left, top, right, bottom, px, classes (k,) int32 and scores (k,) float32; None likewise.
    """

    scores: tuple[float, ...]
    mask: np.ndarray | None = None
    boxes: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


class Teller(Protocol):
    """One task's part of asking trained networks about frames whose truth nobody needs to know.

    Attributes:
        columns: names of its scores.
        classes: of which a frame has one, the first of the columns; () where that is not what it says.
        mask_names: structures of its masks, in the order of their numbers; () where it predicts none.
        mask_kind: index or bits.
        box_names: classes of its boxes; () where it predicts none.
    """

    columns: tuple[str, ...]
    classes: tuple[str, ...]
    mask_names: tuple[str, ...]
    mask_kind: str
    box_names: tuple[str, ...]

    def of_fold(self, fold: str) -> Head:
        """The head of a fold's network, and how its outputs are read."""
        ...

    def labels(self, row: int, each: Mapping[str, Mapping[str, np.ndarray]]) -> Labels:
        """The labels of a frame from what some folds say of it; of several folds their mean.

        Args:
            row: of the store.
            each: fold -> what its head decoded for this frame, (samples of the frame, ...); at least one fold.

        Returns:
            The labels.
        """
        ...


@runtime_checkable
class Tells(Protocol):
    """A task whose trained networks can be asked about new frames."""

    def teller(
        self, seen: Predictions, frames: Prepared, options: Mapping[str, Any], folds: Mapping[str, Mapping]
    ) -> Teller:
        """Its part of asking a run.

        Args:
            seen: the run's own predictions.
            frames: the new frames as its networks take them.
            options: settings of the run by name, as in its ``recipe.toml``.
            folds: fold -> what the run's card says of it.

        Returns:
            The teller.

        Raises:
            RequestError: the run lacks what is needed.
        """
        ...
