"""Changes of gray values against references: OpenCV, the wavelet's own conditions, moments of the noise."""

import cv2
import numpy as np
import pytest
import torch

from usfm.engine.augmentation import tones
from usfm.engine.augmentation.draws import normal, uniform


def picture(n=2, size=(96, 120), chans=1):
    g = np.random.default_rng(0)
    smooth = [[cv2.GaussianBlur(g.normal(0, 1, size), (0, 0), 4) for _ in range(chans)] for _ in range(n)]
    x = np.array(smooth)
    return torch.from_numpy(np.clip(110 + 90 * x / x.std(), 0, 255).round()).float()


def ones(value, n=2):
    return torch.full((n,), float(value))


def test_equalising_is_opencvs():
    x = picture(size=(384, 480))
    given = tones.equalised(x, ones(4.0))
    clahe = cv2.createCLAHE(4.0, (6, 6))
    for i in range(2):
        wanted = clahe.apply(x[i, 0].numpy().astype(np.uint8)).astype(float)
        assert np.abs(given[i, 0].numpy() - wanted).mean() < 2  # what is left over by 256 goes to the lower bins there
        assert np.abs(given[i, 0].numpy() - wanted).max() < 6
    odd = tones.equalised(x[:, :, :95, :113], ones(4.0))
    assert odd.shape == (2, 1, 95, 113)


@pytest.mark.parametrize("moments", [2, 5])
def test_the_wavelet_is_orthonormal_with_its_vanishing_moments(moments):
    low = tones.daubechies(moments)
    assert len(low) == 2 * moments
    for shift in range(moments):
        assert np.dot(low[2 * shift :], low[: len(low) - 2 * shift]) == pytest.approx(float(shift == 0), abs=1e-9)
    high = low[::-1] * (-1.0) ** np.arange(2 * moments)
    for power in range(moments):
        assert np.dot(high, np.arange(2 * moments) ** power) == pytest.approx(0, abs=1e-5 * 10**power)


@pytest.mark.parametrize("moments", [2, 5])
def test_denoising_is_perfect_without_a_threshold_and_takes_noise_away_with_one(moments):
    x = torch.from_numpy(np.stack([[cv2.GaussianBlur(each[0].numpy(), (0, 0), 9)] for each in picture(size=(96, 100))]))
    assert torch.allclose(tones.denoised(x, ones(1e3), moments), x, atol=1e-2)
    noisy = (x + 5 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255)
    after = tones.denoised(noisy, ones(3.0), moments)
    assert (after - x).pow(2).mean() < 0.5 * (noisy - x).pow(2).mean()


def test_the_threshold_does_not_grow_with_the_picture():
    g = torch.Generator().manual_seed(0)
    pictures = [torch.rand(1, 1, n, n, generator=g) * 255 for n in (64, 256)]
    left = [(tones.denoised(x, ones(3.0, 1), 2) - x).abs().mean() for x in pictures]
    assert left[1] / left[0] == pytest.approx(1, abs=0.1)


def test_speckle_has_the_moments_of_its_formula_and_follows_the_beams():
    """I = 100 and m = 7: E = I + 2 * 0.28, variance = 4 I 0.28 + 4 * 0.28^2."""
    x = torch.full((8, 1, 160, 160), 100.0)
    beams = torch.full((2, 8, 160, 160), float("nan"))
    y = tones.speckled(x, torch.arange(8), ones(7, 8), beams)
    assert y.mean().item() == pytest.approx(100.6, abs=1.5)
    assert y.std().item() == pytest.approx(10.6, rel=0.12)
    depth = torch.linspace(0, 1, 160).view(1, 160, 1).expand(8, 160, 160)
    still = tones.speckled(x, torch.arange(8), ones(7, 8), torch.stack([depth, torch.zeros_like(depth)]))
    assert torch.allclose(still[..., 0], still[..., -1]), "one angle, one grain"


def test_noise_has_its_strength_and_is_the_same_for_all_channels():
    x = torch.full((2, 3, 200, 200), 128.0)
    y = tones.noisy(x, torch.tensor([3, 4]), torch.tensor([1.0, 2.5])) - x
    assert y.std((1, 2, 3)).tolist() == pytest.approx([1.0, 2.5], rel=0.03)
    assert torch.equal(y[:, 0], y[:, 2])
    z = tones.peppered(x, torch.tensor([3, 4]), torch.tensor([0.004, 0.0]), torch.tensor([0.0, 0.02]))
    assert (z == 255).float().mean((1, 2, 3)).tolist() == pytest.approx([0.004, 0], abs=0.001)
    assert (z == 0).float().mean((1, 2, 3)).tolist() == pytest.approx([0, 0.02], abs=0.003)


def test_numbers_of_the_device_are_even_independent_and_of_their_seed():
    u = uniform(torch.arange(50), 2000)
    assert u.mean().item() == pytest.approx(0.5, abs=0.005)
    assert (torch.histc(u, 20, 0, 1) / u.numel() * 20 - 1).abs().max() < 0.03
    assert torch.corrcoef(u).fill_diagonal_(0).abs().max() < 0.12
    assert torch.corrcoef(torch.stack([u[:, :-1].flatten(), u[:, 1:].flatten()]))[0, 1].abs() < 0.01
    assert torch.equal(uniform(torch.tensor([7]), 2000)[0], u[7])
    n = normal(torch.arange(50), 2000)
    assert n.std().item() == pytest.approx(1, abs=0.01)
    assert (n**4).mean().item() == pytest.approx(3, abs=0.15)


def test_gray_value_changes_are_their_formulae():
    x = picture()
    inside = torch.zeros(2, 96, 120, dtype=torch.bool)
    inside[:, 20:60, 20:60] = True
    assert torch.allclose(tones.gamma(x, ones(2)), 255 * (x / 255) ** 2)
    assert torch.allclose(tones.bright(x, ones(1.4)), (1.4 * x).clamp(max=255))
    mean = x[:, 0, 20:60, 20:60].mean((1, 2)).view(2, 1, 1, 1)
    assert torch.allclose(tones.contrast(x, ones(0.6), inside), 0.6 * x + 0.4 * mean, atol=0.1)
    gray = picture().expand(-1, 3, -1, -1)
    assert torch.allclose(tones.saturate(gray, ones(0.5)), gray, atol=1e-2)
