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
from usfm.engine.augmentation import moves, tones
from usfm.engine.augmentation.draws import Draws
from usfm.engine.augmentation.moves import Move, View
from usfm.engine.crops import DRAWS as CROP_DRAWS
from usfm.engine.crops import random_crops
from usfm.engine.truth import Truth
from usfm.errors import RequestError

DRAWS = 64
"""Uniform numbers that a sample needs, whatever the set."""


@dataclass(frozen=True)
class Scene:
    """What a set decides upon.

    Attributes:
        draws: its numbers.
        frame: (rows, columns) of the stored frames, px.
        geometry: (B, 7) of the frames.
    """

    draws: Draws
    frame: tuple[int, int]
    geometry: torch.Tensor

    def send(self, values: np.ndarray) -> torch.Tensor:
        """Numbers of the host on the device, float32."""
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.geometry.device)


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


# ---------------------------------------------------------------- places


def _sectors(scene: Scene) -> list[Move]:
    """Another probe (0.3), another convexity (0.75), another depth (0.5)."""
    d, old = scene.draws, scene.geometry
    share, bend, on = d.between(0.5, 1), d.between(1, 2), d.chance(0.3)
    new = moves.exchanged(old, scene.send(share), scene.send(bend))
    first = moves.rescan(old, new, scene.send(on) > 0)
    known = first.geometry(old)
    top, on = d.between(0, 0.75), d.chance(0.75)
    shaped = moves.reshaped(known, scene.send(np.maximum(top, 0.01)))
    second = moves.rescan(known, shaped, scene.send(on) > 0)
    last = second.geometry(known)
    zoom = np.where(d.chance(0.5), d.between(0.8, 2), 1.0)
    scale = scene.send(zoom).view(-1, 1, 1) * torch.eye(2, device=old.device)
    return [first, second, moves.about(scale, moves.fixed_point(last, scene.frame[1]))]


def _mirror(scene: Scene, p: float) -> Move:
    sign = scene.send(np.where(scene.draws.chance(p), -1.0, 1.0))
    return _about_centre(scene, torch.diag_embed(torch.stack([torch.ones_like(sign), sign], 1)))


def _about_centre(scene: Scene, matrix: torch.Tensor) -> Move:
    h, w = scene.frame
    return moves.about(matrix, matrix.new_tensor([(h - 1) / 2, (w - 1) / 2]).expand(len(matrix), 2))


def _turn(scene: Scene, degrees: float, on: np.ndarray) -> Move:
    angle = np.deg2rad(np.where(on, scene.draws.between(-degrees, degrees), 0))
    sin, cos = scene.send(np.sin(angle)), scene.send(np.cos(angle))
    return _about_centre(scene, torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1))


def _shift(scene: Scene, share: float, on: np.ndarray) -> Move:
    by = [scene.send(np.where(on, scene.draws.between(-share, share), 0) * side) for side in scene.frame]
    shift = torch.stack(by, 1)
    return moves.affine(torch.eye(2, device=shift.device).expand(len(shift), 2, 2), shift)


def _zoom(scene: Scene, share: float, on: np.ndarray) -> Move:
    factor = scene.send(np.where(on, scene.draws.between(1 - share, 1 + share), 1))
    return _about_centre(scene, factor.view(-1, 1, 1) * torch.eye(2, device=factor.device))


def _crop(scene: Scene, area: tuple[float, float], on: np.ndarray, ratio: tuple[float, float] = (3 / 4, 4 / 3)) -> Move:
    """A part of the frame, enlarged to the size of the frame."""
    numbers = np.stack([scene.draws.next() for _ in range(CROP_DRAWS)], 1)
    cut = random_crops(numbers, scene.frame, area=area, ratio=ratio, hflip=0)
    h, w = scene.frame
    top, left = np.where(on, cut.top, 0), np.where(on, cut.left, 0)
    down, across = scene.send(h / np.where(on, cut.height, h)), scene.send(w / np.where(on, cut.width, w))
    matrix = torch.diag_embed(torch.stack([down, across], 1))
    shift = torch.stack([(0.5 - scene.send(top)) * down - 0.5, (0.5 - scene.send(left)) * across - 0.5], 1)
    return moves.affine(matrix, shift)


def _resize(scene: Scene, size: tuple[int, int]) -> Move:
    """The whole frame in a sample."""
    matrix = torch.diag(scene.send(np.array([size[0] / scene.frame[0], size[1] / scene.frame[1]])))
    matrix = matrix.expand(len(scene.geometry), 2, 2)
    return moves.affine(matrix, 0.5 * matrix.diagonal(dim1=1, dim2=2) - 0.5)


# ---------------------------------------------------------------- gray values


