"""Probes: the beam grid, the point-spread function on it, and scan conversion to pixels."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry

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
        """Beam coordinates to (x, z) in mm; any shape, broadcast."""
        if self.shape == "linear":
            return np.broadcast_arrays(lateral, depth)
        radius = depth + self.radius_mm
        if self.shape == "trapezoid":
            return np.broadcast_arrays(radius * np.tan(lateral), depth)
        return radius * np.sin(lateral), radius * np.cos(lateral) - self.radius_mm

    def to_beam(self, x_mm: np.ndarray, z_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(x, z) in mm to beam coordinates (depth in mm, lateral)."""
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
        """Standard deviation of the Gaussian axial pulse, in mm: length c / (2 B), B the bandwidth; at least 0.8 samples."""
        fwhm = self.wavelength_mm / (2 * self.bandwidth)
        return max(fwhm / 2.355, 0.8 * self.axial_step_mm)

    def axial_kernel(self) -> np.ndarray:
        """Axial point-spread function, unit energy, float32 (k, 1), k odd."""
        sigma = self.axial_sigma_mm() / self.axial_step_mm
        reach = max(1, math.ceil(3.5 * sigma))
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        return (taps / np.sqrt((taps**2).sum())).astype(np.float32)[:, None]

    def lateral_transfer(self, n_fft: int) -> np.ndarray:
        """Fourier transform of the lateral point-spread function at each depth, float32 (n_axial, n_fft).

        Main lobe Gaussian of `beam_width_mm`, plus a sinc pedestal of relative height `sidelobe` five times as wide
        (side lobes and clutter); unit energy at each depth, so that focusing moves no brightness.
        """
        depth = np.linspace(0, self.depth_mm, self.n_axial)
        step_mm = (
            self.lateral_step * (depth + self.radius_mm) if self.curved else np.full(depth.shape, self.lateral_step)
        )
        fwhm = np.maximum(self.beam_width_mm(depth) / step_mm, 1.6)[:, None]
        offset = np.fft.fftfreq(n_fft, 1 / n_fft)[None, :]
        main = np.exp(-4 * math.log(2) * (offset / fwhm) ** 2)
        side = np.sinc(offset / (1.3 * fwhm)) * np.exp(-((offset / (6 * fwhm)) ** 2))
        beam = (1 - self.sidelobe) * main + self.sidelobe * side
        beam /= np.sqrt((beam**2).sum(axis=1, keepdims=True))
        return np.fft.fft(beam, axis=1).real.astype(np.float32)


@dataclass(frozen=True)
class View:
    """Where a probe's image lies on the screen: pixels per millimetre and the pixel of the skin's centre (0, 0)."""

    probe: Probe
    height_px: int
    width_px: int
    scale_px_mm: float
    origin_row_px: float
    origin_col_px: float

    def geometry(self) -> SectorGeometry:
        """The sector in the store's terms: pixels, radians from straight down, positive to the right."""
        probe, scale = self.probe, self.scale_px_mm
        deep_px, edge_rad = probe.depth_mm * scale, probe.half_width
        above_px = 0.0 if probe.shape == "linear" else probe.radius_mm * scale
        if probe.shape == "linear":
            edge_rad = math.atan2(probe.half_width, probe.depth_mm)
        top_px = self.origin_row_px - above_px
        return SectorGeometry(
            probe.shape, self.origin_col_px, top_px, above_px, above_px + deep_px, -edge_rad, edge_rad
        )

    def space(self) -> tuple[np.ndarray, np.ndarray]:
        """(x, z) in mm of every pixel centre, float32 (height, width)."""
        rows, cols = np.mgrid[: self.height_px, : self.width_px].astype(np.float32)
        return (cols - self.origin_col_px) / self.scale_px_mm, (rows - self.origin_row_px) / self.scale_px_mm

    def mask(self) -> np.ndarray:
        """The acoustic region, bool (height, width)."""
        return fan.mask(self.geometry(), (self.height_px, self.width_px))

    def maps(self) -> tuple[np.ndarray, np.ndarray]:
        """Fixed-point maps for `cv2.remap` from the beam grid to pixels."""
        probe = self.probe
        depth, lateral = probe.to_beam(*self.space())
        row = (depth / probe.axial_step_mm).astype(np.float32)
        col = ((lateral + probe.half_width) / probe.lateral_step).astype(np.float32)
        return cv2.convertMaps(np.clip(col, -4, 32000), np.clip(row, -4, 32000), cv2.CV_16SC2)


def fit_view(probe: Probe, height_px: int, width_px: int, box: tuple[float, float, float, float]) -> View:
    """Place a probe's image as large as fits in a box of the screen.

    Args:
        probe: the probe.
        height_px: rows of the screen.
        width_px: columns of the screen.
        box: x0, y0, x1, y1 in fractions of the screen.
    """
    half_mm, top_mm = probe.half_width, 0.0
    if probe.shape == "trapezoid":
        half_mm = (probe.radius_mm + probe.depth_mm) * math.tan(probe.half_width)
    elif probe.curved:
        half_mm = (probe.radius_mm + probe.depth_mm) * math.sin(min(probe.half_width, math.pi / 2))
        top_mm = probe.radius_mm * (math.cos(probe.half_width) - 1)
    x0, y0, x1, y1 = box[0] * width_px, box[1] * height_px, box[2] * width_px, box[3] * height_px
    tall_mm = probe.depth_mm - top_mm
    scale = min((x1 - x0) / (2 * half_mm), (y1 - y0) / tall_mm)
    row = 0.5 * (y0 + y1 - tall_mm * scale) - top_mm * scale
    return View(probe, height_px, width_px, scale, row, 0.5 * (x0 + x1))
