"""Scan modes exchanged on the device: a curved sector laid straight, a straight one bent, along the fitted beams."""

import math

import torch
import torch.nn.functional as F

from usfm.engine.augment import KINDS, beam_points

FAN_RAD, INNER = math.radians(80), 120 / 224
"""Half the angle of a bent sector, and its inner radius in heights of the straight one.

Source: UltraFedFM's public code has 160 degrees and 120 px; the height of its images is taken to be 224 px.
"""


def exchanged(frames: torch.Tensor, geometry: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Show some frames as another probe would have: arcs and trapezoids laid straight, parallel beams bent.

    The result fills the frame, so that its proportions change, as in the source. Source: the adaptive scan mode
    conversion of UltraFedFM (Jiang et al. 2025), here by the fitted geometry of each frame.

    Args:
        frames: (B, C, H, W) uint8 or float, 0 to 255.
        geometry: (B, 7), as `beam_coordinates` takes it; a frame whose row is NaN stays as it is.
        chosen: (B,) bool.

    Returns:
        (B, C, H, W) float32; frames that are not chosen have their own values.
    """
    x = frames.float()
    chosen = (chosen & ~geometry.isnan().any(1)).view(-1, 1, 1, 1)
    known = torch.nan_to_num(geometry)
    h, w = x.shape[2:]
    straight = (known[:, 0] == KINDS["linear"]).view(-1, 1, 1)
    depth, angle = (torch.where(straight, bent, laid) for bent, laid in zip(_fan(h, w, x), _box(h, w, x), strict=True))
    rows, columns = (each.view_as(depth) for each in beam_points(known, depth.flatten(1), angle.flatten(1)))
    grid = torch.stack([(2 * columns + 1) / w - 1, (2 * rows + 1) / h - 1], dim=-1)
    moved = F.grid_sample(x, grid, mode="bilinear", align_corners=False)
    edge = 1e-4
    inside = ((depth >= -edge) & (depth <= 1 + edge) & (angle.abs() <= 1 + edge)).unsqueeze(1)
    return torch.where(chosen, moved * inside, x)


def _ramps(h: int, w: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Down 0 to 1 and across -1 to 1, of pixel centres: (1, H, 1) and (1, 1, W)."""
    down = torch.linspace(0, 1, h, device=like.device).view(1, -1, 1)
    return down, torch.linspace(-1, 1, w, device=like.device).view(1, 1, -1)


def _box(h: int, w: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Depth and angle of the pixels of a straight sector that fills the frame."""
    down, across = _ramps(h, w, like)
    return down + 0 * across, across + 0 * down


def _fan(h: int, w: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Depth and angle of the pixels of a bent sector that fills the frame; beyond 0 to 1 and -1 to 1 outside it."""
    down, across = _ramps(h, w, like)
    outer, low = INNER + 1, INNER * math.cos(FAN_RAD)
    y, x = low + down * (outer - low), across * outer * math.sin(FAN_RAD)
    return torch.hypot(x, y) - INNER, torch.atan2(x + 0 * y, y + 0 * x) / FAN_RAD
