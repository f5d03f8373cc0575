"""Looks: the device of a patient, its settings and screen, and how the tissue of one picture moves."""

import math
from dataclasses import dataclass

import numpy as np

from usfm.imaging.overlay_paint import LAYOUTS
from usfm.seeding import stream
from usfm.simulate.canvas import Body
from usfm.simulate.config import Config
from usfm.simulate.motion import Beat, Breath, Motion, Pleura, Slide
from usfm.simulate.probe import Probe
from usfm.simulate.scanner import Settings
from usfm.simulate.view import View, fit_view

CYCLE = (
    ("soft", "convex"), ("soft", "linear"), ("lung", "convex"), ("soft", "convex"),
    ("heart", "phased"), ("soft", "linear"), ("soft", "trapezoid"), ("head", "convex"),
    ("soft", "convex"), ("soft", "linear"), ("soft", "dual"), ("lung", "linear"),
    ("soft", "convex"), ("soft", "phased"), ("soft", "linear"), ("head", "convex"),
)  # fmt: skip
"""What patients of a mixed collection have, in turn: scene and probe."""

SCREENS = {
    "heart": ("cardiac", "cardiac", "cardiac", "doppler", "m_mode", "spectral"),
    "lung": ("bare", "ticks", "handheld", "cart", "bare", "m_mode"),
    "head": ("measure", "cart", "ticks", "annotated"),
    "soft": (
        "cart",
        "measure",
        "annotated",
        "handheld",
        "ticks",
        "bare",
        "doppler",
        "inked",
        "cart",
        "ticks",
        "bare",
        "spectral",
    ),
}
"""Layouts that a scene's devices have."""

ASPECTS = (0.75, 0.75, 0.8, 1.0, 0.62)


@dataclass(frozen=True)
class Look:
    """What all pictures of one patient share: scene, device, settings, screen.

    `views` holds one view, or the two halves of a dual one.
    """

    scene: str
    views: tuple[View, ...]
    settings: Settings
    layout: str

    @property
    def probe(self) -> str:
        """Name of the probe, as `--probe` has it."""
        first, *others = self.views
        return "dual" if others else first.probe.shape


def _probe(shape: str, size: int, rng: np.random.Generator) -> Probe:
    """Draw a probe; ranges are those of catalogues (convex 2-5 MHz, phased 2-4, linear 6-13)."""
    beams = max(64, int(0.66 * size))
    if shape in ("convex", "phased"):
        depth = rng.uniform(90, 180)
        round_ = shape == "convex"
        return Probe(
            shape,
            radius_mm=rng.uniform(38, 62) if round_ else rng.uniform(0, 4),
            half_width=math.radians(rng.uniform(26, 38) if round_ else rng.uniform(36, 46)),
            depth_mm=depth,
            frequency_mhz=rng.uniform(2.8, 5) if round_ else rng.uniform(2, 3.5),
            aperture_mm=rng.uniform(16, 26),
            focus_mm=depth * rng.uniform(0.35, 0.65),
            n_axial=int(0.95 * size),
            n_lateral=beams,
        )
    depth = rng.uniform(28, 55)
    steered = shape == "trapezoid"
    width = rng.uniform(17, 25)
    turn = math.radians(rng.uniform(10, 16))
    return Probe(
        shape,
        radius_mm=width / math.tan(turn) if steered else 0.0,
        half_width=turn if steered else width,
        depth_mm=depth,
        frequency_mhz=rng.uniform(6, 13),
        aperture_mm=rng.uniform(10, 16),
        focus_mm=depth * rng.uniform(0.3, 0.7),
        n_axial=int(0.95 * size),
        n_lateral=beams,
    )


def _settings(rng: np.random.Generator) -> Settings:
    """Draw the operator's settings; every third device has one side that lies badly on the skin."""
    far = rng.uniform(-16, 3)
    contact = rng.uniform(-3, 0, 7)
    if rng.random() < 0.35:
        side = slice(0, 2) if rng.random() < 0.5 else slice(5, 7)
        contact[side] = rng.uniform(-40, -15)
    return Settings(
        range_db=rng.uniform(48, 68),
        level=rng.uniform(0.3, 0.5),
        gamma=rng.uniform(0.9, 1.5),
        bend=rng.uniform(0, 0.8),
        tgc_db=(rng.uniform(-4, 6), rng.uniform(-2, 4), 0.4 * far + rng.uniform(-2, 3), far),
        contact_db=tuple(float(value) for value in contact),
        streak_db=rng.uniform(1, 5),
        haze_db=rng.uniform(-25, 4),
        veil_db=rng.uniform(-36, -22),
        noise_db=rng.uniform(-95, -66),
        persistence=float(rng.choice([0.0, 0.2, 0.4])),
        looks=int(rng.choice([1, 2, 3])),
        smooth_px=float(rng.uniform(0.35, 0.8)),
        sharpen=float(rng.choice([0.0, 0.3, 0.7])),
    )


