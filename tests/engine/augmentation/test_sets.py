"""Rules for every set: by counter, inside the region, the truth moved along, its chances and strengths."""

import math

import numpy as np
import pytest
import torch

from usfm.engine.augmentation.draws import Draws
from usfm.engine.augmentation.sets import BEST, DRAWS, SETS, _picked, augment
from usfm.engine.counter import uniforms
from usfm.engine.truth import Truth
from usfm.errors import RequestError

FAN = [0.0, 48.0, -10.0, 24.0, 100.0, -0.55, 0.55]
N = 12


def batch(n=N, size=(96, 96), chans=1):
    g = np.random.default_rng(3)
    frames = torch.from_numpy(g.integers(20, 236, (n, chans, *size), np.uint8))
    rows, columns = np.mgrid[: size[0], : size[1]]
    region = torch.from_numpy((rows - 48) ** 2 + (columns - 48) ** 2 < 40**2).expand(n, *size)
    geometry = torch.tensor([FAN if i % 3 else [math.nan] * 7 for i in range(n)])
    return frames, region, geometry, uniforms(5, np.arange(n), np.zeros(n, int), DRAWS)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("chans", [1, 3])
def test_a_sample_depends_on_its_own_numbers_only(name, chans):
    """Another order, another batch: the same picture, so that a run resumes and processes share it exactly."""
    frames, region, geometry, uniform = batch(chans=chans)
    whole = augment(name, frames, uniform, (64, 64), geometry=geometry, regions=region)
    some = np.array([7, 2, 10])
    part = augment(name, frames[some], uniform[some], (64, 64), geometry=geometry[some], regions=region[some])
    assert torch.allclose(whole.images[some], part.images, atol=1e-3)
    assert torch.equal(whole.inside[some], part.inside)
    assert whole.images.shape == (N, chans, 64, 64)
    assert whole.images.isfinite().all()
    assert 0 <= whole.images.min()
    assert whole.images.max() <= 255


@pytest.mark.parametrize("name", [name for name in SETS if name != "none"])
def test_each_set_changes_most_samples_and_draws_fewer_numbers_than_there_are(name):
    frames, region, geometry, uniform = batch()
    view = augment(name, frames, uniform, (96, 96), geometry=geometry, regions=region)
    same = torch.isclose(view.images, frames.float(), atol=1).flatten(1).all(1)
    assert same.sum() <= N / 3


def test_none_is_the_frame():
    frames, region, geometry, uniform = batch()
    view = augment("none", frames, uniform, (96, 96), geometry=geometry, regions=region)
    assert torch.allclose(view.images, frames.float(), atol=1e-2)
    assert torch.equal(view.inside, region)
    assert torch.allclose(view.geometry, geometry, equal_nan=True, atol=1e-4)


@pytest.mark.parametrize("name", SETS)
def test_gray_values_change_inside_the_region_only(name):
    """What is outside holds values that a change of place alone gives: here zero, by a frame that is black there."""
    frames, region, geometry, uniform = batch()
    dark = frames * region.unsqueeze(1)
    view = augment(name, dark, uniform, (96, 96), geometry=geometry, regions=region)
    well = torch.nn.functional.max_pool2d(view.inside.float().unsqueeze(1), 21, 1, 10) == 0
    assert view.images[well].abs().max() < 1e-3


@pytest.mark.parametrize("name", SETS)
def test_masks_and_boxes_go_along(name):
    frames, _, geometry, uniform = batch()
    frames = torch.zeros_like(frames)
    frames[:, :, 40:60, 38:58] = 250
    masks = torch.zeros(N, 96, 96, dtype=torch.uint8)
    masks[:, 40:60, 38:58] = 2
    boxes = torch.tensor([[[40.0, 38, 60, 58]]]).expand(N, 1, 4)
    truth = Truth(torch.arange(N), masks, boxes, torch.ones(N, 1, dtype=torch.int64))
    view = augment(name, frames, uniform, (96, 96), geometry=geometry, truth=truth)
    assert view.truth.labels.tolist() == list(range(N))
    for i in range(N):
        mask = view.truth.masks[i] == 2
        rows, columns = mask.nonzero().unbind(1)
        if mask.sum() < 40 or view.truth.box_classes[i, 0] < 0:
            continue
        around = torch.tensor([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]).float()
        assert (view.truth.boxes[i, 0] - around).abs().max() < 2.5
        if name != "randaugment":  # which may invert
            assert view.images[i, 0][mask].mean() > view.images[i, 0][~mask].mean() + 40
    assert ((view.truth.masks == 0) | (view.truth.masks == 2)).all()


def test_two_operations_are_drawn_of_the_best_and_all_alike():
    chosen = _picked(Draws(np.random.default_rng(0).random((6000, 2))))
    assert set(chosen.sum(1)) == {1, 2}
    expected = 1 - (1 - 1 / len(BEST)) ** 2
    assert np.abs(chosen.mean(0) - expected).max() < 0.02


def test_augus_o_cuts_nothing_off_by_a_crop_and_augus_d_does():
    """Whole field of view against a part of it, by the share of the frame that a sample shows."""
    frames, _, geometry, _ = batch(200)
    uniform = uniforms(9, np.arange(200), np.zeros(200, int), DRAWS)
    shown = {}
    for name in ("augus-o", "augus-d"):
        view = augment(name, frames, uniform, (48, 48), geometry=geometry)
        step = (view.rows[:, 1:, 24] - view.rows[:, :-1, 24]).abs().median(1).values
        shown[name] = (step * 48 / 96).clamp(max=1).mean().item()
    assert shown["augus-d"] < 0.8 * shown["augus-o"]


def test_an_unknown_set_is_one_sentence():
    with pytest.raises(RequestError, match="did you mean 'augus-o'"):
        augment("augus-0", *batch()[:1], batch()[3], (8, 8))
