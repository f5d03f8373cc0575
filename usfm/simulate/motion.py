"""Motion: how tissue moves under the probe, as few smooth fields of displacement with a course in time each."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Motion:
    """Displacement of tissue in mm at a point at rest and a time: a sum of modes.

    Attributes:
        breath_mm: amplitude of breathing at the far end of the view.
        breath_s: period of breathing.
        phase: phase of breathing at time 0, in turns.
        direction_rad: direction of breathing, from straight down.
        depth_mm: depth of the view, over which breathing grows from a third to its amplitude.
        drift_mm_s: steady slide of the tissue across the view.
        tremor_mm: size of the hand's slow tremor.
    """

    breath_mm: float
    breath_s: float
    phase: float
    direction_rad: float
    depth_mm: float
    drift_mm_s: float = 0.0
    tremor_mm: float = 0.2

    def fields(self, x_mm: np.ndarray, z_mm: np.ndarray) -> list[tuple[np.ndarray | float, np.ndarray | float]]:
        """The modes at points at rest: one (across, down) pair of displacements per unit of `course`."""
        reach = np.float32(1 / 3) + np.clip(z_mm / np.float32(self.depth_mm), 0, 1.2) * np.float32(2 / 3)
        breath = (reach * np.float32(math.sin(self.direction_rad)), reach * np.float32(math.cos(self.direction_rad)))
        squeeze = (np.float32(0.15) * x_mm / np.float32(self.depth_mm), np.float32(-0.1) * reach)
        return [breath, squeeze, (1.0, 0.0)]

    def course(self, time_s: float) -> list[float]:
        """The size of each mode at a time, in mm.

        Breathing follows sin^4 of half the phase, long rest and short inspiration (Lujan et al., Med. Phys.
        26(5), 1999, eq. 1 with n = 2).
        """
        turn = math.pi * (time_s / self.breath_s + self.phase)
        breath = self.breath_mm * (math.sin(turn) ** 4 - 0.375)
        squeeze = 0.5 * self.breath_mm * math.sin(2 * turn)
        tremor = self.tremor_mm * (math.sin(5.1 * time_s + self.phase) + 0.5 * math.sin(11.3 * time_s + 2 * self.phase))
        return [breath, squeeze, self.drift_mm_s * time_s + tremor]


def displace(fields: list, course: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Sum the modes: displacement (across, down) in mm."""
    across = sum(np.float32(size) * mode[0] for mode, size in zip(fields, course, strict=True))
    down = sum(np.float32(size) * mode[1] for mode, size in zip(fields, course, strict=True))
    return across, down
