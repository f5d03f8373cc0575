"""Settings of info."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob


@dataclass(frozen=True)
class Config:
    """What to show."""

    sheet: Annotated[
        str | None,
        Knob(
            "write a contact sheet of some frames there, with their region, label mask and boxes",
            metavar="PNG",
            content=False,
        ),
    ] = None
    report: Annotated[
        str | None,
        Knob("write the dataset card of the stores there: card.md, card.json", metavar="DIR", content=False),
    ] = None
    sheet_frames: Annotated[int, Knob("frames on the sheet", low=1, high=400, content=False)] = 40
    path_map: Annotated[
        str | None,
        Knob(
            "name the files behind hashed paths, from the map that extract --path-map wrote",
            metavar="FILE",
            content=False,
        ),
    ] = None
    verify: Annotated[
        bool, Knob("read everything: digests, row counts, references between tables", content=False, flag="--verify")
    ] = False
