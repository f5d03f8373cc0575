"""Regions drawn by hand: read `--corrections` and turn an entry into a region."""

import json
from collections.abc import Iterable

import cv2
import numpy as np

from usfm import given
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
    the store's region columns), or ``{"whole": true}``, all in the pixels of the input frames.

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
        if not isinstance(entry, dict) or len(entry) != 1 or next(iter(entry)) not in KINDS:
            raise RequestError(f"{path}: the entry of '{key[:80]}' needs exactly one of {', '.join(KINDS)}.")
        try:
            region(entry, (8, 8))
        except (TypeError, ValueError, AttributeError, OverflowError, cv2.error) as error:
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
    known = {name.partition(":")[0] for name in frame_ids} | set(paths)
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


def _near(values: list) -> list[float]:
    """The values, once all are numbers that a frame can have to do with."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= FARTHEST_PX:
            raise ValueError(f"coordinates are numbers, at most {FARTHEST_PX:,.0f} pixels away")
    return [float(value) for value in values]
