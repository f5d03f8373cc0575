"""Scenes: what a probe looks at, each built of organs; every one shows the class in its tissue and its lesion."""

import math
from collections.abc import Callable

import numpy as np

from usfm.simulate import organs
from usfm.simulate.canvas import SILENT_DB, Body, Canvas
from usfm.simulate.probe import Probe


def _place_lesion(canvas: Canvas, kind: str, top: float, bottom: float, size: float) -> None:
    """Put the lesion somewhere between two depths."""
    rng = canvas.rng
    room = max(bottom - top - 2 * size, 0.0)
    z = top + size + room * rng.uniform(0.0, 1.0)
    half = canvas.half if canvas.probe.shape == "linear" else canvas.half * 0.8 * (0.35 + 0.65 * z / canvas.deep)
    organs.lesion(canvas, kind, half * rng.uniform(-0.6, 0.6), z, size)


def soft(canvas: Canvas, kind: str) -> None:
    """Layers over an organ with vessels, cysts, stones and one lesion; sometimes a far reflector.

    Args:
        canvas: painted on, in place.
        kind: one of `organs.CLASSES`.
    """
    rng, deep = canvas.rng, canvas.deep
    canvas.echo[:] = organs.texture(canvas, kind, contrast_db=rng.uniform(9, 12)) + organs.patchiness(canvas, 2.5)
    thick = deep * (
        rng.uniform(0.12, 0.38) if canvas.probe.shape in ("linear", "trapezoid") else rng.uniform(0.06, 0.25)
    )
    inside = -organs.layers(canvas, thick)
    organs.specks(canvas, inside, int(rng.integers(0, 60)))
    _place_lesion(canvas, kind, max(0.8 * thick, 0.15 * deep), 0.85 * deep, deep * rng.uniform(0.08, 0.15))
    if rng.random() < 0.3:
        organs.reflector(canvas, inside, deep * rng.uniform(0.65, 0.95))
    for _ in range(int(rng.integers(0, 5))):
        organs.vessel(canvas, inside)
    for paint, chance in ((organs.cyst, 0.35), (organs.cyst, 0.15), (organs.stone, 0.2)):
        if rng.random() < chance:
            paint(canvas, inside)


def head(canvas: Canvas, kind: str) -> None:
    """A fetal head: a bright ellipse of bone around dark brain with a midline, in fluid under a textured wall.

    Args:
        canvas: painted on, in place.
        kind: one of `organs.CLASSES`.
    """
    rng, deep = canvas.rng, canvas.deep
    canvas.echo[:] = organs.texture(canvas, kind) + organs.patchiness(canvas, 2)
    wall = -organs.layers(canvas, deep * rng.uniform(0.08, 0.16))
    long, angle = deep * rng.uniform(0.3, 0.42), rng.uniform(-0.4, 0.4)
    short, x, z = long * rng.uniform(0.74, 0.84), canvas.half * rng.uniform(-0.12, 0.12), deep * rng.uniform(0.5, 0.6)
    shift = (long * rng.uniform(-0.5, 0.5), short * rng.uniform(-0.35, 0.35))
    fluid = canvas.ellipse(
        x + shift[0], z + shift[1], long * rng.uniform(0.9, 1.2), short * rng.uniform(0.8, 1.15), angle
    )
    fluid = np.maximum(fluid + np.float32(1.2) * canvas.warp[0], wall)
    canvas.rim(fluid, 0.006 * deep, 6)
    canvas.fill(fluid, -40, loss=0.05)
    skull = canvas.ellipse(x, z, long, short, angle)
    thick = 0.02 * deep
    brain = organs.texture(canvas, kind, contrast_db=8.5, grain=0.037) - rng.uniform(11, 15)
    canvas.fill(skull, -4, loss=1.2)
    canvas.fill(skull + np.float32(thick), brain, loss=0.4, soft=0.005 * deep)
    size = short * rng.uniform(0.22, 0.3)
    side = rng.choice([-1.0, 1.0])
    organs.lesion(canvas, kind, x + 0.35 * long * rng.uniform(-1, 1), z + side * 0.45 * short, size)
    cos, sin = math.cos(angle), math.sin(angle)
    for share in (-0.8, -0.35, 0.1, 0.5):
        start, end = share * long, (share + rng.uniform(0.2, 0.34)) * long
        line = [(x + cos * s, z + sin * s + rng.normal(0, 0.003) * deep) for s in (start, end)]
        canvas.rim(canvas.tube(line, 0.004 * deep), 0.005 * deep, rng.uniform(2, 9), mirror=1)
    for side in (-1, 1):
        choroid = canvas.ellipse(
            x + 0.3 * long * cos - side * 0.3 * short * sin, z + side * 0.33 * short, 0.16 * long, 0.05 * long, angle
        )
        canvas.fill(np.maximum(choroid, -organs.room(canvas)), -4, keep=0.3, soft=0.01 * deep)
    canvas.rim(skull + np.float32(0.5 * thick), 0.5 * thick, rng.uniform(15, 21), mirror=rng.uniform(4, 9))
    around = math.pi * (3 * (long + short) - math.sqrt((3 * long + short) * (long + 3 * short)))
    canvas.facts["head"] = {
        "x_mm": float(x), "z_mm": float(z), "long_mm": float(long), "short_mm": float(short), "angle_rad": float(angle),
        "circumference_mm": float(around),
    }  # fmt: skip


