"""What a decoder gives, as it is to be seen: square pixels, upright, transparency over black, eight bits."""

from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from usfm.imaging.gray import to_gray

SQUARE = Fraction(1, 100)
"""Pixels this near to square are taken as square: many files carry a ratio that was rounded."""
WIDEST = 5
"""A ratio beyond this, or below one over it, is a mistake of the file and is ignored."""


def aspect(stream: Any) -> Fraction:
    """Return width over height of a stream's pixels; 1 where it says nothing or nothing sensible."""
    ratio = Fraction(stream.sample_aspect_ratio or 1)
    return ratio if abs(ratio - 1) > SQUARE and Fraction(1, WIDEST) <= ratio <= WIDEST else Fraction(1)


def squared(height: int, width: int, ratio: Fraction) -> tuple[int, int]:
    """Return the (height, width) with square pixels; only ever more pixels, so that nothing is lost.

    Args:
        height: Rows of the coded picture.
        width: Columns of the coded picture.
        ratio: Width over height of its pixels.

    Returns:
        (height, width), px.

    Example:
        >>> from fractions import Fraction
        >>> squared(576, 720, Fraction(16, 15)), squared(480, 720, Fraction(8, 9))
        ((576, 768), (540, 720))
    """
    if ratio >= 1:
        return height, round(width * ratio)
    return round(height / ratio), width


def turn(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return how a frame's display matrix lays it: (transpose, then mirror left and right, then up and down)."""
    side_data: Any = frame.side_data  # declared in PyAV's stubs as a dict of other keys
    data = side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5] / 65536
    if abs(a) > 0.9 and abs(d) > 0.9:
        return False, bool(a < 0), bool(d < 0)
    if abs(b) > 0.9 and abs(c) > 0.9:
        return True, bool(c < 0), bool(b < 0)
    return False, False, False  # an odd angle, which no recorder writes


@lru_cache
def _has_alpha(name: str) -> bool:
    return any(part.is_alpha for part in av.VideoFormat(name).components)


PLANAR = frozenset("yuv420p yuvj420p yuv422p yuvj422p".split())
"""Formats of eight bits whose first plane is the brightness, and which FFmpeg converts without its scaler."""
NO_COLOUR = 128
"""Value of both planes of colour where there is none."""


class Display:
    """Converts the frames of one stream; what is the same for all of them is found out once.

    Args:
        stream: The stream that they come from.
        first: The first of them: how it is turned holds for all.
        gray: Whether a frame without any colour comes out gray: from its brightness alone, which is much faster.

    Attributes:
        ratio: Width over height of a stored pixel.
        turned: As ``turn`` returns it.
    """

    def __init__(self, stream: Any, first: av.VideoFrame, gray: bool = False):
        self._gray, self._levels = gray, None
        self.ratio, self.turned = aspect(stream), turn(first)
        self._square, self._stretch = self.ratio == 1, float(max(self.ratio, 1 / self.ratio))
        self._to_rgb = VideoReformatter()  # one context and one thread a source, or each frame costs ten times more

    def holds(self, frame: av.VideoFrame, most_px: int) -> bool:
        """Say whether a frame has at most so many pixels as it is shown.

        Args:
            frame: As it was decoded.
            most_px: Pixels that it may have.

        Returns:
            Whether it has no more.
        """
        return frame.width * frame.height * self._stretch <= most_px

    def pixels(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert one frame to uint8 RGB (H, W, 3), or gray (H, W) where that is wanted and it has no colour."""
        plain = self._without_colour(frame) if self._gray and self._square else None
        shown = self._rgb(frame) if plain is None else plain
        aside, mirrored, flipped = self.turned
        shown = shown.swapaxes(0, 1) if aside else shown
        shown = shown[:, ::-1] if mirrored else shown
        shown = shown[::-1] if flipped else shown
        return np.ascontiguousarray(shown)

    def _without_colour(self, frame: av.VideoFrame) -> np.ndarray | None:
        """Return the gray that the way over RGB gives, to the bit; None where the frame has some colour."""
        name = frame.format.name
        if not _is_direct(frame) or not all((_plane(one) == NO_COLOUR).all() for one in frame.planes[1:3]):
            return None
        kind = (name, frame.color_range, frame.colorspace)
        if self._levels is None or self._levels[0] != kind:
            self._levels = kind, _levels(frame)
        return cv2.LUT(_plane(frame.planes[0]), self._levels[1])

    def _rgb(self, frame: av.VideoFrame) -> np.ndarray:
        height, width = frame.height, frame.width
        if not self._square:
            height, width = squared(height, width, self.ratio)
        alpha = _has_alpha(frame.format.name)
        how = "BICUBIC" if not self._square else "FAST_BILINEAR" if _is_direct(frame) else "BILINEAR"
        kind = "rgba" if alpha else "rgb24"
        shown = self._to_rgb.reformat(frame, width=width, height=height, format=kind, interpolation=how, threads=1)
        rgb = shown.to_ndarray()
        if alpha:
            opacity = rgb[:, :, 3:]
            rgb = rgb[:, :, :3]
            if opacity.any():  # else it was never filled in
                rgb = ((rgb.astype(np.uint16) * opacity + 127) // 255).astype(np.uint8)
        return rgb


def _is_direct(frame: av.VideoFrame) -> bool:
    """Say whether FFmpeg converts a frame pixel by pixel; else its fast scaler would mix neighbours along the rows."""
    return frame.format.name in PLANAR and not (frame.width % 2 or frame.height % 2)


def _plane(plane: Any) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def _levels(frame: av.VideoFrame) -> np.ndarray:
    """Return what FFmpeg makes of each of the 256 levels of brightness in a format without colour: uint8 (256,)."""
    ramp = av.VideoFrame(256, 16, frame.format.name)
    ramp.color_range, ramp.colorspace = frame.color_range, frame.colorspace
    for number, plane in enumerate(ramp.planes):
        values = np.full((plane.buffer_size // plane.line_size, plane.line_size), NO_COLOUR, np.uint8)
        if number == 0:
            values[:, :256] = np.arange(256)
        plane.update(values.tobytes())
    rgb = VideoReformatter().reformat(ramp, format="rgb24", interpolation="FAST_BILINEAR", threads=1).to_ndarray()
    return to_gray(rgb)[0]
