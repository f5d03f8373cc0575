"""Settings of ``usfm export``: Hand a run's encoder to timm, to code written for MAE, or to ONNX."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob


@dataclass(frozen=True)
class Config:
    """What to make of a run."""

    to: Annotated[str, Knob("what to write", choices=("timm", "mae", "onnx"), panel="Input/Output")] = "timm"
    which: Annotated[
        str,
        Knob(
            "checkpoint of the run (auto: the last, or the best where there is no last)",
            choices=("auto", "best", "last"),
        ),
    ] = "auto"
    pool: Annotated[str, Knob("for onnx: one vector a frame by mean or class token", choices=("mean", "cls"))] = "mean"
