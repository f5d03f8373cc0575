"""Organs: the two classes of tissue and what lies in any of them: layers, lesions, vessels, cysts, stones."""

import math

import cv2
import numpy as np

from usfm.simulate.canvas import SILENT_DB, Canvas

CLASSES = ("fibrillar", "lobular")
"""The two classes: striated tissue with a smooth oval lesion, granular tissue with a lobed one; equally bright."""


def texture(canvas: Canvas, kind: str, *, contrast_db: float = 8.5, grain: float = 0.039) -> np.ndarray:
    """The texture that makes the class, in dB: mean 0, deviation `contrast_db`, the same histogram for both classes.

    Three scales of grains, stronger in some places than in others. Grains have the same mean area in both; fibrillar
    ones are ten to twenty times as long as wide and follow a bent direction, lobular ones are round.

    Args:
        canvas: where.
        kind: one of `CLASSES`.
        contrast_db: standard deviation of the scattering strength.
        grain: geometric mean of a grain's sides as a share of the depth shown.

    Returns:
        (H, W) float32, dB.
    """
    rng, size = canvas.rng, grain * canvas.deep * canvas.rng.uniform(0.8, 1.25)
    stretch = math.sqrt(rng.uniform(10, 20)) if kind == "fibrillar" else 1.0
    angle, bent = rng.uniform(-0.7, 0.7), rng.uniform(0.3, 1.0)
    field: np.ndarray | float = 0.0
    for share, scale in ((1.0, 1.0), (0.7, 0.6), (0.35, 0.35)):
        turn = angle + rng.uniform(-0.12, 0.12)
        field = field + share * canvas.noise(scale * size * stretch, scale * size / stretch, turn, bent=bent)
    field = (field - np.mean(field)) / np.std(field)
    deep = canvas.deep
    field = field * np.clip(0.9 + 0.3 * canvas.noise(0.3 * deep, 0.2 * deep), 0.4, 1.5)
    skew = rng.uniform(0.0, 0.2)
    field = field + skew * (field * field - 1)
    field = np.float32(contrast_db) * (field - field.mean()) / field.std()
    return np.where(field > 0, 14 * np.tanh(field / 14), field).astype(np.float32)


def patchiness(canvas: Canvas, spread_db: float) -> np.ndarray:
    """Slow changes of scattering strength over the whole body, in dB.

    Args:
        canvas: where.
        spread_db: scale of the changes, dB.

    Returns:
        (H, W) float32, dB.
    """
    deep = canvas.deep
    return np.float32(spread_db) * (
        0.7 * canvas.noise(0.4 * deep, 0.25 * deep) + 0.5 * canvas.noise(0.12 * deep, 0.1 * deep)
    )


def strands(canvas: Canvas, level: np.ndarray, count: int, echo_db: float, *, width: float = 0.005) -> None:
    """Thin bright strands (septa, perimysium) that follow the bend of a level set's lines, inside it.

    Args:
        canvas: painted on, in place.
        level: (H, W) level set, mm.
        count: how many.
        echo_db: scattering strength.
        width: as a share of the depth shown.
    """
    rng, deep = canvas.rng, canvas.deep
    held = np.full(canvas.shape, SILENT_DB, np.float32)
    base = level + np.float32(0.15) * canvas.warp[1]
    for _ in range(count):
        offset = rng.uniform(-0.35, -0.01) * deep
        bend = np.float32(rng.uniform(0.2, 0.7)) * canvas.warp[0] + np.float32(rng.uniform(-0.15, 0.15)) * canvas.x
        canvas.rim(
            base - np.float32(offset) + bend, rng.uniform(0.6, 1.2) * width * deep, echo_db, mirror=10, onto=held
        )
    broken = canvas.noise(0.12 * deep, 0.03 * deep) > rng.uniform(-0.8, 0.2)
    show = (level < 0) & broken
    canvas.echo[show] = np.maximum(canvas.echo[show], held[show])


