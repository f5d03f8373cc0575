"""An export of `usfm export` comes back: its frames get the columns of the store that they were taken from."""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usfm.errors import RequestError
from usfm.extract.columns import stored_name
from usfm.extract.names import text_of
from usfm.imaging import rle
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.kinds import KINDS
from usfm.imaging.region import EVIDENCE, Region

FILE = "usfm-export.json"
LARGEST_BYTES = 512 << 20
CHANGED = "frame that is not the one that was exported; it is read as a new picture"
_FRAME_ID = re.compile(r"[0-9a-f]{16}(~\d{1,9})?:\d{1,12}(/\d{1,6})?")
_NUMBERS = ("time_s", "row_spacing_mm", "col_spacing_mm", "crop_row_px", "crop_col_px", "scale")
_WHOLE = ("index", "part", "views")
_SOURCE = ("path", "sha256", "kind", "patient", "exam", "dataset", "metadata")


@dataclass(frozen=True)
class Entry:
    """What the export says of one frame.

    Attributes:
        frame_id: Its name.
        source: Row of the export's sources.
        columns: Further columns of /frames.
        region: Row of the export's regions, -1 for none.
        channels: 1 for gray, 3 for colour.
        digest: Of its pixels.
        label: Class.
        split: train, val or test.
        multi: Class -> 0 or 1.
        values: Column -> number.
        scores: Column -> number that a model gave.
        masked: Whether it has a label mask, though nothing may be on it.
        boxed: Whether its boxes are known, though there may be none.
        boxes: (k, 4), where the export has no file of annotations; else None.
        box_classes: Class of each of them.
        instances: Number of each box, where known.
    """

    frame_id: str
    source: int
    columns: dict[str, Any]
    region: int
    channels: int
    digest: str
    label: str = ""
    split: str = ""
    multi: dict[str, int] | None = None
    values: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    masked: bool = False
    boxed: bool = False
    boxes: list | None = None
    box_classes: tuple[str, ...] = ()
    instances: tuple[int, ...] = ()


@dataclass(frozen=True)
class Restored:
    """What is known about the frames of one file of an export.

    Attributes:
        entries: Page -> frame.
        sources: Row -> columns of /sources, of those frames.
        regions: Row -> region as the export writes it, of those frames.
    """

    entries: dict[int, Entry]
    sources: dict[int, dict]
    regions: dict[int, dict]


@dataclass(frozen=True)
class Export:
    """An export in a folder.

    Attributes:
        folder: Where it lies.
        names: Of the classes of labels, by kind.
        files: Path below the folder -> what is known of it.
        masks: Path below the folder of a picture or clip -> that of its masks.
        annotations: File of annotations below the folder, "" for none.
        mask_files: All files of masks.
    """

    folder: str
    names: dict
    files: dict[str, Restored]
    masks: dict[str, str]
    annotations: str = ""
    mask_files: frozenset[str] = frozenset()

    def of(self, path: str) -> Restored | None:
        """Return what is known about a file on this machine."""
        return self.files.get(self.below(path))

    def below(self, path: str) -> str:
        """Return a path below the folder, with forward slashes; "" for one that lies elsewhere."""
        below = os.path.relpath(os.path.abspath(path), os.path.abspath(self.folder)).replace(os.sep, "/")
        return "" if below.startswith("../") else below

    def strings(self, kind: str) -> tuple[str, ...]:
        """Return the names of a kind of labels."""
        return tuple(self.names.get(kind, ()))


def find(inputs: Sequence[str]) -> Export | None:
    """Return the export that the input is, None where it is none.

    Raises:
        RequestError: If the export is one of several inputs, or its file cannot be understood.
    """
    found = [one for one in inputs if os.path.isfile(os.path.join(one, FILE))]
    if not found:
        return None
    if len(inputs) > 1:
        raise RequestError(f"{found[0]}: is an export of usfm and is extracted alone; give one folder at a time.")
    file = os.path.join(found[0], FILE)
    try:
        if os.path.getsize(file) > LARGEST_BYTES:
            raise ValueError(f"{os.path.getsize(file):,} bytes are too many")
        data = json.loads(Path(file).read_text(encoding="utf-8"))
        return _export(found[0], data)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        why = str(getattr(error, "strerror", None) or error)[:100] or type(error).__name__
        raise RequestError(
            f"{file}: cannot be understood ({why}); export the store again, or delete this file to read the pictures "
            "as new ones."
        ) from None


