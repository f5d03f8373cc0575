"""Find burnt-in text and coloured markers, and fill them in."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.curate import regions
from usfm.curate.clean.config import Config
from usfm.curate.clean.layout import LayoutOverlay
from usfm.curate.clean.text import find_text
from usfm.imaging.inpaint import fill
from usfm.jobs.outputs import check_report
from usfm.jobs.parts import Done, Part, Phase
from usfm.jobs.run import out_path, run_step
from usfm.store.part import open_part
from usfm.store.reader import Store
from usfm.store.reject import rejecting
from usfm.store.writer import PartWriter

FRAMES_AT_ONCE = 128
"""Frames of a clip held in memory."""

SOURCES_PER_PART = 32
"""Sources after which a part is closed: a still costs one reading, some 0.5 s."""


def run(config: Config, request: Request) -> dict:
    """Fill burnt-in text and coloured markers of every frame, and keep the masks of what was filled.

    Args:
        config: What is looked for and how it is filled.
        request: Inputs and output.

    Returns:
        The summary of the command, with `frames_changed`, `layouts_with_overlay`, `layouts_with_text`, `text_boxes`
        (over all layouts), `layouts_unread`, `filled_px_per_frame` and `filled_in_region` (mean share of the region
        that was filled, 0 to 1).

    Raises:
        RequestError: Whatever is wrong with inputs and output.
    """
    if not request.dry_run:
        check_report(config.report)
    store = Store.open(list(request.inputs)).require(labels=True)
    out = out_path(request, "clean")
    summary = run_step(
        "clean", request, content_dict(config), plan_phases(config, store),
        inputs=[store], out=out, figures=lambda done: figures(done["clean"]),
    )  # fmt: skip
    if summary.get("layouts_unread"):
        console.warn(
            f"{summary['layouts_unread']} layouts change outside the region all the time: text that comes and goes "
            "there may remain; --outside-sector blank removes it"
        )
    if config.report and not request.dry_run:
        from usfm.curate.clean.report import write

        console.say(f"report: {write(Path(config.report), store, Store.open(str(out)), summary)}")
    return summary


def plan_phases(config: Config, store: Store) -> list[Phase]:
    """The phases of the step: regions (unless the store has them), then finding and filling, clip by clip.

    Args:
        config: Settings.
        store: The input.

    Returns:
        The phases in order; the last one makes the store.
    """
    paths = [str(path) for path in store.paths]
    phases = [] if store.has_regions else [regions.phase(store)]

    def plan(done: Done) -> list[Part]:
        parts = []
        for k, rows in enumerate(regions.partition(store)):
            found = str(done["regions"][k]) if "regions" in done else None
            for piece, some in enumerate(cut(store, rows)):
                name = f"clean-{k:05d}-{piece:03d}"
                parts.append(Part(name, (paths, some, found, config), weight=float(len(some))))
        return parts

    return [*phases, Phase("clean", plan=plan, work=clean_part, poison=rejecting("clean"))]


def cut(store: Store, rows: np.ndarray) -> list[np.ndarray]:
    """Cut the rows of a part into runs of a few whole sources.

    Args:
        store: The input.
        rows: Ascending frame rows, whole sources.

    Returns:
        Ascending rows; together every row once.
    """
    sources = store.column("source")[rows]
    order = list(dict.fromkeys(sources.tolist()))
    groups = [order[k : k + SOURCES_PER_PART] for k in range(0, len(order), SOURCES_PER_PART)]
    return [rows[np.isin(sources, group)] for group in groups]


def clean_part(payload: tuple) -> Iterator[bytes]:
    """Clean the clips of one part (runs in a worker)."""
    cv2.setNumThreads(1)
    paths, rows, found_path, config = payload
    store = Store.open(paths)
    found = None if found_path is None else regions.Found.read(found_path)
    part = PartWriter(like=store)
    flat = dict(zip(rows.tolist(), regions.flat_rows(store, rows, found).tolist(), strict=True))
    sources, times = store.column("source")[rows], store.column("time_s")[rows]
    layouts: dict[str, LayoutOverlay] = {}
    in_time = rows[np.lexsort((store.column("index")[rows], np.nan_to_num(times), sources))]
    members: dict[str, list[int]] = {}
    for row in (int(row) for row in in_time if not flat[int(row)]):
        members.setdefault(_key(store, found, row), []).append(row)
    masks: dict[int, bytes] = {}
    for key, mine in members.items():
        region = _region(store, found, mine[0])
        layouts[key] = LayoutOverlay(region.mask, find_text if config.text != "none" else None, config.color_markers)
        for start in range(0, len(mine), FRAMES_AT_ONCE):
            some = mine[start : start + FRAMES_AT_ONCE]
            for row, mask in zip(some, layouts[key].look(store.frames(some)), strict=True):
                masks[row] = np.packbits(mask).tobytes() if mask.any() else b""
    for row in map(int, rows):
        if flat[row]:
            regions.reject_flat(part, store, row, "clean")
            continue
        key = _key(store, found, row)
        _write(part, store, row, _region(store, found, row), key, masks[row], layouts[key], found, config)
        yield from part.drain()
    yield from part.pieces()


def _write(part, store, row, region, key, packed, layout, found, config) -> None:
    """Write one frame: unchanged as its compressed chunk, else filled and with its mask."""
    given = {}
    if found is not None and not found.is_reused(row):
        given = {"region": region, "region_key": found.key(row)}
    blank = config.outside_sector == "blank" and region.confidence >= regions.LOW_CONFIDENCE and not region.mask.all()
    if not packed and not blank:
        part.copy(store, row, **given)
        return
    pixels = store.frame(row)
    shape = pixels.shape[:2]
    bits = np.frombuffer(packed, np.uint8) if packed else np.zeros(-(-shape[0] * shape[1] // 8), np.uint8)
    mask = np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(bool)
    filled = fill(pixels, mask, config.inpaint, config.radius)
    if blank:
        filled[~region.mask] = 0
    before = int(store.column("overlay_row")[row])
    if before >= 0:
        mask = mask | store.overlay(before)
    digest = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16]
    detail = _detail(mask, region.mask, layout, blank)
    part.copy(store, row, pixels=filled, overlay=mask, overlay_key=f"{key}:{digest}", detail=detail, **given)


def _detail(mask: np.ndarray, region: np.ndarray, layout: LayoutOverlay, blank: bool) -> dict:
    """What an overlay is made of: counts and boxes, no words."""
    boxes = sorted({tuple(round(v) for v in box.box) for sighting in layout.sightings for box in sighting.boxes})
    return {
        "text_boxes_xyxy_px": [list(box) for box in boxes],
        "readings": layout.readings,
        "unread": layout.unread,
        "filled_px": int(mask.sum()),
        "filled_in_region_px": int((mask & region).sum()),
        "region_px": int(region.sum()),
        "outside_blank": blank,
    }


def _key(store: Store, found: regions.Found | None, row: int) -> str:
    """Name of a frame's layout."""
    return store.region_key(int(store.column("region_row")[row])) if found is None else found.key(row)


