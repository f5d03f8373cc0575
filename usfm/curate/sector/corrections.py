"""Regions drawn by hand: read `--corrections` and turn an entry into a region."""

import json
import math
from collections.abc import Iterable

import cv2
import numpy as np

from usfm import given
from usfm.curate import regions
from usfm.errors import RequestError
from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region

KINDS = ("box", "polygon", "geometry", "whole")
FARTHEST_PX = 1e6
"""A coordinate may lie outside its frame, but not so far that drawing to it takes for ever."""


def read(path: str | None) -> dict[str, dict]:
    """Read a corrections file.

    The file is one JSON object. A key names a source (the first 16 hex digits of its sha256, as in its frame ids, or
    its path in the store), or one layout of it (the key of its region, such as ``00112233aabbccdd#1``). A value is
    ``{"box": [x0, y0, x1, y1]}`` (pixel edges), ``{"polygon": [[x, y], ...]}``, ``{"geometry": {...}}`` (the fields of
    the store's region columns), or ``{"whole": true}``, all in the pixels of the input frames; or what SlicerUltrasound
    writes for a frame (`slicer`).

    Raises:
        RequestError: when the file is missing, not JSON, or an entry is none of these.
    """
    if path is None:
        return {}
    try:
        entries = json.loads(given.text_of(path, "JSON file of corrections"))
    except ValueError as error:
        raise RequestError(f"{path}: not JSON ({error}); correct the file.") from None
    except RecursionError:
        raise RequestError(f"{path}: nested too deep for corrections; correct the file.") from None
    if not isinstance(entries, dict):
        raise RequestError(f"{path}: corrections are one JSON object {{source: {{box: ...}}}}; correct the file.")
    for key, entry in entries.items():
        sole = isinstance(entry, dict) and len(entry) == 1 and next(iter(entry)) in KINDS
        if not sole and not (isinstance(entry, dict) and "mask_type" in entry):
            raise RequestError(
                f"{path}: the entry of '{key[:80]}' needs exactly one of {', '.join(KINDS)}, or the keys that"
                " SlicerUltrasound writes."
            )
        try:
            region(entry, (8, 8))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, cv2.error) as error:
            raise RequestError(f"{path}: the entry of '{key[:80]}' cannot be read ({str(error)[:200]}).") from None
    return entries


def entry_of(entries: dict[str, dict], key: str, source_path: str) -> tuple[str, dict] | None:
    """Return the correction of a region: by its key, else by its source's id, else by its source's path.

    Args:
        entries: key -> correction, as the file has them.
        key: of the region.
        source_path: of its source.

    Returns:
        The key under which the correction stands, and the correction; None without one.
    """
    for name in (key, key.partition("#")[0], source_path):
        if name in entries:
            return name, entries[name]
    return None


def without_source(entries: dict[str, dict], frame_ids: Iterable[str], paths: Iterable[str]) -> list[str]:
    """The keys of a corrections file that no source of a store has, usually a typing error.

    Args:
        entries: key -> correction, as the file has them.
        frame_ids: of the store.
        paths: of its sources.

    Returns:
        These keys, in the order of the file.

    Examples:
        >>> without_source({"00ff": {}, "00ff#1": {}, "a.mp4": {}, "b.mp4": {}}, ["00ff:0", "00ff:1"], ["a.mp4"])
        ['b.mp4']
    """
    known = {regions.source_name(name) for name in frame_ids} | set(paths)
    return [key for key in entries if key not in known and key.partition("#")[0] not in known]


