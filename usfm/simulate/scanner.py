"""The scanner: attenuation and gain, artefacts, noise, log compression, gray map, persistence, scan conversion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from usfm.simulate.artefacts import Artefacts
from usfm.simulate.canvas import ATTENUATION_DB, Body
from usfm.simulate.motion import Field, Motion, displace
from usfm.simulate.probe import Probe
from usfm.simulate.speckle import Beamformer, Scatterers, scatter
from usfm.simulate.view import View


@dataclass(frozen=True)
class Settings:
    """What the operator set, and how well the probe lies on the skin.

    Attributes:
        range_db: dynamic range shown, from black to white.
        level: gray level of mean tissue, 0 to 1.
        gamma: exponent of the gray map.
        bend: how S-shaped the gray map is, 0 to 1.
        tgc_db: what time-gain compensation gives too much or too little, at knots from the skin to the far end.
        contact_db: loss of contact at knots from the left beam to the right one, 0 or negative.
        streak_db: deviation of the shadows that uneven skin casts on single beams, at the far end.
        veil_db: haze that bright tissue spreads around itself (multiple scattering, far side lobes), relative to it.
        haze_db: reverberation clutter close to the probe, relative to tissue.
        noise_db: electronic noise before gain, relative to tissue at the skin.
        persistence: share of the previous frame kept, 0 to 1.
        looks: sub-apertures compounded.
        smooth_px: smoothing of the log-compressed beams, standard deviation in samples.
        sharpen: edge enhancement, share of the unsharp mask added.
    """

    range_db: float = 60.0
    level: float = 0.45
    gamma: float = 1.0
    bend: float = 0.0
    tgc_db: tuple[float, ...] = (0.0, 0.0)
    contact_db: tuple[float, ...] = (0.0, 0.0)
    streak_db: float = 0.0
    veil_db: float = -60.0
    haze_db: float = -60.0
    noise_db: float = -80.0
    persistence: float = 0.0
    looks: int = 1
    smooth_px: float = 0.0
    sharpen: float = 0.0


class Shot(NamedTuple):
    """One frame and what is true of it; arrays as large as the screen.

    `frame` uint8 gray, black outside the region; `lesion` and `flow` bool; `moved_px` how far tissue moved, on average,
    since the frame before.
    """

    frame: np.ndarray
    lesion: np.ndarray
    flow: np.ndarray
    moved_px: float


def compress(envelope: np.ndarray, settings: Settings) -> np.ndarray:
    """Log compression and gray map: envelope (tissue has unit mean power) to gray in 0..255, float32.

    Args:
        envelope: of the signal; tissue has unit mean power.
        settings: of the scanner.

    Returns:
        float32, 0 to 255, of the same shape.
    """
    power_db = 20 * np.log10(envelope + np.float32(1e-6))
    gray = np.clip(power_db * np.float32(1 / settings.range_db) + np.float32(settings.level), 0, 1)
    if settings.bend:
        gray += np.float32(settings.bend) * (gray * gray * (3 - 2 * gray) - gray)
    if settings.gamma != 1:
        gray **= np.float32(settings.gamma)
    return 255 * gray


def _gain(probe: Probe, settings: Settings, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Static gain in dB: what also lifts noise (TGC error), (n_axial, 1), and all of it, with contact and streaks."""
    depth, beam = np.linspace(0, 1, probe.n_axial), np.linspace(0, 1, probe.n_lateral)
    tgc = np.interp(depth, np.linspace(0, 1, len(settings.tgc_db)), settings.tgc_db)
    contact = np.interp(beam, np.linspace(0, 1, len(settings.contact_db)), settings.contact_db)
    streak = rng.standard_normal((1, probe.n_lateral)).astype(np.float32)
    streak = cv2.GaussianBlur(streak, (0, 0), 3) + 1.5 * cv2.GaussianBlur(streak, (0, 0), 9)
    streak *= settings.streak_db / max(float(streak.std()), 1e-6)
    whole = tgc[:, None] + contact[None, :] + streak * np.sqrt(depth)[:, None]
    return tgc[:, None].astype(np.float32), whole.astype(np.float32)