def _export(folder: str, data: dict) -> Export:
    if data.get("format") != "usfm-export" or data.get("version") != 1:
        raise ValueError("it is of another version")
    names: dict[str, Any] = {
        kind: [_text(name) for name in data["names"][kind]] for kind in ("class", "multi", "boxes", "masks")
    }
    names["mask_kind"] = "bits" if data["names"]["mask_kind"] == "bits" else "index"
    names["scores"] = {_text(name): _text(run) for name, run in data["names"]["scores"].items()}
    sources = [_source(row) for row in data["sources"]]
    regions = list(data["regions"])
    files: dict[str, dict[int, Entry]] = {}
    masks, seen = {}, set()
    for row in data["frames"]:
        entry = _entry(row, len(sources), len(regions))
        _check_names(entry, names)
        file, page = _inside(row["file"]), _number(row["page"], 0, 1 << 40)
        if entry.frame_id in seen or page in files.setdefault(file, {}):
            raise ValueError(f"frame {entry.frame_id} is there twice")
        seen.add(entry.frame_id)
        files[file][page] = entry
        if "mask" in row:
            masks[file] = _inside(row["mask"])
    whole = {
        file: Restored(
            entries,
            {one.source: sources[one.source] for one in entries.values()},
            {one.region: regions[one.region] for one in entries.values() if one.region >= 0},
        )
        for file, entries in files.items()
    }
    annotations = _inside(data["annotations"]) if data.get("annotations") else ""
    return Export(folder, names, whole, masks, annotations, frozenset(masks.values()))


def _source(row: Mapping) -> dict:
    found = {name: _text(row[name]) for name in _SOURCE}
    if not re.fullmatch("[0-9a-f]{64}", found["sha256"]):
        raise ValueError("a source without digest")
    found |= {
        "fps": _float(row["fps"]),
        "frames": _number(row["frames"], -1, 1 << 40),
        "copy": _number(row["copy"], 0, 1 << 30),
    }
    known = {*_SOURCE, "fps", "frames", "copy"}
    extra = {stored_name(name) if name not in ("dicom_regions", "name_hashes") else name: _text(value)
             for name, value in row.items() if name not in known}  # fmt: skip
    return found | extra


def _entry(row: Mapping, sources: int, regions: int) -> Entry:
    if not _FRAME_ID.fullmatch(row["frame_id"]):
        raise ValueError("a frame without id")
    columns: dict[str, Any] = {name: _float(row[name]) for name in _NUMBERS}
    columns |= {name: _number(row[name], -1, 1 << (53 if name == "index" else 30)) for name in _WHOLE if name in row}
    columns["kind"] = row["kind"] if row["kind"] in KINDS else "other"
    boxes, multi = row.get("boxes"), row.get("multi", {})
    return Entry(
        frame_id=row["frame_id"],
        source=_number(row["source"], 0, sources - 1),
        columns=columns,
        region=_number(row["region"], -1, regions - 1),
        channels=3 if row["channels"] == 3 else 1,
        digest=_text(row["digest"]),
        label=_text(row["label"]),
        split=row["split"] if row["split"] in ("train", "val", "test") else "",
        multi={_text(name): int(bool(value)) for name, value in multi.items()} or None,
        values={_column(name): _finite(value) for name, value in row["values"].items()},
        scores={_column(name): _finite(value) for name, value in row["scores"].items()},
        masked=bool(row["masked"]),
        boxed=bool(row["boxed"]),
        boxes=None if boxes is None else [[_finite(side) for side in _four(box)] for box in boxes],
        box_classes=tuple(_text(name) for name in row.get("box_classes", ())),
        instances=tuple(_number(one, -1, 1 << 30) for one in row.get("instances", ())),
    )


def _check_names(entry: Entry, names: Mapping) -> None:
    """See that what a frame has is among the names. Raises ValueError."""
    pairs = (([entry.label] if entry.label else [], "class"), (entry.multi or (), "multi"),
             (entry.box_classes, "boxes"), (entry.scores, "scores"))  # fmt: skip
    if not all(name in names[kind] or name == "" for used, kind in pairs for name in used):
        raise ValueError(f"frame {entry.frame_id} has a class without a name")
    if entry.boxes is not None and len(entry.boxes) != len(entry.box_classes):
        raise ValueError(f"frame {entry.frame_id} has boxes without classes")


def region_of(row: Mapping, size: tuple[int, int]) -> Region | None:
    """Return a region as the store keeps it; None where it does not fit a frame of this size.

    Args:
        row: As the export's file has it.
        size: (height, width) of the frame, px.

    Returns:
        The region, or None.

    Raises:
        ValueError: If it cannot be understood; so do KeyError and TypeError.
    """
    if tuple(row["mask"]["size"]) != size:
        return None
    geometry = row["geometry"]
    return Region(
        mask=rle.decode(row["mask"]["counts"], size),
        shape=_text(row["shape"]),
        geometry=None if geometry is None else SectorGeometry(**geometry),
        confidence=_float(row["confidence"]),
        evidence=row["evidence"] if row["evidence"] in EVIDENCE else "manual",
        extra=dict(row["extra"]),
        predicted_iou=_float(row.get("predicted_iou")),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1 << 20 or "\0" in value:
        raise ValueError("a text is none")
    return value


def _number(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError("a number is out of range")
    return value


def _float(value: Any) -> float:
    return math.nan if value is None else _finite(value)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
        raise ValueError("a number is out of range")
    return float(value)


def _four(box: object) -> list:
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError("a box is none")
    return box


def _column(name: Any) -> str:
    if not _text(name) or len(name.encode()) > 200 or name in (".", "..") or "/" in name:
        raise ValueError("a column without name")
    return name


def _inside(path: Any) -> str:
    parts = _text(path).split("/")
    if not path or ".." in parts or os.path.isabs(path) or "\\" in path:
        raise ValueError("a file outside of its folder")
    return text_of(path)
