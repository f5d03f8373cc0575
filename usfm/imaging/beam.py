"""Frames as beams see them: one invertible map from a picture to depth x angle, and depth and angle of every pixel."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region

_ALONG = 2048
"""Points along a side of an outline, when boxes are moved."""
_FINEST, _LARGEST_PX = 4, 4096
"""Samples a pixel per axis at most, and the longest side that is sampled so finely."""


@dataclass(frozen=True)
class BeamMap:
    """Resample the sector of a frame to size x size: rows are depth, columns are angle from left to right.

    It has the methods of `framing.Framing`. Row y covers depths y / size to (y + 1) / size, and column x the angles
    likewise; what depth and angle mean for each shape says `fan.SectorGeometry`. So a row is one depth: along the beam
    for arcs, straight down for linear and trapezoid.

    Attributes:
        geometry: of the sector in the input frame.
        size_px: side of the output.
        in_height_px: rows of the input frame.
        in_width_px: columns of the input frame.
    """

    geometry: SectorGeometry
    size_px: int
    in_height_px: int
    in_width_px: int

    is_identity = False

    def __post_init__(self) -> None:
        """Refuse sizes that no frame has."""
        if not all(0 < side < 1 << 15 for side in (self.size_px, self.in_height_px, self.in_width_px)):
            raise ValueError("sides of frames are 1 to 32767 px")

    @property
    def out_height_px(self) -> int:
        """Rows of the output."""
        return self.size_px

    @property
    def out_width_px(self) -> int:
        """Columns of the output."""
        return self.size_px

    @property
    def name(self) -> str:
        """The map in the key of a region that it moved."""
        g = self.geometry
        numbers = (g.apex_x_px, g.apex_y_px, g.radius_0_px, g.radius_1_px, g.angle_0_rad, g.angle_1_rad, self.size_px,
                   self.in_height_px, self.in_width_px)  # fmt: skip
        return f"beam,{g.shape},{','.join(f'{number:g}' for number in numbers)}"

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Move pixels, bilinearly; where the output is coarser than the input, it is the mean of several samples.

        Args:
            image: (in_height_px, in_width_px) or with channels, uint8 or float32.

        Returns:
            (size_px, size_px[, C]) of the same type; 0 where a beam leaves the picture.
        """
        fine = cv2.remap(image, *_samples(self, *_fineness(self)), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        if fine.shape[:2] == (self.size_px, self.size_px):
            return fine
        return cv2.resize(fine, (self.size_px, self.size_px), interpolation=cv2.INTER_AREA)

    def apply_mask(self, mask: np.ndarray) -> np.ndarray:
        """Move a bool (H, W) mask: an output pixel is set when at least half of it is covered."""
        return self.apply(mask.astype(np.float32)) >= 0.5

    def apply_labels(self, labels: np.ndarray) -> np.ndarray:
        """Move a uint8 (H, W) label mask by its nearest pixels: no class that was not there appears."""
        return cv2.remap(labels, *_samples(self, 1, 1), cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)

    def apply_points(self, xy: np.ndarray) -> np.ndarray:
        """Move (..., 2) points (x, y) in pixels. They are not clipped."""
        xy = np.asarray(xy, np.float64)
        depth, angle = fan.depth_angle(self.geometry, xy[..., 1], xy[..., 0])
        return np.stack([(angle + 1) / 2, depth], -1) * self.size_px - 0.5

    def inverse_points(self, xy: np.ndarray) -> np.ndarray:
        """Move (..., 2) output points (x, y) back into the input."""
        share = (np.asarray(xy, np.float64) + 0.5) / self.size_px
        rows, cols = fan.points(self.geometry, share[..., 1], 2 * share[..., 0] - 1)
        return np.stack([cols, rows], -1)

    def apply_boxes(self, xyxy: np.ndarray) -> np.ndarray:
        """Move boxes (k, 4) xyxy whose edges are pixel edges: each becomes the box around its part of the sector.

        A box without a part of the sector comes back with no area, so that box k stays box k.
        """
        boxes = np.asarray(xyxy, np.float64).reshape(-1, 4)
        if not len(boxes):
            return np.zeros((0, 4), np.float32)
        ramp, one = np.linspace(0, 1, _ALONG), np.ones(_ALONG)
        border = np.concatenate([np.stack(side, 1) for side in
                                 ((ramp, 0 * one), (ramp, one), (0 * one, ramp), (one, ramp))])  # fmt: skip
        edge = self.inverse_points(border * self.size_px - 0.5)
        return np.stack([self._box(box - 0.5, border, edge) for box in boxes]).astype(np.float32)

    def _box(self, box: np.ndarray, border: np.ndarray, edge: np.ndarray) -> np.ndarray:
        """Bound the part of a box in the sector: the box's outline in the sector, and the sector's in the box.

        Args:
            box: left, top, right, bottom in the coordinates of pixel centres.
            border: (n, 2) points on the outline of the output, 0 to 1.
            edge: (n, 2) the same points in the input.
        """
        low, high = box[:2], box[2:]
        outline = low + border * (high - low)
        apex = np.clip([self.geometry.apex_x_px, self.geometry.apex_y_px], low, high)
        nearest = [[apex[0], low[1]], [apex[0], high[1]], [low[0], apex[1]], [high[0], apex[1]]]
        share = (self.apply_points(np.concatenate([outline, nearest])) + 0.5) / self.size_px
        share = share[((share >= -1e-9) & (share <= 1 + 1e-9)).all(1)]
        found = np.concatenate([share, border[((edge >= low) & (edge <= high)).all(1)]])
        if not len(found):
            return np.zeros(4)
        return np.clip(np.concatenate([found.min(0), found.max(0)]), 0, 1) * self.size_px

    def apply_geometry(self, geometry: SectorGeometry) -> SectorGeometry:
        """Return the geometry of the output, whose beams are parallel, whatever sector was in the input."""
        half = math.atan(0.5)
        return SectorGeometry("linear", (self.size_px - 1) / 2, -0.5, 0.0, float(self.size_px), -half, half)

    def apply_region(self, region: Region) -> Region:
        """Return the region of the output: the whole frame, with this map in its `extra` (see `of`)."""
        extra = {name: value for name, value in region.extra.items() if name != "views"}
        extra["beam"] = dataclasses.asdict(self)
        mask, geometry = np.ones((self.size_px, self.size_px), bool), self.apply_geometry(self.geometry)
        return dataclasses.replace(region, mask=mask, shape="linear", geometry=geometry, extra=extra)

    def source_crop(self, crop_row_px: float, crop_col_px: float, scale: float) -> tuple[float, float, float]:
        """Return the way from the input frame to its source unchanged: it goes on where this map's inverse ends.

        Args:
            crop_row_px: first row of the input frame in its source, px.
            crop_col_px: first column, px.
            scale: pixels of the input frame per source pixel.

        Returns:
            The same three.
        """
        return crop_row_px, crop_col_px, scale

    def spacings(self, row_mm: float, col_mm: float) -> tuple[float, float]:
        """Return the spacing of the output from that of the input, mm per px; NaN where it is not one number.

        Args:
            row_mm: between the input's rows.
            col_mm: between its columns.

        Returns:
            Along the depth, and across the beams, which only parallel beams have. For arcs the input's pixels must be
            square.
        """
        g = self.geometry
        along = row_mm * (g.radius_1_px - g.radius_0_px) / self.size_px
        if g.is_round:
            return (along if math.isclose(row_mm, col_mm, rel_tol=0.01) else math.nan), math.nan
        wide = g.radius_1_px * (math.tan(g.angle_1_rad) - math.tan(g.angle_0_rad))
        return along, (col_mm * wide / self.size_px if g.shape == "linear" else math.nan)

    def inverse(self, image: np.ndarray) -> np.ndarray:
        """Move an output frame back, bilinearly.

        Args:
            image: (size_px, size_px) or with channels, uint8 or float32.

        Returns:
            (in_height_px, in_width_px[, C]) of the same type; 0 outside the sector.
        """
        return self._back(image, cv2.INTER_LINEAR)

    def inverse_labels(self, labels: np.ndarray) -> np.ndarray:
        """Move a uint8 label mask of the output back by its nearest pixels; 0 outside the sector."""
        return self._back(labels, cv2.INTER_NEAREST)

    def inverse_mask(self, mask: np.ndarray) -> np.ndarray:
        """Move a bool mask of the output back; False outside the sector."""
        return self.inverse(mask.astype(np.float32)) >= 0.5

    def _back(self, image: np.ndarray, interpolation: int) -> np.ndarray:
        shape = (self.in_height_px, self.in_width_px)
        rows, cols = np.indices(shape, np.float64)
        xy = self.apply_points(np.stack([cols, rows], -1)).astype(np.float32)
        back = cv2.remap(image, xy[..., 0], xy[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE)
        back[~fan.mask(self.geometry, shape)] = 0
        return back


def of(region: Region | None) -> BeamMap | None:
    """Return the map that made the frames of a region, None where they are pictures.

    Args:
        region: as the store has it.

    Returns:
        The map; its inverse leads back to the frame that was resampled.

    Raises:
        ValueError: what the region says of it is no map (TypeError or KeyError where parts lack).
    """
    return None if region is None else of_extra(region.extra)


def of_extra(extra: dict) -> BeamMap | None:
    """Return the map that `extra` of a region holds.

    Args:
        extra: as JSON gives it.

    Returns:
        The map, None where there is none.

    Raises:
        ValueError: what it says is no map (TypeError or KeyError where parts lack).
    """
    known = extra.get("beam")
    if known is None:
        return None
    if not isinstance(known, dict) or not isinstance(known.get("geometry"), dict):
        raise ValueError("beam of a region is no map")
    sides = (known[name] for name in ("size_px", "in_height_px", "in_width_px"))
    return BeamMap(SectorGeometry(**known["geometry"]), *(int(side) for side in sides))


def trimmed(geometry: SectorGeometry, mask: np.ndarray) -> SectorGeometry:
    """Return a sector that starts where its region does: a flat top cuts a phased sector below its first arc.

    The depth of a flat-topped sector then counts from the point of the flat top that is nearest to the apex. Beams at
    the sides enter the region a little later.

    Args:
        geometry: of the sector.
        mask: bool (H, W), the region.

    Returns:
        The same sector, or one with a larger ``radius_0_px``.

    Example:
        >>> sector = SectorGeometry("phased", 50, 0, 0, 90, -0.6, 0.6)
        >>> flat = fan.mask(sector, (100, 101)) & (np.arange(100)[:, None] >= 20)
        >>> trimmed(sector, flat).radius_0_px
        19.5
    """
    rows, cols = np.nonzero(mask & fan.mask(geometry, (mask.shape[0], mask.shape[1])))
    if not len(rows):
        return geometry
    depth, _ = fan.depth_angle(geometry, rows, cols)
    start = geometry.radius_0_px + float(depth.min()) * (geometry.radius_1_px - geometry.radius_0_px) - 0.5
    return dataclasses.replace(geometry, radius_0_px=start) if start > geometry.radius_0_px + 1 else geometry


def depth_map(
    geometry: SectorGeometry | Sequence[SectorGeometry], shape: tuple[int, int], patch: int = 1
) -> np.ndarray:
    """Return the depth of every pixel, or its mean over every patch.

    Args:
        geometry: the sector, or those of all views of a frame; a pixel in several belongs to the first of them.
        shape: height and width of the frame in pixels.
        patch: side of a patch in pixels; 1 for pixels.

    Returns:
        float32 (H / patch, W / patch): 0 where the beams start to 1 where they end; NaN outside.

    Raises:
        ValueError: the sides are no multiples of the patch.

    Example:
        >>> depth_map(SectorGeometry("linear", 1.5, -0.5, 0, 4, -0.35, 0.35), (4, 4))[:, 1].tolist()
        [0.125, 0.375, 0.625, 0.875]
    """
    return _map(geometry, shape, patch, 0)


def angle_map(
    geometry: SectorGeometry | Sequence[SectorGeometry], shape: tuple[int, int], patch: int = 1
) -> np.ndarray:
    """Return the angle of every pixel, or its mean over every patch.

    Args:
        geometry: the sector, or those of all views of a frame; a pixel in several belongs to the first of them.
        shape: height and width of the frame in pixels.
        patch: side of a patch in pixels; 1 for pixels.

    Returns:
        float32 (H / patch, W / patch): -1 at the left edge of the sector to 1 at the right; NaN outside.

    Raises:
        ValueError: the sides are no multiples of the patch.

    Example:
        >>> sector = SectorGeometry("phased", 4, 0, 0, 9, -0.5, 0.5)
        >>> angle_map(sector, (8, 9))[7, [0, 4]].tolist()
        [nan, 0.0]
    """
    return _map(geometry, shape, patch, 1)


def _map(
    geometry: SectorGeometry | Sequence[SectorGeometry], shape: tuple[int, int], patch: int, which: int
) -> np.ndarray:
    """Depth (0) or angle (1) of pixels or patches; a patch has the mean over its pixels in a sector."""
    height, width = shape
    if patch < 1 or height % patch or width % patch:
        raise ValueError(f"a {height}x{width} frame has no whole number of {patch}-pixel patches")
    found = np.full(shape, np.nan)
    for one in [geometry] if isinstance(geometry, SectorGeometry) else geometry:
        value = fan.depth_angle(one, np.arange(height)[:, None], np.arange(width)[None, :])[which]
        found = np.where(np.isnan(found) & fan.mask(one, shape), value, found)
    tiles = found.reshape(height // patch, patch, width // patch, patch)
    inside = np.isfinite(tiles)
    total, count = np.where(inside, tiles, 0).sum((1, 3)), inside.sum((1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _fineness(move: BeamMap) -> tuple[int, int]:
    """How many samples a pixel of the output takes along the depth and across, so that none of the input is skipped."""
    g = move.geometry
    angles = (g.angle_1_rad - g.angle_0_rad) if g.is_round else math.tan(g.angle_1_rad) - math.tan(g.angle_0_rad)
    most = max(1, min(_FINEST, _LARGEST_PX // move.size_px))
    spans = (g.radius_1_px - g.radius_0_px, g.radius_1_px * angles)
    along, across = (max(1, math.ceil(min(most, span / move.size_px))) for span in spans)
    return along, across


@lru_cache(maxsize=4)
def _samples(move: BeamMap, along: int, across: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the input at which the output is sampled: float32 (size * along, size * across) each."""
    depth = (np.arange(move.size_px * along) + 0.5) / (move.size_px * along)
    angle = 2 * (np.arange(move.size_px * across) + 0.5) / (move.size_px * across) - 1
    rows, cols = fan.points(move.geometry, depth[:, None], angle[None, :])
    return cols.astype(np.float32), rows.astype(np.float32)
