"""What the process that trains a fold, or asks its network, is told, as a file of JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.store.whole import write_text
from usfm.tasks.detect.yolo.stock import is_stock

AT_ONCE = 16
"""Frames that a network sees together when it is asked."""

FILE, ASK, FOUND, LOG, BEST = "job.json", "ask.json", "found.npz", "ultralytics.log", "best"
"""In the folder of a fold: the training, the question, boxes, what ultralytics printed, and the weights."""

TAKEN = ("epochs", "batch_size", "lr", "min_lr", "warmup", "weight_decay", "patience")
OF_ENCODERS = ("layer_decay", "drop_path")
"""Settings of a training that `--head yolo` has; the second row with an encoder of usfm's only."""


@dataclass(frozen=True)
class How:
    """How ultralytics trains; every value is one that it would otherwise choose itself.

    Attributes:
        epochs, patience, batch_size: as of ``usfm finetune``.
        lr: peak learning rate of AdamW.
        min_lr: at the end.
        warmup: share of the epochs in which the rate rises.
        weight_decay: of AdamW.
        layer_decay: of an encoder of usfm's.
        drop_path: the same.
        augmented: whether ultralytics' own augmentations are used.
        precision: fp32 or bf16.
        frozen: whether the encoder stays as it is.
    """

    epochs: int
    patience: int
    batch_size: int
    lr: float
    min_lr: float
    warmup: float
    weight_decay: float
    layer_decay: float
    drop_path: float
    augmented: bool
    precision: str
    frozen: bool


@dataclass(frozen=True)
class Job:
    """One fold.

    Attributes:
        stores: paths of the store's files.
        names: of the classes.
        of: the store's number of each class.
        train, validation, held: rows of the store.
        encoder: SPEC.
        pool, resize, download, image_size: how it is loaded.
        seed: of all draws.
        device: as PyTorch names it.
        how: the training.
    """

    stores: tuple[str, ...]
    names: tuple[str, ...]
    of: tuple[int, ...]
    train: tuple[int, ...]
    validation: tuple[int, ...]
    held: tuple[int, ...]
    encoder: str
    pool: str
    resize: str
    download: bool
    image_size: int | None
    seed: int
    device: str
    how: How

    def write(self, folder: Path) -> None:
        """Write it into the folder of the fold."""
        write_text(folder / FILE, json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Job":
        """Read it from the folder of the fold."""
        told: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        told |= {name: tuple(value) for name, value in told.items() if isinstance(value, list)}
        told["how"] = How(**told["how"])
        return cls(**told)


@dataclass(frozen=True)
class Ask:
    """What the networks of a run are asked.

    Attributes:
        stores: paths of the store's files.
        run: directory.
        classes: how many it knows.
        folds: fold -> rows of the store.
        device: as PyTorch names it.
    """

    stores: tuple[str, ...]
    run: str
    classes: int
    folds: dict[str, list[int]]
    device: str

    @staticmethod
    def answer(number: int) -> str:
        """Name of the file with the boxes of a fold.

        Args:
            number: position of the fold.

        Returns:
            The name, in the folder of the question.
        """
        return f"{number}.npy"

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        write_text(folder / ASK, json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Ask":
        """Read it from a folder."""
        told: dict[str, Any] = json.loads((folder / ASK).read_text(encoding="utf-8"))
        return cls(**{**told, "stores": tuple(told["stores"])})


def how_of(options: Mapping[str, Any], classes: int, precision: str) -> How:
    """The training that a command asks for.

    Args:
        options: settings of ``usfm finetune`` and of its training by name; `given` are the names of those that were
            typed.
        classes: C.
        precision: fp32, bf16 or fp16.

    Returns:
        Its settings.

    Raises:
        RequestError: a setting has no meaning with ``--head yolo``.
    """
    stock, protocol = is_stock(options["encoder"]), options["protocol"]
    given = set(options["given"])
    _refuse(options, stock, protocol, given, precision)
    usual = 0.01 / (4 + classes) if stock else 5e-4
    return How(
        epochs=options["epochs"],
        patience=options["patience"],
        batch_size=options["batch_size"],
        lr=usual if options["lr"] is None else options["lr"],
        min_lr=options["min_lr"],
        warmup=options["warmup"],
        weight_decay=5e-4 if stock and "weight_decay" not in given else options["weight_decay"],
        layer_decay=1.0 if protocol == "frozen" else options["layer_decay"],
        drop_path=options["drop_path"],
        augmented=options["augment"] != "none",
        precision=precision,
        frozen=protocol == "frozen",
    )


def _refuse(options: Mapping[str, Any], stock: bool, protocol: str, given: set[str], precision: str) -> None:
    """One sentence for what ultralytics' trainer cannot do, or does in its own way."""
    if protocol == "lora" or (stock and protocol != "full"):
        whole = " on a network of ultralytics" if stock else ""
        other = "full" if stock else "full or frozen"
        raise RequestError(f"--protocol {protocol} has no meaning with --head yolo{whole}; take --protocol {other}")
    if options["augment"] not in ("standard", "none"):
        raise RequestError(
            f"--augment {options['augment']} has no meaning with --head yolo, whose trainer has augmentations of its "
            "own; leave it out, or switch them off with --augment none"
        )
    if (options.get("accumulate") or 1) != 1:
        raise RequestError("--accumulate has no meaning with --head yolo; leave it out")
    if precision == "fp16":
        raise RequestError("--precision fp16 has no meaning with --head yolo; take bf16 or fp32")
    taken = {*TAKEN, *(() if stock else OF_ENCODERS)}
    for name in sorted(given - taken - {"head", "set", "augment", "image_size", "precision", "accumulate"}):
        where = " on a network of ultralytics" if stock else ""
        raise RequestError(f"'{name}' has no meaning with --head yolo{where}{did_you_mean(name, taken)}; leave it out")
