"""Marks on scanner screens: rulers, bars, focus, logo, body mark, calipers, arrows, ink."""

import cv2
import numpy as np

from usfm.imaging.overlay_drawing import BLUE, COLOURS, GRAY, GREEN, ORANGE, RED, WHITE, YELLOW, Overlay
from usfm.imaging.overlay_fonts import lettering

_TORSO = (
    (0.5, 0), (0.62, 0.08), (0.6, 0.2), (0.95, 0.3), (0.9, 0.6), (0.75, 0.6), (0.78, 1.2),
    (0.22, 1.2), (0.25, 0.6), (0.1, 0.6), (0.05, 0.3), (0.4, 0.2), (0.38, 0.08),
)  # fmt: skip
"""Corners (x, y) of the body mark, in widths."""


def _box(region: np.ndarray) -> tuple[int, int, int, int]:
    """Bounding box of a region: top, left, bottom, right (inclusive); the whole frame where it is empty."""
    if not region.any():
        return 0, 0, region.shape[0] - 1, region.shape[1] - 1
    rows, cols = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return int(rows[0]), int(cols[0]), int(rows[-1]), int(cols[-1])


def _spot(region: np.ndarray, rng: np.random.Generator, margin_px: int) -> tuple[float, float]:
    """A point (x, y) well inside a region, or anywhere where there is none."""
    kernel = np.ones((2 * margin_px + 1, 2 * margin_px + 1), np.uint8)
    rows, cols = np.nonzero(cv2.erode(region.astype(np.uint8), kernel, borderValue=0))
    if not rows.size:
        return float(rng.uniform(0.3, 0.7) * region.shape[1]), float(rng.uniform(0.3, 0.7) * region.shape[0])
    at = rng.integers(rows.size)
    return float(cols[at]), float(rows[at])


