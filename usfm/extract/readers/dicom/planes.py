"""Planes of an enhanced ultrasound volume: what each one shows, its spacing and where it lies."""

from dataclasses import dataclass, field
from typing import Any

from usfm.extract.readers.dicom.headers import Header

KINDS = {
    "TISSUE_INTENSITY": "b-mode",
    "TISSUE_VELOCITY": "color-doppler",
    "FLOW_VELOCITY": "color-doppler",
    "FLOW_VARIANCE": "color-doppler",
    "FLOW_POWER": "power-doppler",
    "DIRECTION_POWER": "power-doppler",
    "ELASTICITY": "elastography",
}
"""What a plane shows, by its DataType (DICOM PS3.3, C.8.24.5.4)."""
NAN = float("nan")


@dataclass(frozen=True)
class Slice:
    """One plane.

    Attributes:
        kind: What it shows, "" where it does not say.
        spacing_mm: (between rows, between columns), NaN where it does not say.
        facts: Where its upper left pixel lies in the volume, as ``position_mm``.
    """

    kind: str = ""
    spacing_mm: tuple[float, float] = (NAN, NAN)
    facts: dict[str, Any] = field(default_factory=dict)


def planes(header: Header) -> list[Slice]:
    """Return what the functional groups say about each plane; empty where there are none.

    What holds for all planes stands in the shared groups, and a plane's own word counts more.
    """
    shared = header.items("SharedFunctionalGroupsSequence")[:1]
    own = header.items("PerFrameFunctionalGroupsSequence")
    return [_plane(header, [*shared, item]) for item in own]


def between_mm(header: Header) -> float:
    """Return the distance from plane to plane in mm, NaN where the header does not say."""
    groups = [
        *header.items("SharedFunctionalGroupsSequence")[:1],
        *header.items("PerFrameFunctionalGroupsSequence")[:1],
    ]
    for group in groups:
        for measures in header.items("PixelMeasuresSequence", group)[:1]:
            told = header.number("SpacingBetweenSlices", 0, measures) or header.number("SliceThickness", 0, measures)
            if told > 0:
                return told
    return NAN


def _plane(header: Header, groups: list[Any]) -> Slice:
    kind, spacing, facts = "", (NAN, NAN), {}
    for group in groups:
        for item in header.items("ImageDataTypeSequence", group)[:1]:
            kind = KINDS.get(header.text("DataType", item).upper(), kind)
        for item in header.items("PixelMeasuresSequence", group)[:1]:
            told = header.numbers("PixelSpacing", item)
            spacing = (told[0], told[1]) if len(told) == 2 and min(told) > 0 else spacing
        for item in header.items("PlanePositionVolumeSequence", group)[:1]:
            told = header.numbers("ImagePositionVolume", item)
            facts = {"position_mm": told} if len(told) == 3 else facts
    return Slice(kind, spacing, facts)
