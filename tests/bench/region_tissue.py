"""Speckle on beams and sectors on a screen, for `region_scenes.py`."""

import math

import cv2
import numpy as np

from usfm.imaging.fan import SectorGeometry

GRID = (300, 200)


class Tissue:
    """Speckle on beams, frame after frame: tissue that drifts along depth, and loses its grain slowly."""

    def __init__(self, rng: np.random.Generator, dark: str = ""):
        rows, cols = GRID
        self.rng, self.grain = rng, (rng.uniform(0.8, 1.6), rng.uniform(1.0, 2.2))
        self.bank = rng.standard_normal((2, 2 * rows, cols)).astype(np.float32)
        self.still = rng.standard_normal((2, 2 * rows, cols)).astype(np.float32)
        echo = sum(size * self._noise(wide, tall) for size, wide, tall in (
            (rng.uniform(2, 6), 40, 20), (rng.uniform(1, 4), 12, 8), (rng.uniform(0, 4), 90, 5)))  # fmt: skip
        depth, beam = np.linspace(0, 1, rows)[:, None], np.linspace(-1, 1, cols)[None, :]
        grid = np.indices(GRID)
        for _ in range(int(rng.integers(0, 5))):
            at = [rng.uniform(0.1, 0.9) * side for side in GRID]
            size = [rng.uniform(8, 60), rng.uniform(8, 50)]
            inside = sum(((axis - place) / long) ** 2 for axis, place, long in zip(grid, at, size, strict=True)) < 1
            echo[inside] += rng.choice([-30, -20, -8, 6, 10])
        for _ in range(int(rng.integers(0, 4))):
            echo += rng.uniform(8, 22) * np.exp(
                -(((grid[0] - rng.uniform(20, 280) - 15 * np.sin(grid[1] / rng.uniform(15, 60))) / 3) ** 2)
            )
        echo = echo + rng.uniform(-14, 4) * depth
        if dark == "gain":
            echo -= rng.uniform(16, 26)
        elif dark == "black":
            echo = echo - rng.uniform(24, 34) - 10 * depth
        elif dark == "hollow":
            at = (rng.uniform(0.15, 0.6) * GRID[0], rng.uniform(0.3, 0.7) * GRID[1])
            size = (rng.uniform(0.15, 0.4) * GRID[0], rng.uniform(0.25, 0.6) * GRID[1])
            echo[sum(((axis - a) / b) ** 2 for axis, a, b in zip(grid, at, size, strict=True)) < 1] -= 60
        elif dark == "bottom":
            start = rng.uniform(0.35, 0.75)
            echo = echo - 60 * np.clip((depth - start) / rng.uniform(0.1, 0.3), 0, 1)
        elif dark == "side":
            edge, side = rng.uniform(0.3, 0.75), rng.choice([-1, 1])
            echo = echo - 60 * np.clip((side * beam - edge) / rng.uniform(0.04, 0.3), 0, 1)
        elif dark == "sides":
            edge = rng.uniform(0.45, 0.75)
            echo = echo - 60 * np.clip((np.abs(beam) - edge) / rng.uniform(0.04, 0.3), 0, 1)
        elif dark == "shadow":
            middle, half = rng.uniform(-0.8, 0.8), rng.uniform(0.25, 0.4)
            inside = np.clip((half - np.abs(beam - middle)) / 0.05, 0, 1) * (depth > rng.uniform(0.02, 0.3))
            echo = echo - 60 * inside
        self.echo = echo.astype(np.float32)
        self.range_db, self.level, self.noise = rng.uniform(42, 62), rng.uniform(0.32, 0.5), rng.choice([0, 0, 0.006])
        self.speed = rng.uniform(0.5, 4)

    def _noise(self, wide: float, tall: float) -> np.ndarray:
        small = self.rng.standard_normal((max(4, int(GRID[0] / tall)), max(4, int(GRID[1] / wide))))
        big = cv2.resize(small.astype(np.float32), GRID[::-1], interpolation=cv2.INTER_CUBIC)
        return big / (big.std() + 1e-6)

    def frame(self, k: int) -> np.ndarray:
        """The k-th frame on beams, uint8 `GRID`."""
        top = int(self.speed * k) % GRID[0]
        field = self.bank[:, top : top + GRID[0]] + 0.25 * k * self.still[:, top : top + GRID[0]]
        field = np.stack([cv2.GaussianBlur(part, (0, 0), sigmaX=self.grain[1], sigmaY=self.grain[0]) for part in field])
        envelope = np.hypot(*field)
        envelope /= envelope.mean() + 1e-9
        moved = np.roll(self.echo, -int(3 * math.sin(k)), 0)
        db = 20 * np.log10(envelope + 1e-3) + moved
        gray = np.clip(db / self.range_db + self.level, 0, 1) + self.noise * np.abs(self.rng.standard_normal(GRID))
        return np.clip(255 * gray, 0, 255).astype(np.uint8)


def sector(rng: np.random.Generator, shape: str, size: tuple[int, int], box: tuple[float, ...]) -> SectorGeometry:
    """Place a sector of a shape as large as fits in a box (x0, y0, x1, y1 in parts of the screen)."""
    x0, y0, x1, y1 = box[0] * size[1], box[1] * size[0], box[2] * size[1], box[3] * size[0]
    wide, tall = x1 - x0, y1 - y0
    if shape == "linear":
        ratio = rng.uniform(0.6, 1.5)
        high = min(tall, wide / ratio)
        return SectorGeometry("linear", (x0 + x1) / 2, y0, 0, high, -math.atan(ratio / 2), math.atan(ratio / 2))
    half = {"convex": rng.uniform(0.42, 0.72), "phased": rng.uniform(0.55, 0.85), "trapezoid": rng.uniform(0.15, 0.3)}
    inner = {"convex": rng.uniform(0.2, 0.45), "phased": rng.uniform(0, 0.06), "trapezoid": rng.uniform(0.45, 0.75)}
    angle, near = half[shape], inner[shape]
    if shape == "trapezoid":
        far = min(tall / (1 - near), wide / 2 / math.tan(angle))
        return SectorGeometry(shape, (x0 + x1) / 2, y0 - near * far, near * far, far, -angle, angle)
    far = min(tall / (1 - near * math.cos(angle)), wide / 2 / math.sin(angle))
    apex = y0 - near * far * math.cos(angle)
    return SectorGeometry(shape, (x0 + x1) / 2, apex, near * far, far, -angle, angle)
