"""Settings of ``usfm encoders``: List the weight files of others that can be read, or say how an encoder is read."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob


@dataclass(frozen=True)
class Config:
    """What may be done to look at an encoder."""

    download: Annotated[
        bool, Knob("let timm:NAME fetch its weights", content=False, flag="--download", panel="Input/Output")
    ] = False
