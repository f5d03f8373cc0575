"""Settings of clean."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob

FIND, FILL, REPORT = "What is found", "How it is filled", "Report"


@dataclass(frozen=True)
class Config:
    """What is looked for, and what takes its place."""

    text: Annotated[
        str,
        Knob(
            "reader of burnt-in text: RapidOCR, whose models come with its wheel (auto is the same today), or none",
            choices=("auto", "rapidocr", "none"),
            panel=FIND,
        ),
    ] = "auto"
    color_markers: Annotated[
        bool, Knob("find thin coloured ink: calipers, lines, logos; Doppler flow stays", panel=FIND)
    ] = True
    inpaint: Annotated[
        str,
        Knob("Navier-Stokes, Telea, or black", choices=("ns", "telea", "blank"), panel=FILL),
    ] = "ns"
    radius: Annotated[int, Knob("radius of the neighbourhood that fills a pixel", unit="px", low=1, panel=FILL)] = 3
    outside_sector: Annotated[
        str,
        Knob(
            "pixels outside the acoustic region: unchanged, or black (unless the region is a guess)",
            choices=("keep", "blank"),
            panel=FILL,
        ),
    ] = "keep"
    report: Annotated[
        str | None,
        Knob(
            "folder for an HTML page: counts, frames before and after, text blurred",
            content=False,
            panel=REPORT,
            metavar="DIR",
        ),
    ] = None
