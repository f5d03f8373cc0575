"""Patches at the middle depth and away from the side edges of the sector are likelier."""

import math

import torch
import torch.nn.functional as F

from usfm.pretrain.recipe import Selection
from usfm.pretrain.selection.contract import View, normalise

MIN_COMPONENT = 12  # patches, of 196; smaller specks are ignored (public code)


def components(inside: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Label 8-connected components of patches, without asking the device for anything.

    Args:
        inside: (B, L) bool.
        grid: (rows, columns).

    Returns:
        (B, L) int64: for an inside patch the largest index in its component, -1 outside.

    Labels spread to neighbours and then jump along themselves, so the number of rounds grows with the logarithm of
    the longest path; the rounds are fixed in advance.
    """
    b, total = inside.shape
    own = torch.arange(total, device=inside.device, dtype=torch.float32).expand(b, total)
    label = torch.where(inside, own, torch.full_like(own, -1))
    for _ in range(2 * math.ceil(math.log2(total)) + 4):
        spread = F.max_pool2d(label.view(b, 1, *grid), 3, stride=1, padding=1).view(b, total)
        label = torch.where(inside, torch.maximum(label, spread), label)
        jumped = label.gather(1, label.clamp(min=0).long())
        label = torch.where(inside, torch.maximum(label, jumped), label)
        # what a label's owner has learnt flows back to everyone who holds that label
        best = torch.full_like(label, -1).scatter_reduce(1, own.long(), label, "amax")
        label = torch.where(inside, best.gather(1, label.clamp(min=0).long()).maximum(label), label)
    return label.long()


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
    """
    return _polar(view, settings, *grid_coordinates(view, settings.tau, settings.apex_band))


def beam(view: View, settings: Selection) -> torch.Tensor:
    """Polar prior by the true depth and angle of the fitted beams, which survive rotation and flips; eq. 8-12.

    A frame without a fit takes the grid's.
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
