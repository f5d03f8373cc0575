"""A recipe that names a set of augmentations: pixels, region, depth and angle move together; parts change nothing."""

import numpy as np
import pytest
import torch

from usfm.engine.augmentation.names import NAMES
from usfm.engine.augmentation.sets import DRAWS
from usfm.engine.counter import uniforms
from usfm.engine.crops import whole
from usfm.errors import RequestError
from usfm.pretrain.recipe import load, settings_of
from usfm.pretrain.views import Regions, Views
from usfm.store.reader import Store

from .test_run import losses, no_pictures, pretrain  # noqa: F401


@pytest.fixture(scope="module")
def scene(store_path):
    """Four frames of two layouts, with their regions."""
    store = Store.open(store_path)
    regions, rows = Regions(store, torch.device("cpu")), np.array([0, 1, 6, 7])
    frames = torch.from_numpy(np.stack(store.frames(rows))).unsqueeze(1)
    return regions, frames, torch.from_numpy(regions.rows[rows])


def views(regions, kind, *changes):
    recipe = load("polarmae", (f"augment.kind={kind}", "prior=beam", "in_chans=1", *changes))
    return Views(recipe, (8, 8), (64, 64), regions)


def test_the_set_none_is_the_whole_frame(scene):
    regions, frames, place = scene
    crops = torch.from_numpy(whole(4, (64, 64)).stacked())
    images, view = views(regions, "crop").make(frames, crops, place)
    same, seen = views(regions, "none").by_set(frames, np.zeros((4, DRAWS)), place)
    assert torch.allclose(images, same, atol=1e-3)
    assert torch.allclose(view.coverage, seen.coverage, atol=1e-5)
    assert torch.allclose(view.fine, seen.fine, atol=1e-5)
    assert torch.allclose(view.depth, seen.depth, atol=0.02)
    assert torch.allclose(view.angle, seen.angle, atol=0.1)


@pytest.mark.parametrize("kind", NAMES)
def test_a_patch_is_inside_where_its_pixels_are(scene, kind):
    """Frames are bright inside their region and black outside: so must samples be, whatever moved them."""
    regions, _, place = scene
    frames = (200 * regions.masks[place]).unsqueeze(1)
    uniform = uniforms(7, np.arange(4), np.arange(4), DRAWS)
    images, view = views(regions, kind).by_set(frames, uniform, place)
    patches = torch.nn.functional.avg_pool2d(images, 8).flatten(1)
    assert patches[view.coverage < 0.01].max() < 0.1 * patches[view.coverage > 0.99].median()
    assert torch.isfinite(images).all()
    assert view.depth.shape == view.coverage.shape == (4, 64)
    one, _ = views(regions, kind).by_set(frames[2:3], uniform[2:3], place[2:3])
    assert torch.allclose(one[0], images[2], atol=1e-3)  # a sample is its own, whatever is beside it


def test_parts_of_a_batch_change_nothing(store_path, tiny, tmp_path):
    few = ("steps=2", "checks=1", "saves=1", "in_chans=1", "augment.kind=augus-o")
    for parts in (1, 4):
        pretrain(store_path, tmp_path / str(parts), tiny, *few, accumulate=parts)
    one, four = ([line["loss"] for line in losses(tmp_path / str(n)) if "loss" in line] for n in (1, 4))
    assert one == pytest.approx(four, rel=1e-4)


def test_a_store_without_regions_takes_a_set(make_store, tiny, tmp_path, capsys):
    bare = make_store(tmp_path / "bare.h5", regions=False)
    few = ("steps=1", "checks=1", "saves=1", "augment.kind=augus-o")
    assert pretrain(bare, tmp_path / "run", tiny, *few, recipe="mae")["loss"] > 0
    assert (tmp_path / "run" / "figures" / "batch.png").stat().st_size > 1000
    assert "have no fitted geometry" in " ".join(capsys.readouterr().err.split())


def test_refusals_and_what_makes_another_run():
    with pytest.raises(RequestError, match="augus-o"):
        load("mae", ("augment.kind=augus",))
    with pytest.raises(RequestError, match="belong to the crop"):
        load("ultrafedfm", ("augment.kind=standard", "augment.scan=0.5"))
    assert "kind" not in settings_of(load("mae"))["augment"]
    assert settings_of(load("mae", ("augment.kind=standard",))) != settings_of(load("mae"))
