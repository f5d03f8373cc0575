"""Changes of gray values on a batch, each (B, C, H, W) of 0 to 255 and numbers a sample -> the same shape."""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from usfm.engine.augmentation.draws import normal, uniform

_BINS, GRAIN_DEPTH, GRAIN_ANGLE = 256, 80, 40


def _each(values: torch.Tensor) -> torch.Tensor:
    return values.float().view(-1, 1, 1, 1)


def gamma(images: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    """255 (x / 255) ^ power.

    Args:
        images: (B, C, H, W), 0 to 255.
        power: (B,).

    Returns:
        The same shape, 0 to 255.
    """
    return 255 * (images / 255) ** _each(power)


def bright(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Times a factor, as far as the gray values go.

    Args:
        images: (B, C, H, W), 0 to 255.
        factor: (B,).

    Returns:
        The same shape, 0 to 255.
    """
    return (images * _each(factor)).clamp(0, 255)


def contrast(images: torch.Tensor, factor: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Away from or towards the mean of the tissue.

    Args:
        images: (B, C, H, W), 0 to 255.
        factor: (B,); 0 leaves the mean alone.
        inside: (B, H, W) bool, what is tissue.

    Returns:
        The same shape, 0 to 255.
    """
    weight = inside.unsqueeze(1).float()
    mean = (images * weight).sum((1, 2, 3), keepdim=True) / (weight.sum((1, 2, 3), keepdim=True) * images.shape[1] + 1)
    return (_each(factor) * images + (1 - _each(factor)) * mean).clamp(0, 255)


def saturate(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Away from or towards gray; what has one channel stays.

    Args:
        images: (B, C, H, W), 0 to 255.
        factor: (B,); 0 leaves gray.

    Returns:
        The same shape, 0 to 255.
    """
    if images.shape[1] == 1:
        return images
    gray = (images * images.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return (_each(factor) * images + (1 - _each(factor)) * gray).clamp(0, 255)


def equalised(images: torch.Tensor, clip: torch.Tensor, tiles: int = 6) -> torch.Tensor:
    """Contrast-limited adaptive histogram equalisation (CLAHE).

    Args:
        images: (B, C, H, W), 0 to 255; each channel on its own.
        clip: (B,) highest share of a bin, in means of all bins.
        tiles: tiles on each axis.

    Returns:
        The same shape, 0 to 255.

    Source: Zuiderveld 1994, as OpenCV does it: what is clipped is spread evenly, and a pixel's value is interpolated
    between the curves of the four tiles around it.
    """
    b, c, h, w = images.shape
    high, wide = -(-h // tiles), -(-w // tiles)
    levels = images.clamp(0, 255).round().long().view(b * c, 1, h, w)
    padded = F.pad(levels.float(), (0, tiles * wide - w, 0, tiles * high - h), mode="reflect").long()
    cells = padded.view(b * c, tiles, high, tiles, wide).permute(0, 1, 3, 2, 4).reshape(b * c, tiles**2, high * wide)
    ones = torch.ones_like(cells, dtype=torch.float32)
    counts = torch.zeros(b * c, tiles**2, _BINS, device=images.device).scatter_add_(2, cells, ones)
    limit = (clip.float().repeat_interleave(c) * high * wide / _BINS).clamp(min=1).floor().view(-1, 1, 1)
    over = (counts - limit).clamp(min=0).sum(2, keepdim=True)
    curves = (torch.minimum(counts, limit) + over / _BINS).cumsum(2) * (255 / (high * wide))
    return _interpolated(curves, levels, tiles, high, wide).view(b, c, h, w).clamp(0, 255)


def _interpolated(curves: torch.Tensor, levels: torch.Tensor, tiles: int, high: int, wide: int) -> torch.Tensor:
    n, _, h, w = levels.shape
    y = (torch.arange(h, device=levels.device) + 0.5) / high - 0.5
    x = (torch.arange(w, device=levels.device) + 0.5) / wide - 0.5
    total = torch.zeros(n, h * w, device=levels.device)
    for down in (0, 1):
        for across in (0, 1):
            row = (y.floor() + down).clamp(0, tiles - 1).long()
            column = (x.floor() + across).clamp(0, tiles - 1).long()
            weigh_y = y - y.floor() if down else 1 - (y - y.floor())
            weigh_x = x - x.floor() if across else 1 - (x - x.floor())
            place = (row[:, None] * tiles + column[None, :]) * _BINS + levels[:, 0]
            value = curves.flatten(1).gather(1, place.flatten(1))
            total += value * (weigh_y[:, None] * weigh_x[None, :]).flatten()
    return total


# ---------------------------------------------------------------- wavelets

_AT_128 = {2: 18**2 / 2, 5: 23**2 / 2}
"""Half the pixels of the coarsest band of a picture of 128 px, by the vanishing moments of the wavelet."""


@lru_cache
def daubechies(moments: int) -> np.ndarray:
    """The orthonormal low-pass filter with so many vanishing moments: (2 moments,) float64.

    Source: Daubechies 1988: the roots of her polynomial that lie within the unit circle.
    """
    polynomial = [math.comb(moments - 1 + k, k) for k in range(moments)]
    taps = np.array([1.0])
    for _ in range(moments):
        taps = np.convolve(taps, [1, 1])
    for y in np.roots(polynomial[::-1]):  # y = (2 - z - 1 / z) / 4
        pair = np.roots([1, 4 * y - 2, 1])
        taps = np.convolve(taps, [1, -pair[np.abs(pair).argmin()]])
    taps = np.real(taps)
    return taps / taps.sum() * math.sqrt(2)


@lru_cache
def _analysis(n: int, moments: int) -> np.ndarray:
    """The orthogonal matrix (n, n) of one level on a circle: n / 2 low bands, then n / 2 high ones."""
    low = daubechies(moments)
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    matrix = np.zeros((n, n))
    for k in range(n // 2):
        for taps, row in ((low, k), (high, n // 2 + k)):
            np.add.at(matrix[row], (2 * k + np.arange(len(taps))) % n, taps)
    return matrix.astype(np.float32)


def denoised(images: torch.Tensor, power: torch.Tensor, moments: int) -> torch.Tensor:
    """Soft thresholds on the two finest of three levels of a wavelet transform (Birge-Massart).

    Args:
        images: (B, C, H, W), 0 to 255.
        power: (B,) alpha of the thresholds m / 3^alpha and m / 2^alpha.
        moments: of the Daubechies wavelet, 2 or 5.

    Returns:
        The same shape, 0 to 255.

    Source: AugUS (VanBerlo et al. 2025). There m grows with the picture; here it is that of 128 px at any size.
    """
    h, w = images.shape[2:]
    x = F.pad(images, (0, -w % 8, 0, -h % 8), mode="reflect")
    sizes = [(x.shape[2] >> k, x.shape[3] >> k) for k in range(3)]
    out = x.clone()
    for high, wide in sizes:
        rows, columns = (torch.from_numpy(_analysis(n, moments)).to(x.device) for n in (high, wide))
        out[:, :, :high, :wide] = rows @ out[:, :, :high, :wide] @ columns.T
    for k, (high, wide) in enumerate(sizes[:2]):
        limit = _AT_128[moments] / (3.0 - k) ** _each(power)
        part = out[:, :, :high, :wide].clone()
        soft = part.sign() * (part.abs() - limit).clamp(min=0)
        soft[:, :, : high // 2, : wide // 2] = part[:, :, : high // 2, : wide // 2]
        out[:, :, :high, :wide] = soft
    for high, wide in reversed(sizes):
        rows, columns = (torch.from_numpy(_analysis(n, moments)).to(x.device) for n in (high, wide))
        out[:, :, :high, :wide] = rows.T @ out[:, :, :high, :wide] @ columns
    return out[:, :, :h, :w].clamp(0, 255)


# ---------------------------------------------------------------- noise


def speckled(images: torch.Tensor, seeds: torch.Tensor, count: torch.Tensor, beams: torch.Tensor) -> torch.Tensor:
    """The amplitude's root meets complex noise: (sqrt I + X)^2 + Y^2 with X, Y of variance 0.04 count.

    The noise lies on a grid of depths and angles, as grains do, and the picture keeps its pixels.

    Args:
        images: (B, C, H, W), 0 to 255.
        seeds: (B,) int64.
        count: (B,) scatterers, such as 5 to 9.
        beams: (2, B, H, W) depth 0 to 1 and angle -1 to 1; where they are NaN the grid is that of the picture.

    Returns:
        The same shape, 0 to 255.

    Source: AugUS's speckle noise, there on a coarse grid for the picture too.
    """
    b, _, h, w = images.shape
    flat = torch.meshgrid(
        torch.linspace(0, 1, h, device=images.device), torch.linspace(-1, 1, w, device=images.device), indexing="ij"
    )
    depth, angle = (torch.where(each.isnan(), own, each) for each, own in zip(beams, flat, strict=True))
    n = GRAIN_DEPTH * GRAIN_ANGLE
    grains = torch.stack([normal(seeds, n, stream=k) for k in (0, 1)], 1).view(b, 2, GRAIN_DEPTH, GRAIN_ANGLE)
    grid = torch.stack([angle, 2 * depth - 1], -1)
    found = F.grid_sample(grains, grid, mode="bilinear", align_corners=True, padding_mode="border")
    found = 1.5 * found * (0.04 * _each(count)).sqrt()  # interpolation takes a third of the deviation away
    root = images.clamp(min=0).sqrt()
    return ((root + found[:, :1]) ** 2 + found[:, 1:] ** 2).clamp(0, 255)


def noisy(images: torch.Tensor, seeds: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Plus Gaussian noise, the same for all channels.

    Args:
        images: (B, C, H, W), 0 to 255.
        seeds: (B,) int64.
        sigma: (B,) gray levels.

    Returns:
        The same shape, 0 to 255.
    """
    b, _, h, w = images.shape
    return (images + _each(sigma) * normal(seeds, h * w).view(b, 1, h, w)).clamp(0, 255)


def peppered(images: torch.Tensor, seeds: torch.Tensor, salt: torch.Tensor, pepper: torch.Tensor) -> torch.Tensor:
    """A share of the pixels white, another black.

    Args:
        images: (B, C, H, W), 0 to 255.
        seeds: (B,) int64.
        salt: (B,) share that becomes white.
        pepper: (B,) share that becomes black.

    Returns:
        The same shape, 0 to 255.
    """
    b, _, h, w = images.shape
    chance = uniform(seeds, h * w).view(b, 1, h, w)
    white = torch.where(chance < _each(salt), 255.0, images)
    return torch.where(chance > 1 - _each(pepper), 0.0, white)
