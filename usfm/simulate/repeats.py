"""Repeats: what is done to a rendered picture so that it repeats another one, and pairs with their marks."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

NEAR_PX, FAR_PX = 0.5, 6.0
"""Tissue that moved less than the first since the other frame makes a duplicate, more than the second none."""


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Bounding box of a mask: x0, y0, x1, y1, inclusive."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(cols[0]), int(rows[0]), int(cols[-1]), int(rows[-1])


def box_of(mask: np.ndarray) -> list[int] | None:
    """Box of a mask as x0, y0, x1, y1, the last two exclusive; None for an empty one."""
    if not mask.any():
        return None
    x0, y0, x1, y1 = bounds(mask)
    return [x0, y0, x1 + 1, y1 + 1]


def change(take, how: str, rng: np.random.Generator):
    """Change a take as a repeat asks: brightness, size or borders; the others are as they are.

    Args:
        take: the `render.Take` to change; left as it is.
        how: one of `plan.REPEATS`.
        rng: the random stream.
    """
    if how == "brightness":
        gain, lift = rng.choice([0.9, 1.1]), rng.choice([-8, 8])
        frames = [np.clip(frame * gain + lift, 0, 255).astype(np.uint8) for frame in take.frames]
        return replace(take, frames=frames)
    height, width = take.region.shape
    if how == "resized":
        return _moved(take, rng.choice([0.75, 0.85]), (0, 0, height, width))
    if how in ("cropped", "cut"):
        share = 0.03 if how == "cropped" else 0.16
        top, left = round(share * height), round(share * width)
        return _moved(take, 1.0, (top, left, height - top, width - left))
    return take


def _moved(take, scale: float, cut: tuple[int, int, int, int]):
    """Cut (top, left, bottom, right) and scale a take's pictures, masks and geometry; sides come out even."""
    top, left, bottom, right = cut
    height, width = (2 * round((high - low) * scale / 2) for low, high in ((top, bottom), (left, right)))
    scale = height / (bottom - top)

    def picture(frame: np.ndarray) -> np.ndarray:
        return cv2.resize(frame[top:bottom, left:right], (width, height), interpolation=cv2.INTER_AREA)

    def mask(values: np.ndarray) -> np.ndarray:
        part = values[top:bottom, left:right].astype(np.uint8)
        return cv2.resize(part, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0

    row, col = (0.5 * (scale - 1) - low * scale for low in (top, left))
    return replace(
        take,
        frames=[picture(frame) for frame in take.frames],
        lesion=[mask(each) for each in take.lesion],
        ink=[mask(each) for each in take.ink],
        colour=[mask(each) for each in take.colour],
        region=mask(take.region),
        geometries=[each.moved(scale, row, col) for each in take.geometries],
        moved_px=[size * scale for size in take.moved_px],
        spacing_mm=take.spacing_mm / scale,
    )


def pairs(entries: list[dict], marks: dict[str, str], step_s: float = 1 / 3) -> list[dict]:
    """List pairs of frames with what a duplicate finder should say: "duplicate", "not" or "dont-care".

    Frames of a repeat pair with its original's frame at the same time of the tissue. Within a clip frames `step_s`
    apart pair by how far tissue moved between them: the sum over the frames between bounds it from above, so "not" is
    only said of frames of different files, which never share tissue.

    Args:
        entries: entries of truth.json.
        marks: how each kind of repeat is judged.
        step_s: distance in time of the frames compared within a clip.

    Returns:
        One dict a pair: a, a_frame, b, b_frame, mark and how.
    """
    found = []
    by_path = {entry["path"]: entry for entry in entries}
    originals = [entry for entry in entries if entry["kind"] in ("clip", "still") and not entry["repeat_of"]]
    for entry in entries:
        if entry["repeat_of"] and not entry["fault"]:
            first = by_path[entry["repeat_of"]]
            mark = marks.get(entry["repeat"], "duplicate")
            for at in sorted({0, entry["frames"] // 2, entry["frames"] - 1}):
                there = at // 2 if entry["repeat"] == "slow" else at
                sure = entry["repeat"] != "slow" or at % 2 == 0
                found.append(_pair(first, there, entry, at, mark if sure else "dont-care", entry["repeat"]))
    for entry in originals:
        moved, last = np.cumsum(entry["moved_px"]), 0
        for at, time_s in enumerate(entry["times_s"]):
            if time_s - entry["times_s"][last] >= step_s - 1e-6:
                path_px = float(moved[at] - moved[last])
                still = path_px < NEAR_PX and not entry["facts"].get("tilt_rad_s")
                found.append(_pair(entry, last, entry, at, "duplicate" if still else "dont-care", "same clip"))
                last = at
    for one, two in pairwise(originals):
        if one["path"] != two["path"]:
            found.append(_pair(one, one["frames"] // 2, two, two["frames"] // 2, "not", "other picture"))
    mates: dict[str, dict] = {}
    for entry in originals:
        if entry["patient"] in mates:
            found.append(_pair(mates[entry["patient"]], 0, entry, 0, "not", "same patient"))
        mates[entry["patient"]] = entry
    return found


def _pair(one: dict, at: int, two: dict, there: int, mark: str, how: str) -> dict:
    return {"a": one["path"], "a_frame": at, "b": two["path"], "b_frame": there, "mark": mark, "how": how}
