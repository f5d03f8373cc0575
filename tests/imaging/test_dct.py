"""DCT features and hashes agree with their references and see only the acoustic region."""

import cv2
import imagehash
import numpy as np
import pytest
import scipy.fft
from PIL import Image
from scipy.fft import dctn

from usfm.imaging import dct


def speckle(seed, shape=(120, 160)):
    generator = np.random.default_rng(seed)
    coarse = generator.random((12, 16))
    return (np.kron(coarse, np.ones((10, 10)))[: shape[0], : shape[1]] * 200 + generator.random(shape) * 40).astype(
        np.uint8
    )


def disc(shape=(120, 160)):
    rows, columns = np.indices(shape)
    return (rows - 60) ** 2 + (columns - 80) ** 2 < 50**2


def test_matrix_is_the_dct_of_scipy():
    image = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    matrix = dct.dct_matrix(32, 8)
    np.testing.assert_allclose(matrix @ image @ matrix.T, dctn(image, norm="ortho")[:8, :8], atol=1e-5)


def test_features_have_length_one_and_no_constant_term():
    features = dct.dct_features([speckle(i) for i in range(5)], [disc()] * 5)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
    assert (features[:, 0] == 0).all()


def test_brightness_and_gain_change_little():
    image = speckle(1)
    darker = (image * 0.6 + 20).astype(np.uint8)
    a, b = dct.dct_features([image, darker], [disc()] * 2)
    assert a @ b > 0.999


def test_only_the_region_counts_and_not_where_it_lies():
    image, mask = speckle(2), disc()
    noisy = np.where(mask, image, speckle(3))
    moved, moved_mask = np.roll(image, 20, axis=1), np.roll(mask, 20, axis=1)
    features = dct.dct_features([image, noisy, moved], [mask, mask, moved_mask])
    np.testing.assert_allclose(features[0], features[1], atol=0.02)
    np.testing.assert_allclose(features[0], features[2], atol=1e-5)


def test_unrelated_pictures_of_one_fan_are_unlike_only_without_the_constant_term():
    images, masks = [np.where(disc(), speckle(i), 0).astype(np.uint8) for i in range(8)], [disc()] * 8
    pairs = np.triu_indices(8, 1)
    without = dct.dct_features(images, masks)
    with_constant = dct.dct_features(images, masks, emphasis=0, constant=True)
    assert np.abs((without @ without.T)[pairs]).max() < 0.5 < (with_constant @ with_constant.T)[pairs].min()


def test_emphasis_weights_by_frequency():
    image = speckle(5)
    plain, weighted = dct.dct_features([image], emphasis=0)[0], dct.dct_features([image])[0]
    frequency = np.hypot(*np.indices((16, 16))).ravel()
    expected = plain * frequency
    np.testing.assert_allclose(weighted, expected / np.linalg.norm(expected), atol=1e-5)


@pytest.mark.parametrize("quality", [40, 80])
def test_the_same_picture_coded_again_is_a_near_duplicate(quality):
    image = speckle(6)
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    smaller = cv2.resize(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    features = dct.dct_features([image, smaller])
    assert features[0] @ features[1] > 0.97


def test_flat_frames_resemble_flat_frames_only():
    flat = [np.full((50, 60), 7, np.uint8), np.zeros((30, 30), np.uint8)]
    similarity = dct.dct_features([*flat, speckle(0)])
    similarity = similarity @ similarity.T
    assert similarity[0, 1] == 1
    assert similarity[0, 2] == similarity[1, 2] == 0


def slow_phash(image):
    """By the formula: 32 x 32 by Lanczos, DCT-II both ways, the lowest 8 x 8 against their median."""
    small = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.LANCZOS), float)
    low = scipy.fft.dct(scipy.fft.dct(small, axis=0), axis=1)[:8, :8].ravel()
    return sum(1 << (63 - k) for k, value in enumerate(low) if value > np.median(low))


def test_phash_is_imagehashs_and_its_formula():
    images = [speckle(i) for i in range(6)]
    theirs = [imagehash.phash(Image.fromarray(image)) for image in images]
    ours = dct.phash(images)
    for i, image_hash in enumerate(theirs):
        assert int(ours[i]) == int(str(image_hash), 16) == slow_phash(images[i])
        assert [int(dct.hamming(ours[i], ours[j])) for j in range(6)] == [image_hash - other for other in theirs]


def test_no_images_give_no_rows():
    assert dct.dct_features([]).shape == (0, 256)
    assert dct.phash([]).shape == (0,)


def test_blur_lowers_sharpness():
    image = speckle(4)
    blurred = (np.cumsum(image.astype(float), axis=1)[:, 8:] - np.cumsum(image.astype(float), axis=1)[:, :-8]) / 8
    assert dct.sharpness(blurred.astype(np.uint8)) < dct.sharpness(image)


@pytest.mark.parametrize("bad", [{"keep": 1}, {"keep": 65}, {"masks": [None, None]}])
def test_wrong_requests_are_refused(bad):
    with pytest.raises(ValueError):
        dct.dct_features([speckle(0)], **bad)