def look_of(config: Config, seed: int, patient: str) -> Look:
    """Choose scene, device and screen for a patient; sizes scale with `config.size`.

    Args:
        config: settings of the collection.
        seed: of the collection.
        patient: its made-up name, such as "p03".

    Returns:
        The look.
    """
    rng = stream(seed, "look", patient)
    scene, shape = CYCLE[int(patient[1:]) % len(CYCLE)]
    if config.scene != "mixed":
        scene = config.scene
        shape = {"heart": "phased", "head": "convex"}.get(scene, shape)
    if config.probe != "mixed":
        shape = config.probe
        if config.scene == "mixed":
            scene = {"phased": "heart"}.get(shape, "soft" if shape != "convex" else scene)
    width = config.size // 2 * 2
    height = 2 * round(width * float(rng.choice(ASPECTS)) / 2)
    probe = _probe("linear" if shape == "dual" else shape, min(height, width) if shape != "dual" else width // 2, rng)
    settings = _settings(rng)
    screens = SCREENS[scene]
    layout = screens[int(rng.integers(len(screens)))] if config.overlays else "bare"
    x0, y0, x1, y1 = LAYOUTS[layout].box
    if shape == "dual":
        middle, gap = 0.5 * (x0 + x1), 0.01
        halves = ((x0, y0, middle - gap, y1), (middle + gap, y0, x1, y1))
        return Look(scene, tuple(fit_view(probe, height, width, box) for box in halves), settings, layout)
    zoom, aim = 1.0, (0.5, 0.5)
    if layout in ("bare", "inked") and rng.random() < 0.75:
        zoom, aim = rng.uniform(1.0, 1.35), (rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.9))
    elif rng.random() < 0.3:
        zoom, aim = rng.uniform(1.03, 1.3), (0.5, rng.uniform(0, 0.5))
    return Look(scene, (fit_view(probe, height, width, (x0, y0, x1, y1), zoom=zoom, aim=aim),), settings, layout)


def motion_of(look: Look, body: Body, seconds: float, rng: np.random.Generator, *, pace: float = 1.0) -> Motion:
    """Draw how the tissue of one picture moves; amplitudes scale with depth.

    Args:
        look: of the patient.
        body: of the picture.
        seconds: length of the clip.
        rng: of all draws.
        pace: time of the tissue per time of the clip.

    Returns:
        The motion.
    """
    deep, facts = look.views[0].probe.depth_mm, body.facts
    calm = rng.random() < 0.3
    modes: list = [
        Breath(
            size_mm=deep * (rng.uniform(0.002, 0.01) if calm else rng.uniform(0.02, 0.06)),
            period_s=rng.uniform(2.5, 4.5),
            phase=rng.uniform(0, 1),
            direction_rad=rng.uniform(-0.9, 0.9),
            depth_mm=deep,
        ),
        Slide(
            speed_mm_s=0.0 if calm else deep * float(rng.choice([0, 0.01, 0.04])) * rng.uniform(-1, 1),
            tremor_mm=deep * rng.uniform(0.0005, 0.0015),
            phase=rng.uniform(0, 1),
        ),
    ]
    if "beat" in facts:
        modes.append(
            Beat(
                **facts["beat"], share=rng.uniform(0.15, 0.28), period_s=rng.uniform(0.65, 1.1), phase=rng.uniform(0, 1)
            )
        )
    if "pleura_mm" in facts:
        modes.append(Pleura(facts["pleura_mm"], deep * rng.uniform(0.01, 0.03), modes[0].period_s, rng.uniform(0, 1)))
    freeze_s = seconds * rng.uniform(0.4, 0.8) if rng.random() < 0.12 else math.inf
    tilt = float(rng.choice([0.0, 0.0, 0.15, 0.5]))
    return Motion(tuple(modes), tilt_rad_s=tilt, freeze_s=freeze_s, pace=pace)
