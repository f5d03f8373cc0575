"""The sector as beams see it: its geometry, its mask, and polar <-> Cartesian, both ways."""

import dataclasses
import math
from dataclasses import dataclass

import cv2
import numpy as np

SHAPES = ("phased", "convex", "linear", "trapezoid")
"""Sector shapes with a geometry; a region may have none of them (shape "")."""


@dataclass(frozen=True)
class SectorGeometry:
    """One sector: where its beams start, how deep they go, and between which angles.

    All four shapes use the same seven numbers. Angles are measured from straight down, positive to the right; lengths
    are pixels; the centre of the top-left pixel is (0, 0). With depth ``r`` from ``radius_0_px`` to ``radius_1_px`` and
    angle ``a`` from ``angle_0_rad`` to ``angle_1_rad`` a point lies at

    - ``phased``, ``convex``: ``x = apex_x + r sin a``, ``y = apex_y + r cos a``: two side lines and two arcs
      (``phased``: the beams start nearly in one point).
    - ``trapezoid``: ``x = apex_x + r tan a``, ``y = apex_y + r``: diverging side lines, flat top and bottom.
    - ``linear``: ``x = apex_x + radius_1 tan a``, ``y = apex_y + r``: parallel beams. The apex is a point on the
      line of the top edge (``radius_0 = 0`` by convention), and the two angles point from it at the two bottom corners.

    A uniform scale multiplies apex and radii and leaves the angles alone, whatever the shape.
    """

    shape: str
    apex_x_px: float
    apex_y_px: float
    radius_0_px: float
    radius_1_px: float
    angle_0_rad: float
    angle_1_rad: float

    def __post_init__(self) -> None:
        """Refuse what is no sector."""
        if self.shape not in SHAPES:
            raise ValueError(f"shape is one of {', '.join(SHAPES)}, not {self.shape!r}")
        if not (self.radius_1_px > self.radius_0_px >= 0 and self.angle_1_rad > self.angle_0_rad):
            raise ValueError("a sector needs 0 <= radius_0 < radius_1 and angle_0 < angle_1")
        widest = math.pi if self.is_round else math.pi / 2
        if max(abs(self.angle_0_rad), abs(self.angle_1_rad)) >= widest:
            raise ValueError(f"the angles of a {self.shape} sector stay under {widest:.2f} rad from straight down")

    @property
    def is_round(self) -> bool:
        """Whether depth runs along arcs around the apex (phased, convex)."""
        return self.shape in ("phased", "convex")

    def moved(self, scale: float, row_px: float, col_px: float) -> "SectorGeometry":
        """Return the geometry after ``out = in * scale + (row_px, col_px)`` in pixel coordinates.

        Args:
            scale: output pixels per input pixel.
            row_px: shift down, px.
            col_px: shift right, px.

        Returns:
            The moved geometry.
        """
        return dataclasses.replace(
            self,
            apex_x_px=self.apex_x_px * scale + col_px,
            apex_y_px=self.apex_y_px * scale + row_px,
            radius_0_px=self.radius_0_px * scale,
            radius_1_px=self.radius_1_px * scale,
        )

    def flipped(self, width_px: int) -> "SectorGeometry":
        """Return the geometry of the image mirrored left to right."""
        return dataclasses.replace(
            self, apex_x_px=width_px - 1 - self.apex_x_px, angle_0_rad=-self.angle_1_rad, angle_1_rad=-self.angle_0_rad
        )