def specks(canvas: Canvas, inside: np.ndarray, count: int) -> None:
    """Short bright echoes (walls of small vessels, fibrous septa) scattered where `inside` is negative.

    Args:
        canvas: painted on, in place.
        inside: (H, W) level set of where there is room, mm, negative inside.
        count: roughly how many.
    """
    rng, deep = canvas.rng, canvas.deep
    for _ in range(count // 12 + 1 if count else 0):
        angle = rng.uniform(-0.6, 0.6)
        grain = canvas.noise(deep * rng.uniform(0.015, 0.05), 0.006 * deep, angle, bent=0.8)
        show = (grain > rng.uniform(2.2, 2.9)) & (inside < 0)
        canvas.echo[show] = np.maximum(canvas.echo[show], rng.uniform(4, 11) + 2 * np.minimum(grain[show] - 2, 1.5))


def layers(canvas: Canvas, thick: float) -> np.ndarray:
    """Skin, fat, fascia and muscle down to a depth; returns the level set of what lies above the last fascia.

    Args:
        canvas: painted on, in place.
        thick: depth of the last fascia, mm.

    Returns:
        (H, W) float32 level set, mm, negative inside.
    """
    rng, deep = canvas.rng, canvas.deep
    skin = 0.012 * deep * rng.uniform(0.8, 1.6)
    last = canvas.z - np.float32(0)
    edges = np.sort(rng.uniform(0.25, 0.8, rng.integers(0, 4))) * thick
    starts = [thick, *edges[::-1]]
    for place, depth in enumerate(starts):
        level = canvas.wave(depth, 0.012 * deep * rng.uniform(0.3, 1.4))
        last = level if place == 0 else last
        fat = place == len(starts) - 1
        inner = canvas.noise(0.09 * deep, 0.008 * deep, rng.uniform(-0.15, 0.15), bent=0.4)
        canvas.fill(level, rng.uniform(-13, -5) + np.float32(rng.uniform(2, 4)) * inner, soft=0.004 * deep)
        strands(canvas, level, int(rng.integers(4, 14 if fat else 18)), rng.uniform(3, 14))
        canvas.rim(level, rng.uniform(0.004, 0.009) * deep, rng.uniform(8, 17), mirror=rng.uniform(6, 16))
    surface = canvas.wave(skin, 0.001 * deep)
    canvas.fill(surface, rng.uniform(2, 9), soft=0.005 * deep)
    canvas.rim(surface, 0.004 * deep, 13, mirror=3)
    return last


def outline(kind: str, rng: np.random.Generator):
    """Outline of a class' lesion: relative radius as a function of the angle around its centre.

    Args:
        kind: one of `CLASSES`.
        rng: of all draws.
    """
    phases = rng.uniform(0, 6.3, 4)
    if kind == "fibrillar":
        return lambda angle: 1 + 0.05 * np.cos(2 * angle + phases[0]) + 0.03 * np.cos(3 * angle + phases[1])
    lobes, sharp = int(rng.integers(4, 8)), rng.uniform(0.10, 0.2)
    return lambda angle: (
        1
        + sharp * np.cos(lobes * angle + phases[0] + 0.6 * np.sin(angle + phases[3]))
        + 0.09 * np.cos((lobes - 2) * angle + phases[1])
        + 0.04 * np.cos((2 * lobes + 1) * angle + phases[2])
    )


def lesion(canvas: Canvas, kind: str, x: float, z: float, size: float) -> np.ndarray:
    """Paint one lesion of graded conspicuity and note it; returns its level set.

    Args:
        canvas: painted on, in place.
        kind: one of `CLASSES`.
        x: of the centre, mm.
        z: of the centre, mm.
        size: radius, mm.

    Returns:
        Its level set (H, W), mm.
    """
    rng = canvas.rng
    squash = rng.uniform(0.5, 0.75) if kind == "fibrillar" else rng.uniform(0.8, 1.1)
    level = canvas.star(x, z, size, outline(kind, rng), squash, rng.uniform(-0.35, 0.35))
    level += np.float32(0.03 * size / canvas.deep) * canvas.warp[0] * 5
    contrast = -float(rng.choice([3.0, 5.0, 8.0, 12.0, 16.0]))
    inner = 2.5 * canvas.noise(0.25 * size, 0.2 * size)
    here = canvas.echo[level < 0].mean() if (level < 0).any() else 0.0
    canvas.fill(level, here + contrast + inner, soft=size * rng.uniform(0.04, 0.18), keep=0.25)
    if rng.random() < 0.4:
        canvas.rim(level, 0.005 * canvas.deep, here + rng.uniform(2, 7), mirror=4)
    canvas.loss[level < 0] += rng.choice([-0.25, 0.0, 0.35, 0.8], p=[0.25, 0.35, 0.25, 0.15])
    canvas.lesion[level < 0] = 255
    canvas.facts["lesion"] = {"contrast_db": contrast, "x_mm": float(x), "z_mm": float(z), "size_mm": float(size)}
    return level


def vessel(canvas: Canvas, inside: np.ndarray) -> None:
    """A vessel with walls, cut along or across, where `inside` (a level set) leaves room.

    Args:
        canvas: painted on, in place.
        inside: (H, W) level set of where there is room, mm, negative inside.
    """
    rng, deep, half = canvas.rng, canvas.deep, canvas.half
    radius = deep * rng.uniform(0.008, 0.03)
    x, z = half * rng.uniform(-0.7, 0.7), deep * rng.uniform(0.25, 0.9)
    if rng.random() < 0.5:
        level = canvas.ellipse(x, z, radius * rng.uniform(1, 2.2), radius, rng.uniform(-0.5, 0.5))
    else:
        turn, points = rng.uniform(-0.9, 0.9), [(x, z)]
        for _ in range(int(rng.integers(3, 8))):
            turn += rng.uniform(-0.35, 0.35)
            step = deep * rng.uniform(0.04, 0.09)
            points.append((points[-1][0] + step * math.cos(turn), points[-1][1] + step * math.sin(turn)))
        level = canvas.tube(points, radius) + np.float32(0.3) * radius * canvas.noise(0.1 * deep, 0.1 * deep)
    level = np.maximum(level, np.maximum(inside, -room(canvas)))
    wall = rng.uniform(4, 13)
    canvas.rim(level, 0.005 * deep, wall, mirror=rng.uniform(2, 8))
    canvas.fill(level, -rng.uniform(26, 40), loss=0.12, soft=0.004 * deep)
    canvas.flow[level < 0] = 255


def room(canvas: Canvas) -> np.ndarray:
    """Level set of lesions so far, grown a little: nothing is painted over them."""
    if not canvas.lesion.any():
        return np.full(canvas.shape, np.float32(canvas.deep))
    away = cv2.distanceTransform((canvas.lesion == 0).astype(np.uint8), cv2.DIST_L2, 5)
    return away * np.float32(canvas.step) - np.float32(0.015 * canvas.deep)


def cyst(canvas: Canvas, inside: np.ndarray) -> None:
    """A fluid-filled cyst: no echo, bright far wall, enhancement behind.

    Args:
        canvas: painted on, in place.
        inside: (H, W) level set of where there is room, mm, negative inside.
    """
    rng, deep = canvas.rng, canvas.deep
    size = deep * rng.uniform(0.02, 0.08)
    level = canvas.ellipse(
        canvas.half * rng.uniform(-0.7, 0.7),
        deep * rng.uniform(0.3, 0.8),
        size * rng.uniform(1, 1.6),
        size,
        rng.uniform(0, 3),
    )
    level = np.maximum(level, np.maximum(inside, -room(canvas)))
    canvas.rim(level, 0.004 * deep, rng.uniform(3, 10), mirror=6)
    canvas.fill(level, -45, loss=0.0, soft=0.004 * deep)


def stone(canvas: Canvas, inside: np.ndarray) -> None:
    """A stone or a piece of bone: a bright front and a shadow behind it.

    Args:
        canvas: painted on, in place.
        inside: (H, W) level set of where there is room, mm, negative inside.
    """
    rng, deep = canvas.rng, canvas.deep
    x, z, size = canvas.half * rng.uniform(-0.7, 0.7), deep * rng.uniform(0.25, 0.7), deep * rng.uniform(0.008, 0.03)
    level = np.maximum(canvas.ellipse(x, z, size * rng.uniform(1, 2.5), size), np.maximum(inside, -room(canvas)))
    canvas.fill(level, 4, loss=rng.uniform(8, 25))
    canvas.rim(level + np.float32(0.3 * size), 0.006 * deep, rng.uniform(14, 22), mirror=2)


def reflector(canvas: Canvas, inside: np.ndarray, depth: float) -> None:
    """A far bright border (diaphragm, bone surface) with little behind it.

    Args:
        canvas: painted on, in place.
        inside: (H, W) level set of where there is room, mm, negative inside.
        depth: of the border, mm.
    """
    rng, deep = canvas.rng, canvas.deep
    bow = rng.uniform(-0.35, 0.35) * (canvas.x / canvas.half) ** 2 + rng.uniform(-0.2, 0.2) * canvas.x / canvas.half
    level = -canvas.wave(depth, 0.02 * deep) - np.float32(deep) * bow * np.float32(0.5)
    level = np.maximum(level, inside)
    canvas.fill(level, -rng.uniform(12, 30), loss=rng.uniform(0.8, 6), keep=0.3)
    canvas.rim(level, rng.uniform(0.006, 0.012) * deep, rng.uniform(13, 20), mirror=rng.uniform(4, 9))
