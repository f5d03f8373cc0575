"""Speckle: point scatterers summed on the beam grid through the probe's point-spread function."""

import math
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import scipy.fft

from usfm.simulate.probe import Probe


@dataclass(frozen=True)
class Scatterers:
    """Scatterers that ride with the tissue: rest positions in mm and complex amplitudes, each (n,)."""

    x_mm: np.ndarray
    z_mm: np.ndarray
    amplitude: np.ndarray


def scatter(probe: Probe, rng: np.random.Generator, *, margin: float = 0.12, density: float = 1.1) -> Scatterers:
    """Fill the field of view, and a margin around it, with scatterers of unit mean power.

    One scatterer sits at random in each cell of a jittered beam-space lattice, and its amplitude is complex Gaussian:
    the sum of an unresolved cluster. The field is then a circular Gaussian process whatever the cell holds, its
    envelope is Rayleigh and its signal-to-noise ratio sqrt(pi / (4 - pi)) = 1.91 (Goodman, Speckle Phenomena in
    Optics, section 3.2; Wagner et al., IEEE Trans. Sonics Ultrason. 30(3), 1983, eq. 9).

    Args:
        probe: the probe.
        rng: the random stream.
        margin: how far the field reaches beyond the view, as a fraction of it.
        density: scatterers per sample of the beam grid.

    Returns:
        The scatterers.
    """
    n_axial = math.ceil(probe.n_axial * (1 + 2 * margin) * math.sqrt(density))
    n_lateral = math.ceil(probe.n_lateral * (1 + 2 * margin) * math.sqrt(density))
    row = (np.arange(n_axial)[:, None] + rng.random((n_axial, n_lateral))) / n_axial
    col = (np.arange(n_lateral)[None, :] + rng.random((n_axial, n_lateral))) / n_lateral
    depth = (row * (1 + 2 * margin) - margin) * probe.depth_mm
    lateral = (2 * col - 1) * (1 + 2 * margin) * probe.half_width
    keep = depth > -0.9 * probe.radius_mm if probe.curved else np.ones(depth.shape, bool)
    x_mm, z_mm = probe.to_space(depth[keep], lateral[keep])
    amplitude = rng.standard_normal((2, x_mm.size)) / math.sqrt(2 * density)
    return Scatterers(
        x_mm.astype(np.float32), z_mm.astype(np.float32), (amplitude[0] + 1j * amplitude[1]).astype(np.complex64)
    )


class Beamformer:
    """Turns scatterers at their present positions into complex signals on the beam grid.

    Args:
        probe: the probe.
        looks: number of sub-apertures whose images are compounded; each look has its own speckle and a wider beam.
    """

    def __init__(self, probe: Probe, looks: int = 1):
        self.probe = probe
        self.pad = 24
        # scipy declares no result for this function, so a type checker takes it for None.
        self.n_fft = cast(int, scipy.fft.next_fast_len(probe.n_lateral + 2 * self.pad))
        self.transfers = _split(probe.lateral_transfer(self.n_fft, looks), looks)
        self.kernel = probe.axial_kernel()

    def signal(self, x_mm: np.ndarray, z_mm: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
        """The signal of a probe with one look, complex64 (n_axial, n_lateral); see `signals`.

        Args:
            x_mm: scatterer positions across, (n,).
            z_mm: scatterer positions into the body, (n,).
            amplitude: complex amplitudes, (n,).

        Returns:
            complex64 (n_axial, n_lateral).
        """
        return self.signals(x_mm, z_mm, amplitude)[0]

    def signals(self, x_mm: np.ndarray, z_mm: np.ndarray, amplitude: np.ndarray) -> list[np.ndarray]:
        """Beamformed baseband signals, one complex64 (n_axial, n_lateral) a look.

        s(r, u) = sum_n a_n exp(-2i k r_n) p(r - r_n) b(u - u_n; r), the first Born approximation with a separable
        point-spread function (Bamber and Dickinson, Phys. Med. Biol. 25(3), 1980, eqs. 3-8; here at baseband and
        with b depending on depth). Scatterers are spread over their four neighbours of the grid with exact phase.

        Args:
            x_mm: scatterer positions across, (n,).
            z_mm: scatterer positions into the body, (n,).
            amplitude: complex amplitudes, (n,).

        Returns:
            One array a look.
        """
        probe, n_fft, pad = self.probe, self.n_fft, self.pad
        depth, lateral = probe.to_beam(x_mm, z_mm)
        row = depth * np.float32(1 / probe.axial_step_mm)
        col = (lateral + np.float32(probe.half_width)) * np.float32(1 / probe.lateral_step) + np.float32(pad)
        row += np.float32(8)
        inside = (row >= 0) & (row < probe.n_axial + 15) & (col >= 0) & (col < probe.n_lateral + 2 * pad - 1)
        row, col = row[inside], col[inside]
        phase = depth[inside] * np.float32(-4 * math.pi / probe.wavelength_mm)
        turn = np.empty(phase.shape, np.complex64)
        turn.real, turn.imag = np.cos(phase), np.sin(phase)
        turn *= amplitude[inside]
        grid = _splat(row, col, turn, probe.n_axial + 16, n_fft)
        grid = grid.view(np.float32).reshape(*grid.shape, 2)
        grid = cv2.sepFilter2D(grid, cv2.CV_32F, np.ones((1, 1), np.float32), self.kernel)[8:-8]
        field = np.ascontiguousarray(grid).view(np.complex64)[..., 0]
        spectrum = scipy.fft.fft(field, axis=1, overwrite_x=True)
        return [
            np.asarray(scipy.fft.ifft(spectrum * transfer, axis=1, overwrite_x=True))[:, pad : pad + probe.n_lateral]
            for transfer in self.transfers
        ]


def _split(transfer: np.ndarray, looks: int) -> list[np.ndarray]:
    """Share a lateral transfer function among sub-apertures, each of unit energy at each depth."""
    if looks == 1:
        return [transfer]
    n_fft = transfer.shape[1]
    wave = np.fft.fftfreq(n_fft)[None, :]
    power = transfer**2
    spread = np.sqrt((power * wave**2).sum(axis=1, keepdims=True) / power.sum(axis=1, keepdims=True))
    parts = []
    for place in np.linspace(-1, 1, looks):
        part = transfer * np.exp(-((wave / spread - 1.1 * place) ** 2) * (0.5 * looks))
        parts.append((part / np.sqrt((part**2).mean(axis=1, keepdims=True))).astype(np.float32))
    return parts


def _splat(row: np.ndarray, col: np.ndarray, weight: np.ndarray, n_rows: int, n_cols: int) -> np.ndarray:
    """Spread complex points bilinearly over a grid, complex64 (n_rows, n_cols).

    `np.add.at` on complex64 takes a third of the time of eight weighted `np.bincount` (6 against 19 ms for 130,000
    points on one core).
    """
    top, left = row.astype(np.intp), col.astype(np.intp)
    index = top * n_cols + left
    down, right = row - top.astype(np.float32), col - left.astype(np.float32)
    grid = np.zeros(n_rows * n_cols, np.complex64)
    low = weight * down
    high = weight - low
    for step, part in ((0, high), (n_cols, low)):
        over = part * right
        np.add.at(grid, index + step, part - over)
        np.add.at(grid, index + (step + 1), over)
    return grid.reshape(n_rows, n_cols)
