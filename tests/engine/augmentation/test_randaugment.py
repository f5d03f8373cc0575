"""RandAugment: its levels are Pillow's, its operations are drawn alike, places follow sign and strength."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from usfm.engine.augmentation import levels, randaugment
from usfm.engine.augmentation.draws import Draws
from usfm.engine.augmentation.places import Scene


@pytest.fixture
def picture():
    """A speckled gray picture that leaves the ends of the range free."""
    rng = np.random.default_rng(0)
    return np.clip(rng.gamma(3, 22, (40, 56)), 9, 231).astype(np.uint8)


def one(value):
    return torch.tensor([float(value)])


EVERYWHERE = torch.ones(1, 40, 56, dtype=torch.bool)
AS_PILLOW = {
    "autocontrast": (lambda x: levels.stretched(x, EVERYWHERE), ImageOps.autocontrast, 1),
    "equalise": (lambda x: levels.flattened(x, EVERYWHERE), ImageOps.equalize, 0),
    "posterise": (lambda x: levels.posterised(x, one(3)), lambda i: ImageOps.posterize(i, 3), 0),
    "solarise": (lambda x: levels.solarised(x, one(90)), lambda i: ImageOps.solarize(i, 90), 0),
    "invert": (lambda x: levels.solarised(x, one(0)), ImageOps.invert, 0),
    "sharpness": (lambda x: levels.sharpened(x, one(1.8)), lambda i: ImageEnhance.Sharpness(i).enhance(1.8), 1.5),
}


@pytest.mark.parametrize("name", AS_PILLOW)
def test_levels_are_pillows(picture, name):
    ours, theirs, rounding = AS_PILLOW[name]
    found = ours(torch.from_numpy(picture)[None, None].float())[0, 0].numpy()
    assert np.abs(found - np.asarray(theirs(Image.fromarray(picture)), float)).max() <= rounding


def test_levels_that_depend_on_a_picture_are_those_of_its_region(picture):
    region = torch.zeros(1, 40, 56, dtype=torch.bool)
    region[:, 10:30, 10:40] = True
    other = torch.from_numpy(np.where(region[0], picture, 250))[None, None].float()
    for change in (levels.stretched, levels.flattened):
        found = change(other, region)[0, 0][10:30, 10:40]
        cut = change(other[:, :, 10:30, 10:40], region[:, 10:30, 10:40])[0, 0]
        assert torch.equal(found, cut)


def test_a_rectangle_is_as_large_as_asked_and_inside():
    n, area, ratio = 200, torch.full((200,), 0.1), torch.full((200,), 1.5)
    rng = np.random.default_rng(1)
    down, across = (torch.from_numpy(rng.random(n)).float() for _ in range(2))
    changed = levels.erased(torch.full((n, 1, 60, 80), -1.0), torch.arange(n), area, ratio, down, across)[:, 0] >= 0
    assert (changed.sum((1, 2)) == round((0.1 * 1.5 * 4800) ** 0.5) * round((0.1 / 1.5 * 4800) ** 0.5)).all()
    assert changed.any(0).float().mean() > 0.9


def test_operations_are_drawn_alike_and_places_are_as_strong_as_said():
    uniform = np.random.default_rng(2).random((9000, 64))
    first, second = randaugment.layers(Draws(uniform))
    for layer in (first, second):
        share = np.bincount(layer.which, minlength=15) / 9000
        assert np.abs(share - 1 / 15).max() < 0.012
        assert abs(layer.on.mean() - 0.5) < 0.02
        assert abs(layer.level.mean() - 0.9) < 0.01
        assert layer.level.max() <= 1
    assert abs((first.which == second.which).mean() - 1 / 15) < 0.012
    scene = Scene(Draws(uniform[:400]), (96, 96), torch.full((400, 7), torch.nan))
    moved = randaugment.places(scene)[4]  # of the first layer, after crop, mirror, rotation and shear: the shift
    rows, columns = moved.forth(torch.zeros(400, 1), torch.zeros(400, 1))
    across, down = first.of("shift across")[:400], first.of("shift down")[:400]
    assert (columns[~across] == 0).all()
    assert (rows[~down] == 0).all()
    assert columns[across].abs().mean().item() == pytest.approx(0.9 * 0.45 * 96, rel=0.05)
