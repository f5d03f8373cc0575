"""USFM: blocks filled with the image's mean, rings of the spectrum taken out, everything restored."""

import numpy as np
import pytest
import torch

from usfm.errors import RequestError
from usfm.model.vit import patchify
from usfm.pretrain import recipe as recipes
from usfm.pretrain.degradations.rings import RINGS, edges, stopped
from usfm.pretrain.estimate import flops_per_image
from usfm.pretrain.mae import MaskedAutoencoder, blanked
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import NOISES, Counts, draw
from usfm.pretrain.settings import Degrade

TINY = ("model.name=vit_nano_patch16_64",)
RECIPE = recipes.load("usfm")


def test_blocks_are_seen_or_hidden_as_a_whole_and_as_many_as_published():
    """60 % of the 49 blocks of 32 px, rounded up, are hidden; where they lie is uniform."""
    counts = Counts.of(196, RECIPE.selection)
    assert (49 - counts.visible // 4, counts.targets) == (30, 196)
    n, uniform = 2000, torch.rand(NOISES, 2000, 196, generator=torch.Generator().manual_seed(0))
    inside, p = torch.ones(n, 196, dtype=torch.bool), torch.full((n, 196), 1 / 196)
    visible, target = draw(p, inside, counts, uniform, RECIPE.selection, grid=(14, 14))
    seen = torch.zeros(n, 196).scatter(1, visible, 1.0)
    blocks = seen.view(n, 7, 2, 7, 2).mean((2, 4))
    assert set(blocks.unique().tolist()) == {0.0, 1.0}
    assert (seen.sum(1) == counts.visible).all()
    assert seen.mean(0).sub(76 / 196).abs().max() < 0.05
    assert all(row.unique().tolist() == list(range(196)) for row in target[:20])
    hidden = recipes.load("usfm", ("targets_from=hidden",)).selection
    visible, target = draw(p, inside, Counts.of(196, hidden), uniform, hidden, grid=(14, 14))
    assert not (torch.zeros(n, 196).scatter(1, visible, 1.0).gather(1, target)).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_hidden_patches_hold_the_images_mean_and_nothing_of_theirs(channels):
    images, ids = torch.randn(3, channels, 64, 64), torch.stack([torch.randperm(16)[:6] for _ in range(3)])
    filled = blanked(patchify(images, 16), ids, channels).view(3, 16, 256, channels)
    for image, patches, seen in zip(images, filled, ids, strict=True):
        for k in range(16):
            if k in seen:
                assert torch.equal(patches[k], patchify(image[None], 16)[0, k].view(256, channels))
            else:
                assert torch.allclose(patches[k], image.mean((1, 2)).expand(256, channels), atol=1e-5)


def test_the_encoder_sees_every_token_and_the_loss_is_the_absolute_difference():
    torch.manual_seed(0)
    model = MaskedAutoencoder(recipes.load("usfm", TINY))
    images = torch.rand(3, 1, 64, 64) * 255
    view, counts = View(images, torch.ones(3, 16), (4, 4)), Counts.of(16, model.recipe.selection)
    lengths = []
    model.encoder.blocks[0].register_forward_hook(lambda module, given, out: lengths.append(out.shape[1]))
    output = model(images, view, counts, torch.rand(NOISES, 3, 16), 0.0)
    assert lengths == [17]
    clean = patchify(model.encoder.normalise(images), 16)
    at = torch.zeros_like(output.predictions).scatter(
        1, output.ids_target[..., None].expand(-1, -1, 256), output.predictions
    )
    assert output.loss.item() == pytest.approx((at - clean).abs().mean().item(), rel=1e-5)
    fewer = Counts.of(16, recipes.load("usfm", ("visible=0.9",)).selection)
    assert fewer.visible > counts.visible
    assert flops_per_image(model, counts) == flops_per_image(model, fewer)


def test_a_ring_takes_its_frequencies_out_and_no_others():
    """A wave of one frequency vanishes where its ring is chosen, stays elsewhere, and the mean always stays."""
    side, rows = 224, edges(224)
    x = np.arange(side) / side
    for cycles in (2, 6, 30, 60):
        image = 127 + 90 * np.cos(2 * np.pi * cycles * x)[None, :].repeat(side, 0)
        images = torch.from_numpy(image.astype(np.float32))[None, None]
        ring = int(np.searchsorted(rows, cycles, side="right")) - 1
        out = stopped(torch.arange(len(rows) - 1)[None] == ring, side, side)
        assert bool(out[0, 0, cycles]) == (cycles >= 4)
        left = torch.fft.irfft2(torch.fft.rfft2(images).masked_fill(out[:, None], 0), s=(side, side))
        assert left.mean().item() == pytest.approx(127, abs=0.1)
        assert (left.std() < 1) == (cycles >= 4)
    assert not stopped(torch.ones(1, len(rows) - 1, dtype=torch.bool), side, side)[0, 0, :4].any()


def test_as_many_rings_as_the_recipe_says():
    images, draws = torch.rand(8, 1, 64, 64) * 255, RINGS.draws(64, 64)
    uniform = torch.rand(8, draws)
    for share in (0.1, 0.5):
        worse = RINGS.worse(images, uniform, Degrade(kind="rings", rings=share))
        before, after = (torch.fft.rfft2(one)[:, 0].abs().square() for one in (images, worse))
        counts = max(1, int(share * (draws - 1)))
        limits = torch.tensor(edges(64))
        radius = torch.hypot(torch.fft.fftfreq(64)[:, None] * 64, torch.fft.rfftfreq(64)[None] * 64)
        ring = torch.bucketize(radius, limits, right=True) - 1
        left = [after[:, ring == k].sum(1) / before[:, ring == k].sum(1) for k in range(draws - 1)]
        found = torch.stack(left, 1) < 0.4
        assert (found.sum(1) == counts).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("hide=drop",), "predicts only patches that the encoder has tokens for"),
        (("region=true",), "needs region = false"),
        (("short=repeat",), "needs short = outside"),
    ],
)
def test_parts_that_cannot_go_together_are_one_sentence(changes, said):
    with pytest.raises(RequestError, match=said):
        recipes.load("usfm", changes)


def test_blocks_that_do_not_tile_the_grid_are_one_sentence():
    settings = recipes.load("usfm", ("block=3",)).selection
    with pytest.raises(RequestError, match="does not divide a grid of 4x4"):
        draw(
            torch.ones(1, 16),
            torch.ones(1, 16) > 0,
            Counts.of(16, settings),
            torch.rand(NOISES, 1, 16),
            settings,
            grid=(4, 4),
        )
