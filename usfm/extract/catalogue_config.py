"""Settings of ``usfm catalogue``: List public collections, or say what is known of one."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob


@dataclass(frozen=True)
class Config:
    """How the catalogue is shown."""

    markdown: Annotated[
        bool, Knob("print Markdown instead of tables", content=False, flag="--markdown", panel="Output")
    ] = False
