"""Tracked 2-D sequences: what PLUS, IGSIO and Slicer write beside the pixels, frame by frame."""

import math
import re
from collections.abc import Mapping

from usfm.extract.readers.volume.grid import NAN, Sequence

FIELD = re.compile(r"Seq_Frame(\d{1,9})_(\w+)")
TRANSFORM = re.compile(r"(\w+To\w+)Transform(Status)?")
IMAGE_STATUS = ("ImageStatus", "Status")
ORIENTATIONS = re.compile(r"(?:[MU][FN]|[FN][MU])[AD]?")


def sequence(fields: Mapping[str, str], frames: int) -> Sequence:
    """Read the fields of a tracked sequence.

    Args:
        fields: Of the header, with names as they are written.
        frames: Frames that the header says there are; fields of others are left out.

    Returns:
        Times, invalid frames, and what is known of each frame.

    Example:
        >>> read = sequence({"Seq_Frame0000_Timestamp": "7.5", "Seq_Frame0001_ImageStatus": "INVALID"}, 2)
        >>> read.times_s, sorted(read.invalid)
        ((7.5, nan), [1])
    """
    times, invalid, transforms, statuses = [NAN] * frames, set(), {}, {}
    known = False
    for name, value in fields.items():
        match = FIELD.fullmatch(name)
        if match is None or int(match[1]) >= frames:
            continue
        known, frame, what = True, int(match[1]), match[2]
        transform = TRANSFORM.fullmatch(what)
        if what == "Timestamp":
            times[frame] = _number(value)
        elif what in IMAGE_STATUS:
            invalid |= {frame} if value.strip().upper() == "INVALID" else set()
        elif transform and transform[2]:
            statuses.setdefault(transform[1], {})[frame] = value.strip().upper() == "OK"
        elif transform:
            transforms.setdefault(transform[1], {})[frame] = value
    timed = any(not math.isnan(time) for time in times)
    lower = {name.lower().replace(" ", ""): value for name, value in fields.items() if len(name) < 40}
    facts: dict = {}
    if known:
        facts["tracked_frames"] = frames
    told = {name: sum(not good for good in each.values()) for name, each in sorted(statuses.items())}
    if any(told.values()):
        facts["transforms_not_valid"] = {name: count for name, count in told.items() if count}
    orientation = lower.get("ultrasoundimageorientation", "").strip().upper()
    kind = lower.get("ultrasoundimagetype", "").strip().upper()
    if ORIENTATIONS.fullmatch(orientation):
        facts["image_orientation"] = orientation
    else:
        orientation = ""
    if re.fullmatch(r"[A-Z_]{1,30}", kind):
        facts["image_type"] = kind
    if kind.startswith("RF") or orientation[:1] in ("F", "N"):
        facts["scan_converted"] = False
    return Sequence(
        tuple(times) if timed else (), frozenset(invalid), orientation[:2], facts, _poses(transforms, statuses, frames)
    )


def _poses(transforms: dict, statuses: dict, frames: int) -> tuple[dict, ...]:
    """Keep the transforms of each frame: 12 numbers row by row, None where the tracker did not see the tool."""
    poses: list[dict] = [{} for _ in range(frames)]
    for name, each in sorted(transforms.items()):
        good = statuses.get(name, {})
        for frame, text in each.items():
            poses[frame][name] = _matrix(text) if good.get(frame, True) else None
    return tuple({"transforms": pose} if pose else {} for pose in poses)


def _matrix(text: str) -> list[float] | None:
    numbers = [_number(word) for word in text.split()[:16]]
    if len(numbers) != 16 or not all(math.isfinite(number) for number in numbers):
        return None
    return numbers[:12]


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return NAN
    return number if math.isfinite(number) else NAN
