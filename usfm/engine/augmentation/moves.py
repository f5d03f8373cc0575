"""Changes of place, exact in both directions: sectors drawn anew along their beams, and affine maps; sampled once."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from usfm.engine.augment import beam_coordinates, beam_points
from usfm.engine.truth import Truth, pick_masks, seen_boxes

Places = tuple[torch.Tensor, torch.Tensor]
NOWHERE_PX = -1e5
"""Where a pixel comes from that nothing is shown in."""
_ON_A_SIDE = 9


@dataclass(frozen=True)
class Move:
    """One change of place of a batch.

    Attributes:
        back: rows and columns (B, n) px after it -> before it; `NOWHERE_PX` where there is nothing.
        forth: before it -> after it.
        geometry: (B, 7) sectors -> sectors after it; NaN where one is no sector any more.
    """

    back: Callable[[torch.Tensor, torch.Tensor], Places]
    forth: Callable[[torch.Tensor, torch.Tensor], Places]
    geometry: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class View:
    """Augmented samples.

    Attributes:
        images: (B, C, h, w) float32, 0 to 255.
        inside: (B, h, w) bool, what shows tissue: the region of each frame; all of the frame where none is known.
        rows, columns: (B, h, w) px, where each pixel lies in its stored frame.
        geometry: (B, 7) of the samples, as `beam_coordinates` takes it; NaN where a sample shows no sector.
        beams: (2, B, h, w) depth 0 to 1 and angle -1 to 1 of each pixel; NaN where there is no fit.
        truth: moved along.
    """

    images: torch.Tensor
    inside: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    geometry: torch.Tensor
    beams: torch.Tensor
    truth: Truth | None = None


# ---------------------------------------------------------------- sectors drawn anew


def rescan(old: torch.Tensor, new: torch.Tensor, on: torch.Tensor) -> Move:
    """Draw sectors anew: what lay at a depth and an angle of the old sector lies there in the new one.

    Args:
        old: (B, 7).
        new: (B, 7); where it is NaN the sample stays as it is.
        on: (B,) bool.

    Returns:
        The move.
    """
    on = (on & ~new.isnan().any(1) & ~old.isnan().any(1)).unsqueeze(1)
    old, fresh = torch.nan_to_num(old, nan=1.0), torch.where(on, torch.nan_to_num(new, nan=1.0), old)

    def back(rows: torch.Tensor, columns: torch.Tensor) -> Places:
        depth, angle = beam_coordinates(torch.nan_to_num(fresh, nan=1.0), rows, columns)
        edge = 1e-4
        inside = (depth >= -edge) & (depth <= 1 + edge) & (angle.abs() <= 1 + edge)
        places = beam_points(old, depth, angle)
        moved = (torch.where(inside, each, NOWHERE_PX) for each in places)
        r, c = (torch.where(on, a, b) for a, b in zip(moved, (rows, columns), strict=True))
        return r, c

    def forth(rows: torch.Tensor, columns: torch.Tensor) -> Places:
        places = beam_points(torch.nan_to_num(fresh, nan=1.0), *beam_coordinates(old, rows, columns))
        r, c = (torch.where(on, a, b) for a, b in zip(places, (rows, columns), strict=True))
        return r, c

    return Move(back, forth, lambda geometry: torch.where(on, new, geometry))


def reshaped(old: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    """Sectors with another convexity: the top edge is `top` times as wide as the bottom, whose corners stay.

    Args:
        old: (B, 7).
        top: (B,) 0 to 1, ends not included.

    Returns:
        (B, 7); NaN for parallel beams and for what has no such shape.

    Source: AugUS's convexity change (VanBerlo et al. 2025), about the axis of the sector.
    """
    kind, x, y, r0, r1, a0, a1 = old.unbind(1)
    middle, half = (a0 + a1) / 2, (a1 - a0) / 2
    arcs = kind == 0
    bottom, low = torch.where(arcs, r1 * half.sin(), r1 * half.tan()), torch.where(arcs, r1 * half.cos(), r1)
    high = torch.where(arcs, r0 * half.cos(), r0)
    slope = torch.atan((1 - top) * bottom / (low - high))
    shift = low - bottom / slope.tan()
    reach = torch.where(arcs, bottom / slope.sin(), bottom / slope.tan())
    new = torch.stack(
        [kind, x + shift * middle.sin(), y + shift * middle.cos(), top * reach, reach, middle - slope, middle + slope],
        1,
    )
    possible = (low > high) & (half < 1.5) & (kind != 1) & (arcs | (middle.abs() < 0.02))
    return torch.where(possible.unsqueeze(1), new, torch.nan)


def exchanged(old: torch.Tensor, share: torch.Tensor, bend: torch.Tensor) -> torch.Tensor:
    """Sectors of another kind of probe: fans and trapezoids become boxes, boxes become fans.

    Args:
        old: (B, 7).
        share: (B,) width of the box, in widths of the bottom of the sector that it comes from.
        bend: (B,) radius of the fan, in heights of the box that it comes from.

    Returns:
        (B, 7). Source: AugUS's probe type change.
    """
    kind, x, y, r0, r1, a0, a1 = old.unbind(1)
    middle, half = (a0 + a1) / 2, (a1 - a0) / 2
    arcs, zero = kind == 0, torch.zeros_like(x)
    wide = share * r1 * torch.where(arcs, half.sin(), half.tan())
    top = y + torch.where(arcs, r0 * half.cos(), r0)
    tall = y + r1 - top
    centre = x + torch.where(arcs, r1 * middle.sin(), r1 * middle.tan())
    straight = torch.stack([zero + 1, centre, top, zero, tall, -torch.atan(wide / tall), torch.atan(wide / tall)], 1)
    left, right, height = x + r1 * a0.tan(), x + r1 * a1.tan(), r1 - r0
    across = (right - left) / 2
    radius = torch.maximum(bend * height, across / 0.98)
    angle = torch.asin((across / radius).clamp(max=1))
    inner = torch.minimum((radius - height).clamp(min=0) / angle.cos(), 0.9 * radius)
    bent = torch.stack([zero, (left + right) / 2, y + r1 - radius, inner, radius, -angle, angle], 1)
    return torch.where((kind == 1).unsqueeze(1), bent, torch.where((half < 1.5).unsqueeze(1), straight, torch.nan))


def fixed_point(geometry: torch.Tensor, width_px: int) -> torch.Tensor:
    """The middle of the line between the upper corners of a sector, or of a frame without a fit.

    Args:
        geometry: (B, 7).
        width_px: of the frames.

    Returns:
        (B, 2) row and column, px.
    """
    kind, x, y, r0, r1, a0, a1 = geometry.unbind(1)
    middle, half = (a0 + a1) / 2, (a1 - a0) / 2
    down = torch.where(kind == 0, r0 * half.cos(), r0)
    across = torch.where(kind == 1, r1 * (a0.tan() + a1.tan()) / 2, down * middle.tan())
    lies = torch.stack([y + torch.where(kind == 0, down * middle.cos(), down), x + across], 1)
    return torch.where(lies.isnan(), lies.new_tensor([0.0, (width_px - 1) / 2]), lies)


# ---------------------------------------------------------------- affine maps


def affine(matrix: torch.Tensor, shift: torch.Tensor) -> Move:
    """Rows and columns p -> matrix p + shift.

    Args:
        matrix: (B, 2, 2), over (row, column).
        shift: (B, 2) px.

    Returns:
        The move; a sector that is stretched, or turned and has no arcs, is none after it.
    """
    inverse = torch.linalg.inv(matrix)

    def apply(m: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> Places:
        return m[:, 0, :1] * rows + m[:, 0, 1:] * columns, m[:, 1, :1] * rows + m[:, 1, 1:] * columns

    def forth(rows: torch.Tensor, columns: torch.Tensor) -> Places:
        r, c = apply(matrix, rows, columns)
        return r + shift[:, :1], c + shift[:, 1:]

    def back(rows: torch.Tensor, columns: torch.Tensor) -> Places:
        return apply(inverse, rows - shift[:, :1], columns - shift[:, 1:])

    return Move(back, forth, lambda geometry: _moved_sector(geometry, matrix, shift))


def about(matrix: torch.Tensor, point: torch.Tensor) -> Move:
    """An affine map that leaves a point where it is.

    Args:
        matrix: (B, 2, 2), over (row, column).
        point: (B, 2) row and column, px.

    Returns:
        The move.
    """
    return affine(matrix, point - (matrix @ point.unsqueeze(2)).squeeze(2))


def _moved_sector(geometry: torch.Tensor, matrix: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """A sector after an affine map: still one where lengths scale alike, and arcs only may be turned."""
    kind, x, y, r0, r1, a0, a1 = geometry.unbind(1)
    scale = torch.linalg.det(matrix).abs().sqrt()
    square = matrix @ matrix.transpose(1, 2) / (scale**2).view(-1, 1, 1)
    alike = (square - torch.eye(2, device=matrix.device)).abs().amax((1, 2)) < 1e-3
    apex = (matrix @ torch.stack([y, x], 1).unsqueeze(2)).squeeze(2) + shift

    def turned(angle: torch.Tensor) -> torch.Tensor:
        down, across = (matrix @ torch.stack([angle.cos(), angle.sin()], 1).unsqueeze(2)).squeeze(2).unbind(1)
        return torch.atan2(across, down)

    first, second = turned(a0), turned(a1)
    new = torch.stack([kind, apex[:, 1], apex[:, 0], scale * r0, scale * r1,
                       torch.minimum(first, second), torch.maximum(first, second)], 1)  # fmt: skip
    upright = (matrix[:, 0, 1].abs() + matrix[:, 1, 0].abs()) < 1e-4 * scale
    same = alike & ((kind == 0) | upright) & ((new[:, 6] - new[:, 5] - (a1 - a0)).abs() < 1e-3)
    return torch.where(same.unsqueeze(1), new, torch.nan)


# ---------------------------------------------------------------- together


def moved(
    frames: torch.Tensor,
    moves: list[Move],
    size: tuple[int, int],
    *,
    geometry: torch.Tensor,
    regions: torch.Tensor | None = None,
    truth: Truth | None = None,
    outside: int = 0,
) -> View:
    """Apply moves to all that is known of a batch; pixels are sampled once, bicubically, however many moves there are.

    Args:
        frames: (B, C, H, W) uint8 or float, 0 to 255.
        moves: in the order in which they happen; the last one ends in a sample of `size`.
        size: (rows, columns) of a sample, px.
        geometry: (B, 7) of the frames; NaN where there is no fit.
        regions: (B, H, W) bool or 0/1, what shows tissue; None where it is not known.
        truth: of the frames.
        outside: class of mask pixels that lie in no frame.

    Returns:
        The samples.
    """
    b, _, height, width = frames.shape
    fine = max(1, min(4, round(height / size[0]), round(width / size[1])))  # points a pixel and axis, against aliasing
    rows, columns = _back(moves, b, size, fine, frames.device)
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1)
    images = F.grid_sample(frames.float(), grid, mode="bicubic", align_corners=False).clamp(0, 255)
    images = F.avg_pool2d(images, fine) if fine > 1 else images
    if fine > 1:
        rows, columns = _back(moves, b, size, 1, frames.device)
    known = torch.ones_like(frames[:, 0], dtype=torch.uint8) if regions is None else regions.to(torch.uint8)
    inside = pick_masks(known, rows, columns).bool()
    beams = torch.stack(beam_coordinates(geometry, rows.flatten(1), columns.flatten(1))).view(2, b, *size)
    sector = geometry
    for move in moves:
        sector = move.geometry(sector)
    truth = None if truth is None else _truth(truth, moves, rows, columns, size, outside)
    return View(images, inside, rows, columns, sector, beams, truth)


def _back(moves: list[Move], b: int, size: tuple[int, int], fine: int, device: torch.device) -> Places:
    """Where the points of a grid over each sample lie in its frame: (B, fine * rows, fine * columns)."""
    down, across = ((torch.arange(fine * n, device=device) + 0.5) / fine - 0.5 for n in size)
    rows, columns = (each.flatten().expand(b, -1) for each in torch.meshgrid(down, across, indexing="ij"))
    for move in reversed(moves):
        rows, columns = move.back(rows, columns)
    shape = (b, fine * size[0], fine * size[1])
    return rows.reshape(shape), columns.reshape(shape)


def _truth(
    truth: Truth, moves: list[Move], rows: torch.Tensor, columns: torch.Tensor, size: tuple[int, int], outside: int
) -> Truth:
    if truth.masks is not None:
        truth = replace(truth, masks=pick_masks(torch.as_tensor(truth.masks), rows, columns, outside))
    if truth.boxes is not None and truth.box_classes is not None:
        boxes, classes = torch.as_tensor(truth.boxes), torch.as_tensor(truth.box_classes)
        r, c = _outlines(boxes)
        for move in moves:
            r, c = move.forth(r, c)
        shape = (*boxes.shape[:2], 4 * _ON_A_SIDE)
        boxes, classes = seen_boxes((r + 0.5).view(shape), (c + 0.5).view(shape), classes, size)
        truth = replace(truth, boxes=boxes, box_classes=classes)
    return truth


def _outlines(boxes: torch.Tensor) -> Places:
    """Points on the outlines of boxes (B, K, 4): rows and columns (B, K * 36), pixel centres being whole numbers."""
    ramp = torch.linspace(0, 1, _ON_A_SIDE, device=boxes.device, dtype=boxes.dtype)
    top, left, bottom, right = (each.unsqueeze(-1) for each in boxes.unbind(-1))
    down, across, one = top + (bottom - top) * ramp, left + (right - left) * ramp, torch.ones_like(ramp)
    rows = torch.cat([top * one, bottom * one, down, down], -1)
    columns = torch.cat([across, across, left * one, right * one], -1)
    return rows.flatten(1) - 0.5, columns.flatten(1) - 0.5
