"""Settings of ``usfm embed``."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob


@dataclass(frozen=True)
class Config:
    """Which encoder, and how its tokens become one vector a frame."""

    encoder: Annotated[
        str,
        Knob(
            "run directory, checkpoint file, timm:NAME, timm:NAME@FILE or random",
            panel="Encoder",
            metavar="SPEC",
            content=False,
        ),
    ] = ""
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
