"""Render one item of the collection: its frames, its masks and the facts about it."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from usfm.imaging import fan, overlay_paint
from usfm.imaging.overlay_moving import MOVING, SWEEP_S
from usfm.seeding import stream
from usfm.simulate import repeats
from usfm.simulate.config import Config
from usfm.simulate.dicom import write_dicom
from usfm.simulate.look import Look, look_of, motion_of
from usfm.simulate.media import broken, write_picture, write_video
from usfm.simulate.motion import displace
from usfm.simulate.plan import Item
from usfm.simulate.scanner import shots
from usfm.simulate.scenes import build


@dataclass
class Take:
    """What was rendered: per-frame pictures and masks, and what holds for all of them."""

    frames: list[np.ndarray]
    lesion: list[np.ndarray]
    ink: list[np.ndarray]
    colour: list[np.ndarray]
    region: np.ndarray
    times_s: np.ndarray
    moved_px: list[float]
    facts: dict
    geometries: list
    spacing_mm: float


def render(config: Config, seed: int, item: Item, media: Path, truth: Path) -> dict:
    """Write one item's file and masks, and return its entry of truth.json.

    Args:
        config: settings of the command.
        seed: the user's seed.
        item: what to render.
        media: folder of the files.
        truth: folder of the masks.

    Returns:
        The entry.
    """
    look = look_of(config, seed, item.device)
    take = _take(config, seed, item, look)
    path = media / item.path
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, item, take, config.fps)
    if item.fault:
        path.write_bytes(broken(path.read_bytes(), item.fault, stream(seed, "fault", item.number)))
        return {**asdict(item), "frames": 0}
    stem = item.path.rsplit(".", 1)[0]
    masks, stacks = _write_masks(take, truth, stem)
    return {
        **asdict(item),
        "scene": look.scene,
        "probe": look.probe,
        "layout": look.layout if item.kind != "report" else "report",
        "frames": len(take.frames),
        "times_s": [round(float(at), 4) for at in take.times_s],
        "height_px": take.region.shape[0],
        "width_px": take.region.shape[1],
        "spacing_mm": take.spacing_mm,
        "geometries": [asdict(geometry) for geometry in take.geometries],
        "moved_px": [round(size, 3) for size in take.moved_px],
        "boxes": [repeats.box_of(mask) for mask in take.lesion],
        "facts": take.facts,
        "masks": masks,
        "stacks": stacks,
    }


def _write_masks(take: Take, truth: Path, stem: str) -> tuple[dict[str, str], dict[str, str]]:
    """Write what is true of an item: a mask of each kind, and of each kind that changes one a frame; paths by kind."""
    middle = len(take.frames) // 2
    masks = {"sector": take.region, "overlay": np.any(take.ink, axis=0), "lesion": take.lesion[middle]}
    if any(mask.any() for mask in take.colour):
        masks["doppler"] = np.any(take.colour, axis=0)
    for name, mask in masks.items():
        place = truth / name / f"{stem}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_picture(place, mask.astype(np.uint8) * 255)
    stacks = {}
    if len(take.frames) > 1:
        stacks["lesion"] = take.lesion
        if any((mask != take.ink[0]).any() for mask in take.ink):
            stacks["overlay"] = take.ink
    for name, stack in stacks.items():
        np.savez_compressed(truth / name / f"{stem}.npz", masks=np.stack(stack))
    return {name: f"{name}/{stem}.png" for name in masks}, {name: f"{name}/{stem}.npz" for name in stacks}


def _times(config: Config, seed: int, item: Item) -> np.ndarray:
    """Presentation time of each frame in seconds, uneven for a variable frame rate."""
    if item.kind not in ("clip", "broken"):
        return np.zeros(1)
    count = max(2, round(config.seconds * config.fps)) if item.kind == "clip" else 6
    if not item.encoding.endswith("vfr"):
        return np.arange(count) / config.fps
    steps = stream(seed, "times", item.number).choice([0.5, 1.0, 1.0, 1.5, 3.0], count) / config.fps
    return np.round(np.concatenate([[0.0], np.cumsum(steps)[:-1]]), 3)


def _take(config: Config, seed: int, item: Item, look: Look) -> Take:
    """Render all frames of an item."""
    times_s = _times(config, seed, item)
    again = 1 if item.repeat == "rescanned" else 0
    rng = stream(seed, "item", item.number)
    region = np.any([view.mask() for view in look.views], axis=0)
    frames = [np.zeros(region.shape, np.uint8) for _ in times_s]
    lesion, flow = ([np.zeros(region.shape, bool) for _ in times_s] for _ in range(2))
    moved, facts = [0.0] * len(times_s), {}
    if item.kind == "report":
        region = np.zeros_like(region)
    for half, view in enumerate(look.views if item.kind != "report" else ()):
        body = build(look.scene, item.tissue, view.probe, stream(seed, "body", item.number, half))
        draw = stream(seed, "motion", item.number, half, again)
        motion = motion_of(look, body, float(times_s[-1]), draw, pace=0.5 if item.repeat == "slow" else 1.0)
        facts = _facts(body, view, motion, times_s)
        grain = stream(seed, "speckle", item.number, half, again)
        coloured = config.overlays and "colour_box" in overlay_paint.LAYOUTS[look.layout].moving
        for at, shot in enumerate(shots(body, motion, view, look.settings, times_s, grain, flow=coloured)):
            frames[at] = np.maximum(frames[at], shot.frame)
            lesion[at] |= shot.lesion
            flow[at] |= shot.flow
            moved[at] = shot.moved_px
    ink, colour = _paint(config, seed, item, look, region, frames, flow, times_s, facts)
    view = look.views[0]
    report = item.kind == "report"
    take = Take(
        frames, lesion, ink, colour, region, times_s, moved, facts,
        [] if report else [each.geometry() for each in look.views], 1 / view.scale_px_mm,
    )  # fmt: skip
    return repeats.change(take, item.repeat, rng)


def _facts(body, view, motion, times_s: np.ndarray) -> dict:
    """What is true of the scene, lengths in mm; with the head, where its ellipse lies on the middle frame."""
    facts = {key: value for key, value in body.facts.items() if key not in ("comets",)}
    facts["comet_tails"] = len(body.facts.get("comets", []))
    facts["frozen_from_s"] = None if math.isinf(motion.freeze_s) else round(motion.freeze_s, 3)
    facts["tilt_rad_s"] = motion.tilt_rad_s
    if "head" in facts:
        head = dict(facts["head"])
        x, z = (np.array([head[name]], np.float32) for name in ("x_mm", "z_mm"))
        course = motion.course(motion.clock(float(times_s[len(times_s) // 2])))
        across, down = displace(motion.fields(x, z), course)
        head["x_px"] = float(view.origin_col_px + (x + across)[0] * view.scale_px_mm)
        head["y_px"] = float(view.origin_row_px + (z + down)[0] * view.scale_px_mm)
        facts["head"] = head
    return facts


def _paint(config, seed, item, look: Look, region, frames, flow, times_s, facts) -> tuple[list, list]:
    """Draw the screen on the frames, in place; returns the masks of ink and of Doppler colour, frame by frame."""
    none = np.zeros(region.shape, bool)
    ink, colour = [none] * len(frames), [none] * len(frames)
    if item.kind == "report":
        for at, frame in enumerate(frames):
            frames[at], ink[at] = overlay_paint.design(("report",), region, stream(seed, "report", item.number)).over(
                frame
            )
        return ink, colour
    if not config.overlays:
        return ink, colour
    layout = overlay_paint.LAYOUTS[look.layout]
    fixed = tuple(name for name in layout.elements if name not in overlay_paint.OVER_TISSUE)
    loose = tuple(name for name in layout.elements if name in overlay_paint.OVER_TISSUE)
    draw = stream(seed, "marks", item.number)
    if loose and item.kind == "clip" and draw.random() < 0.5:
        loose = ()
    if item.repeat == "annotated":
        draw, loose = stream(seed, "marks", item.number, 1), (*loose, "words", "caliper", "arrow")
    screen = overlay_paint.design(fixed, region, stream(seed, "screen", item.device))
    marks = overlay_paint.design(loose, region, draw)
    period_s = facts.get("beat", {}).get("period_s", 0.9)
    lead_s = 0.0 if item.kind == "clip" else float(draw.uniform(1, 2)) * SWEEP_S
    moving = [MOVING[name](region, stream(seed, "moving", item.number, name), period_s) for name in layout.moving]
    for at, frame in enumerate(frames):
        done, drawn = screen.over(frame)
        for thing in moving:
            done, more = thing.over(done, float(times_s[at]) + lead_s, flow[at])
            drawn = drawn | more
            colour[at] = getattr(thing, "colour", none)
        done, more = marks.over(done)
        frames[at], ink[at] = done, drawn | more
    if any(frame.ndim == 3 for frame in frames):
        frames[:] = [frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2) for frame in frames]
    return ink, colour


def _write(path: Path, item: Item, take: Take, fps: float) -> None:
    """Write the frames as the item's encoding says."""
    kind, _, code = item.encoding.partition(":")
    if kind in ("mp4", "avi"):
        write_video(path, take.frames, take.times_s, code, crf=33 if item.repeat == "reencoded" else 20)
    elif kind == "dcm":
        shown = [fan.mask(geometry, take.region.shape) & take.region for geometry in take.geometries]
        boxes = [repeats.bounds(mask) for mask in shown if mask.any()]
        geometry = take.geometries[0] if take.geometries else None
        x = round(geometry.apex_x_px) if geometry else 0
        y = round(geometry.apex_y_px + geometry.radius_0_px) if geometry else 0
        write_dicom(
            path, take.frames, syntax=code, fps=fps, regions=boxes, spacing_mm=take.spacing_mm, origin=(x, y),
            who=item.device, what=f"{item.number} {item.repeat if item.repeat not in SAME_BYTES else ''}",
        )  # fmt: skip
    elif item.kind == "clip":
        path.mkdir(exist_ok=True)
        for at, frame in enumerate(take.frames):
            write_picture(path / f"{at:05d}.{kind}", frame)
    else:
        write_picture(path, take.frames[0])


SAME_BYTES = ("copy", "other_patient", "conflict")
"""Repeats that are the original's bytes under another name."""
