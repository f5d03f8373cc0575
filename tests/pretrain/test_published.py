"""The quirks of public code that the `-published` recipes keep."""

import numpy as np
import pytest
import torch

from usfm.pretrain import recipe as recipes
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.selection import SELECTIONS
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import NOISES, Counts, draw, prior
from usfm.pretrain.selection.polar import grid_coordinates
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


# ---------------------------------------------------------------- polarmae-published

POLAR = recipes.load("polarmae-published")


def fan_view(n=1):
    """A region of rows that widen, with coverage 1 inside, over the patchwork."""
    view = patchwork(n)
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    inside = ((columns - 3.5).abs() <= 0.5 + 0.5 * rows).float().flatten().expand(n, -1)
    return View(view.images, inside, view.grid)


def test_published_probabilities_are_uniform_and_polar_alone():
    """Eq. 14 with a texture that is the same everywhere, also outside the region."""
    view, settings = fan_view(), POLAR.selection
    uniform, polar = torch.full((1, 64), 1 / 64), SELECTIONS["grid"](view, settings)
    assert torch.allclose(prior(view, settings), 0.7 * uniform + 0.3 * polar, atol=1e-6)
    ours = recipes.load("polarmae").selection
    assert not torch.allclose(prior(view, ours), 0.7 * uniform + 0.3 * SELECTIONS["grid"](view, ours), atol=1e-4)


def test_published_repeats_let_a_patch_be_seen_and_asked_at_once():
    """A region of 40 patches and 60 candidates: repeats by slot; with ours no patch comes twice."""
    view, n = fan_view(200), 200
    inside = view.inside(0.1)
    uniform = torch.rand(NOISES, n, 64, generator=torch.Generator().manual_seed(0))
    for settings, expected in ((POLAR.selection, True), (recipes.load("polarmae").selection, False)):
        counts = Counts.of(60, settings)
        tokens = torch.randn(n, 64, 8, generator=torch.Generator().manual_seed(1))
        visible, targets = draw(prior(view, settings), inside, counts, uniform, settings, tokens=tokens, progress=0.9)
        both = (visible[:, :, None] == targets[:, None]).any((1, 2)).float().mean().item()
        assert (both > 0.5) == expected
        assert (both == 0) != expected


def test_published_centre_line_and_crops_and_channels():
    settings, augment = POLAR.selection, POLAR.augment
    assert (settings.apex_band, settings.candidates, augment.retries) == (0.15, "fixed", 9)
    assert POLAR.decoder.positions == "order"
    assert all(recipes.load(name).model.in_chans == 3 for name in recipes.names() if name.endswith("-published"))
    lean = fan_view()
    shift = lean.coverage.view(8, 8).clone()
    shift[4:, :3] = 0  # the lower half leans to the right: only the whole component's centre follows
    lean = View(lean.images, shift.view(1, 64), lean.grid)
    whole, band = (grid_coordinates(lean, 0.1, share)[1] for share in (1.0, 0.15))
    assert whole.mean() < band.mean()


@pytest.mark.slow
def test_published_candidates_are_the_same_in_every_epoch(store_path, tmp_path, monkeypatch):
    """The public code seeds them by the image alone."""
    from usfm.config import Request
    from usfm.pretrain.config import Config
    from usfm.pretrain.job import PretrainJob
    from usfm.pretrain.run import run

    monkeypatch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
    monkeypatch.setattr("usfm.pictures.curves.curves", lambda path, *arguments, **more: path.touch())
    seen: dict = {}

    def loss(self, net, batch, step):
        forward = net.forward

        def noted(images, view, counts, uniform, *rest):
            for row, noise in zip(batch.plan.rows[batch.part], uniform[0], strict=True):
                seen.setdefault(int(row), []).append(noise)
            return forward(images, view, counts, uniform, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(net, "forward", noted)
            return plain(self, net, batch, step)

    plain = PretrainJob.loss
    changes = (*TINY, "model.image_size=64", "batch_size=18", "steps=4", "checks=1", "saves=1", "held_out=0")
    for name, same in (("polarmae-published", True), ("polarmae", False)):
        seen.clear()
        with monkeypatch.context() as patch:
            patch.setattr(PretrainJob, "loss", loss)
            run(
                Config(recipe=name, set=changes),
                Request(inputs=(store_path,), out=str(tmp_path / name), device="cpu"),
            )
        twice = [draws for draws in seen.values() if len(draws) == 2]
        assert len(twice) == 36
        assert all(torch.equal(*draws) == same for draws in twice)
