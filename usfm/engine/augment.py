"""Crops, flips and rotations of a whole batch on the device: image, region and positions together."""

import json
import math

import torch
import torch.nn.functional as F

TOP, LEFT, HEIGHT, WIDTH, HFLIP, VFLIP, ANGLE = range(7)  # columns of `Crops.stacked()`


def _cubic(x: torch.Tensor) -> torch.Tensor:
    """Keys' kernel with a = -1/2, the bicubic of PIL."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def resample_matrix(
    start: torch.Tensor, length: torch.Tensor, flip: torch.Tensor, n_in: int, n_out: int
) -> torch.Tensor:
    """Weights that cut [start, start + length] out of n_in samples and resize it to n_out, bicubic and antialiased.

    Args:
        start: (B,) first edge, px.
        length: (B,) px.
        flip: (B,) 0 or 1: reverse the result.
        n_in: samples there are.
        n_out: samples wanted.

    Returns:
        (B, n_out, n_in) float32, rows sum to 1. Only samples inside the crop are used, as if it were cut out first.
    """
    scale = (length / n_out)[:, None]
    out = torch.arange(n_out, device=start.device, dtype=torch.float32)
    out = torch.where(flip[:, None] > 0, n_out - 1 - out, out)
    centre = (start[:, None] + (out + 0.5) * scale).unsqueeze(-1)
    width = scale.clamp(min=1).unsqueeze(-1)
    reach = math.ceil(2 * max(1.0, n_in / n_out))  # a crop is no longer than the frame, so this is known beforehand
    tap = torch.arange(-reach, reach + 1, device=start.device, dtype=torch.float32)
    pixel = centre.floor() + tap  # only samples near the centre weigh anything
    first, last = start[:, None, None], (start + length)[:, None, None]
    inside = (pixel + 0.5 >= first) & (pixel + 0.5 <= last) & (pixel >= 0) & (pixel < n_in)
    weights = _cubic((pixel + 0.5 - centre) / width) * inside
    weights = weights / weights.sum(-1, keepdim=True)
    dense = torch.zeros(len(start), n_out, n_in, device=start.device)
    return dense.scatter_add_(2, pixel.clamp(0, n_in - 1).long(), weights)


def area_matrix(start: torch.Tensor, length: torch.Tensor, flip: torch.Tensor, n_in: int, n_out: int) -> torch.Tensor:
    """Weights that average n_in samples over n_out equal cells of [start, start + length]: (B, n_out, n_in).

    Args:
        start: (B,) edge where the first cell begins, px.
        length: (B,) of all cells together, px.
        flip: (B,) above 0 where the cells go backwards.
        n_in: samples.
        n_out: cells.

    Returns:
        (B, n_out, n_in) float32; a row sums to 1 where its cell lies inside the samples.
    """
    scale = (length / n_out)[:, None]
    out = torch.arange(n_out, device=start.device, dtype=torch.float32)
    out = torch.where(flip[:, None] > 0, n_out - 1 - out, out)
    low = (start[:, None] + out * scale)[:, :, None]
    pixel = torch.arange(n_in, device=start.device, dtype=torch.float32)
    overlap = torch.minimum(low + scale[:, :, None], pixel + 1) - torch.maximum(low, pixel)
    return overlap.clamp(min=0) / scale[:, :, None]


def source_points(crops: torch.Tensor, n_rows: int, n_columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the centres of a grid over each augmented sample lie in its stored frame.

    Args:
        crops: (B, 7), from `Crops.stacked()`.
        n_rows: rows of the grid (pixels or patches of the sample).
        n_columns: its columns.

    Returns:
        Rows and columns, each (B, n_rows, n_columns) float32, px; the centre of the top-left pixel is (0, 0).
    """
    v = (torch.arange(n_rows, device=crops.device, dtype=torch.float32) + 0.5) / n_rows - 0.5
    u = (torch.arange(n_columns, device=crops.device, dtype=torch.float32) + 0.5) / n_columns - 0.5
    b = crops.shape[0]
    column = [crops[:, i].view(b, 1, 1) for i in range(7)]
    y = v.view(1, -1, 1) * column[HEIGHT] * (1 - 2 * column[VFLIP])
    x = u.view(1, 1, -1) * column[WIDTH] * (1 - 2 * column[HFLIP])
    cos, sin = column[ANGLE].cos(), column[ANGLE].sin()
    rows = column[TOP] + column[HEIGHT] / 2 + y * cos + x * sin
    columns = column[LEFT] + column[WIDTH] / 2 - y * sin + x * cos
    return rows - 0.5, columns - 0.5


def cut_images(
    images: torch.Tensor, crops: torch.Tensor, size: tuple[int, int], *, rotated: bool = False
) -> torch.Tensor:
    """Apply the crops to images.

    Args:
        images: (B, C, H, W) uint8 or float, 0 to 255.
        crops: (B, 7).
        size: (rows, columns) wanted, px.
        rotated: some angle is not zero; then sampled bicubically point by point, black outside the frame.

    Returns:
        (B, C, rows, columns) float32, 0 to 255.
    """
    x = images.float()
    if rotated:
        return F.grid_sample(x, _grid(crops, size, x), mode="bicubic", align_corners=False).clamp(0, 255)
    down = resample_matrix(crops[:, TOP], crops[:, HEIGHT], crops[:, VFLIP], x.shape[2], size[0])
    across = resample_matrix(crops[:, LEFT], crops[:, WIDTH], crops[:, HFLIP], x.shape[3], size[1])
    return (down.unsqueeze(1) @ x @ across.transpose(1, 2).unsqueeze(1)).clamp(0, 255)


