"""Settings of ``usfm finetune``."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob

_SPEC = "run directory, checkpoint file, timm:NAME, timm:NAME@FILE, vectors:FILE.h5, random:RUN or random"


@dataclass(frozen=True)
class Config:
    """What to fit, on which encoder, and who is held out."""

    task: Annotated[str, Knob("what to fit", choices=("classify",))] = ""
    encoder: Annotated[str, Knob(_SPEC, panel="Encoder", metavar="SPEC", content=False)] = ""
    pool: Annotated[str, Knob("how tokens become one vector", choices=("mean", "cls", "meanstd"), panel="Encoder")] = (
        "mean"
    )
    resize: Annotated[
        str,
        Knob(
            "how a frame fits the encoder's square; auto: as the authors of its weights do, letterbox for ours",
            choices=("auto", "letterbox", "stretch"),
            panel="Encoder",
            content=False,
        ),
    ] = "auto"
    download: Annotated[
        bool, Knob("let timm:NAME fetch weights from the hub", panel="Encoder", content=False, flag="--download")
    ] = False
    batch_size: Annotated[
        int, Knob("in one pass of the encoder", unit="frames", low=1, panel="Encoder", content=False)
    ] = 64
    protocol: Annotated[str, Knob("how the frozen encoder is asked", choices=("linear", "knn"), panel="Protocol")] = (
        "linear"
    )
    neighbours: Annotated[int, Knob("that vote in knn", unit="frames", low=1, panel="Protocol")] = 20
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
