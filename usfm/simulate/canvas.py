"""Canvas: tissue painted on a raster by level sets, each a signed distance in mm, negative inside."""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from usfm.simulate.probe import Probe

ATTENUATION_DB = 0.5
"""Attenuation of soft tissue in dB / (cm MHz), one way (Szabo, table B.1: 0.5 to 0.7 for most)."""

SILENT_DB = -70.0
"""Scattering strength of what returns no echo (gas, clear fluid), in dB."""


@dataclass(frozen=True)
class Body:
    """Tissue at rest on a raster over (x, z); each map is (rows, columns).

    Attributes:
        echo_db: scattering strength in dB around the mean of the organ.
        loss: attenuation in dB / (cm MHz).
        lesion: 255 inside the lesion, else 0.
        flow: 255 where blood flows, else 0.
        air: 255 in aerated lung, else 0.
        x0_mm: x of the first column.
        z0_mm: z of the first row.
        step_mm: raster step.
        facts: what else is true of it (head circumference, centre that beats, comet tails ...), plain JSON values.
    """

    echo_db: np.ndarray
    loss: np.ndarray
    lesion: np.ndarray
    flow: np.ndarray
    air: np.ndarray
    x0_mm: float
    z0_mm: float
    step_mm: float
    facts: dict = field(default_factory=dict)

    def sample(self, values: np.ndarray, x_mm: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
        """Values of a map at points in mm, bilinear; beyond the raster its edge goes on. Same shape as the points.

        Args:
            values: (H, W) map of the body.
            x_mm: across, any shape.
            z_mm: into the body, like `x_mm`.

        Returns:
            Values at the points, of their shape.
        """
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


class Canvas:
    """A body while it is painted. All lengths are mm; `deep` is the probe's depth, `half` half the width it sees."""

    def __init__(self, probe: Probe, rng: np.random.Generator):
        self.probe, self.rng = probe, rng
        self.deep, self.half = probe.depth_mm, probe.half_span_mm
        self.step = self.deep / min(max(probe.n_axial, 100), 400)
        reach = 1.2 * self.half + 0.1 * self.deep
        self.x0, self.z0 = -reach, -0.25 * self.deep
        rows, cols = math.ceil(1.5 * self.deep / self.step), math.ceil(2 * reach / self.step)
        self.x = (self.x0 + self.step * np.arange(cols, dtype=np.float32))[None, :]
        self.z = (self.z0 + self.step * np.arange(rows, dtype=np.float32))[:, None]
        self.shape = (rows, cols)
        self.echo = np.zeros(self.shape, np.float32)
        self.loss = np.full(self.shape, ATTENUATION_DB, np.float32)
        self.lesion, self.flow, self.air = (np.zeros(self.shape, np.uint8) for _ in range(3))
        self.facts: dict = {}
        bend = 0.06 * self.deep
        self.warp = [bend * self.noise(0.3 * self.deep, 0.3 * self.deep) for _ in range(2)]

    def body(self) -> Body:
        """Finish."""
        return Body(
            self.echo, self.loss, self.lesion, self.flow, self.air, self.x0, self.z0, float(self.step), self.facts
        )

    def noise(self, along: float, across: float, angle: float = 0.0, *, bent: float = 0.0) -> np.ndarray:
        """Smooth noise, mean 0 and deviation 1, whose grains have a length, a width and a direction.

        White noise on a lattice of the grain's size, blurred by one cell and read by cubic interpolation.

        Args:
            along: length of a grain (two standard deviations).
            across: its width.
            angle: its direction, radians from horizontal.
            bent: how much the direction follows the canvas' own smooth warp, 0 to 1.

        Returns:
            (H, W) float32.
        """
        cell = (max(along, self.step), max(across, self.step))
        reach = math.hypot(self.shape[0], self.shape[1]) * self.step * 1.2
        size = [int(np.clip(math.ceil(reach / edge), 16, 1500)) for edge in cell]
        lattice = self.rng.standard_normal((size[1], size[0]), np.float32)
        lattice = cv2.GaussianBlur(lattice, (0, 0), 0.7, borderType=cv2.BORDER_REFLECT)
        x, z = self.x, self.z
        if bent:
            x, z = x + np.float32(bent) * self.warp[0], z + np.float32(bent) * self.warp[1]
        cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        u = (cos * x + sin * z) * np.float32(1 / cell[0]) + np.float32(0.5 * size[0])
        v = (cos * z - sin * x) * np.float32(1 / cell[1]) + np.float32(0.4 * size[1])
        found = cv2.remap(lattice, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
        return (found - found.mean()) / found.std()

    def wave(self, depth: float, swing: float, *, waves: float = 2.0) -> np.ndarray:
        """Level set of what lies above a wavy line: a depth, and how far the line swings around it.

        Args:
            depth: of the line, mm.
            swing: how far the line goes up and down, mm.
            waves: how fast it goes up and down across the canvas.

        Returns:
            (H, W) float32 level set, mm, negative inside.
        """
        turn = self.x / self.half * np.float32(waves)
        line = sum(
            np.sin(turn * self.rng.uniform(0.3, 1) * (n + 1) + self.rng.uniform(0, 6.3)) / (n + 1) for n in range(3)
        )
        return (self.z - np.float32(depth) - np.float32(swing) * line).astype(np.float32)

    def ellipse(self, x: float, z: float, long: float, short: float, angle: float = 0.0) -> np.ndarray:
        """Level set of an ellipse with half axes `long` and `short` (first-order distance).

        Args:
            x: of the centre, mm.
            z: of the centre, mm.
            long: half axis, mm.
            short: half axis, mm.
            angle: of the long axis from horizontal, radians.

        Returns:
            (H, W) float32 level set, mm, negative inside.
        """
        cos, sin = math.cos(angle), math.sin(angle)
        u = (cos * (self.x - x) + sin * (self.z - z)) / long
        v = (cos * (self.z - z) - sin * (self.x - x)) / short
        radius = np.sqrt(u * u + v * v) + np.float32(1e-6)
        slope = np.sqrt((u / long) ** 2 + (v / short) ** 2) / radius + np.float32(1e-6)
        return ((radius - 1) / slope).astype(np.float32)

    def star(self, x: float, z: float, size: float, outline, squash: float = 1.0, angle: float = 0.0) -> np.ndarray:
        """Level set of a star-shaped blob; `outline` gives the relative radius at angles around its centre.

        Args:
            x: of the centre, mm.
            z: of the centre, mm.
            size: radius, mm.
            outline: angles in radians -> relative radius.
            squash: width across `angle` over the length along it.
            angle: radians from horizontal.

        Returns:
            (H, W) float32 level set, mm, negative inside.
        """
        cos, sin = math.cos(angle), math.sin(angle)
        u = (cos * (self.x - x) + sin * (self.z - z)) * math.sqrt(squash)
        v = (cos * (self.z - z) - sin * (self.x - x)) / math.sqrt(squash)
        return (np.hypot(u, v) - size * outline(np.arctan2(v, u))).astype(np.float32)

    def tube(self, points: list[tuple[float, float]], radius: float) -> np.ndarray:
        """Level set of a tube of a radius along a line through (x, z) points.

        Args:
            points: (x, z) in mm.
            radius: mm.

        Returns:
            (H, W) float32 level set, mm, negative inside.
        """
        ink = np.full(self.shape, 255, np.uint8)
        places = np.array([((x - self.x0) / self.step, (z - self.z0) / self.step) for x, z in points])
        cv2.polylines(ink, [np.rint(places * 16).astype(np.int32)], False, 0, 1, cv2.LINE_8, 4)
        return cv2.distanceTransform(ink, cv2.DIST_L2, 5) * np.float32(self.step) - np.float32(radius)

    def fill(self, level: np.ndarray, echo_db, *, loss: float | None = None, soft: float = 0.0, keep: float = 0.0):
        """Fill the inside of a level set.

        Args:
            level: the level set.
            echo_db: scattering strength, a number or a map.
            loss: attenuation, None = as it was.
            soft: width of the border.
            keep: share of the old texture that shows through, 0 to 1.
        """
        soft = max(soft, 0.5 * self.step)
        share = 1 / (1 + np.exp(np.clip(level / np.float32(0.5 * soft), -20, 20)))
        self.echo += share * (echo_db - (1 - keep) * self.echo)
        if loss is not None:
            self.loss[level < 0] = loss

    def rim(
        self, level: np.ndarray, width: float, echo_db: float, *, mirror: float = 8.0, onto: np.ndarray | None = None
    ) -> None:
        """Draw the border of a level set as a reflector that shines where the beam meets it squarely.

        A smooth interface sends most of its echo along its normal, so its strength falls with the angle between normal
        and beam as cos^(2 mirror) in power; `mirror` 0 scatters alike in all directions. `onto` is drawn on in place of
        the canvas' own echo.

        Args:
            level: (H, W) level set, mm.
            width: of the border, mm.
            echo_db: scattering strength at the brightest place.
            mirror: exponent of the angle law; 0 scatters alike in all directions.
            onto: (H, W) map to draw on; None for the canvas' own echo.
        """
        near = np.abs(level) < 2.5 * width
        if not near.any():
            return
        across = cv2.Sobel(level, cv2.CV_32F, 1, 0, ksize=3)[near]
        down = cv2.Sobel(level, cv2.CV_32F, 0, 1, ksize=3)[near]
        x = np.broadcast_to(self.x, self.shape)[near]
        z = np.broadcast_to(self.z, self.shape)[near]
        beam = self.probe.direction(x, z)
        facing = np.abs(across * beam[0] + down * beam[1]) / (np.hypot(across, down) + np.float32(1e-6))
        lift = 20 * mirror * np.log10(np.clip(facing, 1e-3, 1))
        peak = echo_db + lift - 8.7 * (level[near] / np.float32(width)) ** 2
        echo = self.echo if onto is None else onto
        echo[near] = np.maximum(echo[near], peak)
