"""Screens of the kinds that a region finder gets wrong, made from speckle on beams, with their truth.

    python tests/bench/region_scenes.py --count 12 [--clips] [--seed 0] [--out result.json] [--pictures DIR]

Prints one line a kind: scenes, median overlap, how many under 0.90, and how many of those are sure (0.5 or more); also
where there is no region, or none that a sector fits. Even seeds are for work on the finder, odd ones for its figures.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from region_tissue import Tissue, sector

from usfm.imaging import fan, overlay_paint
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import find_region

SIZES = ((480, 640), (600, 800), (434, 636), (576, 720), (540, 960), (412, 550))
FRAMES = 6


class Scene(NamedTuple):
    """Frames, uint8 (H, W) or (H, W, 3), and the acoustic region, bool (H, W)."""

    frames: list[np.ndarray]
    mask: np.ndarray


def _shape(rng: np.random.Generator) -> str:
    return str(rng.choice(["convex", "convex", "phased", "linear", "trapezoid"]))


def _fan(rng: np.random.Generator) -> str:
    return str(rng.choice(["convex", "phased"]))


class Screen:
    """A screen while it is drawn: a background, tissue in sectors, interface over it."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int] | None = None):
        self.rng = rng
        self.size = size or SIZES[int(rng.integers(len(SIZES)))]
        self.level = int(rng.choice([0, 0, 0, 0, 16, 28, 45]))
        self.parts: list[tuple[SectorGeometry, Tissue]] = []
        self.mask = np.zeros(self.size, bool)
        self.drawn: list[Callable[[np.ndarray, int], np.ndarray]] = []

    def tissue(self, shape: str, box: tuple[float, ...], dark: str = "", zoom: bool = False) -> SectorGeometry:
        """Add a sector with tissue; returns its geometry."""
        geometry = sector(self.rng, shape, self.size, box)
        if zoom and shape != "linear":
            geometry = geometry.moved(1.15, -0.07 * self.size[0], -0.075 * self.size[1])
        inside = fan.mask(geometry, self.size)
        if zoom:
            x0, y0, x1, y1 = (round(part * self.size[k % 2 == 0]) for k, part in enumerate(box))
            window = np.zeros_like(inside)
            window[y0:y1, x0:x1] = True
            inside &= window
        self.parts.append((geometry, Tissue(self.rng, dark)))
        self.mask |= inside
        return geometry

    def ui(self, *names: str) -> None:
        """Draw elements of `overlay_paint` around the region."""
        overlay = overlay_paint.design(names, self.mask, self.rng)
        self.drawn.append(lambda frame, k: overlay.over(frame)[0])

    def scene(self, count: int) -> Scene:
        """Render."""
        frames = []
        for k in range(count):
            frame = np.full(self.size, self.level, np.uint8)
            for geometry, tissue in self.parts:
                shown = fan.to_cartesian(tissue.frame(k), geometry, self.size)
                inside = self.mask & fan.mask(geometry, self.size)
                frame[inside] = shown[inside]
            for draw in self.drawn:
                frame = draw(frame, k)
            frames.append(frame)
        if self.rng.random() < 0.5:
            quality = int(self.rng.integers(60, 96))
            frames = [
                cv2.imdecode(cv2.imencode(".jpg", f, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED)
                for f in frames
            ]
        return Scene(frames, self.mask)


def _interface(screen: Screen) -> None:
    names = ("header", "presets", "ruler", "gray_bar", "logo", "results", "focus", "body_mark", "toolbar")
    screen.ui(*(name for name in names if screen.rng.random() < 0.45))


BOX = (0.12, 0.1, 0.9, 0.95)


def plain(rng: np.random.Generator, dark: str = "", shape: str = "") -> Screen:
    """One sector among interface."""
    screen = Screen(rng)
    x = rng.uniform(0, 0.15)
    screen.tissue(shape or _shape(rng), (x, rng.uniform(0.02, 0.13), rng.uniform(0.85, 1.0), rng.uniform(0.85, 0.99)),
                  dark, zoom=bool(rng.random() < 0.2))  # fmt: skip
    _interface(screen)
    return screen


def table(screen: Screen, box: tuple[float, ...]) -> None:
    """Draw a panel of results: a flat ground, lines of bright text."""
    rng, (height, width) = screen.rng, screen.size
    x0, y0, x1, y1 = (int(box[0] * width), int(box[1] * height), int(box[2] * width), int(box[3] * height))
    ground, ink = int(rng.choice([screen.level, screen.level, 30, 60, 90, 200])), int(rng.integers(150, 256))
    ink = 20 if ground == 200 else ink
    pitch = int(rng.integers(11, 26))
    words = [
        "".join(rng.choice(list("ABCDEFGHIJKLmnoprstuv0123456789.:/ "), int(rng.integers(4, 22)))) for _ in range(80)
    ]

    def draw(frame: np.ndarray, k: int) -> np.ndarray:
        frame = frame.copy()
        frame[y0:y1, x0:x1] = ground
        part = np.ascontiguousarray(frame[y0:y1, x0:x1])
        for line, y in enumerate(range(pitch, y1 - y0 - 2, pitch)):
            cv2.putText(
                part, words[line % 80], (5, y), cv2.FONT_HERSHEY_SIMPLEX, pitch / 34, (ink,) * 3, 1, cv2.LINE_AA
            )
        frame[y0:y1, x0:x1] = part
        return frame

    screen.drawn.append(draw)


def strip(screen: Screen, kind: str, box: tuple[float, ...]) -> None:
    """Draw a trace that sweeps: spectral, cw or m-mode."""
    rng, (height, width) = screen.rng, screen.size
    x0, y0, x1, y1 = (int(box[0] * width), int(box[1] * height), int(box[2] * width), int(box[3] * height))
    tall, wide = y1 - y0, x1 - x0
    rows, cols = np.arange(tall)[:, None] / tall, np.arange(wide)[None, :] / wide
    if kind == "m-mode":
        column = Tissue(rng).frame(0)[:, 100].astype(np.float32)
        column = np.interp(np.arange(tall), np.linspace(0, tall, len(column)), column)
        swing = rng.uniform(0.005, 0.04) * tall * np.sin(2 * np.pi * rng.uniform(2, 6) * cols + 3 * rows)
        at = np.clip(np.arange(tall)[:, None] + swing, 0, tall - 1).astype(int)
        picture = column[at] * np.abs(1 + 0.15 * rng.standard_normal((tall, wide)))
    else:
        beats = np.abs(np.sin(2 * np.pi * rng.uniform(1, 3.5) * cols + rng.uniform(0, 6))) ** rng.uniform(0.7, 2.5)
        base, reach = rng.uniform(0.3, 0.8), rng.uniform(0.25, 0.6)
        above = (base - rows) / (reach * (0.12 + 0.88 * beats))
        fill = (above > 0) & (above < 1)
        strength = fill * (0.35 + (above if kind == "spectral" else 0.6))
        if kind == "cw":
            strength = strength + 0.7 * (np.abs(rows - base) < 0.5 * beats * 0.4)
        noise = cv2.GaussianBlur(rng.rayleigh(1, (tall, wide)).astype(np.float32), (0, 0), 0.8)
        picture = 150 * strength * noise + rng.choice([0, 6, 14]) * noise
        picture[int(base * tall)] = 200
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    screen.drawn.append(lambda frame, k: _pasted(frame, picture, y0, x0))


def _pasted(frame: np.ndarray, picture: np.ndarray, top: int, left: int) -> np.ndarray:
    frame = frame.copy()
    part = frame[top : top + picture.shape[0], left : left + picture.shape[1]]
    part[:] = picture if frame.ndim == picture.ndim else picture[..., None]
    return frame


def split(rng: np.random.Generator, kind: str) -> Screen:
    """A small picture over (or beside) a trace."""
    screen = Screen(rng)
    middle = rng.uniform(0.33, 0.58)
    half = rng.uniform(0.18, 0.4)
    at = rng.uniform(half, 1 - half)
    screen.tissue(_shape(rng) if rng.random() < 0.3 else _fan(rng), (at - half, 0.06, at + half, middle - 0.02),
                  str(rng.choice(["", "", "gain", "bottom"])))  # fmt: skip
    strip(screen, kind, (rng.uniform(0, 0.12), middle + 0.02, rng.uniform(0.85, 1.0), rng.uniform(0.9, 1.0)))
    screen.ui(*(name for name in ("header", "logo", "presets") if rng.random() < 0.5))
    return screen


def dark_table(rng: np.random.Generator) -> Screen:
    """A nearly black fan beside bright results."""
    screen = Screen(rng)
    left = rng.uniform(0.2, 0.36)
    screen.tissue(_fan(rng), (left + 0.02, 0.08, 0.97, 0.96), "black")
    if rng.random() < 0.5:
        table(screen, (0.01, rng.uniform(0.05, 0.3), left, rng.uniform(0.6, 0.98)))
    else:
        table(screen, (0.62, 0.5, 0.99, 0.97))
        table(screen, (0.0, 0.0, 1.0, 0.08))
    _interface(screen)
    return screen


def coloured(rng: np.random.Generator) -> Screen:
    """A fan with a box of colour flow, often over dark tissue."""
    screen = plain(rng, str(rng.choice(["", "gain", "black", "bottom"])), _fan(rng))
    rows, cols = np.flatnonzero(screen.mask.any(1)), np.flatnonzero(screen.mask.any(0))
    tall, wide = np.ptp(rows), np.ptp(cols)
    top, left = int(rows[0] + tall * rng.uniform(0.1, 0.45)), int(cols[0] + wide * rng.uniform(0.15, 0.5))
    box = np.zeros(screen.size, bool)
    box[top : top + int(tall * rng.uniform(0.25, 0.45)), left : left + int(wide * rng.uniform(0.2, 0.4))] = True
    box &= screen.mask
    edge = box & (cv2.erode(box.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    seeds = [cv2.GaussianBlur(rng.standard_normal(screen.size).astype(np.float32), (0, 0), 9) for _ in range(2)]
    red, blue = np.array([230, 60, 20]), np.array([30, 90, 235])

    def draw(frame: np.ndarray, k: int) -> np.ndarray:
        frame = frame.copy() if frame.ndim == 3 else np.repeat(frame[..., None], 3, 2)
        flow = seeds[0] * math.cos(k) + seeds[1] * math.sin(k)
        frame[box & (flow > 0.02)], frame[box & (flow < -0.03)] = red, blue
        frame[edge] = 220
        return frame

    screen.drawn.append(draw)
    return screen


def linear_text(rng: np.random.Generator) -> Screen:
    """A linear picture beside a panel of text."""
    screen = Screen(rng)
    cut = rng.uniform(0.3, 0.5)
    screen.tissue("linear", (0.02, 0.08, 1 - cut - 0.02, 0.95), str(rng.choice(["", "", "bottom", "gain"])))
    table(screen, (1 - cut, rng.uniform(0.0, 0.3), 0.995, rng.uniform(0.7, 1.0)))
    _interface(screen)
    return screen


def window(rng: np.random.Generator, count: int) -> Scene:
    """A window of a viewer on a page: panels of gray beside the picture, a margin of the page around all of it."""
    screen = Screen(rng)
    screen.level = 0  # the panels are to be lighter than what lies around the picture
    left, right, top = rng.uniform(0.05, 0.28), rng.uniform(0.72, 0.95), rng.uniform(0.02, 0.15)
    screen.tissue(_shape(rng), (left, top, right, 0.97), str(rng.choice(["", "", "bottom", "hollow"])))
    width, levels = screen.size[1], rng.choice([24, 40, 60, 90], 2)

    def panels(frame: np.ndarray, k: int) -> np.ndarray:
        frame = frame.copy()
        frame[:, : int(left * width)], frame[:, int(right * width) + 1 :] = levels
        return frame

    screen.drawn.append(panels)
    if rng.random() < 0.6:
        table(screen, (0.01, 0.1, left - 0.01, 0.6) if left > 0.15 else (right + 0.01, 0.1, 0.99, 0.5))
    screen.ui("header", "gray_bar")
    inner = screen.scene(count)
    margin, page = int(rng.uniform(0.0, 0.1) * width), int(rng.choice([255, 240, 128, 0]))
    frames = [cv2.copyMakeBorder(f, *(margin,) * 4, cv2.BORDER_CONSTANT, value=(page,) * 3) for f in inner.frames]
    return Scene(frames, cv2.copyMakeBorder(inner.mask.astype(np.uint8), *(margin,) * 4, cv2.BORDER_CONSTANT) > 0)


def dual(rng: np.random.Generator) -> Screen:
    """Two views side by side."""
    screen, shape = Screen(rng), _shape(rng)
    for x in (0.02, 0.51):
        screen.tissue(shape, (x, 0.1, x + 0.47, 0.92))
    screen.ui("header")
    return screen


def report(rng: np.random.Generator) -> Screen:
    """A page of text, dark or white; no region."""
    screen = Screen(rng)
    screen.level = int(rng.choice([0, 20, 235, 255]))
    for k in range(int(rng.integers(1, 4))):
        table(screen, (0.05 + 0.3 * k, 0.1, 0.33 + 0.3 * k, 0.95))
    return screen


def photograph(rng: np.random.Generator, count: int) -> Scene:
    """A screen photographed at an angle in a dim room."""
    inner = plain(rng).scene(count)
    height, width = inner.mask.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners * 0.8 + (0.1 * width, 0.1 * height) + rng.uniform(-0.11, 0.11, (4, 2)) * (width, height)
    warp = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    room = cv2.GaussianBlur(rng.uniform(20, 90, (height, width)).astype(np.float32), (0, 0), 15)
    lit = cv2.warpPerspective(np.ones((height, width), np.uint8), warp, (width, height)) > 0
    frames = []
    for frame in inner.frames:
        gray = cv2.warpPerspective(frame if frame.ndim == 2 else frame[..., 0], warp, (width, height))
        gray = np.where(lit, 12 + 0.8 * gray, room) + rng.normal(0, 3, (height, width))
        frames.append(np.clip(cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1), 0, 255).astype(np.uint8))
    return Scene(frames, cv2.warpPerspective(inner.mask.astype(np.uint8), warp, (width, height)) > 0)


def beside_photograph(rng: np.random.Generator) -> Screen:
    """A fan beside a panel with a photograph (the probe's position on the body)."""
    screen = Screen(rng)
    screen.tissue(_fan(rng), (0.02, 0.08, 0.6, 0.95))
    height, width = screen.size
    size = (int(rng.uniform(0.3, 0.5) * height), int(0.34 * width))
    picture = sum(cv2.GaussianBlur(rng.uniform(0, 255, size).astype(np.float32), (0, 0), s) for s in (2, 9, 25)) / 3
    picture = cv2.normalize(picture, np.zeros_like(picture), 40, 230, cv2.NORM_MINMAX).astype(np.uint8)
    top = int(rng.uniform(0.1, 0.4) * height)
    screen.drawn.append(lambda frame, k: _pasted(frame, picture, top, int(0.64 * width)))
    return screen


def full(rng: np.random.Generator) -> Screen:
    """Tissue up to all borders, no interface."""
    screen = Screen(rng)
    screen.parts.append((sector(rng, "linear", screen.size, (-0.3, 0, 1.3, 1.5)), Tissue(rng)))
    half = math.atan(screen.size[1] / 2 / screen.size[0]) + 1e-3
    box = SectorGeometry("linear", screen.size[1] / 2, -1, 0, screen.size[0] + 2, -half, half)
    screen.parts[0] = (box, screen.parts[0][1])
    screen.mask[:] = True
    return screen


def inverted(rng: np.random.Generator, count: int) -> Scene:
    """A screen in inverted gray."""
    inner = plain(rng).scene(count)
    return Scene([255 - frame for frame in inner.frames], inner.mask)


def tiny(rng: np.random.Generator, count: int) -> Scene:
    """A screen of 64 x 48."""
    inner = plain(rng).scene(count)
    frames = [cv2.resize(frame, (64, 48), interpolation=cv2.INTER_AREA) for frame in inner.frames]
    return Scene(frames, cv2.resize(inner.mask.astype(np.float32), (64, 48), interpolation=cv2.INTER_AREA) > 0.5)


def _screen(make: Callable[..., Screen], *more: str) -> Callable[[np.random.Generator, int], Scene]:
    return lambda rng, count: make(rng, *more).scene(count)


KINDS: dict[str, Callable[[np.random.Generator, int], Scene]] = {
    "plain": _screen(plain), "gain": _screen(plain, "gain"), "shadow": _screen(plain, "shadow"),
    "bottom": _screen(plain, "bottom"), "side": _screen(plain, "side"), "sides": _screen(plain, "sides"),
    "hollow": _screen(plain, "hollow"), "window": window,
    "dark_table": _screen(dark_table), "spectral": _screen(split, "spectral"), "cw": _screen(split, "cw"),
    "m_mode": _screen(split, "m-mode"), "colour": _screen(coloured), "linear_text": _screen(linear_text),
    "dual": _screen(dual), "report": _screen(report), "photograph": photograph,
    "beside_photo": _screen(beside_photograph), "full": _screen(full), "inverted": inverted, "tiny": tiny,
}  # fmt: skip


def scene_of(kind: str, number: int, seed: int, count: int) -> Scene:
    """Make the scene of a number."""
    return KINDS[kind](np.random.default_rng([seed, *kind.encode(), number]), count)


def auroc(confidence: np.ndarray, right: np.ndarray) -> float:
    """Chance that a right one is surer than a wrong one."""
    apart = confidence[right][:, None] - confidence[~right][None]
    return float((apart > 0).mean() + 0.5 * (apart == 0).mean()) if apart.size else math.nan


def line_of(name: str, rows: list[dict]) -> str:
    """One line of the table."""
    iou, sure = np.array([row["iou"] for row in rows]), np.array([row["confidence"] >= 0.5 for row in rows])
    wrong = iou < 0.9
    return (f"{name:13s} n {len(rows):4d}  median {np.median(iou):.3f}  p5 {np.percentile(iou, 5):.3f}  under 0.90"
            f" {wrong.sum():3d}  sure and wrong {(wrong & sure).sum():3d}  right but unsure {(~wrong & ~sure).sum():3d}"
            f"  s {np.median([row['cpu_s'] for row in rows]):.3f}")  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", action="store_true")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    rows = []
    for kind in asked.kinds:
        for number in range(asked.count):
            scene = scene_of(kind, number, asked.seed, FRAMES if asked.clips else 1)
            started = time.process_time()
            found = find_region(scene.frames)
            spent = time.process_time() - started
            iou = float((found.mask & scene.mask).sum() / max(1, (found.mask | scene.mask).sum()))
            rows.append({"kind": kind, "number": number, "iou": iou, "confidence": found.confidence,
                         "shape": found.shape, "cpu_s": spent})  # fmt: skip
            if asked.pictures:
                from usfm.pictures import sheet

                shown = sheet.outline(scene.frames[0], scene.mask, sheet.GREEN)
                shown = sheet.outline(shown, found.mask, sheet.RED)
                sheet.save(shown, asked.pictures / f"{kind}_{number}_{iou:.2f}_{found.confidence:.2f}.png")
        print(line_of(kind, [row for row in rows if row["kind"] == kind]), flush=True)
    print(line_of("all", rows))
    right = np.array([row["iou"] >= 0.9 for row in rows])
    print(f"AUROC {auroc(np.array([row['confidence'] for row in rows]), right):.3f}")
    if asked.out:
        asked.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
