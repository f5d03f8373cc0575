"""What a DICOM header knows that a store may keep: regions, spacing, what is shown, the device; and whose it is."""

import re
from typing import Any

from usfm.errors import MediaError
from usfm.extract.readers.contract import Identity
from usfm.extract.readers.dicom.headers import DIRECTORY, Header
from usfm.extract.readers.dicom.tags import DEVICE, NAMES

ULTRASOUND = frozenset(
    "1.2.840.10008.5.1.4.1.1.3 1.2.840.10008.5.1.4.1.1.3.1 1.2.840.10008.5.1.4.1.1.6 1.2.840.10008.5.1.4.1.1.6.1"
    " 1.2.840.10008.5.1.4.1.1.6.2".split()
)
"""SOP classes of ultrasound pictures: stills and clips, retired and present, and the enhanced volume."""
CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
"""Secondary capture; the ones of several frames follow after a dot."""
MODALITIES = frozenset(("US", "IVUS"))
OTHER_OBJECTS = {
    "1.2.840.10008.5.1.4.1.1.88": "a structured report",
    "1.2.840.10008.5.1.4.1.1.11": "a presentation state",
    "1.2.840.10008.5.1.4.1.1.104": "an encapsulated document",
    "1.2.840.10008.5.1.4.1.1.66": "a registration, segmentation or surface",
    "1.2.840.10008.5.1.4.1.1.9": "a waveform",
    "1.2.840.10008.5.1.4.1.1.4": "a magnetic resonance picture",
    "1.2.840.10008.5.1.4.1.1.2": "a computed tomography picture",
    "1.2.840.10008.5.1.4.1.1.1": "a radiograph",
    "1.2.840.10008.5.1.4.1.1.77": "a photograph or endoscopy",
}
"""What objects without ultrasound are, by the beginning of their SOP class."""
CENTIMETRES = 3
TISSUE, FLOW = 1, 2
SPECTRA = frozenset((3, 4, 5, 6, 7, 8))
"""Region data types of Doppler spectra and traces of them (DICOM PS3.3, C.8.5.5.1.2)."""
SHORT_TEXT = re.compile(r"[^\w .,:;/()+*#%&-]")
LONGEST = 64


def check_ultrasound(header: Header) -> None:
    """Refuse what holds no ultrasound pictures.

    Raises:
        MediaError: If the object is of another modality or no picture at all.
    """
    if header.kind == DIRECTORY:
        raise MediaError("no ultrasound picture", "it is a table of contents, whose files are read themselves.")
    other = next((what for start, what in OTHER_OBJECTS.items() if _is(header.kind, start)), "")
    if other:
        raise MediaError("no ultrasound picture", f"it is {other}.")
    modality = header.text("Modality").upper()
    if header.kind in ULTRASOUND or modality in MODALITIES:
        return
    if not modality:
        raise MediaError("no ultrasound picture", "its header names no modality, and its class is none of ultrasound.")
    named = modality if re.fullmatch(r"[A-Z0-9 _]{1,16}", modality) else "another one"
    raise MediaError("no ultrasound picture", f"its modality is {named}.")


def _is(kind: str, start: str) -> bool:
    return kind == start or kind.startswith(start + ".")


def identity(header: Header) -> Identity:
    """Return whom the object belongs to."""
    return Identity(header.text("PatientID"), header.text("StudyInstanceUID"))


def names(header: Header) -> list[str]:
    """Return the names of people in the header."""
    return [text for text in map(header.text, NAMES) if text]