def heart(canvas: Canvas, kind: str) -> None:
    """Beating chambers: dark blood in textured muscle, a septum, a valve, a bright outer border; lung beside it.

    Args:
        canvas: painted on, in place.
        kind: one of `organs.CLASSES`.
    """
    rng, deep = canvas.rng, canvas.deep
    canvas.echo[:] = organs.texture(canvas, kind, contrast_db=10.5, grain=0.033) - 3 + organs.patchiness(canvas, 2)
    wall = -organs.layers(canvas, deep * rng.uniform(0.06, 0.12))
    x, z = canvas.half * rng.uniform(-0.12, 0.05), deep * rng.uniform(0.42, 0.5)
    long, short, lean = (
        deep * rng.uniform(0.22, 0.27),
        deep * rng.uniform(0.1, 0.14),
        math.pi / 2 + rng.uniform(-0.3, 0.3),
    )
    outer = canvas.ellipse(x, z, long * 1.45, short * 2.0, lean) + np.float32(0.15) * canvas.warp[0]
    beyond = np.maximum(-outer, wall)
    canvas.fill(beyond, -8, keep=0.8, loss=0.8, soft=0.02 * deep)
    organs.lesion(
        canvas, kind, x + short * rng.uniform(-1, 1), z + long * rng.uniform(0.75, 0.9), deep * rng.uniform(0.07, 0.1)
    )
    rooms = (
        canvas.ellipse(x, z, long, short, lean),
        canvas.ellipse(x + 2.1 * short, z + 0.08 * deep, 0.8 * long, 0.7 * short, lean + rng.uniform(-0.2, 0.2)),
        canvas.ellipse(x + 0.4 * short, z + 1.5 * long, 0.35 * long, short, lean),
    )
    for level in rooms:
        bumpy = level + np.float32(0.02 * deep) * canvas.noise(0.08 * deep, 0.06 * deep)
        bumpy = np.maximum(bumpy, np.maximum(wall, -organs.room(canvas)))
        canvas.rim(bumpy, 0.006 * deep, rng.uniform(2, 7), mirror=3)
        canvas.fill(bumpy, -rng.uniform(24, 32), loss=0.15, soft=0.012 * deep)
        canvas.flow[bumpy < 0] = 255
    for side in (-1, 1):
        leaf = [(x + side * short * 0.9, z + 0.95 * long), (x + side * short * 0.35, z + rng.uniform(0.7, 0.85) * long)]
        canvas.rim(canvas.tube(leaf, 0.004 * deep), 0.005 * deep, rng.uniform(2, 7), mirror=1)
    canvas.rim(outer, 0.009 * deep, rng.uniform(9, 15), mirror=3)
    canvas.facts["beat"] = {
        "x_mm": float(x),
        "z_mm": float(z),
        "long_mm": float(long),
        "short_mm": float(short * 1.3),
        "angle_rad": float(lean),
    }


