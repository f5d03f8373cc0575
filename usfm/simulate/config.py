"""Settings of `usfm simulate`: make ultrasound clips by physics, with the truth beside them."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob

PROBES = ("convex", "phased", "linear", "trapezoid", "dual", "mixed")
SCENES = ("soft", "head", "heart", "lung", "mixed")
FORMATS = ("mp4", "avi", "png", "jpg", "dicom", "mixed")


@dataclass(frozen=True)
class Config:
    """What to simulate; one line a knob."""

    clips: Annotated[int, Knob("clips to render", low=0, high=100_000, panel="Collection")] = 60
    stills: Annotated[int, Knob("still images to render", low=0, high=100_000, panel="Collection")] = 12
    patients: Annotated[int, Knob("patients that the clips and stills belong to", low=1, panel="Collection")] = 24
    duplicates: Annotated[
        int, Knob("duplicates to add, from identical files to cropped copies", low=0, panel="Collection")
    ] = 8
    conflicts: Annotated[int, Knob("files that repeat under another patient and class", low=0, panel="Collection")] = 0
    corrupt: Annotated[int, Knob("damaged files to add", low=0, panel="Collection")] = 0
    reports: Annotated[int, Knob("stills that are report pages", low=0, panel="Collection")] = 0
    seconds: Annotated[float, Knob("length of a clip", unit="s", low=0.1, high=600, panel="Clip")] = 1.5
    fps: Annotated[float, Knob("frame rate of a clip", unit="frames/s", low=1, high=120, panel="Clip")] = 15.0
    size: Annotated[int, Knob("longest side of a frame", unit="px", low=96, high=2048, panel="Clip")] = 320
    probe: Annotated[str, Knob("probe; mixed: another one for each patient", choices=PROBES, panel="Scanner")] = "mixed"
    scene: Annotated[str, Knob("anatomy; mixed: another one for each patient", choices=SCENES, panel="Scanner")] = (
        "mixed"
    )
    overlays: Annotated[bool, Knob("draw text, rulers and calipers as scanners do", panel="Scanner")] = True
    format: Annotated[
        str, Knob("files to write; clips as png or jpg are folders of frames", choices=FORMATS, panel="Output")
    ] = "mp4"
