"""Worse inputs: the rules of the table, and the formulae of the two that there are."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from usfm.model.blur import gaussian
from usfm.pretrain.degradations import DEGRADATIONS
from usfm.pretrain.degradations.mixed import MOTION_PX, motion, specks
from usfm.pretrain.settings import Degrade


def images(n=4, side=40, channels=1):
    torch.manual_seed(0)
    return torch.rand(n, channels, side, side) * 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_every_degradation_keeps_the_rules(kind, channels, no_sync):
    row, given = DEGRADATIONS[kind], images(channels=channels)
    uniform = torch.rand(4, row.draws(40, 40))
    with no_sync:
        worse = row.worse(given, uniform, Degrade(kind=kind))
    again = row.worse(given[1:3], uniform[1:3], Degrade(kind=kind))
    assert worse.shape == given.shape
    assert worse.isfinite().all()
    assert worse.min() >= -1e-3
    assert worse.max() <= 255 + 1e-3
    assert torch.allclose(again, worse[1:3], atol=1e-3)
    if row.draws(40, 40):
        assert not torch.allclose(worse, given)
        assert torch.equal(row.worse(given, uniform, Degrade(kind=kind, probability=0.0)), given)


@pytest.mark.parametrize("sigma", [0.6, 1.1, 3.0])
def test_the_blur_is_a_gaussian(sigma):
    given = images()
    wanted = [
        gaussian_filter(x[0].double().numpy(), sigma, mode="mirror", radius=int(np.ceil(3 * sigma))) for x in given
    ]
    assert np.abs(gaussian(given, sigma)[:, 0].numpy() - np.stack(wanted)).max() < 1e-2


def test_motion_spreads_a_point_along_a_diagonal():
    given = torch.zeros(1, 1, 80, 80)
    given[0, 0, 40, 40] = 255
    rows, columns = torch.nonzero(motion(given)[0, 0] > 1, as_tuple=True)
    assert len(rows) == MOTION_PX
    assert (rows - columns == 0).all()
    assert motion(images()).amax((1, 2, 3)).tolist() == pytest.approx([255.0] * 4, abs=1e-3)


def test_specks_are_black_and_white_and_as_many_as_said():
    given = torch.full((1, 1, 400, 400), 100.0)
    spoilt = specks(given, torch.rand(1, 1, 400, 400))
    for level in (0.0, 255.0):
        assert (spoilt == level).float().mean().item() == pytest.approx(0.05, abs=0.005)
    assert (spoilt == 100).float().mean().item() == pytest.approx(0.9, abs=0.01)


def test_at_least_one_of_the_mixture_is_taken():
    row, given = DEGRADATIONS["mixed"], images(64, 16)
    uniform = torch.rand(64, row.draws(16, 16))
    uniform[:, 1:4] = 0.9  # none of the three
    worse = row.worse(given, uniform, Degrade(kind="mixed"))
    assert all(not torch.allclose(a, b) for a, b in zip(worse, given, strict=True))
