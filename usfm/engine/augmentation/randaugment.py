"""RandAugment and random erasing, as in MAE's fine-tuning: two operations of fifteen, then a rectangle of noise.

Source: timm's `rand-m9-mstd0.5-inc1` with erasing of 0.25 by pixels, which MAE's fine-tuning names. Here places change
before gray values do, a shear is about the middle of the frame, what moves in from outside is black, and levels
that depend on a picture (its mean, its histogram) are those of its region.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from usfm.engine.augmentation import levels
from usfm.engine.augmentation import tones as plain
from usfm.engine.augmentation.draws import Draws, change_some
from usfm.engine.augmentation.moves import Move, View
from usfm.engine.augmentation.places import Scene, about_centre, crop, mirror, shifted, turned

OPERATIONS = (
    *("autocontrast", "equalise", "invert", "rotate", "posterise", "solarise", "solarise shadows", "saturation"),
    *("contrast", "brightness", "sharpness", "shear across", "shear down", "shift across", "shift down"),
)
LAYERS, CHANCE, MAGNITUDE, SPREAD = 2, 0.5, 9.0, 0.5
ERASED, LEAST, MOST, NARROWEST = 0.25, 0.02, 1 / 3, 0.3
"""Chance of a rectangle, its share of the picture from least to most, and its narrowest height / width."""


@dataclass(frozen=True)
class Layer:
    """One operation of each sample.

    Attributes:
        which: (B,) index in `OPERATIONS`.
        on: (B,) bool, whether it happens.
        level: (B,) strength, 0 to 1.
        sign: (B,) 1 or -1.
    """

    which: np.ndarray
    on: np.ndarray
    level: np.ndarray
    sign: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """(B,) bool: the samples that meet an operation."""
        return self.on & (self.which == OPERATIONS.index(name))


def layers(draws: Draws) -> list[Layer]:
    """The operations of each sample.

    Args:
        draws: its next numbers decide.

    Returns:
        `LAYERS` layers, in the order in which they happen.
    """
    return [_layer(draws) for _ in range(LAYERS)]


def _layer(d: Draws) -> Layer:
    which, on = np.floor(d.next() * len(OPERATIONS)).astype(int), d.chance(CHANCE)
    normal = np.sqrt(-2 * np.log(1 - d.next())) * np.cos(2 * math.pi * d.next())
    level = np.clip(MAGNITUDE + SPREAD * normal, 0, 10) / 10
    return Layer(which, on, level, np.where(d.chance(0.5), -1.0, 1.0))


def places(scene: Scene) -> list[Move]:
    """Crop, mirror, and the rotations, shears and shifts among the operations.

    Args:
        scene: the batch.

    Returns:
        The moves, in the order in which they happen.
    """
    chosen = layers(scene.draws)  # the first numbers, which `tones` reads again
    first = [crop(scene, (0.08, 1), np.ones(len(scene.geometry), bool)), mirror(scene, 0.5)]
    return [*first, *(move for layer in chosen for move in _moves(scene, layer))]


def _moves(scene: Scene, layer: Layer) -> list[Move]:
    signed = layer.sign * layer.level

    def only(name: str, strength: float) -> np.ndarray:
        return np.where(layer.of(name), strength * signed, 0.0)

    one, across, down = (scene.send(x) for x in (np.ones(len(signed)), only("shear across", 0.3),
                                                 only("shear down", 0.3)))  # fmt: skip
    sheared = torch.stack([torch.stack([one, down], 1), torch.stack([across, one], 1)], 1)
    return [
        turned(scene, only("rotate", 30)),
        about_centre(scene, sheared),
        shifted(scene, only("shift down", 0.45), only("shift across", 0.45)),
    ]


def tones(view: View, d: Draws) -> torch.Tensor:
    """The other operations, and the rectangle of noise.

    Args:
        view: the batch after the moves.
        d: its numbers, of which `places` has used some.

    Returns:
        (B, C, h, w), 0 to 255.
    """
    x = view.images
    for layer in layers(Draws(d.uniform)):
        x = _toned(x, view.inside, layer)
    on, area, side = d.chance(ERASED), d.between(LEAST, MOST), d.between(math.log(NARROWEST), -math.log(NARROWEST))
    return change_some(x, on, levels.erased, d.seed(), area, np.exp(side), d.next(), d.next())


def _toned(x: torch.Tensor, inside: torch.Tensor, layer: Layer) -> torch.Tensor:
    factor = np.maximum(1 + 0.9 * layer.sign * layer.level, 0.1)
    x = change_some(x, layer.of("autocontrast"), levels.stretched, inside)
    x = change_some(x, layer.of("equalise"), levels.flattened, inside)
    x = change_some(x, layer.of("invert"), levels.solarised, np.zeros(len(factor)))
    x = change_some(x, layer.of("posterise"), levels.posterised, 4 - np.floor(4 * layer.level))
    x = change_some(x, layer.of("solarise"), levels.solarised, 256 - np.floor(256 * layer.level))
    x = change_some(x, layer.of("solarise shadows"), levels.lifted, np.floor(110 * layer.level))
    x = change_some(x, layer.of("saturation"), plain.saturate, factor)
    x = change_some(x, layer.of("contrast"), plain.contrast, factor, inside)
    x = change_some(x, layer.of("brightness"), plain.bright, factor)
    return change_some(x, layer.of("sharpness"), levels.sharpened, factor)
