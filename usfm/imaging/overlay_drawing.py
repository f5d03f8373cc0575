"""A transparent drawing: ink put on frames, with the exact mask of the pixels that it covers."""

from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging.overlay_fonts import lettering

Colour = tuple[int, int, int]

WHITE, GRAY = (235, 235, 235), (150, 150, 150)
GREEN, YELLOW, CYAN = (60, 220, 90), (250, 220, 60), (70, 200, 240)
RED, ORANGE, BLUE, MAGENTA = (235, 60, 50), (245, 150, 40), (70, 110, 245), (230, 80, 220)
COLOURS = (GREEN, YELLOW, CYAN, RED, ORANGE, MAGENTA)
"""Inks that scanners use for measurements and annotations (RGB)."""


@dataclass(frozen=True)
class Overlay:
    """A transparent drawing as large as a frame: colour uint8 (H, W, 3) and cover float32 (H, W), 0 to 1."""

    colour: np.ndarray
    cover: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """Pixels that the drawing changes, bool (H, W)."""
        return self.cover > 0

    @property
    def is_gray(self) -> bool:
        """Whether every covered pixel is a gray."""
        ink = self.colour[self.mask]
        return bool((ink[:, :1] == ink).all())

    def over(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Put the drawing on a frame.

        Args:
            frame: uint8 gray (H, W) or RGB (H, W, 3); left as it is.

        Returns:
            The painted frame (RGB when the frame or the ink has colour, else gray) and the mask of covered pixels.
        """
        gray = frame.ndim == 2
        out = (
            frame.copy() if gray and self.is_gray else np.repeat(frame[..., None], 3, axis=2) if gray else frame.copy()
        )
        where = self.mask
        if not where.any():
            return out, where
        cover = self.cover[where]
        ink = self.colour[where].astype(np.float32)
        if out.ndim == 2:
            out[where] = np.rint(out[where] * (1 - cover) + ink[:, 0] * cover)
        else:
            out[where] = np.rint(out[where] * (1 - cover[:, None]) + ink * cover[:, None])
        return out, where

    def write(
        self, text: str, x_px: float, y_px: float, size_px: int, *, colour: Colour = WHITE, font: str = "sans"
    ) -> tuple[int, int, int, int]:
        """Write one line with its top left corner at (x, y); what leaves the frame is cut. Returns its box, xyxy.

        Args:
            text: one line.
            x_px: left edge.
            y_px: top edge.
            size_px: height of a line.
            colour: RGB, 0 to 255.
            font: one of `overlay_fonts.FONTS`.

        Returns:
            The box of the text, xyxy, px.
        """
        ink = lettering(text, size_px, font)
        self.stamp(ink, x_px, y_px, colour)
        return int(x_px), int(y_px), int(x_px) + ink.shape[1], int(y_px) + ink.shape[0]

    def stamp(self, ink: np.ndarray, x_px: float, y_px: float, colour: Colour = WHITE) -> None:
        """Put a small picture of ink (0 to 1) with its top left corner at (x, y); what leaves the frame is cut.

        Args:
            ink: (h, w) float, 0 to 1.
            x_px: left edge.
            y_px: top edge.
            colour: RGB, 0 to 255.
        """
        height, width = self.cover.shape
        x0, y0 = int(x_px), int(y_px)
        left, top = max(0, -x0), max(0, -y0)
        ink = ink[top : max(top, height - y0), left : max(left, width - x0)]
        if not ink.size:
            return
        rows, cols = slice(y0 + top, y0 + top + ink.shape[0]), slice(x0 + left, x0 + left + ink.shape[1])
        more = ink > 0
        self.cover[rows, cols][more] = np.maximum(self.cover[rows, cols][more], ink[more])
        self.colour[rows, cols][more] = colour

    def paste(self, picture: np.ndarray, x_px: int, y_px: int) -> None:
        """Put an opaque picture (uint8, gray or RGB) with its top left corner at (x, y), wholly inside the frame.

        Args:
            picture: uint8 (h, w) or (h, w, 3).
            x_px: left edge.
            y_px: top edge.
        """
        rows, cols = slice(y_px, y_px + picture.shape[0]), slice(x_px, x_px + picture.shape[1])
        self.colour[rows, cols] = picture if picture.ndim == 3 else picture[..., None]
        self.cover[rows, cols] = 1

    def lines(
        self, points: list[tuple[float, float]], colour: Colour = WHITE, width_px: int = 1, *, closed=False
    ) -> None:
        """Draw a line through (x, y) points, anti-aliased.

        Args:
            points: (x, y), px.
            colour: RGB, 0 to 255.
            width_px: of the line.
            closed: whether the last point joins the first.
        """
        places = np.rint(np.asarray(points, np.float64)).astype(np.int32)
        low, high = places.min(axis=0) - width_px - 2, places.max(axis=0) + width_px + 3
        ink = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.polylines(ink, [places - low], closed, 255, width_px, cv2.LINE_AA)
        self.stamp(ink.astype(np.float32) / 255, low[0], low[1], colour)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: Colour = WHITE, width_px: int = 1
    ) -> None:
        """Draw a line between two (x, y) points.

        Args:
            start: (x, y), px.
            end: (x, y), px.
            colour: RGB, 0 to 255.
            width_px: of the line.
        """
        self.lines([start, end], colour, width_px)

    def polygon(self, points: list[tuple[float, float]], colour: Colour = WHITE) -> None:
        """Fill a polygon of (x, y) corners.

        Args:
            points: corners (x, y), px.
            colour: RGB, 0 to 255.
        """
        places = np.rint(np.asarray(points, np.float64)).astype(np.int32)
        low, high = places.min(axis=0), places.max(axis=0) + 1
        ink = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillPoly(ink, [places - low], 255)
        self.stamp(ink.astype(np.float32) / 255, low[0], low[1], colour)

    def dotted(
        self, start: tuple[float, float], end: tuple[float, float], colour: Colour = WHITE, gap_px: float = 5
    ) -> None:
        """Draw single dots from one (x, y) point to another.

        Args:
            start: (x, y), px.
            end: (x, y), px.
            colour: RGB, 0 to 255.
            gap_px: from dot to dot.
        """
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        for share in np.arange(0, 1, gap_px / max(length, gap_px)):
            x_px = start[0] + share * (end[0] - start[0])
            y_px = start[1] + share * (end[1] - start[1])
            self.stamp(np.ones((1, 1), np.float32), round(x_px), round(y_px), colour)

    def cross(self, x_px: float, y_px: float, arm_px: int, colour: Colour = WHITE) -> None:
        """Draw a plus sign around (x, y).

        Args:
            x_px: of the centre.
            y_px: of the centre.
            arm_px: length of an arm.
            colour: RGB, 0 to 255.
        """
        self.line((x_px - arm_px, y_px), (x_px + arm_px, y_px), colour)
        self.line((x_px, y_px - arm_px), (x_px, y_px + arm_px), colour)


def blank(shape: tuple[int, ...]) -> Overlay:
    """Return an empty drawing for frames of a shape."""
    return Overlay(np.zeros((*shape[:2], 3), np.uint8), np.zeros(shape[:2], np.float32))
