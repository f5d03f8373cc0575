"""The quirks of public code that the `-published` recipes keep."""

import numpy as np
import pytest
import torch

from usfm.pretrain import recipe as recipes
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import NOISES, Counts, draw, prior
from usfm.pretrain.selection.texture import texture_scores

TINY = ("model.name=vit_nano_patch16_64", "decoder.width=32", "decoder.depth=2", "decoder.heads=2")


def patchwork(n=1, side=8):
    """An image whose patches differ in texture."""
    rng = np.random.default_rng(0)
    strength = rng.permutation(np.linspace(1, 60, side * side)).reshape(side, side).repeat(16, 0).repeat(16, 1)
    image = 128 + strength * rng.choice([-1, 1], strength.shape)
    images = torch.from_numpy(image.astype(np.float32)).expand(n, 1, -1, -1)
    return View(images, torch.ones(n, side * side), (side, side))


def kept(recipe, n=4000):
    """How often each patch of one image is visible."""
    view, total = patchwork(), 64
    p = prior(view, recipe.selection).expand(n, -1)
    uniform = torch.rand(NOISES, n, total, generator=torch.Generator().manual_seed(0))
    counts = Counts.of(total, recipe.selection)
    visible, targets = draw(p, torch.ones(n, total, dtype=torch.bool), counts, uniform, recipe.selection)
    both = torch.cat([visible, targets], 1)
    assert all(len(row.unique()) == both.shape[1] for row in both[:50])
    return torch.bincount(visible.flatten(), minlength=total).float() / n, p[0]


def test_smooth_patches_stay_visible_and_with_the_ranks_taken_for_patches_they_do_not():
    frequency, p = kept(recipes.load("ultrafedfm"))
    assert torch.corrcoef(torch.stack([frequency, p]))[0, 1] > 0.9
    scores = texture_scores(patchwork(), "laplacian")[0]
    assert torch.corrcoef(torch.stack([p, scores]))[0, 1] < -0.99
    frequency, p = kept(recipes.load("ultrafedfm-published"))
    assert torch.corrcoef(torch.stack([frequency, p]))[0, 1].abs() < 0.5


def test_published_texture_tells_no_patches_apart():
    published, ours = (recipes.load(name).selection for name in ("selectivemae-published", "selectivemae"))
    assert prior(patchwork(), published).std() == 0
    assert prior(patchwork(), ours).std() > 0


@pytest.mark.parametrize("name, numbers", [("localmim", 9), ("localmim-published", 27)])
def test_published_histograms_repeat_those_of_gray(name, numbers):
    model = MaskedAutoencoder(recipes.load(name, TINY))
    assert model.decoder.decoder[2].pred[-1].out_channels == numbers
    view = View(torch.rand(2, 1, 64, 64) * 255, torch.ones(2, 16), (4, 4))
    images = view.images.expand(-1, model.encoder.shape.in_chans, -1, -1)
    uniform = torch.rand(NOISES, 2, 16)
    targets = model(images, view, Counts.of(16, model.recipe.selection), uniform, 0.0).targets
    for k in range(0, numbers, 9):
        assert torch.allclose(targets[..., k : k + 9], targets[..., :9], atol=1e-4)


def test_numbers_that_paper_and_notebook_say_differently():
    paper, notebook = recipes.load("usf-mae"), recipes.load("usf-mae-published")
    told = [(r.selection.visible, r.selection.targets, r.decoder.heads, r.optim.lr) for r in (paper, notebook)]
    assert told == [(0.75, 0.25, 8, 1e-3), (0.25, 0.75, 16, 5e-4)]


def test_deblurring_reconstructs_what_was_seen_too():
    counts = Counts.of(196, recipes.load("deblurmae").selection)
    assert (counts.visible, counts.targets) == (49, 196)
    model = MaskedAutoencoder(recipes.load("deblurmae", TINY))
    view = patchwork(3, 4)
    output = model(view.images, view, Counts.of(16, model.recipe.selection), torch.rand(NOISES, 3, 16), 0.0)
    assert all(ids.unique().tolist() == list(range(16)) for ids in output.ids_target)


def test_tokens_as_many_as_selectivemae_takes():
    counts = Counts.of(196, recipes.load("selectivemae").selection)
    assert (counts.first, counts.grown, counts.targets) == (14, 15, 49)