def _region(store: Store, found: regions.Found | None, row: int):
    """Region of a frame."""
    return store.region(int(store.column("region_row")[row])) if found is None else found.region(row)


def figures(parts: Sequence[Path]) -> dict:
    """Count what the finished parts hold."""
    changed = frames = 0
    filled, inside = [], []
    layouts: dict[str, dict] = {}
    for path in parts:
        part = open_part(path)
        rows, details_of = part.column("frames", "overlay_row"), part.column("overlay", "detail").tolist()
        frames += part.frames
        changed += int((rows >= 0).sum())
        details = {row: json.loads(details_of[row]) for row in set(rows[rows >= 0].tolist())}
        for row in rows[rows >= 0].tolist():
            filled.append(details[row].get("filled_px", 0))  # an overlay that came with the input may lack counts
            inside.append(details[row].get("filled_in_region_px", 0) / max(1, details[row].get("region_px", 0)))
        for row, detail in details.items():
            layouts[str(part.column("overlay", "key")[row]).rpartition(":")[0]] = detail
    return {
        "frames_changed": changed,
        "layouts_with_overlay": len(layouts),
        "layouts_with_text": sum(bool(detail.get("text_boxes_xyxy_px")) for detail in layouts.values()),
        "text_boxes": sum(len(detail.get("text_boxes_xyxy_px", [])) for detail in layouts.values()),
        "layouts_unread": sum(detail.get("unread", 0) > 0 for detail in layouts.values()),
        "filled_px_per_frame": round(sum(filled) / max(1, frames), 1),
        "filled_in_region": round(sum(inside) / max(1, frames), 6),
    }