def regions(header: Header) -> list[dict[str, Any]]:
    """Return the calibrated regions that make sense as boxes, in the words of the store.

    Each has x0, y0, x1, y1 (pixels, ends included), spatial_format, data_type, flags, and, where known, unit_x,
    unit_y (3 = cm), delta_x, delta_y (of a pixel, in those units), frequency_khz.
    """
    found = []
    for item in header.items("SequenceOfUltrasoundRegions"):
        corners = [header.number(f"RegionLocation{one}", -1, item) for one in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
        if min(corners) < 0 or max(corners) > 1 << 16 or corners[2] <= corners[0] or corners[3] <= corners[1]:
            continue
        entry: dict[str, Any] = dict(zip(("x0", "y0", "x1", "y1"), map(int, corners), strict=True))
        for name, keyword in (
            ("spatial_format", "RegionSpatialFormat"),
            ("data_type", "RegionDataType"),
            ("flags", "RegionFlags"),
            ("unit_x", "PhysicalUnitsXDirection"),
            ("unit_y", "PhysicalUnitsYDirection"),
        ):
            entry[name] = int(header.number(keyword, 0, item))
        for name, keyword in (
            ("delta_x", "PhysicalDeltaX"),
            ("delta_y", "PhysicalDeltaY"),
            ("frequency_khz", "TransducerFrequency"),
        ):
            value = header.number(keyword, 0, item)
            if value:
                entry[name] = value
        found.append(entry)
    return found


def kind_of(header: Header, found: list[dict[str, Any]]) -> str:
    """Say what the frames show, in the store's words; "" where the header does not know.

    What a picture is used for counts: where there is a picture of tissue, a spectrum beside it does not.

    Args:
        header: The header.
        found: Its regions.

    Returns:
        A kind of the store, or "".
    """
    if _is(header.kind, CAPTURES):
        return "other"
    flat = {entry["data_type"] for entry in found if entry["spatial_format"] == 1}
    if FLOW in flat:
        return "color-doppler"
    if TISSUE in flat:
        return "b-mode"
    formats = {entry["spatial_format"] for entry in found}
    types = {entry["data_type"] for entry in found}
    if 2 in formats:
        return "m-mode"
    return "spectral" if 3 in formats or types & SPECTRA else ""


def spacing_mm(header: Header, found: list[dict[str, Any]]) -> tuple[float, float]:
    """Return (between rows, between columns) in mm: of the regions of tissue or flow, else of the whole picture.

    Regions that differ from each other by more than 1 % leave it unknown: one frame has one spacing.

    Args:
        header: The header.
        found: Its regions.

    Returns:
        NaN each where it is not known.
    """
    known = [
        (10 * abs(entry["delta_y"]), 10 * abs(entry["delta_x"]))
        for entry in found
        if entry["spatial_format"] == 1
        and entry["data_type"] in (TISSUE, FLOW)
        and entry["unit_x"] == entry["unit_y"] == CENTIMETRES
        and "delta_x" in entry
        and "delta_y" in entry
    ]
    if known:
        same = all(abs(a / b - 1) < 0.01 for one in known for a, b in zip(one, known[0], strict=True))
        return known[0] if same else (float("nan"), float("nan"))
    told = header.numbers("PixelSpacing")
    return (told[0], told[1]) if len(told) == 2 and min(told) > 0 else (float("nan"), float("nan"))


def metadata(header: Header, found: list[dict[str, Any]], keep: tuple[str, ...]) -> dict[str, Any]:
    """Return what of the header a store keeps: modality, device, and what a user asks for by name.

    Args:
        header: The header.
        found: Its regions.
        keep: Keywords that the user asks for.

    Returns:
        What JSON can hold.
    """
    modality = header.text("Modality").upper()
    kept: dict[str, Any] = {"modality": modality} if modality in MODALITIES else {}
    for keyword in DEVICE:
        text = short(header.text(keyword))
        if text:
            kept[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", keyword).lower()] = text
    frequencies = sorted({entry["frequency_khz"] for entry in found if "frequency_khz" in entry})
    if frequencies:
        kept["transducer_frequencies_khz"] = frequencies
    if _is(header.kind, CAPTURES):
        kept["secondary_capture"] = True
    if header.text("BurnedInAnnotation").upper() == "YES":
        kept["burned_in"] = "YES"
    for keyword in keep:
        text = header.text(keyword)
        if text:
            kept[keyword] = text
    return kept


def short(text: str) -> str:
    r"""Return a text as it may be kept: one short line without marks that steer a terminal.

    Example:
        >>> short("C5-1\x1b[2J"), len(short("a" * 100))
        ('C5-12J', 64)
    """
    return SHORT_TEXT.sub("", text)[:LONGEST].strip()