def lung(canvas: Canvas, kind: str) -> None:
    """Chest wall with ribs, a bright sliding pleura, and under it air with a consolidation that shows as tissue.

    Args:
        canvas: painted on, in place.
        kind: one of `organs.CLASSES`.
    """
    rng, deep = canvas.rng, canvas.deep
    narrow = canvas.probe.shape == "linear"
    depth = deep * (rng.uniform(0.3, 0.45) if narrow else rng.uniform(0.16, 0.28))
    canvas.echo[:] = organs.texture(canvas, kind, contrast_db=10, grain=0.028) + organs.patchiness(canvas, 2)
    organs.layers(canvas, depth * rng.uniform(0.35, 0.6))
    air = -canvas.wave(depth, 0.01 * deep * rng.uniform(0.2, 1.2), waves=1.2)
    inside = organs.texture(canvas, kind) - rng.uniform(2, 6)
    x, size = canvas.half * rng.uniform(-0.3, 0.3), deep * rng.uniform(0.1, 0.17)
    patch = canvas.star(x, depth + 0.75 * size, size, organs.outline(kind, rng), 0.6 if kind == "fibrillar" else 1.0)
    patch = np.maximum(patch, air)
    canvas.fill(air, SILENT_DB, loss=0.5)
    canvas.rim(air, 0.007 * deep, rng.uniform(16, 22), mirror=rng.uniform(4, 9))
    canvas.fill(patch, inside, soft=0.01 * deep)
    canvas.rim(patch, 0.006 * deep, rng.uniform(4, 11), mirror=1)
    canvas.lesion[patch < 0] = 255
    canvas.air[(air < 0) & (patch >= 0)] = 255
    pitch, start = deep * (0.55 if narrow else rng.uniform(0.2, 0.3)), rng.uniform(-0.5, 0.5)
    for place in range(-3, 4):
        at = pitch * (place + start)
        if abs(at) < 0.25 * pitch or abs(at - x) < 0.5 * pitch:
            continue
        rib = canvas.ellipse(at, depth * 0.72, 0.22 * pitch, 0.2 * depth)
        canvas.fill(rib, -16, loss=rng.uniform(2.5, 14.0), soft=0.02 * deep)
        canvas.rim(rib, 0.007 * deep, rng.uniform(11, 18), mirror=3)
    tails = int(rng.choice([0, 0, 1, 3, 6]))
    canvas.facts["comets"] = [
        {
            "x_mm": float(canvas.half * rng.uniform(-0.8, 0.8)),
            "width": float(rng.uniform(0.6, 2.5)),
            "db": float(rng.uniform(-8, 2)),
        }
        for _ in range(tails)
    ]
    canvas.facts["pleura_mm"] = float(depth)
    canvas.facts["reverberation_db"] = float(rng.uniform(-20, -10))
    canvas.facts["fog_db"] = float(rng.uniform(-9, 5))


SCENES: dict[str, Callable[[Canvas, str], None]] = {"soft": soft, "head": head, "heart": heart, "lung": lung}
"""Scenes by name."""


def build(scene: str, kind: str, probe: Probe, rng: np.random.Generator) -> Body:
    """Paint a body.

    Args:
        scene: one of `SCENES`.
        kind: one of `organs.CLASSES`; both have the same distribution of scattering strength, layers and lesion size.
        probe: the probe that will look; sizes scale with its depth.
        rng: the random stream.

    Returns:
        The body.
    """
    canvas = Canvas(probe, rng)
    SCENES[scene](canvas, kind)
    return canvas.body()
