"""Crop, letterbox and resize as one invertible map for pixels, masks, boxes, points, geometry and spacing."""

from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging.fan import SectorGeometry

_INTERPOLATION = {"nearest": cv2.INTER_NEAREST_EXACT, "linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


@dataclass(frozen=True)
class Framing:
    """Cut a box out of a frame, scale it by one factor, and put it into an output frame with black borders.

    With pixel centres at whole numbers a position maps as ``out = (in - crop + 0.5) * scale - 0.5 + pad`` on both axes,
    exactly: the box is put on a black canvas before it is resized, so that no axis is rounded on its own.

    Attributes:
        crop_row_px: first row of the box in the input.
        crop_col_px: first column of the box in the input.
        crop_height_px: rows of the box.
        crop_width_px: columns of the box.
        scale: output pixels per input pixel.
        pad_row_px: black rows above the box, in output pixels (not always whole).
        pad_col_px: black columns left of the box, in output pixels.
        out_height_px: rows of the output.
        out_width_px: columns of the output.
    """

    crop_row_px: int
    crop_col_px: int
    crop_height_px: int
    crop_width_px: int
    scale: float
    pad_row_px: float
    pad_col_px: float
    out_height_px: int
    out_width_px: int

    @classmethod
    def identity(cls, shape: tuple[int, ...]) -> "Framing":
        """Return the map that changes nothing for frames of ``shape`` (H, W, ...)."""
        return cls(0, 0, shape[0], shape[1], 1.0, 0.0, 0.0, shape[0], shape[1])

    @classmethod
    def for_box(cls, box: tuple[int, int, int, int], size: int) -> "Framing":
        """Letterbox a box (first row, first column, end row, end column; ends not included) into size x size pixels.

        Args:
            box: first row, first column, end row, end column, px.
            size: side of the output, px.

        Returns:
            The map.

        Raises:
            ValueError: the box is empty.
        """
        top, left, bottom, right = box
        height, width = bottom - top, right - left
        if height <= 0 or width <= 0:
            raise ValueError("a box needs at least one row and one column")
        side = max(height, width)
        scale = size / side
        above, before = (side - height) // 2, (side - width) // 2
        return cls(top, left, height, width, scale, above * scale, before * scale, size, size)

    @classmethod
    def for_region(cls, mask: np.ndarray, size: int, pad_px: int = 0) -> "Framing":
        """Letterbox the box around a mask into size x size pixels.

        Args:
            mask: bool (H, W); an empty one stands for the whole frame.
            size: side of the output in pixels.
            pad_px: input pixels to keep around the box, as far as the frame goes.

        Returns:
            The map.
        """
        rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return cls.for_box((0, 0, *mask.shape), size)
        top, left = max(0, rows[0] - pad_px), max(0, cols[0] - pad_px)
        bottom, right = min(mask.shape[0], rows[-1] + 1 + pad_px), min(mask.shape[1], cols[-1] + 1 + pad_px)
        return cls.for_box((int(top), int(left), int(bottom), int(right)), size)

    @property
    def origin_px(self) -> tuple[float, float]:
        """Row and column of the output's corner in the input: ``out = (in - origin + 0.5) * scale - 0.5``."""
        return self.crop_row_px - self.pad_row_px / self.scale, self.crop_col_px - self.pad_col_px / self.scale

    def source_crop(self, crop_row_px: float, crop_col_px: float, scale: float) -> tuple[float, float, float]:
        """Chain a frame's own way back to its source (crop_row_px, crop_col_px, scale of the store) with this map.

        Args:
            crop_row_px: first row of the frame in its source, px.
            crop_col_px: first column, px.
            scale: frame pixels per source pixel.

        Returns:
            The same three for the output of this map.
        """
        row, col = self.origin_px
        return crop_row_px + row / scale, crop_col_px + col / scale, scale * self.scale

    @property
    def is_identity(self) -> bool:
        """Whether the map changes nothing."""
        return self == Framing.identity((self.out_height_px, self.out_width_px))

    def apply(self, image: np.ndarray, interpolation: str = "auto") -> np.ndarray:
        """Move pixels.

        Args:
            image: (H, W) or (H, W, C), uint8 or float32.
            interpolation: nearest, linear, area, or auto (area when it shrinks, linear when it grows).

        Returns:
            (out_height_px, out_width_px[, C]); 0 outside the box.
        """
        if self.is_identity and image.shape[:2] == (self.out_height_px, self.out_width_px):
            return image
        if interpolation == "auto":
            interpolation = "area" if self.scale < 1 else "linear"
        top, left = self.crop_row_px, self.crop_col_px
        box = image[top : top + self.crop_height_px, left : left + self.crop_width_px]
        high, wide = round(self.out_height_px / self.scale), round(self.out_width_px / self.scale)
        above, before = round(self.pad_row_px / self.scale), round(self.pad_col_px / self.scale)
        if box.shape[:2] != (high, wide):
            canvas = np.zeros((high, wide, *image.shape[2:]), image.dtype)
            canvas[above : above + box.shape[0], before : before + box.shape[1]] = box
            box = canvas
        if box.shape[:2] == (self.out_height_px, self.out_width_px):
            return np.ascontiguousarray(box)
        size = (self.out_width_px, self.out_height_px)
        return cv2.resize(np.ascontiguousarray(box), size, interpolation=_INTERPOLATION[interpolation])

    def apply_mask(self, mask: np.ndarray) -> np.ndarray:
        """Move a bool (H, W) mask: an output pixel is set when at least half of it is covered."""
        return self.apply(mask.astype(np.float32)) >= 0.5

    def apply_labels(self, labels: np.ndarray) -> np.ndarray:
        """Move a uint8 (H, W) label mask by its nearest pixels: no class that was not there appears."""
        return self.apply(labels, "nearest")

    def apply_points(self, xy: np.ndarray) -> np.ndarray:
        """Move (..., 2) points (x, y) in pixels. They are not clipped."""
        row, col = self.origin_px
        return (np.asarray(xy, np.float64) - (col, row) + 0.5) * self.scale - 0.5

    def inverse_points(self, xy: np.ndarray) -> np.ndarray:
        """Move (..., 2) output points (x, y) back into the input."""
        row, col = self.origin_px
        return (np.asarray(xy, np.float64) + 0.5) / self.scale - 0.5 + (col, row)

    def apply_boxes(self, xyxy: np.ndarray) -> np.ndarray:
        """Move boxes (k, 4) xyxy whose edges are pixel edges (a box over pixels 2..4 is 2, 5), clipped to the output.

        A box that leaves the frame comes back with no area, so that box k stays box k.
        """
        row, col = self.origin_px
        moved = (np.asarray(xyxy, np.float64).reshape(-1, 2, 2) - (col, row)) * self.scale
        moved = np.clip(moved, 0, (self.out_width_px, self.out_height_px))
        return moved.reshape(-1, 4).astype(np.float32)

    def apply_geometry(self, geometry: SectorGeometry) -> SectorGeometry:
        """Move a sector's geometry."""
        row, col = self.origin_px
        return geometry.moved(self.scale, (0.5 - row) * self.scale - 0.5, (0.5 - col) * self.scale - 0.5)

    @property
    def name(self) -> str:
        """The map in the key of a region that it moved."""
        numbers = (self.crop_row_px, self.crop_col_px, self.crop_height_px, self.crop_width_px, self.pad_row_px,
                   self.pad_col_px, self.out_height_px, self.out_width_px)  # fmt: skip
        return ",".join(f"{number:g}" for number in numbers)

    def spacings(self, row_mm: float, col_mm: float) -> tuple[float, float]:
        """Return the spacing of the output from that of the input; NaN stays NaN.

        Args:
            row_mm: between the input's rows, mm per px.
            col_mm: between its columns.

        Returns:
            Between rows and between columns of the output, mm per px.
        """
        return self.spacing(row_mm), self.spacing(col_mm)

    def spacing(self, mm: float) -> float:
        """Return the spacing of the output (mm per pixel) from that of the input; NaN stays NaN."""
        return mm / self.scale

    def inverse_mask(self, mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Move an output mask back onto an input frame of ``shape`` (H, W); False outside the box.

        Args:
            mask: bool, of the output's size.
            shape: (H, W) of the input frame.

        Returns:
            bool (H, W).
        """
        if self.is_identity:
            return mask.copy()
        high, wide = round(self.out_height_px / self.scale), round(self.out_width_px / self.scale)
        above, before = round(self.pad_row_px / self.scale), round(self.pad_col_px / self.scale)
        kind = cv2.INTER_AREA if self.scale > 1 else cv2.INTER_LINEAR
        whole = cv2.resize(mask.astype(np.float32), (wide, high), interpolation=kind) >= 0.5
        result = np.zeros(shape, bool)
        box = whole[above : above + self.crop_height_px, before : before + self.crop_width_px]
        rows = slice(self.crop_row_px, self.crop_row_px + box.shape[0])
        result[rows, self.crop_col_px : self.crop_col_px + box.shape[1]] = box
        return result
