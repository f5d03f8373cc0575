"""Changes of place that sets are made of: each of some samples, with strengths that belong to a sample."""

from dataclasses import dataclass

import numpy as np
import torch

from usfm.engine.augmentation import moves
from usfm.engine.augmentation.draws import Draws
from usfm.engine.augmentation.moves import Move
from usfm.engine.crops import DRAWS as CROP_DRAWS
from usfm.engine.crops import random_crops


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


def sectors(scene: Scene) -> list[Move]:
    """Another probe (0.3), another convexity (0.75), another depth (0.5).

    Args:
        scene: the batch.

    Returns:
        Three moves, in the order in which they happen.
    """
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


def mirror(scene: Scene, p: float) -> Move:
    """Left to right.

    Args:
        scene: the batch.
        p: probability.

    Returns:
        The move.
    """
    sign = scene.send(np.where(scene.draws.chance(p), -1.0, 1.0))
    return about_centre(scene, torch.diag_embed(torch.stack([torch.ones_like(sign), sign], 1)))


def about_centre(scene: Scene, matrix: torch.Tensor) -> Move:
    """A linear map about the middle of the frame.

    Args:
        scene: the batch.
        matrix: (B, 2, 2), over (row, column).

    Returns:
        The move.
    """
    h, w = scene.frame
    return moves.about(matrix, matrix.new_tensor([(h - 1) / 2, (w - 1) / 2]).expand(len(matrix), 2))


def turn(scene: Scene, degrees: float, on: np.ndarray) -> Move:
    """By an angle that is drawn.

    Args:
        scene: the batch.
        degrees: the largest, to either side.
        on: (B,) bool, who is turned.

    Returns:
        The move.
    """
    return turned(scene, np.where(on, scene.draws.between(-degrees, degrees), 0))


def turned(scene: Scene, degrees: np.ndarray) -> Move:
    """By an angle.

    Args:
        scene: the batch.
        degrees: (B,).

    Returns:
        The move.
    """
    angle = np.deg2rad(degrees)
    sin, cos = scene.send(np.sin(angle)), scene.send(np.cos(angle))
    return about_centre(scene, torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1))


def shift(scene: Scene, share: float, on: np.ndarray) -> Move:
    """By a share of each side of the frame that is drawn.

    Args:
        scene: the batch.
        share: the largest, to either side.
        on: (B,) bool, who is shifted.

    Returns:
        The move.
    """
    down, across = (np.where(on, scene.draws.between(-share, share), 0) for _ in range(2))
    return shifted(scene, down, across)


def shifted(scene: Scene, down: np.ndarray, across: np.ndarray) -> Move:
    """By shares of the sides of the frame.

    Args:
        scene: the batch.
        down: (B,) of its height.
        across: (B,) of its width.

    Returns:
        The move.
    """
    by = torch.stack([scene.send(down * scene.frame[0]), scene.send(across * scene.frame[1])], 1)
    return moves.affine(torch.eye(2, device=by.device).expand(len(by), 2, 2), by)


def zoom(scene: Scene, share: float, on: np.ndarray) -> Move:
    """About the middle, by a factor that is drawn.

    Args:
        scene: the batch.
        share: factors are from 1 - share to 1 + share.
        on: (B,) bool, who is zoomed.

    Returns:
        The move.
    """
    factor = scene.send(np.where(on, scene.draws.between(1 - share, 1 + share), 1))
    return about_centre(scene, factor.view(-1, 1, 1) * torch.eye(2, device=factor.device))


def crop(scene: Scene, area: tuple[float, float], on: np.ndarray, ratio: tuple[float, float] = (3 / 4, 4 / 3)) -> Move:
    """A part of the frame, enlarged to the size of the frame.

    Args:
        scene: the batch.
        area: of the part, least and most, as a share of the frame's.
        on: (B,) bool, who is cropped.
        ratio: width / height, least and most.

    Returns:
        The move.
    """
    numbers = np.stack([scene.draws.next() for _ in range(CROP_DRAWS)], 1)
    cut = random_crops(numbers, scene.frame, area=area, ratio=ratio, hflip=0)
    h, w = scene.frame
    top, left = np.where(on, cut.top, 0), np.where(on, cut.left, 0)
    down, across = scene.send(h / np.where(on, cut.height, h)), scene.send(w / np.where(on, cut.width, w))
    matrix = torch.diag_embed(torch.stack([down, across], 1))
    by = torch.stack([(0.5 - scene.send(top)) * down - 0.5, (0.5 - scene.send(left)) * across - 0.5], 1)
    return moves.affine(matrix, by)


def resize(scene: Scene, size: tuple[int, int]) -> Move:
    """The whole frame in a sample.

    Args:
        scene: the batch.
        size: (rows, columns) of a sample, px.

    Returns:
        The move.
    """
    matrix = torch.diag(scene.send(np.array([size[0] / scene.frame[0], size[1] / scene.frame[1]])))
    matrix = matrix.expand(len(scene.geometry), 2, 2)
    return moves.affine(matrix, 0.5 * matrix.diagonal(dim1=1, dim2=2) - 0.5)
