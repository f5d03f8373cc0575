"""Render one item of the collection: its frames, its masks and the facts about it."""

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from usfm.imaging import overlay_paint
from usfm.seeding import stream
from usfm.simulate import plan
from usfm.simulate.config import Config
from usfm.simulate.media import write_picture, write_video
from usfm.simulate.scanner import frames
from usfm.simulate.tissue import parenchyma


def render(config: Config, seed: int, item: plan.Item, media: Path, truth: Path) -> dict:
    """Write one item's file and masks, and return its entry of truth.json.

    Args:
        config: settings of the command.
        seed: the user's seed.
        item: what to render.
        media: folder of the files.
        truth: folder of the masks.
    """
    look = plan.look(config, seed, item.patient)
    view = look.view
    rng = stream(seed, "item", item.number)
    body = parenchyma(item.label, view.probe, rng)
    motion = plan.motion(look, rng)
    count = max(2, round(config.seconds * config.fps)) if item.kind == "clip" else 1
    times_s = np.arange(count) / config.fps
    region = view.mask()
    drawing = overlay_paint.design(look.elements, region, stream(seed, "screen", item.patient))
    marked = overlay_paint.blank(region.shape)
    if config.overlays and rng.random() < 0.5:
        marked = overlay_paint.design(("caliper",), region, rng)
    shown, lesions = [], []
    for frame, lesion in frames(body, motion, view, look.settings, times_s, stream(seed, "speckle", item.number)):
        painted = drawing.over(frame)[0]
        shown.append(marked.over(painted)[0] if marked.mask.any() else painted)
        lesions.append(lesion)

    path = media / item.path
    stem = item.path.rsplit(".", 1)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    if item.repeat == "copy" and (media / item.repeat_of).exists():
        shutil.copyfile(media / item.repeat_of, path)
    elif path.suffix == ".png":
        if item.repeat == "reencoded":
            shown = [np.clip(shown[0].astype(np.int16) + 6, 0, 255).astype(np.uint8)]
        write_picture(path, shown[0])
    else:
        write_video(path, shown, config.fps, quality=27 if item.repeat == "reencoded" else 18)
    masks = {"sector": region, "overlay": drawing.mask | marked.mask, "lesion": lesions[len(lesions) // 2]}
    for name, mask in masks.items():
        place = truth / name / f"{stem}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_picture(place, mask.astype(np.uint8) * 255)
    return {
        **asdict(item),
        "frames": count,
        "fps": config.fps if item.kind == "clip" else None,
        "height_px": view.height_px,
        "width_px": view.width_px,
        "probe": view.probe.shape,
        "spacing_mm": 1 / view.scale_px_mm,
        "geometry": asdict(view.geometry()),
        "lesion_frame": count // 2,
        "masks": {name: f"{name}/{stem}.png" for name in masks},
    }
