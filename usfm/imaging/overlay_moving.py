"""What moves on scanner screens: the ECG, colour flow, the spectral strip, the M-mode strip."""

import math
from typing import Protocol

import cv2
import numpy as np

from usfm.imaging.overlay_drawing import GREEN, WHITE, YELLOW, Overlay, blank

SWEEP_S = 3.0
"""Seconds that a strip shows before it is written over from the left."""


def beat_wave(phase: np.ndarray) -> np.ndarray:
    """An electrocardiogram's voltage, peak 1, at phases of the beat (turns): P, Q, R, S and T as Gaussian bumps.

    Source: McSharry et al., IEEE Trans. Biomed. Eng. 50(3), 2003, table I; places and widths in turns, the bumps added
    directly in place of the differential equation.
    """
    turn = np.asarray(phase) % 1
    bumps = ((0.2, 0.025, 0.12), (0.36, 0.01, -0.12), (0.385, 0.011, 1.0), (0.41, 0.011, -0.25), (0.62, 0.045, 0.3))
    return np.sum([size * np.exp(-0.5 * ((turn - place) / width) ** 2) for place, width, size in bumps], axis=0)


class Moving(Protocol):
    """A thing that changes while the clip runs."""

    def over(self, frame: np.ndarray, time_s: float, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draw it over a frame.

        Args:
            frame: uint8 (H, W), or RGB (H, W, 3).
            time_s: since the clip began, s.
            flow: bool (H, W), where blood flows.

        Returns:
            The frame with the drawing, and the mask (H, W) of what was drawn.
        """
        ...


class Ecg:
    """An ECG strip at the bottom of the screen; the trace is rewritten from the left behind a gap.

    Args:
        region: the acoustic region, bool (H, W).
        rng: the random stream.
        period_s: of the heart.
    """

    def __init__(self, region: np.ndarray, rng: np.random.Generator, period_s: float = 0.9):
        height, width = region.shape
        self.drawing = blank(region.shape)
        colour = (GREEN, YELLOW, WHITE)[rng.integers(3)]
        base, tall = height * rng.uniform(0.955, 0.975), height * 0.08
        x_px = np.arange(2, width - 2)
        wave = beat_wave(x_px / width * SWEEP_S / period_s) + 0.02 * rng.standard_normal(x_px.size)
        self.drawing.lines(list(zip(x_px, base - tall * wave, strict=True)), colour)

    def over(self, frame: np.ndarray, time_s: float, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Moving`. Draw the strip at a time."""
        width = frame.shape[1]
        at = int(time_s / SWEEP_S * width) % width
        cover = self.drawing.cover.copy()
        cover[:, at : at + max(4, width // 40)] = 0
        return Overlay(self.drawing.colour, cover).over(frame)


class ColourBox:
    """A colour-Doppler box: its outline is ink, the flow inside is coloured by a pulsing velocity with aliasing."""

    def __init__(self, region: np.ndarray, rng: np.random.Generator, period_s: float = 0.9):
        height, width = region.shape
        rows, cols = np.nonzero(region)
        top, left = float(np.percentile(rows, 20)), float(np.percentile(cols, 22))
        bottom, right = float(np.percentile(rows, rng.uniform(65, 85))), float(np.percentile(cols, 78))
        lean = rng.uniform(-0.15, 0.15) * (bottom - top)
        self.corners = [(left + lean, top), (right + lean, top), (right - lean, bottom), (left - lean, bottom)]
        self.drawing = blank(region.shape)
        self.drawing.lines(self.corners, (WHITE, GREEN, YELLOW)[rng.integers(3)], closed=True)
        inside = np.zeros(region.shape, np.uint8)
        cv2.fillPoly(inside, [np.rint(self.corners).astype(np.int32)], 1)
        self.inside = (inside > 0) & region
        self.period_s, self.phase = period_s, rng.uniform(0, 1)
        field = cv2.resize(
            rng.standard_normal((9, 9)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        self.speed = 0.7 + 0.5 * field
        self.grain = rng.standard_normal(region.shape).astype(np.float32)
        self.colour = np.zeros(region.shape, bool)
        """Pixels coloured by flow in the last frame drawn."""

    def over(self, frame: np.ndarray, time_s: float, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Moving`. Draw the box at a time over where blood flows."""
        pulse = 0.25 + max(0.0, math.sin(2 * math.pi * (time_s / self.period_s + self.phase))) ** 2
        speed = self.speed * pulse + 0.12 * np.roll(self.grain, int(time_s * 997) % 64, axis=1)
        speed = (speed + 1) % 2 - 1
        noise = np.abs(self.grain) > 3.2
        self.colour = self.inside & ((flow & (np.abs(speed) > 0.08)) | noise)
        out = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
        out = out.copy()
        value = speed[self.colour]
        strength = 0.35 + 0.65 * np.abs(value)
        towards = np.stack([255 * strength, 200 * np.abs(value) ** 1.5, 30 * strength], axis=1)
        away = np.stack([30 * strength, 180 * np.abs(value) ** 1.5, 255 * strength], axis=1)
        out[self.colour] = np.where(value[:, None] > 0, towards, away).clip(0, 255).astype(np.uint8)
        return self.drawing.over(out)


class Spectral:
    """A spectral Doppler strip across the bottom: velocity against time, written from the left."""

    top_share = 0.62

    def __init__(self, region: np.ndarray, rng: np.random.Generator, period_s: float = 0.9):
        height, width = region.shape
        self.top = int(self.top_share * height)
        tall = height - self.top
        x = np.arange(width)
        phase = (x / width * SWEEP_S / period_s + rng.uniform()) % 1
        peak = (
            0.12 + 0.6 * np.exp(-0.5 * ((phase - 0.22) / 0.07) ** 2) + 0.2 * np.exp(-0.5 * ((phase - 0.45) / 0.12) ** 2)
        )
        zero, y = 0.72 * tall, np.arange(tall)[:, None]
        speed = (zero - y) / tall
        window = (
            1 / (1 + np.exp((speed - peak) / 0.015)) * (speed > 0) * (0.35 + 0.65 * np.clip(speed / peak, 0, 1) ** 1.5)
        )
        grain = np.abs(cv2.GaussianBlur(rng.standard_normal((tall, width)).astype(np.float32), (0, 0), 0.8)) * 2.2
        self.picture = np.clip(window * grain * 170 + 6 * grain, 0, 255).astype(np.uint8)
        self.picture[int(zero)] = 190
        self.picture[0] = 120
        for tick in range(int(width / (SWEEP_S * 5)), width, max(8, int(width / (SWEEP_S * 5)))):
            self.picture[-4:, tick] = 200

    def over(self, frame: np.ndarray, time_s: float, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Moving`. Draw the strip at a time."""
        width = frame.shape[1]
        at = int(time_s / SWEEP_S * width) % width
        strip = self.picture.copy()
        strip[:, at : at + max(4, width // 40)] = 0
        return _strip(frame, strip, self.top)


class MMode:
    """An M-mode strip across the bottom: one line of the image against time, and the line itself as dots."""

    top_share = 0.6

    def __init__(self, region: np.ndarray, rng: np.random.Generator, period_s: float = 0.9):
        height, width = region.shape
        self.top = int(self.top_share * height)
        cols = np.nonzero(region)[1]
        self.col = int(np.percentile(cols, rng.uniform(35, 65)))
        line = np.flatnonzero(region[: self.top, self.col])
        self.rows = (int(line[0]), int(line[-1]) + 1) if line.size else (0, self.top)
        self.strip = np.zeros((height - self.top, width), np.uint8)
        self.strip[0] = 120
        self.written, self.period_s = 0, period_s
        self.drawing = blank(region.shape)
        self.drawing.dotted(
            (self.col, self.rows[0]), (self.col, self.rows[1]), (GREEN, YELLOW, WHITE)[rng.integers(3)], 6
        )

    def over(self, frame: np.ndarray, time_s: float, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Moving`. Draw the strip at a time; frames must come in order."""
        width = frame.shape[1]
        gray = frame if frame.ndim == 2 else frame[..., 1]
        line = gray[self.rows[0] : self.rows[1], self.col][:, None]
        column = cv2.resize(line, (1, self.strip.shape[0] - 2), interpolation=cv2.INTER_AREA)[:, 0]
        until = int(time_s / SWEEP_S * width) + 1
        sway = 0.02 * self.strip.shape[0] if until - self.written > width // 4 else 0.0
        for place in range(self.written, until):  # a long gap (a still) is filled with a heart's slow sway
            shift = round(sway * math.sin(2 * math.pi * place / width * SWEEP_S / self.period_s))
            self.strip[2:, place % width] = np.roll(column, shift)
        self.written = until
        strip = self.strip.copy()
        strip[:, until % width : until % width + 3] = 0
        out, ink = _strip(frame, strip, self.top)
        out, dots = self.drawing.over(out)
        return out, ink | dots


def _strip(frame: np.ndarray, strip: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Put an opaque gray strip under a row of a frame."""
    out = frame.copy()
    out[top:] = strip if frame.ndim == 2 else strip[..., None]
    ink = np.zeros(frame.shape[:2], bool)
    ink[top:] = True
    return out, ink


MOVING = {"ecg": Ecg, "colour_box": ColourBox, "spectral": Spectral, "m_mode": MMode}
"""What moves, by name; each is made from (region, rng, period_s)."""