@dataclass(frozen=True)
class _Still:
    """What of the noise stands still in a clip.

    Attributes:
        noise: amplitude of the noise by depth, with the gain that depth asks for.
        haze: clutter below the probe.
        bank: complex noise that each frame takes a window of.
        veil: share of the light that spreads over the neighbourhood.
        spread: size of that neighbourhood.
    """

    noise: np.ndarray
    haze: np.ndarray
    bank: np.ndarray
    veil: np.float32
    spread: tuple[int, int]

    @classmethod
    def of(cls, probe: Probe, settings: Settings, tgc: np.ndarray, rng: np.random.Generator) -> "_Still":
        """Draw it."""
        depth_cm = np.linspace(0, probe.depth_mm / 10, probe.n_axial, dtype=np.float32)[:, None]
        ideal = 2 * probe.frequency_mhz * ATTENUATION_DB * depth_cm
        noise = (np.power(10, (settings.noise_db + np.minimum(ideal, 75) + tgc) / 20) / np.sqrt(2)).astype(np.float32)
        near = settings.haze_db - 26 * depth_cm / (0.25 * depth_cm[-1])
        haze = np.power(np.float32(10), near / 20) * np.abs(rng.standard_normal((probe.n_axial, 1), np.float32))
        uneven = 0.8 + 0.4 * rng.random((1, probe.n_lateral), np.float32)
        haze = cv2.GaussianBlur(haze, (1, 0), sigmaX=0.1, sigmaY=1.5) * uneven
        bank = rng.standard_normal((2, 2 * probe.n_axial, probe.n_lateral), np.float32)
        veil, spread = np.float32(10 ** (settings.veil_db / 20)), (probe.n_lateral // 6 | 1, probe.n_axial // 8 | 1)
        return cls(noise, haze, bank, veil, spread)

    def envelope(self, signals: Sequence[np.ndarray], shown: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Detect the looks of one frame, with noise and veil, and average them."""
        rows = len(self.noise)
        total = np.zeros(shown.shape, np.float32)
        for signal in signals:
            top = int(rng.integers(rows))
            grain = self.bank[:, top : top + rows] * self.noise
            real, imag = np.real(signal) * shown + grain[0] + self.haze, np.imag(signal) * shown + grain[1]
            total += np.sqrt(real * real + imag * imag)
        total += self.veil * cv2.blur(total, self.spread)
        return total * np.float32(1 / len(signals))


def _polished(envelope: np.ndarray, settings: Settings) -> np.ndarray:
    """What a scanner makes of an envelope: compressed, smoothed, sharpened."""
    gray = compress(envelope, settings)
    if settings.smooth_px:
        gray = cv2.GaussianBlur(gray, (0, 0), settings.smooth_px)
    if settings.sharpen:
        gray += np.float32(settings.sharpen) * (gray - cv2.GaussianBlur(gray, (0, 0), 2.0))
    return gray


def _seen(values: np.ndarray, maps: tuple, inside: np.ndarray) -> np.ndarray:
    """A mask of the tissue on the screen."""
    return (cv2.remap(values, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) > 127) & inside


@dataclass(frozen=True)
class _Tissue:
    """What sends echoes, and the samples of the beams, both at rest; and how they move.

    Attributes:
        points: the scatterers.
        amplitude: of each; other: of those that come into the plane as the probe tilts, in their places.
        modes: how the scatterers move; grid_modes: how the tissue at the samples does.
        grid: (across, down) of the samples, mm.
        tilt_rad_s: how fast the probe tilts.
    """

    points: Scatterers
    amplitude: np.ndarray
    other: np.ndarray
    modes: list[Field]
    grid: tuple[np.ndarray, np.ndarray]
    grid_modes: list[Field]
    tilt_rad_s: float

    @classmethod
    def of(cls, body: Body, motion: Motion, probe: Probe, times_s: np.ndarray, rng: np.random.Generator) -> "_Tissue":
        ends = [motion.course(motion.clock(float(at))) for at in (times_s[0], times_s[-1])]
        slide_mm = max((abs(size) for course in ends for size in course), default=0.0)
        points = scatter(probe, rng, margin=0.06 + 0.5 * slide_mm / probe.half_span_mm)
        echo = body.sample(body.echo_db, points.x_mm, points.z_mm)
        strength = np.power(np.float32(10), echo * np.float32(1 / 20))
        amplitude = points.amplitude * strength
        other = rng.permutation(points.amplitude) * strength if motion.tilt_rad_s else amplitude
        grid = probe.grid_space()
        modes = motion.fields(points.x_mm, points.z_mm)
        return cls(points, amplitude, other, modes, grid, motion.fields(*grid), motion.tilt_rad_s)

    def signals(self, beams: Beamformer, course: list[float], clock: float) -> list[np.ndarray]:
        """The looks of a moment."""
        across, down = displace(self.modes, course)
        fade = self.tilt_rad_s * clock
        weight = self.amplitude
        if fade:
            weight = np.float32(np.cos(fade)) * self.amplitude + np.float32(np.sin(fade)) * self.other
        return beams.signals(self.points.x_mm + across, self.points.z_mm + down, weight)


def shots(
    body: Body,
    motion: Motion,
    view: View,
    settings: Settings,
    times_s: np.ndarray,
    rng: np.random.Generator,
    *,
    flow: bool = True,
) -> Iterator[Shot]:
    """Render a clip frame by frame.

    Args:
        body: the tissue at rest.
        motion: how it moves.
        view: probe and place on the screen.
        settings: what the operator set.
        times_s: time of each frame.
        rng: the random stream.
        flow: whether to find where blood flows; without, `Shot.flow` is empty.

    Returns:
        One shot a frame.
    """
    probe = view.probe
    beams = Beamformer(probe, settings.looks)
    tissue = _Tissue.of(body, motion, probe, times_s, rng)
    maps, inside = view.maps(), view.mask()
    none = np.zeros_like(inside)
    artefacts = Artefacts(body, probe, rng)
    tgc, gain = _gain(probe, settings, rng)

    slope = np.float32(2 * probe.frequency_mhz * probe.axial_step_mm / 10)
    still = _Still.of(probe, settings, tgc, rng)
    kept, last, shot = None, None, None
    for time_s in times_s:
        clock = motion.clock(float(time_s))
        if shot is not None and float(time_s) > motion.freeze_s:
            yield shot._replace(moved_px=0.0)
            continue
        course = motion.course(clock)
        signals = tissue.signals(beams, course, clock)
        across, down = displace(tissue.grid_modes, course)
        here = (tissue.grid[0] - across, tissue.grid[1] - down)
        signals = artefacts.add(signals, here)
        loss = body.sample(body.loss, *here)
        lost = cv2.blur(np.cumsum((loss - ATTENUATION_DB) * slope, axis=0, dtype=np.float32), (5, 1))
        shown = np.power(np.float32(10), (gain - np.clip(lost, -14, 90)) * np.float32(1 / 20))
        gray = _polished(still.envelope(signals, shown, rng), settings)
        kept = gray if kept is None else cv2.addWeighted(kept, settings.persistence, gray, 1 - settings.persistence, 0)
        frame = cv2.remap(np.clip(kept, 0, 254.4), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        frame = np.where(inside, (frame + np.float32(0.5)).astype(np.uint8), np.uint8(0))
        lesion, blood = (
            _seen(body.sample(values, *here), maps, inside) if present else none
            for values, present in ((body.lesion, True), (body.flow, flow))
        )
        moved = 0.0 if last is None else float(np.mean(np.hypot(across - last[0], down - last[1]))) * view.scale_px_mm
        last = (across, down)
        shot = Shot(frame, lesion, blood, moved)
        yield shot
