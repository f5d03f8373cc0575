"""Settings of ``usfm finetune``."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.engine.augmentation.names import NAMES
from usfm.model import knobs

TRAINED = ("frozen", "lora", "full")
"""Protocols that train a network on the engine's loop."""
TRAINING = "Training (frozen, lora, full)"


def _offered(what: str) -> tuple[str, ...]:
    """Names that a shell completes; imported when it asks, since every start of the program reads this file."""
    from usfm.finetune import presets
    from usfm.tasks import benchmarks

    return {"benchmarks": benchmarks, "presets": presets}[what].names()


@dataclass(frozen=True)
class Config:
    """What to fit, on which encoder, and who is held out."""

    task: Annotated[
        str, Knob("what to fit", choices=("classify", "detect", "multilabel", "regress", "retrieve", "segment"))
    ] = ""
    encoder: Annotated[str, knobs.encoder()] = ""
    pool: Annotated[str, knobs.pool()] = "mean"
    tap: Annotated[int | None, knobs.tap()] = None
    resize: Annotated[str, knobs.resize()] = "auto"
    download: Annotated[bool, knobs.download()] = False
    batch_size: Annotated[
        int | None,
        Knob(
            "in one pass of the encoder (linear, knn; default 64), or of a step (frozen, lora, full; default 32)",
            unit="frames",
            low=1,
            panel="Encoder",
            content=False,
        ),
    ] = None
    protocol: Annotated[
        str | None,
        Knob(
            "a probe on frozen features (linear, knn, simpleshot, retrieval), or a training of the head (frozen), of "
            "small matrices beside the weights (lora) or of the whole network (full); default linear where a task has "
            "it, else full",
            choices=("linear", "knn", "simpleshot", "retrieval", "frozen", "lora", "full"),
            panel="Protocol",
        ),
    ] = None
    target: Annotated[
        str | None,
        Knob(
            "column of numbers (regress), or of classes with | or ; between them (multilabel)",
            panel="Protocol",
            metavar="COLUMN",
        ),
    ] = None
    neighbours: Annotated[
        int, Knob("nearest training frames that vote (knn)", unit="frames", low=1, panel="Protocol")
    ] = 20
    class_weights: Annotated[
        str,
        Knob(
            "weight frames (classify) or pixels (segment) by the inverse frequency of their class",
            choices=("none", "balanced"),
            panel="Protocol",
        ),
    ] = "none"
    classes: Annotated[
        tuple[str, ...],
        Knob(
            "only frames of this class count, may be repeated; the order is kept (classify; default: all)",
            panel="Protocol",
            metavar="NAME",
            flag="--class",
        ),
    ] = ()
    benchmark: Annotated[
        str | None,
        Knob(
            "a published benchmark: its classes, its split, and its paper's settings where none are given here",
            panel="Published",
            metavar="NAME",
            offers=lambda: _offered("benchmarks"),
        ),
    ] = None
    preset: Annotated[
        str | None,
        Knob(
            "train as a paper does: its settings where none are given here; wins over those of a benchmark",
            panel="Published",
            metavar="NAME",
            offers=lambda: _offered("presets"),
        ),
    ] = None
    folds: Annotated[
        str | None,
        Knob(
            "so many folds by patient, or a column of the store, a fold a value (default: the store's own split; else "
            "5, or fewer where patients are few)",
            panel="Split",
            metavar="K|COLUMN",
            number=True,
        ),
    ] = None
    splits: Annotated[
        tuple[str, ...],
        Knob(
            "published split: files (JSON, CSV, lists of names), or one column of the store (a fold a value)",
            panel="Split",
            metavar="FILE|COLUMN",
        ),
    ] = ()
    allow_leaks: Annotated[
        bool,
        Knob("go on with a given split whose sides share near-duplicates", panel="Split", content=False),
    ] = False
    fraction: Annotated[
        str,
        Knob(
            "share of the training patients to learn from, 0.01 to 1; of several, such as 0.05,0.2,1, a run each",
            panel="Split",
            metavar="SHARE",
        ),
    ] = "1"
    head: Annotated[
        str | None,
        Knob(
            "network behind the encoder's maps: dpt, upernet, unet, fpn, linear (segment; default dpt on transformers, "
            "unet on others), faster-rcnn or yolo (detect; default faster-rcnn)",
            panel=TRAINING,
        ),
    ] = None
    epochs: Annotated[
        int | None, Knob("passes over the training frames (default 50)", low=1, panel=TRAINING, unit="epochs")
    ] = None
    lr: Annotated[
        float | None,
        Knob(
            "peak learning rate (default: 1e-3 * batch / 256 for full, 1e-3 frozen, 5e-4 lora)", low=0, panel=TRAINING
        ),
    ] = None
    layer_decay: Annotated[
        float | None,
        Knob("learning rate of a layer, in that of the layer above it (default 0.75)", low=0, high=1, panel=TRAINING),
    ] = None
    augment: Annotated[str | None, Knob("set of augmentations (default standard)", choices=NAMES, panel=TRAINING)] = (
        None
    )
    image_size: Annotated[
        int | None, Knob("side of a frame (default: the encoder's); positions are interpolated", low=8, panel=TRAINING,
                         unit="px")
    ] = None  # fmt: skip
    window: Annotated[
        int | None,
        Knob(
            "side of the squares that large frames are cut into, of the frames as they are; each is brought to "
            "--image-size (segment; default: whole frames)",
            low=16,
            unit="px",
            panel=TRAINING,
        ),
    ] = None
    overlap: Annotated[
        float | None,
        Knob("share of a window that its neighbour sees too (default 0.25)", low=0, high=0.9, panel=TRAINING),
    ] = None
    patience: Annotated[
        int | None,
        Knob("epochs without a better validation loss that end a fold (default 0: never)", low=0, panel=TRAINING),
    ] = None
    accumulate: Annotated[
        int | None, Knob("parts that a step's batch is worked in, one after another (default 1)", low=1, panel=TRAINING)
    ] = None
    precision: Annotated[
        str | None,
        Knob("arithmetic; auto (the default) is bf16 where the device has it", choices=("auto", "bf16", "fp16", "fp32"),
             panel=TRAINING),
    ] = None  # fmt: skip
    set: Annotated[
        tuple[str, ...],
        Knob(
            "change any setting of the training, may be repeated: drop_path, smoothing, mixup, cutmix, weight_decay, "
            "warmup, ema, clip, rank, ...",
            panel=TRAINING,
            metavar="KEY=VALUE",
        ),
    ] = ()
    sweep: Annotated[
        tuple[str, ...],
        Knob(
            "a run for each value of a setting that --set takes, or of fraction; may be repeated (product); the best "
            "by validation patients is named",
            panel="Search",
            metavar="KEY=A,B",
        ),
    ] = ()
    seeds: Annotated[int | None, Knob("runs with so many seeds, from --seed on", low=1, panel="Search")] = None


TRAINING_ONLY = (
    "head", "epochs", "lr", "layer_decay", "augment", "image_size", "window", "overlap", "patience", "accumulate",
    "precision", "set",
)  # fmt: skip
"""Settings that only a training of a network has."""