def region(entry: dict, shape: tuple[int, int]) -> Region:
    """Draw a correction on frames of a shape (H, W).

    Args:
        entry: the correction.
        shape: (H, W) of the frames.

    Returns:
        The region, with confidence 1.

    Raises:
        ValueError: the entry is not what a correction holds.
    """
    if entry.get("mask_type") == "rectangle":
        sides = _near([entry[f"rectangle_{side}"] for side in ("left", "top", "right", "bottom")])
        return region({"box": sides}, shape)
    if "mask_type" in entry:
        geometry = slicer(entry, shape)
        return Region(fan.mask(geometry, shape), geometry.shape, geometry, 1.0, "manual")
    kind, value = next(iter(entry.items()))
    if kind == "whole":
        if value is not True:
            raise ValueError("whole is true or not there")
        return Region(np.ones(shape, bool), confidence=1.0, evidence="manual")
    if kind == "geometry":
        _near([number for name, number in value.items() if name != "shape"])
        geometry = SectorGeometry(**value)
        return Region(fan.mask(geometry, shape), geometry.shape, geometry, 1.0, "manual")
    mask = np.zeros(shape, np.uint8)
    if kind == "box":
        left, top, right, bottom = (round(edge) for edge in _near(value))
        if right <= left or bottom <= top:
            raise ValueError("a box is left, top, right, bottom")
        mask[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 1
    else:
        if len(value) < 3 or any(len(point) != 2 for point in value):
            raise ValueError("a polygon is three or more [x, y]")
        points = np.array([_near(point) for point in value])
        cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
    return Region(mask.astype(bool), confidence=1.0, evidence="manual")


def slicer(entry: dict, shape: tuple[int, int]) -> SectorGeometry:
    """Read a fan as SlicerUltrasound writes it: its keys, angles in degrees from the right, so that 90 is down.

    Args:
        entry: mask_type "fan", angle1, angle2, center_rows_px, center_cols_px, radius1, radius2, and optionally
            image_size_rows and image_size_cols, to which the numbers refer.
        shape: (H, W) of the frames; a fan drawn on frames of another size is scaled.

    Returns:
        The sector: phased where its near radius is under 8 % of the far one, else convex.

    Raises:
        ValueError: for another mask type, and for what is no fan; KeyError and TypeError where keys lack.

    Example:
        >>> fan_of_slicer = {"mask_type": "fan", "angle1": 60, "angle2": 120, "center_rows_px": -10,
        ...                  "center_cols_px": 80, "radius1": 40, "radius2": 160}
        >>> found = slicer(fan_of_slicer, (150, 170))
        >>> found.shape, round(found.angle_1_rad, 3), found.apex_x_px
        ('convex', 0.524, 80.0)
    """
    if entry["mask_type"] != "fan":
        raise ValueError("mask_type is fan or rectangle")
    names = ("angle1", "angle2", "center_rows_px", "center_cols_px", "radius1", "radius2")
    angle1, angle2, row, col, radius1, radius2 = _near([entry[name] for name in names])
    near, far = sorted((radius1, radius2))
    angles = sorted(math.radians(90 - angle) for angle in (angle1, angle2))
    found = SectorGeometry("phased" if near < 0.08 * far else "convex", col, row, near, far, *angles)
    width = _near([entry.get("image_size_cols", shape[1])])[0]
    return found if shape == (8, 8) or width in (0, shape[1]) else found.moved(shape[1] / width, 0.0, 0.0)


def to_slicer(geometry: SectorGeometry, shape: tuple[int, int]) -> dict:
    """Return a fan or a rectangle with the keys that SlicerUltrasound reads.

    Args:
        geometry: phased, convex or linear.
        shape: (H, W) of its frames.

    Returns:
        The entry; `slicer` is its inverse but for whole pixels, which SlicerUltrasound wants for the centre.

    Raises:
        ValueError: for a trapezoid.
    """
    size = {"image_size_rows": shape[0], "image_size_cols": shape[1]}
    if geometry.shape == "linear":
        left, right = (
            round(geometry.apex_x_px + geometry.radius_1_px * math.tan(angle) + 0.5)
            for angle in (geometry.angle_0_rad, geometry.angle_1_rad)
        )
        top = round(geometry.apex_y_px + 0.5)
        bottom = round(geometry.apex_y_px + geometry.radius_1_px + 0.5)
        return {"mask_type": "rectangle", "rectangle_left": left, "rectangle_right": right, "rectangle_top": top,
                "rectangle_bottom": bottom, **size}  # fmt: skip
    if not geometry.is_round:
        raise ValueError("SlicerUltrasound knows fans and rectangles only")
    return {
        "mask_type": "fan",
        "angle1": 90 - math.degrees(geometry.angle_1_rad), "angle2": 90 - math.degrees(geometry.angle_0_rad),
        "center_rows_px": round(geometry.apex_y_px), "center_cols_px": round(geometry.apex_x_px),
        "radius1": round(geometry.radius_0_px), "radius2": round(geometry.radius_1_px),
        **size,
    }  # fmt: skip


def _near(values: list) -> list[float]:
    """The values, once all are numbers that a frame can have to do with."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= FARTHEST_PX:
            raise ValueError(f"coordinates are numbers, at most {FARTHEST_PX:,.0f} pixels away")
    return [float(value) for value in values]
