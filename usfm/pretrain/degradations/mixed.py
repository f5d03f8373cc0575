"""Motion blur, Gaussian blur, salt and pepper: some of them, at least one."""

import torch
import torch.nn.functional as F

from usfm.model.blur import gaussian
from usfm.pretrain.degradations.contract import Degradation
from usfm.pretrain.settings import Degrade

MOTION_PX, SPECKS = 24, 0.1
_FIRST = 5  # numbers before those of the pixels: whether, three choices, and the one that is taken when none was


def motion(images: torch.Tensor, length_px: int = MOTION_PX) -> torch.Tensor:
    """Mean along a diagonal of so many pixels, then stretched to 0 to 255 again, as the public code does.

    Args:
        images: (B, C, H, W) float, 0 to 255.
        length_px: pixels of the diagonal.

    Returns:
        (B, C, H, W), each image from 0 to 255.
    """
    b, c, h, w = images.shape
    before = length_px // 2
    after = length_px - 1 - before
    x = F.pad(images.reshape(b * c, 1, h, w), (before, after, before, after), mode="reflect")
    total = torch.zeros_like(images.reshape(b * c, 1, h, w))
    for k in range(length_px):
        total = total + x[..., k : k + h, k : k + w]
    mean = (total / length_px).reshape(b, c, h, w)
    low, high = mean.amin((1, 2, 3), keepdim=True), mean.amax((1, 2, 3), keepdim=True)
    return (mean - low) / (high - low).clamp(min=1e-6) * 255


def specks(images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Black and white pixels, half of each; noise is (B, 1, H, W) uniform.

    Args:
        images: (B, C, H, W) float, 0 to 255.
        noise: (B, 1, H, W) uniform in [0, 1).

    Returns:
        (B, C, H, W).
    """
    spoilt = torch.where(noise < SPECKS / 2, 0.0, images)
    return torch.where(noise > 1 - SPECKS / 2, 255.0, spoilt)


def _mixed(images: torch.Tensor, uniform: torch.Tensor, settings: Degrade) -> torch.Tensor:
    shape = (-1, 1, 1, 1)
    chosen = uniform[:, 1:4] < 0.5
    least = (uniform[:, 4:5] * 3).long().clamp(max=2) == torch.arange(3, device=images.device)
    chosen = torch.where(chosen.any(1, keepdim=True), chosen, least) & (uniform[:, :1] < settings.probability)
    x = torch.where(chosen[:, 0].view(shape), motion(images), images)
    x = torch.where(chosen[:, 1].view(shape), gaussian(x, settings.sigma_px), x)
    noise = uniform[:, _FIRST:].view(len(images), 1, *images.shape[2:])
    return torch.where(chosen[:, 2].view(shape), specks(x, noise), x)


MIXED = Degradation(_mixed, lambda rows, columns: _FIRST + rows * columns)
