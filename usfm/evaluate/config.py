"""Settings of ``usfm eval``."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob

FORMATS = ("html", "json", "csv", "md", "latex")


@dataclass(frozen=True)
class Config:
    """What counts as one case, how intervals are made, and what is written."""

    store: Annotated[
        tuple[str, ...],
        Knob(
            "store with the same frames (adds pictures), or with other frames (scores them with the runs' probes)",
            panel="Input/Output",
            flag="--in",
            metavar="STORE",
            content=False,
        ),
    ] = ()
    resize: Annotated[
        str,
        Knob(
            "how frames of --in are resized to the encoder's square; auto: as when the run was made",
            choices=("auto", "letterbox", "stretch"),
            panel="Input/Output",
        ),
    ] = "auto"
    aggregate: Annotated[
        str,
        Knob(
            "what counts as one case; scores are averaged over its frames",
            choices=("frame", "clip", "patient"),
            panel="Measures",
        ),
    ] = "frame"
    bootstrap: Annotated[
        int, Knob("number of bootstrap resamples of the patients", unit="resamples", low=0, panel="Measures")
    ] = 1000
    confidence: Annotated[float, Knob("level of the intervals", low=0.5, high=0.999, panel="Measures")] = 0.95
    compare: Annotated[
        bool,
        Knob("test every pair of runs on the frames they share, drawing the same patients for both", panel="Measures"),
    ] = False
    format: Annotated[str, Knob("comma-separated: " + ", ".join(FORMATS), panel="Report", metavar="LIST")] = "html,json"
    pictures: Annotated[
        int,
        Knob(
            "correct frames, and as many wrong ones, shown for a run (with --in)", unit="frames", low=0, panel="Report"
        ),
    ] = 12
