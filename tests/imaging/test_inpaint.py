"""A fill changes masked pixels only, and is right at the border."""

import numpy as np
import pytest

from usfm.imaging.inpaint import METHODS, fill

CORNERS = [
    (slice(0, 8), slice(0, 20)),
    (slice(-8, None), slice(-20, None)),
    (slice(20, 28), slice(20, 40)),
    (slice(0, 3), slice(None)),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_only_masked_pixels_change(method, channels):
    image = np.random.default_rng(0).integers(1, 255, (50, 60, *channels), dtype=np.uint8)
    mask = np.random.default_rng(1).random((50, 60)) < 0.1
    before = image.copy()
    result = fill(image, mask, method)
    np.testing.assert_array_equal(result[~mask], image[~mask])
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("method", ["ns", "telea"])
@pytest.mark.parametrize("where", CORNERS)
def test_text_on_the_border_is_replaced_by_its_surroundings(method, where):
    image = np.full((50, 60), 100, np.uint8)
    image[where] = 255
    assert np.abs(fill(image, image == 255, method).astype(int) - 100).max() <= 4


@pytest.mark.parametrize("method", ["ns", "telea"])
def test_a_slope_is_continued(method):
    slope = np.tile(np.linspace(0, 200, 100), (60, 1)).astype(np.uint8)
    mask = np.zeros(slope.shape, bool)
    mask[25:33, 40:52] = True
    spoilt = np.where(mask, 255, slope).astype(np.uint8)
    assert np.abs(fill(spoilt, mask, method).astype(int) - slope)[mask].mean() < 8


def test_blank_is_black_and_an_empty_mask_changes_nothing():
    image = np.full((9, 9), 8, np.uint8)
    mask = np.eye(9, dtype=bool)
    assert (fill(image, mask, "blank")[mask] == 0).all()
    np.testing.assert_array_equal(fill(image, np.zeros((9, 9), bool)), image)
    assert (fill(image, np.ones((9, 9), bool)) == 0).all()


def test_wrong_requests_are_refused():
    with pytest.raises(ValueError, match="method"):
        fill(np.zeros((3, 3), np.uint8), np.zeros((3, 3), bool), "paint")
    with pytest.raises(ValueError, match="shape"):
        fill(np.zeros((3, 3), np.uint8), np.zeros((4, 3), bool))
