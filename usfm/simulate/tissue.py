"""Tissue: maps over the body of how strongly it scatters and attenuates, and what is where."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.simulate.probe import Probe

CLASSES = ("fibrillar", "lobular")
"""The two classes: striated tissue with a smooth oval lesion, and granular tissue with a lobed one; equally bright."""

ATTENUATION_DB = 0.5
"""Attenuation of soft tissue in dB / (cm MHz), one way (Szabo, table B.1: 0.5 to 0.7 for most)."""


@dataclass(frozen=True)
class Body:
    """Tissue at rest on a raster over (x, z); each map (rows, columns).

    Attributes:
        echo_db: scattering strength in dB around the mean of the parenchyma.
        loss: attenuation in dB / (cm MHz).
        lesion: 1 inside the lesion, else 0.
        x0_mm: x of the first column.
        z0_mm: z of the first row.
        step_mm: raster step.
    """

    echo_db: np.ndarray
    loss: np.ndarray
    lesion: np.ndarray
    x0_mm: float
    z0_mm: float
    step_mm: float

    def sample(self, values: np.ndarray, x_mm: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
        """Values of a map at points in mm, bilinear; beyond the raster its edge goes on. Same shape as the points."""
        col = ((x_mm - self.x0_mm) * np.float32(1 / self.step_mm)).astype(np.float32)
        row = ((z_mm - self.z0_mm) * np.float32(1 / self.step_mm)).astype(np.float32)
        if col.ndim == 2:
            return cv2.remap(values, col, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        wide = 512
        lines = -(-col.size // wide)
        fill = np.zeros((2, lines * wide), np.float32)
        fill[0, : col.size], fill[1, : col.size] = col, row
        fill = fill.reshape(2, lines, wide)
        found = cv2.remap(values, fill[0], fill[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return found.ravel()[: col.size]


def _noise(shape: tuple[int, int], along_px: float, across_px: float, angle_rad: float, rng: np.random.Generator):
    """Smooth Gaussian noise, mean 0 and deviation 1, with grains of a length, a width and an orientation."""
    side = math.ceil(math.hypot(*shape)) + 4
    field = rng.standard_normal((side, side), np.float32)
    field = cv2.GaussianBlur(field, (0, 0), sigmaX=max(along_px, 0.4), sigmaY=max(across_px, 0.4))
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), math.degrees(angle_rad), 1.0)
    field = cv2.warpAffine(field, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    top, left = (side - shape[0]) // 2, (side - shape[1]) // 2
    field = field[top : top + shape[0], left : left + shape[1]]
    return (field - field.mean()) / field.std()


def _outline(kind: str, angle: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Radius of a lesion's outline relative to its mean, at angles around its centre."""
    if kind == "fibrillar":
        return 1 + 0.04 * np.cos(2 * angle + rng.uniform(0, 6))
    lobes = rng.integers(4, 7)
    return 1 + 0.2 * np.cos(lobes * angle + rng.uniform(0, 6)) + 0.08 * np.cos((lobes + 3) * angle + rng.uniform(0, 6))


def parenchyma(kind: str, probe: Probe, rng: np.random.Generator, *, contrast_db: float = 4.5) -> Body:
    """A body of layers over textured tissue with one lesion.

    Both kinds have the same marginal distribution of scattering strength (a standardised field times `contrast_db`),
    the same layers, and lesions of the same size and contrast: what tells them apart is the shape of the texture's
    grains and of the lesion.

    Args:
        kind: one of `CLASSES`.
        probe: the probe that will look; sizes scale with its depth.
        rng: the random stream.
        contrast_db: standard deviation of the texture in dB.
    """
    deep = probe.depth_mm
    half = (probe.radius_mm + deep) * math.sin(min(probe.half_width, 1.5)) if probe.curved else probe.half_width
    step = deep / 420
    x0, z0 = -1.25 * half, -0.3 * deep
    shape = (math.ceil(1.5 * deep / step), math.ceil(2.5 * half / step))
    x_mm = (x0 + step * np.arange(shape[1], dtype=np.float32))[None, :]
    z_mm = (z0 + step * np.arange(shape[0], dtype=np.float32))[:, None]

    grain = deep * rng.uniform(0.85, 1.2) / step
    if kind == "fibrillar":
        texture = _noise(shape, 0.055 * grain, 0.0065 * grain, rng.uniform(-0.5, 0.5), rng)
    else:
        texture = _noise(shape, 0.017 * grain, 0.017 * grain, 0.0, rng)
    echo = contrast_db * texture + 1.5 * _noise(shape, 0.15 * grain, 0.1 * grain, 0.0, rng)
    loss = np.full(shape, ATTENUATION_DB, np.float32)

    bend = 0.02 * deep * np.sin(x_mm / half * rng.uniform(1, 3) + rng.uniform(0, 6))
    edge = 0.0
    for _ in range(rng.integers(1, 4)):
        start, edge = edge, edge + deep * rng.uniform(0.03, 0.08)
        inside = (z_mm >= start + bend * (start > 0)) & (z_mm < edge + bend)
        echo = np.where(inside, rng.uniform(-7, 4) + 2 * _noise(shape, 0.05 * grain, 0.006 * grain, 0.0, rng), echo)
        echo += rng.uniform(6, 12) * np.exp(-(((z_mm - edge - bend) / (0.006 * deep)) ** 2))

    size = deep * rng.uniform(0.09, 0.15)
    centre_x = half * rng.uniform(-0.35, 0.35)
    centre_z = edge + size + (deep - edge - 2 * size) * rng.uniform(0.05, 0.75)
    angle = np.arctan2(z_mm - centre_z, (x_mm - centre_x))
    squash = rng.uniform(0.6, 0.8) if kind == "fibrillar" else 1.0
    radius = np.hypot((x_mm - centre_x) * math.sqrt(squash), (z_mm - centre_z) / math.sqrt(squash))
    rim = (radius - size * _outline(kind, angle, rng)) / step
    lesion = rim < 0
    soft = 1 / (1 + np.exp(np.clip(rim / rng.uniform(0.7, 2.0), -30, 30)))
    echo = echo * (1 - 0.5 * soft) + soft * rng.uniform(-14, -6)

    if rng.random() < 0.6:
        radius = deep * rng.uniform(0.02, 0.035)
        line = edge + deep * rng.uniform(0.2, 0.6) + x_mm * rng.uniform(-0.4, 0.4)
        away = np.abs(z_mm - line) / radius
        free = ~cv2.dilate(lesion.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        echo = np.where((away < 1) & free, -32, echo)
        echo += np.where(free, 7 * np.exp(-(((away - 1.15) / 0.2) ** 2)), 0)
        loss[(away < 1) & free] = 0.1
    return Body(echo.astype(np.float32), loss, lesion.astype(np.uint8), float(x0), float(z0), float(step))
