"""Draw on frames what scanners draw (text, rulers, calipers), with the exact mask of the pixels it covers."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging.overlay_fonts import FONTS, lettering

WHITE, GREEN, YELLOW, CYAN = (235, 235, 235), (60, 220, 90), (250, 220, 60), (70, 200, 240)


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
        cover = self.cover[where]
        ink = self.colour[where].astype(np.float32)
        if out.ndim == 2:
            out[where] = np.rint(out[where] * (1 - cover) + ink[:, 0] * cover)
        else:
            out[where] = np.rint(out[where] * (1 - cover[:, None]) + ink * cover[:, None])
        return out, where

    def write(
        self, text: str, x_px: float, y_px: float, size_px: int, *, colour=WHITE, font: str = "sans"
    ) -> tuple[int, int, int, int]:
        """Write one line with its top left corner at (x, y); what leaves the frame is cut. Returns its box, xyxy."""
        ink = lettering(text, size_px, font)
        self.stamp(ink, x_px, y_px, colour)
        return int(x_px), int(y_px), int(x_px) + ink.shape[1], int(y_px) + ink.shape[0]

    def stamp(self, ink: np.ndarray, x_px: float, y_px: float, colour: tuple[int, int, int] = WHITE) -> None:
        """Put a small picture of ink (0 to 1) with its top left corner at (x, y)."""
        height, width = self.cover.shape
        x0, y0 = int(x_px), int(y_px)
        left, top = max(0, -x0), max(0, -y0)
        ink = ink[top : max(top, height - y0), left : max(left, width - x0)]
        rows, cols = slice(y0 + top, y0 + top + ink.shape[0]), slice(x0 + left, x0 + left + ink.shape[1])
        more = ink > self.cover[rows, cols]
        self.cover[rows, cols][more] = ink[more]
        self.colour[rows, cols][ink > 0] = colour

    def line(self, start: tuple[float, float], end: tuple[float, float], colour=WHITE, width_px: int = 1) -> None:
        """Draw a line between two (x, y) points."""
        ink = np.zeros(self.cover.shape, np.uint8)
        ends = [tuple(round(value) for value in point) for point in (start, end)]
        cv2.line(ink, ends[0], ends[1], 255, width_px, cv2.LINE_AA)
        self.stamp(ink.astype(np.float32) / 255, 0, 0, colour)

    def dotted(self, start: tuple[float, float], end: tuple[float, float], colour=WHITE, gap_px: float = 5) -> None:
        """Draw single dots from one (x, y) point to another."""
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        for share in np.arange(0, 1, gap_px / max(length, gap_px)):
            x_px = start[0] + share * (end[0] - start[0])
            y_px = start[1] + share * (end[1] - start[1])
            self.stamp(np.ones((1, 1), np.float32), round(x_px), round(y_px), colour)

    def cross(self, x_px: float, y_px: float, arm_px: int, colour=WHITE) -> None:
        """Draw a plus sign around (x, y)."""
        self.line((x_px - arm_px, y_px), (x_px + arm_px, y_px), colour)
        self.line((x_px, y_px - arm_px), (x_px, y_px + arm_px), colour)


def blank(shape: tuple[int, ...]) -> Overlay:
    """Return an empty drawing for frames of a shape."""
    return Overlay(np.zeros((*shape[:2], 3), np.uint8), np.zeros(shape[:2], np.float32))


def _header(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """Patient name, number, hospital, date and time along the top."""
    height, width = overlay.cover.shape
    size = int(np.clip(height / 32, 8, 24))
    font = FONTS[rng.integers(len(FONTS))]
    name = _NAMES[rng.integers(len(_NAMES))]
    place = _PLACES[rng.integers(len(_PLACES))]
    day = f"{rng.integers(2009, 2026)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
    clock = f"{rng.integers(7, 20):02d}:{rng.integers(60):02d}:{rng.integers(60):02d}"
    overlay.write(f"{name}  {rng.integers(10**6, 10**7)}", 4, 3, size, font=font)
    overlay.write(place, 4, 3 + 1.3 * size, size, font=font)
    for line, text in enumerate((day, clock)):
        ink = lettering(text, size, font)
        overlay.stamp(ink, width - ink.shape[1] - 4, 3 + 1.3 * size * line)


def _caliper(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A coloured dotted distance between two crosses over tissue, with its result below."""
    height = overlay.cover.shape[0]
    rows, cols = np.nonzero(cv2.erode(region.astype(np.uint8), np.ones((25, 25), np.uint8)))
    if not rows.size:
        return
    at = rng.integers(rows.size)
    x_px, y_px = float(cols[at]), float(rows[at])
    turn, half = rng.uniform(0, np.pi), rng.uniform(0.05, 0.1) * height
    step = (half * np.cos(turn), half * np.sin(turn))
    colour = (YELLOW, GREEN, CYAN)[rng.integers(3)]
    start, end = (x_px - step[0], y_px - step[1]), (x_px + step[0], y_px + step[1])
    overlay.dotted(start, end, colour)
    for point in (start, end):
        overlay.cross(*point, 3, colour)
    size = int(np.clip(height / 34, 8, 24))
    overlay.write(f"+ Dist {rng.uniform(4, 60):.1f} mm", 4, height - 1.6 * size, size, colour=colour)


def _ruler(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A depth ruler: ticks down the right side of the region."""
    height, width = overlay.cover.shape
    rows = np.flatnonzero(region.any(axis=1))
    x_px = min(width - 8, int(np.flatnonzero(region.any(axis=0))[-1]) + 3)
    for count, y_px in enumerate(np.arange(rows[0], rows[-1] + 1, max(6.0, height / 36))):
        overlay.line((x_px, y_px), (x_px + (6 if count % 5 == 0 else 3), y_px))


_NAMES = (
    "DOE, JANE",
    "MUSTER, MAX",
    "ROSSI, MARIO",
    "SMITH^ANNA",
    "NGUYEN, VAN",
    "PEREZ, ANA",
    "KIM, MIN-JI",
    "NOVAK, JAN",
)
_PLACES = ("General Hospital", "City Clinic", "University Medical Center", "St. Mary's", "Radiology Dept.")

ELEMENTS: dict[str, Callable[[Overlay, np.ndarray, np.random.Generator], None]] = {
    "header": _header,
    "caliper": _caliper,
    "ruler": _ruler,
}
"""What can be drawn, by name; each takes the drawing, the acoustic region and a random stream."""


def design(elements: tuple[str, ...], region: np.ndarray, rng: np.random.Generator) -> Overlay:
    """Design an overlay: the same random stream gives the same drawing.

    Args:
        elements: names of `ELEMENTS`, drawn in this order.
        region: the acoustic region, bool (H, W), which says where things go.
        rng: the random stream.

    Example:
        >>> overlay = design(("header",), np.ones((120, 160), bool), np.random.default_rng(0))
        >>> painted, mask = overlay.over(np.zeros((120, 160), np.uint8))
        >>> bool((painted[~mask] == 0).all()), bool(mask.any())
        (True, True)
    """
    overlay = blank(region.shape)
    for name in elements:
        ELEMENTS[name](overlay, region, rng)
    return overlay
