"""Motion: how tissue moves under the probe, as few smooth fields of displacement with a course in time each."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Field = tuple[Any, Any]
"""Displacement (across, down) in mm per unit of a mode's course: arrays like the points, or numbers."""


class Mode(Protocol):
    """One smooth field of displacement with a course in time."""

    def field(self, x_mm: np.ndarray, z_mm: np.ndarray) -> Field:
        """Displacement (across, down) for a course of 1.

        Args:
            x_mm: points across, any shape.
            z_mm: points into the body, like `x_mm`.

        Returns:
            Displacement across and down, mm.
        """
        ...

    def course(self, time_s: float) -> float:
        """How far the field is followed at a time: mm, or a share."""
        ...


@dataclass(frozen=True)
class Breath:
    """Breathing: tissue moves along a direction, more the deeper it lies, and is squeezed a little."""

    size_mm: float
    period_s: float
    phase: float
    direction_rad: float
    depth_mm: float

    def field(self, x_mm: np.ndarray, z_mm: np.ndarray) -> Field:
        """See `Mode`: by course in mm."""
        reach = np.float32(0.2) + np.clip(z_mm / np.float32(self.depth_mm), 0, 1.2) * np.float32(0.8)
        return (
            reach * np.float32(math.sin(self.direction_rad)) + np.float32(0.1 / self.depth_mm) * x_mm,
            reach * np.float32(math.cos(self.direction_rad)),
        )

    def course(self, time_s: float) -> float:
        """Size in mm at a time: sin^4, long rest and short inspiration (Lujan et al., Med. Phys. 26, 1999, n = 2)."""
        return self.size_mm * (math.sin(math.pi * (time_s / self.period_s + self.phase)) ** 4 - 0.375)


@dataclass(frozen=True)
class Slide:
    """The probe slides: everything moves across at a speed, with the hand's slow tremor."""

    speed_mm_s: float
    tremor_mm: float
    phase: float

    def field(self, x_mm: np.ndarray, z_mm: np.ndarray) -> Field:
        """See `Mode`: by course in mm."""
        return 1.0, 0.1

    def course(self, time_s: float) -> float:
        """Size in mm at a time."""
        turn = 6.3 * self.phase
        tremor = math.sin(5.1 * time_s + turn) + 0.5 * math.sin(11.3 * time_s + 2 * turn)
        return self.speed_mm_s * time_s + self.tremor_mm * tremor


@dataclass(frozen=True)
class Beat:
    """A heart: an ellipse shrinks towards its centre in systole and widens again; what lies around follows less."""

    x_mm: float
    z_mm: float
    long_mm: float
    short_mm: float
    angle_rad: float
    share: float
    period_s: float
    phase: float

    def field(self, x_mm: np.ndarray, z_mm: np.ndarray) -> Field:
        """See `Mode`: towards the centre."""
        cos, sin = np.float32(math.cos(self.angle_rad)), np.float32(math.sin(self.angle_rad))
        dx, dz = x_mm - np.float32(self.x_mm), z_mm - np.float32(self.z_mm)
        long, short = (cos * dx + sin * dz) / self.long_mm, (cos * dz - sin * dx) / self.short_mm
        away = long * long + short * short
        pull = -np.exp(-np.maximum(away - 1, 0) * np.float32(0.7)).astype(np.float32)
        return pull * (cos * long * 0.4 * self.long_mm - sin * short * self.short_mm), pull * (
            sin * long * 0.4 * self.long_mm + cos * short * self.short_mm
        )

    def course(self, time_s: float) -> float:
        """Share by which the ellipse has shrunk: a third of the period in systole."""
        turn = (time_s / self.period_s + self.phase) % 1
        squeeze = (
            math.sin(math.pi * turn / 0.4) ** 2 if turn < 0.4 else 0.15 * math.sin(math.pi * (turn - 0.4) / 0.6) ** 2
        )
        return self.share * squeeze


@dataclass(frozen=True)
class Pleura:
    """Lung sliding: what lies below the pleura moves along it with breathing, what lies above stays."""

    depth_mm: float
    size_mm: float
    period_s: float
    phase: float

    def field(self, x_mm: np.ndarray, z_mm: np.ndarray) -> Field:
        """See `Mode`: by course in mm."""
        return (z_mm > np.float32(0.97 * self.depth_mm)).astype(np.float32), 0.0

    def course(self, time_s: float) -> float:
        """Size in mm at a time."""
        return self.size_mm * math.sin(2 * math.pi * (time_s / self.period_s + self.phase))


@dataclass(frozen=True)
class Motion:
    """All that moves in a clip.

    Attributes:
        modes: the fields.
        tilt_rad_s: speed at which the slice leaves the tissue: speckle of one slice fades into that of another.
        freeze_s: time at which the picture is frozen (infinite = never).
        pace: speed of time (below 1: slow).
    """

    modes: tuple[Breath | Slide | Beat | Pleura, ...]
    tilt_rad_s: float = 0.0
    freeze_s: float = math.inf
    pace: float = 1.0

    def clock(self, time_s: float) -> float:
        """Time of the tissue at a time of the clip."""
        return min(time_s, self.freeze_s) * self.pace

    def fields(self, x_mm: np.ndarray, z_mm: np.ndarray) -> list[Field]:
        """The modes' fields at points at rest.

        Args:
            x_mm: points across, any shape.
            z_mm: points into the body, like `x_mm`.

        Returns:
            One field for each mode.
        """
        return [mode.field(x_mm, z_mm) for mode in self.modes]

    def course(self, time_s: float) -> list[float]:
        """The modes' sizes at a time of the tissue."""
        return [mode.course(time_s) for mode in self.modes]


def displace(fields: list[Field], course: list[float]) -> Field:
    """Sum the modes: displacement (across, down) in mm.

    Args:
        fields: of the modes.
        course: of the modes, in the same order.

    Returns:
        Displacement across and down, mm.
    """
    across, down = 0.0, 0.0
    for mode, size in zip(fields, course, strict=True):
        across = across + np.float32(size) * mode[0]
        down = down + np.float32(size) * mode[1]
    return across, down
