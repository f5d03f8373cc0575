"""Small stores with everything in them, and functions that child processes import."""

import numpy as np

from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter

SHAPES = [(8, 9), (12, 10, 3), (8, 9), (16, 16)]


def region_of(number: int, shape: tuple[int, ...]) -> Region:
    mask = np.zeros(shape[:2], bool)
    mask[1 : 4 + number % 3, 2:7] = True
    geometry = SectorGeometry("convex", 4.5, -3.0, 4.0, 9.0, -0.5, 0.5) if number % 2 else None
    return Region(mask, "convex" if geometry else "", geometry, 0.75, "motion", {"layout": number})


def fill(part: PartWriter, number: int, frames: int, rng: np.random.Generator) -> list[dict]:
    """Add one source with all kinds of things; returns what was given for each frame."""
    shape = SHAPES[number % len(SHAPES)]
    sha = f"{number:04x}" * 16
    source = part.source(path=f"clip{number}.mp4", sha256=sha, kind="video", fps=29.97, frames=frames,
                         patient=f"p{number // 2}", exam="", dataset="d", metadata={"model": "é"},
                         **({"hospital": "north"} if number == 1 else {}))  # fmt: skip
    region = part.region(region_of(number, shape), f"{sha[:16]}#0")
    overlay = part.overlay(np.eye(*shape[:2], dtype=bool), f"{sha[:16]}#0", {"texts": 2}) if number % 2 else -1
    given = []
    for index in range(frames):
        one = {
            "pixels": rng.integers(0, 256, shape, np.uint8),
            "frame_id": frame_id(sha, index),
            "index": index,
            "time_s": index / 3,
            "row_spacing_mm": 0.25,
            "label": index % 2 if index else None,
            "mask": rng.integers(0, 3, shape[:2], np.uint8) if index % 3 == 0 else None,
            "boxes": ([[1, 2, 3.5, 4]] * (index % 3), [0] * (index % 3)) if index % 2 else None,
            "split": ("train", "val", "")[index % 3],
        }
        part.frame(source=source, region_row=region, overlay_row=overlay, **one)
        given.append(one)
    return given


def make_part(numbers: list[int], frames: int = 7, names=("healthy", "ill"), seed: int = 0) -> tuple[bytes, list[dict]]:
    part = PartWriter(class_names=names, box_names=("lesion",))
    given = []
    for number in numbers:
        given += fill(part, number, frames, np.random.default_rng([seed, number]))
    return part.to_bytes(), given


def total(store, rows: list[int], queue) -> None:
    queue.put(sum(int(frame.sum()) for frame in store.frames(rows)))