def cut_coverage(
    masks: torch.Tensor, crops: torch.Tensor, grid: tuple[int, int], *, rotated: bool = False, points: int = 8
) -> torch.Tensor:
    """How much of each cell of a grid over each augmented sample the region covers: eq. 5 on the augmented mask.

    Args:
        masks: (B, H, W) uint8 0/1, the regions of the stored frames.
        crops: (B, 7).
        grid: (rows, columns) of cells.
        rotated: some angle is not zero; then points x points places a cell are looked up instead of exact areas.
        points: see `rotated`.

    Returns:
        (B, rows, columns) float32, 0 to 1.
    """
    x = masks.float()
    if rotated:
        places = _grid(crops, (points * grid[0], points * grid[1]), x)
        found = F.grid_sample(x.unsqueeze(1), places, mode="nearest", align_corners=False)
        return F.avg_pool2d(found, points).squeeze(1)
    down = area_matrix(crops[:, TOP], crops[:, HEIGHT], crops[:, VFLIP], x.shape[1], grid[0])
    across = area_matrix(crops[:, LEFT], crops[:, WIDTH], crops[:, HFLIP], x.shape[2], grid[1])
    return down @ x @ across.transpose(1, 2)


def _grid(crops: torch.Tensor, size: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
    rows, columns = source_points(crops, *size)
    return torch.stack([(2 * columns + 1) / like.shape[-1] - 1, (2 * rows + 1) / like.shape[-2] - 1], dim=-1)


def beam_coordinates(
    geometry: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """True depth (0 to 1) and angle (-1 to 1) of positions in a frame, from the sector's geometry.

    Source: the formulae of `usfm.imaging.fan`, on the device.

    Args:
        geometry: (B, 7): kind (0 arcs, 1 parallel beams, 2 trapezoid), apex_x_px, apex_y_px, radius_0_px, radius_1_px,
            angle_0_rad, angle_1_rad; NaN where there is no fit, and the results are then NaN.
        rows: (B, n) px.
        columns: (B, n) px.

    Returns:
        Depth, 0 at the near edge and 1 at the far one, and angle, -1 at the left edge and 1 at the right; (B, n) each.
    """
    kind, x, y, r0, r1, a0, a1 = (geometry[:, i : i + 1] for i in range(7))
    dy, dx = rows - y, columns - x
    left, right = a0.tan(), a1.tan()
    parallel = (dx / r1 - left) / (right - left)
    fan = (torch.atan2(dx, dy) - a0) / (a1 - a0)
    depth = torch.where(kind == 0, torch.hypot(dx, dy), dy)
    half = torch.where(kind == 1, parallel, fan)
    return (depth - r0) / (r1 - r0), 2 * half - 1


def beam_points(geometry: torch.Tensor, depth: torch.Tensor, angle: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of points given by depth and angle: the inverse of `beam_coordinates`.

    Args:
        geometry: (B, 7), as `beam_coordinates` takes it.
        depth: (B, n) 0 to 1.
        angle: (B, n) -1 to 1.

    Returns:
        Rows and columns, (B, n) px each.
    """
    kind, x, y, r0, r1, a0, a1 = (geometry[:, i : i + 1] for i in range(7))
    r, half = r0 + depth * (r1 - r0), angle / 2 + 0.5
    a = a0 + half * (a1 - a0)
    left, right = a0.tan(), a1.tan()
    rows = torch.where(kind == 0, r * a.cos(), r)
    wide = torch.where(kind == 1, r1 * (left + half * (right - left)), r * a.tan())
    return y + rows, x + torch.where(kind == 0, r * a.sin(), wide)


KINDS = {"phased": 0.0, "convex": 0.0, "linear": 1.0, "trapezoid": 2.0}


def geometry_rows(table: dict) -> torch.Tensor:
    """The store's region table as (R, 7) float32 for `beam_coordinates`; NaN where a region has no fit."""
    names = ("apex_x_px", "apex_y_px", "radius_0_px", "radius_1_px", "angle_0_rad", "angle_1_rad")
    extras = [json.loads(text or "{}") for text in table["extra"]] if "extra" in table else [{}] * len(table["shape"])
    shapes = [extra.get("geometry_shape", str(shape)) for extra, shape in zip(extras, table["shape"], strict=True)]
    kinds = [KINDS.get(shape, math.nan) for shape in shapes]
    columns = [torch.tensor(kinds, dtype=torch.float32), *(torch.as_tensor(table[name]).float() for name in names)]
    rows = torch.stack(columns, dim=1)
    return torch.where(rows.isnan().any(1, keepdim=True), torch.full_like(rows, math.nan), rows)
