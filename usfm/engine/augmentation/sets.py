"""Named sets of augmentations: which changes a sample meets, with what chance and how strong; drawn by counter.

Places change first and are sampled once; then gray values change, inside the region of the frame only. So a set's
operations come in the order of its source but for that. What is outside the region stays as it was.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from usfm.config import did_you_mean
from usfm.engine.augmentation import moves, randaugment, tones
from usfm.engine.augmentation.draws import Draws, change_some
from usfm.engine.augmentation.moves import Move, View
from usfm.engine.augmentation.places import Scene, crop, mirror, resize, sectors, shift, turn, zoom
from usfm.engine.truth import Truth
from usfm.errors import RequestError

DRAWS = 64
"""Uniform numbers that a sample needs, whatever the set."""


@dataclass(frozen=True)
class Set:
    """One named set.

    Attributes:
        what: in a sentence.
        source: whose it is, and what differs.
        places: its changes of place, without the last one, which resizes.
        tones: its changes of gray values.
    """

    what: str
    source: str
    places: Callable[[Scene], list[Move]]
    tones: Callable[[View, Draws], torch.Tensor]


# ---------------------------------------------------------------- gray values


def _equalise(x: torch.Tensor, d: Draws) -> torch.Tensor:
    return change_some(x, d.chance(0.2), tones.equalised, d.between(4, 8))


def _jitter(x: torch.Tensor, view: View, d: Draws, strength: float, on: np.ndarray) -> torch.Tensor:
    x = change_some(x, on, tones.bright, d.between(1 - strength, 1 + strength))
    return change_some(x, on, tones.contrast, d.between(1 - strength, 1 + strength), view.inside)


def _augus_o_tones(view: View, d: Draws) -> torch.Tensor:
    x, on, alpha = view.images, d.chance(0.5), d.between(2.5, 3.5)
    second = d.chance(0.5)
    for moments, which in ((2, on & ~second), (5, on & second)):
        x = change_some(x, which, lambda part, a, m=moments: tones.denoised(part, a, m), alpha)
    x = _equalise(x, d)
    x = change_some(x, d.chance(0.5), tones.gamma, d.between(0.5, 2))
    x = _jitter(x, view, d, 0.4, d.chance(0.5))
    count = np.floor(d.between(5, 10))
    beams = view.beams.transpose(0, 1)
    x = change_some(x, d.chance(0.333), lambda part, s, c, b: tones.speckled(part, s, c, b.transpose(0, 1)),
                d.seed(), count, beams)  # fmt: skip
    x = change_some(x, d.chance(0.333), tones.noisy, d.seed(), d.between(0.5, 2.5))
    return change_some(x, d.chance(0.1), tones.peppered, d.seed(), d.between(0.001, 0.005), d.between(0.001, 0.005))


def _augus_d_tones(view: View, d: Draws) -> torch.Tensor:
    x, on = _equalise(view.images, d), d.chance(0.8)
    x = _jitter(x, view, d, 0.4, on)
    return change_some(x, on, tones.saturate, d.between(0.8, 1.2))


def _augus_o_places(scene: Scene) -> list[Move]:
    first = sectors(scene)
    second, on = mirror(scene, 0.5), scene.draws.chance(0.5)
    return [*first, second, turn(scene, 45, on), shift(scene, 0.2, on)]


def _augus_d_places(scene: Scene) -> list[Move]:
    on = scene.draws.chance(0.5)
    return [turn(scene, 45, on), shift(scene, 0.2, on), crop(scene, (0.08, 1), np.ones(len(on), bool))]


BEST = ("crop", "brightness", "zoom", "rotate", "translate", "Gaussian noise")
"""The operations whose mean rank over the 14 tasks of UltraBench is under 8 of 15, best first."""


def _picked(d: Draws) -> np.ndarray:
    """(B, 6) bool: the two operations of each sample; the same one twice counts once."""
    chosen = np.stack([np.floor(d.next() * len(BEST)), np.floor(d.next() * len(BEST))], 1)
    return (chosen[:, :, None] == np.arange(len(BEST))).any(1)


def _best_places(scene: Scene) -> list[Move]:
    on = _picked(scene.draws)
    return [
        zoom(scene, 0.1, on[:, 2]),
        turn(scene, 30, on[:, 3]),
        shift(scene, 1 / 16, on[:, 4]),
        crop(scene, ((7 / 8) ** 2, (7 / 8) ** 2), on[:, 0], (1.0, 1.0)),
    ]


def _best_tones(view: View, d: Draws) -> torch.Tensor:
    on = _picked(Draws(d.uniform))
    x = change_some(view.images, on[:, 1], tones.bright, d.between(0.8, 1.2))
    return change_some(x, on[:, 5], tones.noisy, d.seed(), 255 * np.sqrt(d.between(0, 0.0225)))


SETS: dict[str, Set] = {
    "none": Set("nothing", "", lambda scene: [], lambda view, d: view.images),
    "standard": Set(
        "crop of 0.7 to 1 of the area (chance 0.5), mirror (0.5), brightness and contrast of 0.8 to 1.2 (0.5)",
        "the pipeline that AugUS trains its classifiers with",
        lambda scene: [crop(scene, (0.7, 1), scene.draws.chance(0.5)), mirror(scene, 0.5)],
        lambda view, d: _jitter(view.images, view, d, 0.2, d.chance(0.5)),
    ),
    "augus-o": Set(
        "the whole field of view: another probe, convexity and depth, mirror, rotation and shift; wavelet denoising, "
        "CLAHE, gamma, brightness and contrast, speckle, noise; for findings of the whole picture",
        "AugUS-O (VanBerlo et al. 2025), by the fitted sector; the faults of its code are not taken over",
        _augus_o_places,
        _augus_o_tones,
    ),
    "augus-d": Set(
        "rotation and shift, a crop of 0.08 to 1 of the area; CLAHE, brightness, contrast and saturation; for local "
        "findings",
        "AugUS-D (VanBerlo et al. 2025); hue stays",
        _augus_d_places,
        _augus_d_tones,
    ),
    "two-of-best": Set(
        "two of " + ", ".join(BEST) + ", drawn anew for each sample",
        "TrivialAugment on the operations that ranked best on UltraBench (Tupper and Gagne 2025)",
        _best_places,
        _best_tones,
    ),
    "randaugment": Set(
        "crop of 0.08 to 1 of the area, mirror (0.5), two of fifteen operations (0.5 each), erasing (0.25)",
        "RandAugment and random erasing of MAE's fine-tuning",
        randaugment.places,
        randaugment.tones,
    ),
}


def refuse_unknown(name: str) -> None:
    """See that there is a set of this name.

    Raises:
        RequestError: there is none.
    """
    if name not in SETS:
        raise RequestError(f"--augment {name}: no such set{did_you_mean(name, SETS)}; there are {', '.join(SETS)}")


def augment(
    name: str,
    frames: torch.Tensor,
    uniform: np.ndarray,
    size: tuple[int, int],
    *,
    geometry: torch.Tensor | None = None,
    regions: torch.Tensor | None = None,
    truth: Truth | None = None,
    outside: int = 0,
) -> View:
    """Augment a batch on its device.

    Args:
        name: a key of `SETS`.
        frames: (B, C, H, W) uint8 or float, 0 to 255.
        uniform: (B, DRAWS) in [0, 1), on the host, from `usfm.engine.counter.uniforms`: what a sample becomes depends
            on its own numbers only.
        size: (rows, columns) of a sample, px.
        geometry: (B, 7) as `beam_coordinates` takes it; None or NaN where there is no fit: then the sector stays.
        regions: (B, H, W) bool or 0/1, what shows tissue; None where it is not known.
        truth: of the stored frames.
        outside: class of mask pixels that lie in no frame.

    Returns:
        Images, regions, geometry, truth and places, moved together.
    """
    refuse_unknown(name)
    b, _, h, w = frames.shape
    if geometry is None:
        geometry = torch.full((b, 7), math.nan, device=frames.device)
    chosen, draws = SETS[name], Draws(uniform)
    scene = Scene(draws, (h, w), geometry)
    steps = [*chosen.places(scene), resize(scene, size)]
    view = moves.moved(frames, steps, size, geometry=geometry, regions=regions, truth=truth, outside=outside)
    changed = chosen.tones(view, draws)
    return replace(view, images=torch.where(view.inside.unsqueeze(1), changed, view.images))
