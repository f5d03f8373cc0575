"""Settings of ``usfm export``: Hand a run's encoder or a store's frames and labels to other programs."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob

OF_STORES = ("png", "coco", "yolo", "nifti", "video")
FORMATS = ("timm", "mae", "onnx", *OF_STORES, "splits")


@dataclass(frozen=True)
class Config:
    """What to make of a run or a store."""

    to: Annotated[
        str,
        Knob(
            "what to write: timm, mae, onnx of a run (onnx with the heads of finetune segment and classify); splits of "
            "either; the others of a store",
            choices=FORMATS,
            panel="Input/Output",
        ),
    ] = "timm"
    which: Annotated[
        str,
        Knob(
            "checkpoint of the run (auto: the last, or the best where there is no last)",
            choices=("auto", "best", "last"),
        ),
    ] = "auto"
    pool: Annotated[str, Knob("for onnx: one vector a frame by mean or class token", choices=("mean", "cls"))] = "mean"
