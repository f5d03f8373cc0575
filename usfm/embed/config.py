"""Settings of ``usfm embed``."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.model import knobs

FORMATS = ("h5", "csv", "npz", "parquet")


@dataclass(frozen=True)
class Config:
    """Which encoder, how its tokens become one vector a frame, and what is written."""

    encoder: Annotated[str, knobs.encoder()] = ""
    pool: Annotated[str, knobs.pool()] = "mean"
    tap: Annotated[int | None, knobs.tap()] = None
    resize: Annotated[str, knobs.resize()] = "auto"
    download: Annotated[bool, knobs.download()] = False
    batch_size: Annotated[int, knobs.batch_size()] = 64
    format: Annotated[
        str | None,
        Knob("kind of file (default: as --out ends, else h5)", choices=FORMATS, panel="Input/Output", content=False),
    ] = None
