"""Settings of `usfm sector`."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.imaging.kinds import KINDS

PRESETS = {"polarmae": {"size": 224, "method": "abrc", "pad": 5, "min_side": 100, "min_patches": 64, "fit_fan": False}}
"""What the public code of a paper uses. PolarMAE: ABRC on single frames, crops of under 100 px and images of under 64
valid 16-pixel patches of 224 x 224 dropped (the paper's code counts them on augmented masks, we on the mask itself)."""


@dataclass(frozen=True)
class Config:
    """What `sector` is asked for."""

    size: Annotated[
        int, Knob("side of the square output frames", unit="px", low=16, high=4096, panel="Output frames")
    ] = 256
    color: Annotated[bool, Knob("keep RGB instead of gray", panel="Output frames", flag="--color/--gray")] = False
    outside: Annotated[
        str,
        Knob("pixels outside the region: black, or unchanged", choices=("blank", "keep"), panel="Output frames"),
    ] = "blank"
    pad: Annotated[int, Knob("margin kept around the region's box", unit="px", low=0, panel="Output frames")] = 0
    patch: Annotated[int, Knob("side of the patches whose coverage is written", unit="px", low=1, panel="Patches")] = 16
    tau: Annotated[float, Knob("coverage from which a patch counts as valid", low=0, high=1, panel="Patches")] = 0.1
    min_patches: Annotated[
        int, Knob("reject frames with fewer valid patches; 0 keeps and counts them", low=0, panel="Patches")
    ] = 0
    min_side: Annotated[
        int, Knob("reject frames whose region's box is smaller; 0 keeps them", unit="px", low=0, panel="Patches")
    ] = 0
    method: Annotated[
        str,
        Knob(
            "auto uses the store's regions, else DICOM's, else motion, else the single frame; the others find regions"
            " again (abrc: the published PolarMAE rule)",
            choices=("auto", "dicom", "temporal", "single", "abrc"),
            panel="Region",
        ),
    ] = "auto"
    min_confidence: Annotated[
        float,
        Knob(
            "reject frames whose region is less likely to be right (probability that it overlaps the true one by 0.90"
            " or more); 0 keeps them",
            low=0,
            high=1,
            panel="Region",
        ),
    ] = 0.0
    keep_kind: Annotated[
        tuple[str, ...],
        Knob("keep only frames that show this; repeatable", choices=KINDS, panel="Frames", metavar="KIND"),
    ] = ()
    drop_kind: Annotated[
        tuple[str, ...],
        Knob("reject frames that show this; repeatable", choices=KINDS, panel="Frames", metavar="KIND"),
    ] = ()
    split_views: Annotated[
        bool,
        Knob(
            "make a frame of each view of a split screen: X/0, X/1 for frame X, row by row and from the left",
            panel="Frames",
        ),
    ] = False
    beam: Annotated[
        bool,
        Knob(
            "lay sectors straight: rows are depth, columns angle; frames without a trusted geometry are rejected",
            panel="Output frames",
        ),
    ] = False
    fit_fan: Annotated[bool, Knob("fit the sector's geometry: apex, radii, angles", panel="Region")] = True
    corrections: Annotated[
        str | None,
        Knob(
            "JSON file with regions drawn by hand: {source or region key: {box|polygon|geometry|whole}}",
            panel="Region",
            metavar="FILE.json",
        ),
    ] = None
    preset: Annotated[
        str | None,
        Knob(
            "polarmae: settings of its public code (224 px, ABRC, 64 patches); your own options take precedence",
            choices=tuple(PRESETS),
            panel="Region",
            metavar="NAME",
        ),
    ] = None
    report: Annotated[
        str | None,
        Knob("folder for an HTML page of outlines over frames", panel="Input/Output", content=False, metavar="DIR"),
    ] = None


def with_preset(config: Config) -> Config:
    """Return the settings with the preset's values in every field that still has its default."""
    if config.preset is None:
        return config
    default = {field.name: field.default for field in dataclasses.fields(Config)}
    values = {k: v for k, v in PRESETS[config.preset].items() if getattr(config, k) == default[k]}
    return dataclasses.replace(config, **values)
