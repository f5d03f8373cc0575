"""Probes: the beam grid and the point-spread function on it."""

import math
from dataclasses import dataclass

import numpy as np

SPEED_MM_S = 1_540_000.0
"""Speed of sound in soft tissue, mm/s (Szabo, Diagnostic Ultrasound Imaging, 2nd ed., table B.1)."""


@dataclass(frozen=True)
class Probe:
    """One probe at one depth setting, in millimetres; z grows into the body, x to the right, (0, 0) at the skin.

    A beam point is (depth r along the beam, lateral coordinate u). On curved probes u is the angle in radians around
    the apex at (0, -radius_mm); on a linear one u is x in millimetres.
    """

    shape: str
    radius_mm: float
    half_width: float
    """Half of the lateral extent: radians (curved) or millimetres (linear)."""
    depth_mm: float
    frequency_mhz: float
    aperture_mm: float
    focus_mm: float
    bandwidth: float = 0.6
    sidelobe: float = 0.03
    n_axial: int = 320
    n_lateral: int = 144

    @property
    def wavelength_mm(self) -> float:
        """Wavelength at the centre frequency, in mm."""
        return SPEED_MM_S / (self.frequency_mhz * 1e6)

    @property
    def curved(self) -> bool:
        """Whether beams fan out from an apex."""
        return self.shape != "linear"

    @property
    def axial_step_mm(self) -> float:
        """Depth between two samples of a beam, in mm."""
        return self.depth_mm / (self.n_axial - 1)

    @property
    def lateral_step(self) -> float:
        """Distance between two beams: radians (curved) or mm (linear)."""
        return 2 * self.half_width / (self.n_lateral - 1)

    def to_space(self, depth: np.ndarray, lateral: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Beam coordinates to (x, z) in mm; any shape, broadcast.

        Args:
            depth: along the beam, mm.
            lateral: of the beam, radians (curved, trapezoid) or mm (linear).

        Returns:
            x and z, mm.
        """
        if self.shape == "linear":
            x_mm, z_mm = np.broadcast_arrays(lateral, depth)
            return x_mm, z_mm
        radius = depth + self.radius_mm
        if self.shape == "trapezoid":
            x_mm, z_mm = np.broadcast_arrays(radius * np.tan(lateral), depth)
            return x_mm, z_mm
        return radius * np.sin(lateral), radius * np.cos(lateral) - self.radius_mm

    def to_beam(self, x_mm: np.ndarray, z_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(x, z) in mm to beam coordinates (depth in mm, lateral).

        Args:
            x_mm: across.
            z_mm: into the body.

        Returns:
            Depth and lateral place of the beam, as `to_space` takes them.
        """
        if self.shape == "linear":
            return z_mm, x_mm
        below = z_mm + self.radius_mm
        if self.shape == "trapezoid":
            return z_mm, np.arctan2(x_mm, below)
        return np.hypot(x_mm, below) - self.radius_mm, np.arctan2(x_mm, below)

    def grid_space(self) -> tuple[np.ndarray, np.ndarray]:
        """(x, z) in mm of every beam sample, each float32 (n_axial, n_lateral)."""
        depth = np.linspace(0, self.depth_mm, self.n_axial, dtype=np.float32)[:, None]
        lateral = np.linspace(-self.half_width, self.half_width, self.n_lateral, dtype=np.float32)[None, :]
        x_mm, z_mm = self.to_space(depth, lateral)
        return np.ascontiguousarray(x_mm, np.float32), np.ascontiguousarray(z_mm, np.float32)

    @property
    def half_span_mm(self) -> float:
        """Half of the widest line across the view, in mm."""
        if self.shape == "linear":
            return self.half_width
        turn = math.tan if self.shape == "trapezoid" else math.sin
        return (self.radius_mm + self.depth_mm) * turn(min(self.half_width, 1.5))

    def direction(self, x_mm: np.ndarray, z_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit vector (across, down) of the beam through each point.

        Args:
            x_mm: across.
            z_mm: into the body.

        Returns:
            Across and down, each of the shape of the points.
        """
        if self.shape == "linear":
            return np.zeros_like(x_mm), np.ones_like(z_mm)
        below = z_mm + np.float32(self.radius_mm)
        length = np.hypot(x_mm, below) + np.float32(1e-6)
        return x_mm / length, below / length

    def beam_width_mm(self, depth_mm: np.ndarray) -> np.ndarray:
        """Full width at half maximum of the two-way lateral point-spread function at a depth, in mm.

        A fixed transmit focus and a receive focus that follows the echo at constant f-number until the aperture is
        used up: diffraction width 0.89 lambda z / D at the focus (Szabo, section 6.4: the -6 dB two-way width of a
        rectangular aperture), and geometric spread D |z - f| / f away from it, softened (4 in place of 1) because the
        receive aperture stays in focus.
        """
        depth = np.maximum(np.asarray(depth_mm, np.float64), 0.05 * self.depth_mm)
        aperture = np.minimum(self.aperture_mm, depth / 1.5)
        diffraction = 0.89 * self.wavelength_mm * depth / aperture
        spread = 0.25 * aperture * np.abs(depth - self.focus_mm) / self.focus_mm
        return np.sqrt(diffraction**2 + np.minimum(spread, 2.5 * diffraction) ** 2)

    def axial_sigma_mm(self) -> float:
        """Standard deviation of the Gaussian axial pulse, in mm: length c / (2 B), B the bandwidth, or 0.8 samples."""
        fwhm = self.wavelength_mm / (2 * self.bandwidth)
        return max(fwhm / 2.355, 0.8 * self.axial_step_mm)

    def axial_kernel(self) -> np.ndarray:
        """Axial point-spread function, unit energy, float32 (k, 1), k odd."""
        sigma = self.axial_sigma_mm() / self.axial_step_mm
        reach = max(1, math.ceil(3.5 * sigma))
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        return (taps / np.sqrt((taps**2).sum())).astype(np.float32)[:, None]

    def lateral_transfer(self, n_fft: int, looks: int = 1) -> np.ndarray:
        """Fourier transform of the lateral point-spread function at each depth, float32 (n_axial, n_fft).

        Main lobe Gaussian of `beam_width_mm`, plus a sinc pedestal of relative height `sidelobe` five times as wide
        (side lobes and clutter); unit energy at each depth, so that focusing moves no brightness. With several looks
        the whole aperture is wider, so that each of its parts still resolves nearly `beam_width_mm`.

        Args:
            n_fft: length of the transform along the beams.
            looks: sub-apertures that are compounded.

        Returns:
            float32 (n_axial, n_fft).
        """
        depth = np.linspace(0, self.depth_mm, self.n_axial)
        step_mm = (
            self.lateral_step * (depth + self.radius_mm) if self.curved else np.full(depth.shape, self.lateral_step)
        )
        width_mm = self.beam_width_mm(depth) / looks**0.7
        fwhm = np.clip(width_mm / np.maximum(step_mm, 1e-3), 1.6, self.n_lateral / 4)[:, None]
        offset = np.fft.fftfreq(n_fft, 1 / n_fft)[None, :]
        main = np.exp(-4 * math.log(2) * (offset / fwhm) ** 2)
        side = np.sinc(offset / (1.3 * fwhm)) * np.exp(-((offset / (6 * fwhm)) ** 2))
        beam = (1 - self.sidelobe) * main + self.sidelobe * side
        beam /= np.sqrt((beam**2).sum(axis=1, keepdims=True))
        return np.fft.fft(beam, axis=1).real.astype(np.float32)
