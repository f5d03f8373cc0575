"""Settings of ``usfm finetune``."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.model import knobs


@dataclass(frozen=True)
class Config:
    """What to fit, on which encoder, and who is held out."""

    task: Annotated[str, Knob("what to fit", choices=("classify",))] = ""
    encoder: Annotated[str, knobs.encoder()] = ""
    pool: Annotated[str, knobs.pool()] = "mean"
    resize: Annotated[str, knobs.resize()] = "auto"
    download: Annotated[bool, knobs.download()] = False
    batch_size: Annotated[int, knobs.batch_size()] = 64
    protocol: Annotated[str, Knob("probe on the frozen features", choices=("linear", "knn"), panel="Protocol")] = (
        "linear"
    )
    neighbours: Annotated[
        int, Knob("nearest training frames that vote (knn)", unit="frames", low=1, panel="Protocol")
    ] = 20
    class_weights: Annotated[
        str,
        Knob("weight frames by the inverse frequency of their class", choices=("none", "balanced"), panel="Protocol"),
    ] = "none"
    folds: Annotated[
        int | None,
        Knob(
            "folds by patient (default: the store's own split; 5, or fewer where patients are few)",
            low=2,
            panel="Split",
        ),
    ] = None
    fraction: Annotated[
        float, Knob("share of the training patients to learn from", low=0.01, high=1.0, panel="Split")
    ] = 1.0
