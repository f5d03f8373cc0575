"""Texture scores against scikit-image and common sense."""

import numpy as np
import pytest

from usfm.imaging.texture import SCORES, gradient_energy, laplacian, slopes


@pytest.mark.parametrize("name", SCORES)
def test_flat_is_zero_and_contrast_scales(name):
    rng = np.random.default_rng(0)
    image = rng.random((64, 48)) * 50
    assert np.abs(SCORES[name](np.full((64, 48), 7.0), 16)).max() < 1e-3
    once, twice = SCORES[name](image, 16), SCORES[name](2 * image, 16)
    assert once.shape == (4, 3)
    assert np.allclose(twice, 2 * once, rtol=1e-3)


@pytest.mark.parametrize("name", SCORES)
def test_busy_patches_score_higher(name):
    image = np.zeros((32, 32))
    image[:16, :16] = np.random.default_rng(0).random((16, 16)) * 100
    score = SCORES[name](image, 16)
    assert score[0, 0] > 5 * score[1, 1]


def test_slopes_are_scipys_sobel():
    from scipy.ndimage import sobel

    image = np.random.default_rng(0).random((20, 30)).astype(np.float32)
    across, down = slopes(image)
    assert np.allclose(across, sobel(image, axis=1, mode="mirror") / 8, atol=1e-5)
    assert np.allclose(down, sobel(image, axis=0, mode="mirror") / 8, atol=1e-5)


def test_a_ramp():
    ramp = np.tile(np.arange(64.0), (32, 1))
    assert gradient_energy(ramp, 16)[0, 1] == pytest.approx(1)
    assert laplacian(ramp, 16)[0, 1] == pytest.approx(0, abs=1e-5)
