"""What a harder patient or another setting does to a picture, in the coordinates of the beams.

Depth attenuation, shadow, gain, speckle and blur of a stated strength. Each changes only pixels of the acoustic region,
is exactly the identity at strength 0, and acts on grey values as they are shown (log-compressed). What is drawn at
random does not depend on the strength, so that a ladder of strengths darkens one and the same shadow.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry

GREY_PER_DB = 255 / 60
"""Grey levels a decibel of a display with a dynamic range of 60 dB."""

REFERENCE_PX = 224
"""Longer side of the picture that a blur's width in pixels is meant for; it grows with a larger picture."""

_LATERAL, _AXIAL = 96, 192  # grains of speckle across and along the beams


@dataclass(frozen=True)
class Beams:
    """Where each pixel lies among the beams.

    Attributes:
        depth: (H, W) float32, 0 at the probe to 1 at the end of the beams.
        angle: (H, W) float32, -1 at the left edge to 1 at the right.
        inside: (H, W) bool, the pixels that may change.
    """

    depth: np.ndarray
    angle: np.ndarray
    inside: np.ndarray


def beams(shape: tuple[int, int], geometry: SectorGeometry | None = None, region: np.ndarray | None = None) -> Beams:
    """Find the beam coordinates of every pixel.

    Args:
        shape: height and width of the picture, px.
        geometry: the fitted sector; without one, beams run straight down through the box of the region.
        region: bool (H, W), the acoustic region; without one, the whole sector, or the whole picture.

    Returns:
        The coordinates; outside the region they are clipped to the nearest edge.
    """
    inside = np.ones(shape, bool) if region is None else np.asarray(region, bool)
    if geometry is not None:
        inside = inside & fan.mask(geometry, shape)
        depth, angle = fan.depth_angle(geometry, np.arange(shape[0])[:, None], np.arange(shape[1])[None, :])
    else:
        rows, cols = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        top, bottom, left, right = (rows[0], rows[-1], cols[0], cols[-1]) if len(rows) else (0, 1, 0, 1)
        depth = np.broadcast_to((np.arange(shape[0])[:, None] - top) / max(1, bottom - top), shape)
        angle = np.broadcast_to(2 * (np.arange(shape[1])[None, :] - left) / max(1, right - left) - 1, shape)
    return Beams(np.clip(depth, 0, 1).astype(np.float32), np.clip(angle, -1, 1).astype(np.float32), inside)