def _change(images: torch.Tensor, on: np.ndarray, change: Callable, *values: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Apply a change to some samples only; which ones is known on the host, so the device is not waited for."""
    index = np.flatnonzero(on)
    if not len(index):
        return images
    at = torch.from_numpy(index).to(images.device)
    picked = [
        each[at] if isinstance(each, torch.Tensor) else torch.from_numpy(each[index]).to(images.device)
        for each in values
    ]
    return images.index_copy(0, at, change(images[at], *picked))


def _equalise(x: torch.Tensor, d: Draws) -> torch.Tensor:
    return _change(x, d.chance(0.2), tones.equalised, d.between(4, 8))


def _jitter(x: torch.Tensor, view: View, d: Draws, strength: float, on: np.ndarray) -> torch.Tensor:
    x = _change(x, on, tones.bright, d.between(1 - strength, 1 + strength))
    return _change(x, on, tones.contrast, d.between(1 - strength, 1 + strength), view.inside)


def _augus_o_tones(view: View, d: Draws) -> torch.Tensor:
    x, on, alpha = view.images, d.chance(0.5), d.between(2.5, 3.5)
    second = d.chance(0.5)
    for moments, which in ((2, on & ~second), (5, on & second)):
        x = _change(x, which, lambda part, a, m=moments: tones.denoised(part, a, m), alpha)
    x = _equalise(x, d)
    x = _change(x, d.chance(0.5), tones.gamma, d.between(0.5, 2))
    x = _jitter(x, view, d, 0.4, d.chance(0.5))
    count = np.floor(d.between(5, 10))
    beams = view.beams.transpose(0, 1)
    x = _change(x, d.chance(0.333), lambda part, s, c, b: tones.speckled(part, s, c, b.transpose(0, 1)),
                d.seed(), count, beams)  # fmt: skip
    x = _change(x, d.chance(0.333), tones.noisy, d.seed(), d.between(0.5, 2.5))
    return _change(x, d.chance(0.1), tones.peppered, d.seed(), d.between(0.001, 0.005), d.between(0.001, 0.005))


def _augus_d_tones(view: View, d: Draws) -> torch.Tensor:
    x, on = _equalise(view.images, d), d.chance(0.8)
    x = _jitter(x, view, d, 0.4, on)
    return _change(x, on, tones.saturate, d.between(0.8, 1.2))


def _augus_o_places(scene: Scene) -> list[Move]:
    first = _sectors(scene)
    mirror, on = _mirror(scene, 0.5), scene.draws.chance(0.5)
    return [*first, mirror, _turn(scene, 45, on), _shift(scene, 0.2, on)]


def _augus_d_places(scene: Scene) -> list[Move]:
    on = scene.draws.chance(0.5)
    return [_turn(scene, 45, on), _shift(scene, 0.2, on), _crop(scene, (0.08, 1), np.ones(len(on), bool))]


BEST = ("crop", "brightness", "zoom", "rotate", "translate", "Gaussian noise")
"""The operations whose mean rank over the 14 tasks of UltraBench is under 8 of 15, best first."""


def _picked(d: Draws) -> np.ndarray:
    """(B, 6) bool: the two operations of each sample; the same one twice counts once."""
    chosen = np.stack([np.floor(d.next() * len(BEST)), np.floor(d.next() * len(BEST))], 1)
    return (chosen[:, :, None] == np.arange(len(BEST))).any(1)


def _best_places(scene: Scene) -> list[Move]:
    on = _picked(scene.draws)
    return [
        _zoom(scene, 0.1, on[:, 2]),
        _turn(scene, 30, on[:, 3]),
        _shift(scene, 1 / 16, on[:, 4]),
        _crop(scene, ((7 / 8) ** 2, (7 / 8) ** 2), on[:, 0], (1.0, 1.0)),
    ]


def _best_tones(view: View, d: Draws) -> torch.Tensor:
    on = _picked(Draws(d.uniform))
    x = _change(view.images, on[:, 1], tones.bright, d.between(0.8, 1.2))
    return _change(x, on[:, 5], tones.noisy, d.seed(), 255 * np.sqrt(d.between(0, 0.0225)))


SETS: dict[str, Set] = {
    "none": Set("nothing", "", lambda scene: [], lambda view, d: view.images),
    "standard": Set(
        "crop of 0.7 to 1 of the area (chance 0.5), mirror (0.5), brightness and contrast of 0.8 to 1.2 (0.5)",
        "the pipeline that AugUS trains its classifiers with",
        lambda scene: [_crop(scene, (0.7, 1), scene.draws.chance(0.5)), _mirror(scene, 0.5)],
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
    steps = [*chosen.places(scene), _resize(scene, size)]
    view = moves.moved(frames, steps, size, geometry=geometry, regions=regions, truth=truth, outside=outside)
    changed = chosen.tones(view, draws)
    return replace(view, images=torch.where(view.inside.unsqueeze(1), changed, view.images))
