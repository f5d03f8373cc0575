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
    at_specificity: Annotated[
        float,
        Knob(
            "specificity at which the sensitivity of a class is given, and the reverse",
            low=0.0,
            high=1.0,
            panel="Measures",
        ),
    ] = 0.9
    by: Annotated[
        tuple[str, ...],
        Knob(
            "measure each value of this column apart: one of the store given with --in, or of a table of predictions",
            panel="Measures",
            metavar="COLUMN",
        ),
    ] = ()
    perturb: Annotated[
        str,
        Knob(
            "score the frames of --in again under depth, shadow, gain, speckle, blur; a strength after '=', or a "
            "ladder of three",
            panel="Measures",
            metavar="LIST",
        ),
    ] = ""
    predictions: Annotated[
        tuple[str, ...],
        Knob(
            "table of anybody's predictions: id, patient, target, score_CLASS...",
            panel="Input/Output",
            metavar="FILE.csv",
            content=False,
        ),
    ] = ()
    benchmark: Annotated[
        str, Knob("show the published numbers of this benchmark beside the runs", panel="Report", metavar="NAME")
    ] = ""
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