def depth(image: np.ndarray, where: Beams, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Attenuate with depth: grey values times exp(-strength * depth).

    Args:
        image: (H, W) or (H, W, C) uint8.
        where: its beams.
        strength: 0 or more; 0.75 leaves 47 % at the end of the beams, 2.15 leaves 12 %.
        rng: not used.

    Returns:
        The picture.
    """
    return _times(image, where, np.exp(-np.float32(strength) * where.depth), strength)


def shadow(image: np.ndarray, where: Beams, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Cast a shadow down the beams, from a random depth on and at a random angle.

    Args:
        image: (H, W) or (H, W, C) uint8.
        where: its beams.
        strength: 0 to 1, the share of the grey value that is lost in the middle of the shadow; a deeper shadow is also
            wider, with a sigma of 0.05 + strength / 4 of the sector's width.
        rng: draws angle (the middle 60 %) and depth (0.1 to 0.5).

    Returns:
        The picture.
    """
    middle, start = rng.uniform(-0.6, 0.6), rng.uniform(0.1, 0.5)
    width = 2 * (0.05 + strength / 4)  # of an angle that runs from -1 to 1
    across = np.exp(-0.5 * ((where.angle - middle) / width) ** 2)
    begun = np.clip((where.depth - start) / 0.05, 0, 1)  # the edge is as soft as a twentieth of the depth
    return _times(image, where, 1 - np.float32(strength) * across * begun, strength)


def gain(image: np.ndarray, where: Beams, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Turn the gain up or down: grey values plus a constant, since they are logarithms.

    Args:
        image: (H, W) or (H, W, C) uint8.
        where: its beams.
        strength: dB, of a display with a range of 60 dB; negative: darker.
        rng: not used.

    Returns:
        The picture.
    """
    return _put(image, image.astype(np.float32) + np.float32(strength * GREY_PER_DB), where, strength)


def speckle(image: np.ndarray, where: Beams, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Multiply with grains that are fixed to the beams, so that they widen with depth in a fan.

    Args:
        image: (H, W) or (H, W, C) uint8.
        where: its beams.
        strength: 0 or more, standard deviation of the factor, whose mean is 1.
        rng: draws the grains.

    Returns:
        The picture.
    """
    grid = cv2.GaussianBlur(rng.standard_normal((_AXIAL, _LATERAL), np.float32), (0, 0), 0.7)
    grid /= grid.std()
    grains = cv2.remap(
        grid, (where.angle + 1) / 2 * (_LATERAL - 1), where.depth * (_AXIAL - 1), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return _times(image, where, np.maximum(0, 1 + np.float32(strength) * grains), strength)


def blur(image: np.ndarray, where: Beams, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Lose resolution: a Gaussian that takes nothing from outside the region.

    Args:
        image: (H, W) or (H, W, C) uint8.
        where: its beams.
        strength: sigma in px of a picture whose longer side is 224 px; scaled to the size of this one.
        rng: not used.

    Returns:
        The picture.
    """
    if strength <= 0:
        return image.copy()
    sigma = strength * max(image.shape[:2]) / REFERENCE_PX
    share = where.inside.astype(np.float32)
    kept = image.astype(np.float32) * (share if image.ndim == 2 else share[..., None])
    side = 2 * int(np.ceil(3 * sigma)) + 1
    weight = np.maximum(cv2.GaussianBlur(share, (side, side), sigma), 1e-6)
    smooth = cv2.GaussianBlur(kept, (side, side), sigma).reshape(image.shape)
    return _put(image, smooth / (weight if image.ndim == 2 else weight[..., None]), where, strength)


@dataclass(frozen=True)
class Perturbation:
    """One way to make a picture harder: what it does, and three strengths, mild to severe.

    Attributes:
        change: the function.
        ladder: strengths that are used when none is given.
        low: smallest strength.
        high: largest strength.
        unit: of the strength, in words.
    """

    change: Callable[[np.ndarray, Beams, float, np.random.Generator], np.ndarray]
    ladder: tuple[float, ...]
    low: float
    high: float
    unit: str


PERTURBATIONS: dict[str, Perturbation] = {
    "depth": Perturbation(depth, (0.75, 1.5, 2.15), 0, 10, "exponent at the end of the beams"),
    "shadow": Perturbation(shadow, (0.4, 0.6, 0.8), 0, 1, "share of the grey value lost"),
    "gain": Perturbation(gain, (6, 12, 18), -60, 60, "dB of 60 dB"),
    "speckle": Perturbation(speckle, (0.35, 0.7, 1.05), 0, 5, "standard deviation of the factor"),
    "blur": Perturbation(blur, (1, 2, 3), 0, 20, "sigma in px at 224 px"),
}
"""Ladders of depth and shadow are those of EchoJEPA's released scripts, of speckle and blur those of US-JEPA
(arXiv 2602.19322); that of gain is ours."""


def _times(image: np.ndarray, where: Beams, factor: np.ndarray, strength: float) -> np.ndarray:
    factor = factor.astype(np.float32)
    return _put(image, image * (factor if image.ndim == 2 else factor[..., None]), where, strength)


def _put(image: np.ndarray, changed: np.ndarray, where: Beams, strength: float) -> np.ndarray:
    """The changed grey values inside the region, all others as they were."""
    if strength == 0:
        return image.copy()
    out = image.copy()
    out[where.inside] = np.clip(np.rint(changed), 0, 255).astype(np.uint8)[where.inside]
    return out
