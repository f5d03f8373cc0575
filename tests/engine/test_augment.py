"""Augmentation on the device: image, coverage and beams move together."""

import math

import numpy as np
import pytest
import torch

from usfm.engine.augment import beam_coordinates, cut_coverage, cut_images, geometry_rows, source_points
from usfm.engine.crops import DRAWS, AreaTables, random_crops, whole


@pytest.fixture(scope="module")
def crops():
    return random_crops(np.random.default_rng(0).random((6, DRAWS)), (64, 80), vflip=0.5)


def test_equals_torchvision(crops):
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2.functional import resized_crop

    images = torch.randint(0, 256, (6, 1, 64, 80), dtype=torch.uint8)
    got = cut_images(images, torch.from_numpy(crops.stacked()), (32, 48))
    for i in range(6):
        box = [int(v[i]) for v in (crops.top, crops.left, crops.height, crops.width)]
        want = resized_crop(images[i : i + 1].float(), *box, (32, 48), InterpolationMode.BICUBIC, antialias=True)
        want = want.flip(-1) if crops.hflip[i] else want
        want = want.flip(-2) if crops.vflip[i] else want
        assert torch.allclose(got[i], want[0].clamp(0, 255), atol=0.01)


def test_coverage_on_the_device_equals_the_hosts_before_flips(crops):
    masks = np.random.default_rng(1).random((6, 64, 80)) > 0.5
    host = AreaTables.of(masks).coverage(np.arange(6), crops, (4, 5))
    host = np.where(crops.hflip[:, None, None], host[:, :, ::-1], host)
    host = np.where(crops.vflip[:, None, None], host[:, ::-1], host)
    device = cut_coverage(torch.from_numpy(masks.astype(np.uint8)), torch.from_numpy(crops.stacked()), (4, 5))
    assert np.abs(host - device.numpy()).max() < 1e-4


def test_the_whole_frame_at_its_size_is_the_frame():
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    still = torch.from_numpy(whole(2, (32, 32)).stacked())
    assert torch.allclose(cut_images(images, still, (32, 32)), images.float(), atol=1e-3)
    assert torch.allclose(cut_images(images, still, (32, 32), rotated=True), images.float(), atol=1e-2)


def test_image_mask_and_points_move_together_under_rotation_and_flips():
    """A bright spot, its mask, and the point map agree on where it went."""
    frame = torch.zeros(1, 1, 64, 64)
    frame[0, 0, 20:24, 40:44] = 255
    c = whole(1, (64, 64))
    crops = torch.from_numpy(c.stacked())
    crops[0, 4:] = torch.tensor([1.0, 1.0, math.radians(30)])
    image = cut_images(frame, crops, (64, 64), rotated=True)[0, 0]
    mask = cut_coverage((frame[:, 0] > 0).to(torch.uint8), crops, (16, 16), rotated=True)[0]
    rows, columns = source_points(crops, 64, 64)
    distance = (rows[0] - 21.5) ** 2 + (columns[0] - 41.5) ** 2
    expected = divmod(int(distance.argmin()), 64)
    brightest = divmod(int(torch.nn.functional.avg_pool2d(image[None, None], 3, 1, 1).argmax()), 64)
    assert max(abs(a - b) for a, b in zip(expected, brightest, strict=True)) <= 2
    covered = divmod(int(mask.argmax()), 16)
    assert max(abs(a - b // 4) for a, b in zip(covered, expected, strict=True)) <= 1


@pytest.mark.parametrize("shape", ["convex", "phased", "linear", "trapezoid"])
def test_beams_equal_the_imaging_floors(shape):
    from usfm.imaging.fan import SectorGeometry, depth_angle

    geometry = SectorGeometry(
        shape, 30.0, -5.0 if shape != "linear" else 4.0, 6.0 if shape != "linear" else 0.0, 60.0, -0.5, 0.6
    )
    names = ("apex_x_px", "apex_y_px", "radius_0_px", "radius_1_px", "angle_0_rad", "angle_1_rad")
    table = {"shape": [shape], **{name: np.array([getattr(geometry, name)]) for name in names}}
    rows, columns = np.random.default_rng(0).uniform(5, 60, (2, 50))
    depth, angle = beam_coordinates(geometry_rows(table), *(torch.from_numpy(v[None]).float() for v in (rows, columns)))
    expected = depth_angle(geometry, rows, columns)
    assert np.abs(depth[0].numpy() - expected[0]).max() < 1e-4
    assert np.abs(angle[0].numpy() - expected[1]).max() < 1e-4


def test_no_fit_is_nan():
    names = ("apex_x_px", "apex_y_px", "radius_0_px", "radius_1_px", "angle_0_rad", "angle_1_rad")
    table = {"shape": [""], **{name: np.array([np.nan]) for name in names}}
    depth, _ = beam_coordinates(geometry_rows(table), torch.zeros(1, 4), torch.zeros(1, 4))
    assert depth.isnan().all()