def ruler(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A depth ruler: ticks or dots down one side of the region, every fifth longer, sometimes with numbers.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height, width = overlay.cover.shape
    top, left, bottom, right = _box(region)
    x_px = min(width - 9, right + 3) if rng.random() < 0.7 else max(2, left - 9)
    colour = (WHITE, WHITE, GRAY, YELLOW, GREEN)[rng.integers(5)]
    dots, numbers = rng.random() < 0.35, rng.random() < 0.5
    gap = max(6.0, height / rng.uniform(25, 60))
    for count, y_px in enumerate(np.arange(top, bottom + 1, gap)):
        long = count % 5 == 0
        if dots:
            overlay.stamp(np.ones((2 if long else 1, 2 if long else 1), np.float32), x_px, y_px, colour)
        else:
            overlay.line((x_px, y_px), (x_px + (6 if long else 3), y_px), colour)
        if numbers and long and count:
            ink = lettering(str(count), 8)
            overlay.stamp(ink, min(x_px + 9, width - ink.shape[1]), y_px - 4, colour)


def gray_bar(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """The gray map as a bar at one side.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height, width = overlay.cover.shape
    tall, wide = int(height * rng.uniform(0.2, 0.4)), int(max(5, width * 0.018))
    ramp = np.repeat(np.linspace(250, 5, tall)[:, None], wide, axis=1).astype(np.uint8)
    x_px = 3 if rng.random() < 0.5 else width - wide - 3
    overlay.paste(ramp, x_px, int(height * rng.uniform(0.12, 0.4)))


def colour_bar(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """The Doppler colour map as a bar with the velocities at its ends.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height, width = overlay.cover.shape
    tall, wide = int(height * 0.26), int(max(6, width * 0.022))
    share = np.linspace(1, -1, tall)[:, None]
    up = np.clip(share, 0, 1) * np.array([255, 180, 40]) * (0.35 + 0.65 * np.abs(share))
    down = np.clip(-share, 0, 1) * np.array([40, 160, 255]) * (0.35 + 0.65 * np.abs(share))
    ramp = np.where(share > 0, np.maximum(up, [70 * (1), 0, 0]), np.maximum(down, [0, 0, 70]))
    x_px = 3 if rng.random() < 0.5 else width - wide - 3
    y_px = int(height * rng.uniform(0.14, 0.4))
    overlay.paste(np.repeat(ramp[:, None, :], wide, axis=1).astype(np.uint8), x_px, y_px)
    for text, y in ((f"+{rng.integers(12, 90)}", y_px - 11), (f"-{rng.integers(12, 90)}", y_px + tall + 3)):
        ink = lettering(text, 9)
        overlay.stamp(ink, np.clip(x_px, 2, width - ink.shape[1] - 2), y)


def focus(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """One to three focus marks beside the region.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    width = overlay.cover.shape[1]
    top, _, bottom, right = _box(region)
    x_px = min(right + 5, width - 8)
    for share in rng.uniform(0.2, 0.85, int(rng.integers(1, 4))):
        y_px = top + share * (bottom - top)
        overlay.polygon(
            [(x_px + 6, y_px - 4), (x_px, y_px), (x_px + 6, y_px + 4)], (YELLOW, WHITE, GREEN)[rng.integers(3)]
        )


def logo(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A maker's mark at the top of the fan or in a corner.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    width = overlay.cover.shape[1]
    top, left, _, right = _box(region)
    ink = lettering(("V", "S", "m", "GE", "P", "e", "W")[rng.integers(7)], int(rng.integers(10, 18)), "sans-bold")
    x_px = rng.choice([max(2, 0.5 * (left + right) - 0.28 * (right - left)), 3, width - ink.shape[1] - 4])
    y_px = max(2, top - 2)
    colour = (WHITE, BLUE, ORANGE, GREEN)[rng.integers(4)]
    overlay.stamp(ink, x_px, y_px, colour)
    turns = np.linspace(0, 2 * np.pi, 25)[:-1]
    middle = (x_px + ink.shape[1] / 2, y_px + ink.shape[0] / 2)
    radius = 0.75 * max(ink.shape)
    overlay.lines(
        [(middle[0] + radius * np.cos(t), middle[1] + radius * np.sin(t)) for t in turns], colour, closed=True
    )


def body_mark(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A little drawing of the body with the probe on it, in a lower corner.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height, width = overlay.cover.shape
    size = int(np.clip(0.11 * height, 22, 70))
    x_px = 6 if rng.random() < 0.4 else width - size - 8
    y_px = height - 1.25 * size - 6
    overlay.lines([(x_px + size * x, y_px + size * y) for x, y in _TORSO], WHITE, closed=True)
    at = (x_px + size * rng.uniform(0.35, 0.65), y_px + size * rng.uniform(0.35, 1.0))
    turn = rng.uniform(0, np.pi)
    across, down = 0.12 * size * np.cos(turn), 0.12 * size * np.sin(turn)
    colour = (GREEN, YELLOW, WHITE)[rng.integers(3)]
    overlay.line((at[0] - across, at[1] - down), (at[0] + across, at[1] + down), colour, 2)


def caliper(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """One to three dotted distances between crosses over tissue, or a dotted ellipse.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height = overlay.cover.shape[0]
    colour = WHITE if rng.random() < 0.3 else COLOURS[rng.integers(len(COLOURS))]
    for number in range(int(rng.integers(1, 4))):
        half = rng.uniform(0.04, 0.13) * height
        x_px, y_px = _spot(region, rng, int(half))
        turn = rng.uniform(0, np.pi)
        step = (half * np.cos(turn), half * np.sin(turn))
        start, end = (x_px - step[0], y_px - step[1]), (x_px + step[0], y_px + step[1])
        if rng.random() < 0.2:
            for angle in np.linspace(0, 2 * np.pi, int(6.28 * half / 5)):
                across = 0.7 * half * np.sin(angle)
                x = x_px + half * np.cos(angle) * np.cos(turn) - across * np.sin(turn)
                y = y_px + half * np.cos(angle) * np.sin(turn) + across * np.cos(turn)
                overlay.stamp(np.ones((1, 1), np.float32), round(x), round(y), colour)
        elif rng.random() < 0.8:
            overlay.dotted(start, end, colour, rng.uniform(3, 7))
        arm = int(np.clip(height / 110, 2, 6))
        for point in (start, end):
            if rng.random() < 0.8:
                overlay.cross(*point, arm, colour)
            else:
                overlay.line((point[0] - arm, point[1] - arm), (point[0] + arm, point[1] + arm), colour)
                overlay.line((point[0] - arm, point[1] + arm), (point[0] + arm, point[1] - arm), colour)
        overlay.stamp(lettering(str(number + 1), 9), end[0] + 4, end[1] + 2, colour)


def arrow(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """One to three arrows that point at something.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height = overlay.cover.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        x_px, y_px = _spot(region, rng, 10)
        turn, long = rng.uniform(0, 2 * np.pi), rng.uniform(0.04, 0.09) * height
        tail = (x_px + long * np.cos(turn), y_px + long * np.sin(turn))
        colour = WHITE if rng.random() < 0.6 else COLOURS[rng.integers(len(COLOURS))]
        overlay.line(tail, (x_px, y_px), colour, int(rng.integers(1, 3)))
        wing = max(4.0, 0.3 * long)
        corners = [(x_px + wing * np.cos(turn + side), y_px + wing * np.sin(turn + side)) for side in (-0.4, 0.4)]
        overlay.polygon([(x_px, y_px), *corners], colour)


def ink(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A line drawn by hand in a coloured ink, open or around something.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height = overlay.cover.shape[0]
    x_px, y_px = _spot(region, rng, 12)
    size, colour = rng.uniform(0.05, 0.14) * height, (RED, GREEN, YELLOW, ORANGE, BLUE)[rng.integers(5)]
    turns = np.linspace(0, rng.choice([6.28, 3.5]), 24)
    wobble = 1 + 0.15 * np.sin(3 * turns + rng.uniform(0, 6)) + 0.08 * np.sin(5 * turns + rng.uniform(0, 6))
    x, y = x_px + size * wobble * np.cos(turns), y_px + 0.7 * size * wobble * np.sin(turns)
    overlay.lines(list(zip(x, y, strict=True)), colour, int(rng.integers(1, 3)))
