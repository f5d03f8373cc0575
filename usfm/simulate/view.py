"""Views: where on the screen a probe's image lies, and scan conversion from beams to pixels."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.simulate.probe import Probe


@dataclass(frozen=True)
class View:
    """Where a probe's image lies on the screen: pixels per millimetre and the pixel of the skin's centre (0, 0)."""

    probe: Probe
    height_px: int
    width_px: int
    scale_px_mm: float
    origin_row_px: float
    origin_col_px: float
    window: tuple[int, int, int, int] | None = None
    """Rows and columns that cut the image (top, left, bottom, right, exclusive at the end); None = the whole screen."""

    def geometry(self) -> SectorGeometry:
        """The sector in the store's terms: pixels, radians from straight down, positive to the right."""
        probe, scale = self.probe, self.scale_px_mm
        deep_px, edge_rad = probe.depth_mm * scale, probe.half_width
        above_px = 0.0 if probe.shape == "linear" else probe.radius_mm * scale
        if probe.shape == "linear":
            edge_rad = math.atan2(probe.half_width, probe.depth_mm)
        top_px = self.origin_row_px - above_px
        return SectorGeometry(
            probe.shape, self.origin_col_px, top_px, above_px, above_px + deep_px, -edge_rad, edge_rad
        )

    def space(self) -> tuple[np.ndarray, np.ndarray]:
        """(x, z) in mm of every pixel centre, float32 (height, width)."""
        rows, cols = np.mgrid[: self.height_px, : self.width_px].astype(np.float32)
        return (cols - self.origin_col_px) / self.scale_px_mm, (rows - self.origin_row_px) / self.scale_px_mm

    def mask(self) -> np.ndarray:
        """The acoustic region, bool (height, width)."""
        inside = fan.mask(self.geometry(), (self.height_px, self.width_px))
        if self.window is not None:
            top, left, bottom, right = self.window
            shown = np.zeros_like(inside)
            shown[top:bottom, left:right] = inside[top:bottom, left:right]
            return shown
        return inside

    def maps(self) -> tuple[np.ndarray, np.ndarray]:
        """Fixed-point maps for `cv2.remap` from the beam grid to pixels."""
        probe = self.probe
        depth, lateral = probe.to_beam(*self.space())
        row = (depth / probe.axial_step_mm).astype(np.float32)
        col = ((lateral + probe.half_width) / probe.lateral_step).astype(np.float32)
        return cv2.convertMaps(np.clip(col, -4, 32000), np.clip(row, -4, 32000), cv2.CV_16SC2)


def fit_view(
    probe: Probe,
    height_px: int,
    width_px: int,
    box: tuple[float, float, float, float],
    *,
    zoom: float = 1.0,
    aim: tuple[float, float] = (0.5, 0.5),
) -> View:
    """Place a probe's image as large as fits in a box of the screen.

    Args:
        probe: the probe.
        height_px: rows of the screen.
        width_px: columns of the screen.
        box: x0, y0, x1, y1 in fractions of the screen.
        zoom: above 1 the image outgrows the box and is cut by it.
        aim: the point of the image, in fractions of its own box, that stays in place when zoomed.

    Returns:
        The view.
    """
    half_mm, top_mm = probe.half_span_mm, 0.0
    if probe.shape in ("convex", "phased"):
        top_mm = probe.radius_mm * (math.cos(probe.half_width) - 1)
    x0, y0, x1, y1 = box[0] * width_px, box[1] * height_px, box[2] * width_px, box[3] * height_px
    tall_mm = probe.depth_mm - top_mm
    fit = min((x1 - x0) / (2 * half_mm), (y1 - y0) / tall_mm)
    scale = fit * zoom
    col = 0.5 * (x0 + x1) - 2 * half_mm * (scale - fit) * (aim[0] - 0.5)
    row = 0.5 * (y0 + y1 - tall_mm * fit) - tall_mm * (scale - fit) * aim[1] - top_mm * scale
    window = None
    if zoom > 1:
        window = (max(0, round(y0)), max(0, round(x0)), min(height_px, round(y1)), min(width_px, round(x1)))
    return View(probe, height_px, width_px, scale, row, col, window)
