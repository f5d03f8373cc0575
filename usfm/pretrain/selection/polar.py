"""Patches at the middle depth and away from the side edges of the sector are likelier."""

import math

import torch

from usfm.pretrain.selection.contract import View, normalise
from usfm.pretrain.settings import Selection

MIN_COMPONENT = 12  # patches, of 196; smaller specks are ignored (public code)


def components(inside: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Label 8-connected components of patches, without asking the device for anything.

    Args:
        inside: (B, L) bool.
        grid: (rows, columns).

    Returns:
        (B, L) int64: for an inside patch the largest index in its component, -1 outside.

    Source: Boruvka's rounds. In each round every tree of patches is joined to a neighbouring tree along its edge of
    the largest number. Edge numbers are unique, so that only pairs can choose each other, and at least half of the
    trees that have a neighbour go away: log2(L) rounds are enough for any shape, however it winds.
    """
    b, total = inside.shape
    if total == 1:
        return inside.long() - 1
    halvings = max(1, math.ceil(math.log2(max(2, total))))
    ends = _edges(grid, inside.device)
    one, other = ends[0].expand(b, -1), ends[1].expand(b, -1)
    number = torch.arange(1, ends.shape[1] + 1, device=inside.device, dtype=torch.float32)  # exact up to 2 ** 24
    joined = inside.gather(1, one) & inside.gather(1, other)
    own = torch.arange(total, device=inside.device).expand(b, total)
    root = own.clone()
    for _ in range(halvings):
        left, right = root.gather(1, one), root.gather(1, other)
        weight = torch.where(joined & (left != right), number, 0.0)
        best = torch.zeros(b, total, device=inside.device).scatter_reduce(1, left, weight, "amax")
        best = best.scatter_reduce(1, right, weight, "amax").long()
        edge = (best - 1).clamp(min=0)
        across = left.gather(1, edge) + right.gather(1, edge) - own  # the edge's end that is not this tree
        parent = torch.where(best > 0, across, own)
        mutual = parent.gather(1, parent) == own
        parent = torch.where(mutual & (own > parent), own, parent)
        for _ in range(halvings):
            parent = parent.gather(1, parent)
        root = parent.gather(1, root)
    top = torch.full_like(root, -1).scatter_reduce(1, root, torch.where(inside, own, -1), "amax")
    return torch.where(inside, top.gather(1, root), -1)


def _edges(grid: tuple[int, int], device: torch.device) -> torch.Tensor:
    """Both ends of every pair of 8-neighbours of a grid: (2, E) int64."""
    place = torch.arange(grid[0] * grid[1], device=device).view(grid)
    pairs = (
        (place[:, :-1], place[:, 1:]),
        (place[:-1], place[1:]),
        (place[:-1, :-1], place[1:, 1:]),
        (place[:-1, 1:], place[1:, :-1]),
    )
    return torch.stack([torch.cat([pair[end].flatten() for pair in pairs]) for end in (0, 1)])


def grid_coordinates(view: View, tau: float, apex_band: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The paper's rows-and-columns polar frame: depth r and angle theta of each patch in its component, eq. 6-7.

    Args:
        view: the batch.
        tau: coverage from which a patch is inside.
        apex_band: share of the grid's rows, from the component's first on, whose coverage-weighted mean column is the
            centre line. 1 takes the whole component (the paper); the public code takes 0.15.

    Returns:
        depth (B, L) 0 to 1, angle (B, L) -1 to 1, and which patches lie in a component of at least 12 (B, L) bool.
    """
    rows, columns = view.grid
    b, total = view.coverage.shape
    inside = view.coverage >= tau
    label = components(inside, view.grid)
    slot = label.clamp(min=0)
    place = torch.arange(total, device=label.device)
    m, n = (place // columns).float().expand(b, total), (place % columns).float().expand(b, total)

    def gathered(values: torch.Tensor, how: str, start: float) -> torch.Tensor:
        """Reduce over each component and hand the result back to its patches."""
        values = torch.where(inside, values, torch.full_like(values, start))
        return torch.full((b, total), start, device=values.device).scatter_reduce(1, slot, values, how).gather(1, slot)

    size = gathered(inside.float(), "sum", 0.0)
    apex, bottom = gathered(m, "amin", float(rows)), gathered(m, "amax", -1.0)
    band = view.coverage * (m <= apex + int(apex_band * rows))
    centre = gathered(band * n, "sum", 0.0) / gathered(band, "sum", 0.0).clamp(min=1e-6)

    cell = slot * rows + (place // columns)  # one slot a component and row, for the row's width
    wide = torch.full((b, total * rows), -1.0, device=label.device)
    right = wide.scatter_reduce(1, cell, torch.where(inside, n, torch.full_like(n, -1.0)), "amax").gather(1, cell)
    left = (
        (-wide * columns)
        .scatter_reduce(1, cell, torch.where(inside, n, torch.full_like(n, columns)), "amin")
        .gather(1, cell)
    )
    half = ((right - left) / 2).clamp(min=1)
    depth = ((m - apex) / (bottom - apex).clamp(min=1)).clamp(0, 1)
    angle = ((n - centre) / half).clamp(-1, 1)
    return depth, angle, inside & (size >= max(2, round(MIN_COMPONENT * total / 196)))


def grid(view: View, settings: Selection) -> torch.Tensor:
    """Polar prior, depth and angle by the rows and columns of the patch grid, as the paper has it; eq. 6-12.

    Right for a frame with the transducer on top, not for one that is rotated or upside down.

    Args:
        view: the batch.
        settings: of the selection.

    Returns:
        (B, L) probabilities; each image's sum to 1.
    """
    return _polar(view, settings, *grid_coordinates(view, settings.tau, settings.apex_band))


def beam(view: View, settings: Selection) -> torch.Tensor:
    """Polar prior by the true depth and angle of the fitted beams, which survive rotation and flips; eq. 8-12.

    A frame without a fit takes the grid's.

    Args:
        view: the batch.
        settings: of the selection.

    Returns:
        (B, L) probabilities; each image's sum to 1.
    """
    depth, angle, counted = grid_coordinates(view, settings.tau, settings.apex_band)
    if view.depth is not None and view.angle is not None:
        known = view.depth.isfinite() & view.angle.isfinite()
        depth = torch.where(known, view.depth.clamp(0, 1), depth)
        angle = torch.where(known, view.angle.clamp(-1, 1), angle)
    return _polar(view, settings, depth, angle, counted)


def _polar(
    view: View, settings: Selection, depth: torch.Tensor, angle: torch.Tensor, counted: torch.Tensor
) -> torch.Tensor:
    """Weights of depth and angle, gated by coverage: s = q (f(r) + g(theta)), normalised; eq. 8-12.

    Specks under 12 patches (of 196) get nothing; an image without a component is drawn uniformly.
    """
    radial = torch.exp(-((depth - settings.depth_mean) ** 2) / (2 * settings.depth_width**2))
    angular = 1 - angle.abs() ** settings.angle_power
    gate = ((view.coverage - settings.tau) / max(1 - settings.tau, 1e-6)).clamp(0, 1)
    scores = torch.where(counted, gate * (radial + angular), torch.zeros_like(gate))
    return normalise(scores, view.inside(settings.tau))
