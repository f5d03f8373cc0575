"""What the JSON texts of a store may hold: the entries that commands use, and of which type."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

COUNTS = ("filled_px", "filled_in_region_px", "region_px", "readings", "unread")
"""Entries of /overlay/detail that are counts."""

_SIDES = ("size_px", "in_height_px", "in_width_px")


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and abs(value) < 1e15


def _numbers(found: Mapping, names: tuple[str, ...]) -> bool:
    return all(_number(found.get(name)) for name in names)


def _detail(found: Mapping) -> bool:
    boxes = found.get("text_boxes_xyxy_px", [])
    return all(_number(found.get(name, 0)) and found.get(name, 0) >= 0 for name in COUNTS) and (
        isinstance(boxes, list) and all(isinstance(box, list) and all(map(_number, box)) for box in boxes)
    )


def _extra(found: Mapping) -> bool:
    views, beam = found.get("views", []), found.get("beam")
    if beam is not None and not (
        isinstance(beam, dict) and isinstance(beam.get("geometry"), dict) and _numbers(beam, _SIDES)
    ):
        return False
    return isinstance(found.get("geometry_shape", ""), str) and (
        isinstance(views, list) and all(isinstance(view, dict) for view in views)
    )


def _metadata(found: Mapping) -> bool:
    regions = found.get("regions") or []
    return isinstance(regions, list) and all(
        isinstance(region, dict)
        and _numbers(region, ("x0", "y0", "x1", "y1"))
        and all(region.get(name) is None or _number(region[name]) for name in ("spatial_format", "data_type"))
        for region in regions
    )


_LISTS = ("/sources/dicom_regions",)
RULES: dict[str, Callable[[Any], bool]] = {
    "/sources/metadata": _metadata,
    "/sources/dicom_regions": lambda found: all(isinstance(region, dict) for region in found),
    "/regions/extra": _extra,
    "/overlay/detail": _detail,
}
"""Column of JSON -> whether an object, or a list of `_LISTS`, fits it."""


def fits(path: str, text: bytes) -> bool:
    """Whether a text is what its column holds.

    Args:
        path: of the column, a key of `RULES`.
        text: UTF-8.

    Returns:
        False also for what is no JSON.

    Examples:
        >>> fits("/overlay/detail", b'{"filled_px": 3}'), fits("/overlay/detail", b'{"filled_px": "three"}')
        (True, False)
    """
    try:
        if not text and path in _LISTS:
            return True
        found = json.loads(text)
        return isinstance(found, list if path in _LISTS else dict) and RULES[path](found)
    except (ValueError, RecursionError, OverflowError):
        return False
