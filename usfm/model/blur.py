"""A Gaussian blur on the device, for encoders that were trained on blurred frames."""

import math

import torch
import torch.nn.functional as F


def gaussian(images: torch.Tensor, sigma_px: float) -> torch.Tensor:
    """Blur (B, C, H, W) images, the border mirrored; the kernel reaches three sigma.

    Args:
        images: (B, C, H, W); both sides longer than three sigma.
        sigma_px: of the blur, above 0.

    Returns:
        (B, C, H, W).
    """
    reach = max(1, math.ceil(3 * sigma_px))
    place = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-(place**2) / (2 * sigma_px**2))
    kernel = kernel / kernel.sum()
    b, c, h, w = images.shape
    x = F.pad(images.reshape(b * c, 1, h, w), (reach, reach, reach, reach), mode="reflect")
    x = F.conv2d(F.conv2d(x, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return x.reshape(b, c, h, w)
