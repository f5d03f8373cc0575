"""Changes of gray levels that RandAugment draws from, and its rectangle of noise; batches as in `tones`."""

import torch
import torch.nn.functional as F

from usfm.engine.augmentation.draws import normal

_BINS, MEAN, DEVIATION = 256, 0.449 * 255, 0.226 * 255
"""Mean and deviation of erasing noise: those that frames are normalised by, so that it is standard normal then."""


def _each(values: torch.Tensor) -> torch.Tensor:
    return values.float().view(-1, 1, 1, 1)


def stretched(images: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """The darkest value of the tissue becomes 0 and the brightest 255, channel by channel.

    Args:
        images: (B, C, H, W), 0 to 255.
        inside: (B, H, W) bool, what is tissue.

    Returns:
        The same shape; a channel with one value stays.
    """
    tissue = inside.unsqueeze(1)
    low = torch.where(tissue, images, 255.0).amin((2, 3), keepdim=True)
    high = torch.where(tissue, images, 0.0).amax((2, 3), keepdim=True)
    new = (255 * (images - low) / (high - low).clamp(min=1e-6)).clamp(0, 255)
    return torch.where(high > low, new, images)


def flattened(images: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """The histogram of the tissue made even, channel by channel, as Pillow's `equalize` makes it.

    Args:
        images: (B, C, H, W), 0 to 255; rounded.
        inside: (B, H, W) bool, what is tissue.

    Returns:
        The same shape, 0 to 255.
    """
    b, c, h, w = images.shape
    value = images.clamp(0, 255).round().long().reshape(b, c, h * w)
    weight = inside.reshape(b, 1, h * w).expand(b, c, h * w).float()
    counts = torch.zeros(b, c, _BINS, device=images.device).scatter_add_(2, value, weight)
    last = counts.gather(2, _BINS - 1 - (counts.flip(2) > 0).float().argmax(2, keepdim=True))
    step = ((counts.sum(2, keepdim=True) - last) / 255).floor()
    curve = (((step / 2).floor() + counts.cumsum(2) - counts) / step.clamp(min=1)).floor().clamp(0, 255)
    same = torch.arange(_BINS, device=images.device).float().expand_as(curve)
    return torch.where(step > 0, curve, same).gather(2, value).view(b, c, h, w)


def posterised(images: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Only the highest bits are kept.

    Args:
        images: (B, C, H, W), 0 to 255.
        bits: (B,) 0 to 8.

    Returns:
        The same shape.
    """
    step = 2 ** (8 - _each(bits))
    return (images / step).floor() * step


def solarised(images: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """255 minus the value where it is at or above a threshold; 0 inverts all.

    Args:
        images: (B, C, H, W), 0 to 255.
        threshold: (B,).

    Returns:
        The same shape.
    """
    return torch.where(images >= _each(threshold), 255 - images, images)


def lifted(images: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
    """Plus a number where the value is under 128.

    Args:
        images: (B, C, H, W), 0 to 255.
        more: (B,).

    Returns:
        The same shape, 0 to 255.
    """
    return torch.where(images < 128, (images + _each(more)).clamp(0, 255), images)


def sharpened(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Away from or towards a smoothed picture, as Pillow has it; the outermost pixels stay.

    Args:
        images: (B, C, H, W), 0 to 255.
        factor: (B,); 1 changes nothing, 0 is smooth.

    Returns:
        The same shape, 0 to 255.
    """
    kernel = images.new_tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]).view(1, 1, 3, 3) / 13
    b, c, h, w = images.shape
    soft = images.clone()
    soft[:, :, 1:-1, 1:-1] = F.conv2d(images.reshape(b * c, 1, h, w), kernel).view(b, c, h - 2, w - 2)
    return (soft + _each(factor) * (images - soft)).clamp(0, 255)


def erased(
    images: torch.Tensor,
    seeds: torch.Tensor,
    area: torch.Tensor,
    ratio: torch.Tensor,
    down: torch.Tensor,
    across: torch.Tensor,
) -> torch.Tensor:
    """A rectangle of Gaussian noise.

    Args:
        images: (B, C, H, W), 0 to 255.
        seeds: (B,) int64.
        area: (B,) share of the picture.
        ratio: (B,) height / width.
        down: (B,) where it is, 0 at the upper edge and 1 at the lower.
        across: (B,) likewise from the left.

    Returns:
        The same shape, 0 to 255. A side that would be longer than the picture is as long as it.
    """
    b, _, h, w = images.shape
    high = (area * ratio * h * w).sqrt().round().clamp(1, h)
    wide = (area / ratio * h * w).sqrt().round().clamp(1, w)
    top, left = (down * (h - high + 1)).floor().clamp(max=h - 1), (across * (w - wide + 1)).floor().clamp(max=w - 1)
    rows, columns = (torch.arange(n, device=images.device).view(1, -1) for n in (h, w))
    in_rows = (rows >= top.view(-1, 1)) & (rows < (top + high).view(-1, 1))
    in_columns = (columns >= left.view(-1, 1)) & (columns < (left + wide).view(-1, 1))
    noise = (MEAN + DEVIATION * normal(seeds, h * w)).clamp(0, 255).view(b, 1, h, w)
    return torch.where((in_rows.unsqueeze(2) & in_columns.unsqueeze(1)).unsqueeze(1), noise, images)