def points(geometry: SectorGeometry, depth: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns (pixels) of points given in beam coordinates.

    Args:
        geometry: the sector.
        depth: 0 (start of the beams) to 1 (end), any shape.
        angle: -1 (left edge) to 1 (right edge), broadcast against ``depth``.

    Returns:
        Rows and columns, each of the shape of the input.
    """
    g = geometry
    r = g.radius_0_px + np.asarray(depth, np.float64) * (g.radius_1_px - g.radius_0_px)
    half = np.asarray(angle, np.float64) / 2 + 0.5
    if g.shape == "linear":
        left, right = math.tan(g.angle_0_rad), math.tan(g.angle_1_rad)
        return g.apex_y_px + r + 0 * half, g.apex_x_px + g.radius_1_px * (left + half * (right - left)) + 0 * r
    a = g.angle_0_rad + half * (g.angle_1_rad - g.angle_0_rad)
    if g.is_round:
        return g.apex_y_px + r * np.cos(a), g.apex_x_px + r * np.sin(a)
    return g.apex_y_px + r + 0 * a, g.apex_x_px + r * np.tan(a)


def depth_angle(geometry: SectorGeometry, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return beam coordinates of pixel positions: the inverse of `points`.

    Args:
        geometry: the sector.
        rows: row coordinates in pixels, any shape.
        cols: column coordinates in pixels, broadcast against ``rows``.

    Returns:
        ``(depth, angle)``: depth 0 to 1 along the beam and angle -1 to 1 across; inside the sector exactly when
        ``0 <= depth <= 1`` and ``-1 <= angle <= 1``; values beyond these say how far outside a position is.
    """
    g = geometry
    dy = np.asarray(rows, np.float64) - g.apex_y_px
    dx = np.asarray(cols, np.float64) - g.apex_x_px
    if g.shape == "linear":
        left, right = math.tan(g.angle_0_rad), math.tan(g.angle_1_rad)
        r, half = dy + 0 * dx, ((dx / g.radius_1_px) - left) / (right - left) + 0 * dy
    else:
        a = np.arctan2(dx, dy)
        r = np.hypot(dx, dy) if g.is_round else dy + 0 * dx
        half = (a - g.angle_0_rad) / (g.angle_1_rad - g.angle_0_rad)
    return (r - g.radius_0_px) / (g.radius_1_px - g.radius_0_px), 2 * half - 1


def outline(geometry: SectorGeometry, count: int = 256) -> np.ndarray:
    """Return points on a sector's outline, evenly spaced: down the left side, along the far edge, up, and back.

    Args:
        geometry: the sector.
        count: how many points.

    Returns:
        float64 (count, 2) x, y in pixels; they may lie outside the picture.
    """
    ramp, one = np.linspace(0, 1, 48), np.ones(48)
    depth = np.concatenate([ramp, one, ramp[::-1], 0 * one])
    angle = np.concatenate([-one, 2 * ramp - 1, one, 1 - 2 * ramp])
    rows, cols = points(geometry, depth, angle)
    walked = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(rows), np.diff(cols)))])
    stops = np.linspace(0, walked[-1], count, endpoint=False)
    return np.stack([np.interp(stops, walked, cols), np.interp(stops, walked, rows)], 1)


def mask(geometry: SectorGeometry, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centre lies in the sector.

    Args:
        geometry: the sector.
        shape: height and width of the image in pixels.

    Returns:
        bool (H, W).
    """
    depth, angle = depth_angle(geometry, np.arange(shape[0])[:, None], np.arange(shape[1])[None, :])
    edge = 1e-9
    return (depth >= -edge) & (depth <= 1 + edge) & (angle >= -1 - edge) & (angle <= 1 + edge)


def to_polar(image: np.ndarray, geometry: SectorGeometry, n_depth: int, n_angle: int) -> np.ndarray:
    """Resample an image onto its beams, bilinearly.

    Args:
        image: (H, W) or (H, W, C), uint8 or float32.
        geometry: the sector in the image's pixels.
        n_depth: samples along a beam; the first lies on ``radius_0``, the last on ``radius_1``.
        n_angle: beams; the first lies on ``angle_0``, the last on ``angle_1``.

    Returns:
        (n_depth, n_angle[, C]) of the image's dtype; 0 where a beam leaves the image.
    """
    rows, cols = points(geometry, np.linspace(0, 1, n_depth)[:, None], np.linspace(-1, 1, n_angle)[None, :])
    return cv2.remap(image, cols.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_CONSTANT, borderValue=0)  # fmt: skip


def to_cartesian(polar: np.ndarray, geometry: SectorGeometry, shape: tuple[int, int]) -> np.ndarray:
    """Scan-convert: put beams back into an image, bilinearly. The inverse of `to_polar`.

    Args:
        polar: (n_depth, n_angle[, C]), uint8 or float32, sampled as `to_polar` does.
        geometry: the sector in the image's pixels.
        shape: height and width of the image in pixels.

    Returns:
        (H, W[, C]) of the same dtype; 0 outside the sector.
    """
    depth, angle = depth_angle(geometry, np.arange(shape[0])[:, None], np.arange(shape[1])[None, :])
    rows = (depth * (polar.shape[0] - 1)).astype(np.float32)
    cols = ((angle + 1) / 2 * (polar.shape[1] - 1)).astype(np.float32)
    image = cv2.remap(polar, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    image[~mask(geometry, shape)] = 0
    return image
