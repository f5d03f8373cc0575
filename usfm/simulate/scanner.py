"""The scanner: attenuation and gain, noise, log compression, gray map, persistence, scan conversion."""

from dataclasses import dataclass

import cv2
import numpy as np

from usfm.simulate.motion import Motion, displace
from usfm.simulate.probe import View
from usfm.simulate.speckle import Beamformer, scatter
from usfm.simulate.tissue import ATTENUATION_DB, Body


@dataclass(frozen=True)
class Settings:
    """What the operator set.

    Attributes:
        range_db: dynamic range shown, from black to white.
        level: gray level of mean parenchyma, 0 to 1.
        gamma: exponent of the gray map.
        tgc_db: what time-gain compensation gives too much or too little, at knots from the skin to the far end.
        noise_db: electronic noise before gain, relative to parenchyma at the skin.
        persistence: share of the previous frame kept, 0 to 1.
    """

    range_db: float = 60.0
    level: float = 0.45
    gamma: float = 1.0
    tgc_db: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    noise_db: float = -75.0
    persistence: float = 0.0


def compress(envelope: np.ndarray, settings: Settings) -> np.ndarray:
    """Log compression and gray map: envelope (parenchyma has unit mean power) to gray in 0..255, float32."""
    power_db = 10 * np.log10(np.square(envelope) + np.float32(1e-12))
    gray = np.clip(power_db / np.float32(settings.range_db) + np.float32(settings.level), 0, 1)
    return (255 * gray**settings.gamma).astype(np.float32)


def frames(body: Body, motion: Motion, view: View, settings: Settings, times_s: np.ndarray, rng: np.random.Generator):
    """Render a clip frame by frame.

    Args:
        body: the tissue at rest.
        motion: how it moves.
        view: probe and place on the screen.
        settings: what the operator set.
        times_s: time of each frame.
        rng: the random stream.

    Yields:
        (frame, lesion): gray uint8 and lesion mask bool, both (height, width) of the view; black outside the sector.
    """
    probe = view.probe
    beams = Beamformer(probe)
    points = scatter(probe, rng)
    echo = body.sample(body.echo_db, points.x_mm, points.z_mm)
    amplitude = points.amplitude * np.power(np.float32(10), echo / np.float32(20))
    modes = motion.fields(points.x_mm, points.z_mm)
    grid_x, grid_z = probe.grid_space()
    grid_modes = motion.fields(grid_x, grid_z)
    maps, inside = view.maps(), view.mask()
    pixel_x, pixel_z = view.space()
    pixel_modes = motion.fields(pixel_x, pixel_z)

    depth_cm = np.linspace(0, probe.depth_mm / 10, probe.n_axial, dtype=np.float32)[:, None]
    slope = np.float32(2 * probe.frequency_mhz * probe.axial_step_mm / 10)
    knots = np.linspace(0, 1, len(settings.tgc_db))
    tgc = np.interp(np.linspace(0, 1, probe.n_axial), knots, settings.tgc_db).astype(np.float32)[:, None]
    ideal = 2 * probe.frequency_mhz * ATTENUATION_DB * depth_cm
    noise = np.power(10, (settings.noise_db + np.minimum(ideal, 70) + tgc) / 20).astype(np.float32) / np.sqrt(2)
    kept = None
    for time_s in times_s:
        course = motion.course(float(time_s))
        across, down = displace(modes, course)
        signal = beams.signal(points.x_mm + across, points.z_mm + down, amplitude)
        across, down = displace(grid_modes, course)
        loss = body.sample(body.loss, grid_x - across, grid_z - down)
        residual = cv2.blur(np.cumsum((loss - ATTENUATION_DB) * slope, axis=0, dtype=np.float32), (5, 1))
        signal = signal * np.power(np.float32(10), (tgc - residual) / 20)
        grain = rng.standard_normal((2, *signal.shape), np.float32)
        envelope = np.hypot(signal.real + noise * grain[0], signal.imag + noise * grain[1])
        gray = compress(envelope, settings)
        kept = gray if kept is None else settings.persistence * kept + (1 - settings.persistence) * gray
        shown = cv2.remap(kept.astype(np.float32), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        across, down = displace(pixel_modes, course)
        lesion = body.sample(body.lesion, pixel_x - across, pixel_z - down) > 0
        yield np.where(inside, shown + 0.5, 0).astype(np.uint8), lesion & inside
