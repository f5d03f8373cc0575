"""The masked autoencoder against MAE's own formulae, written out in the plain way."""

import pytest
import torch

from usfm.model.vit import patchify
from usfm.pretrain import recipe as recipes
from usfm.pretrain.decoders import DECODERS
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import NOISES, Counts
from usfm.pretrain.targets import TARGETS
from usfm.pretrain.targets.contract import aim
from usfm.pretrain.targets.hog import hog, hog_glyphs, orientations
from usfm.pretrain.targets.pixels import normalised

SET = ("model.name=vit_nano_patch16_64", "decoder.width=32", "decoder.depth=2", "decoder.heads=2")


def build(name, *more):
    torch.manual_seed(0)
    return MaskedAutoencoder(recipes.load(name, (*SET, *more)))


def passed(model, n=3, seed=1, progress=0.0):
    torch.manual_seed(seed)
    images = torch.rand(n, model.encoder.shape.in_chans, 64, 64) * 255
    view = View(images[:, :1], torch.ones(n, 16), (4, 4))
    counts = Counts.of(16, model.recipe.selection)
    return images, model(images, view, counts, torch.rand(NOISES, n, 16), progress)


def textbook(model, images, ids_visible):
    """MAE the long way: encode what is kept, put mask tokens, unshuffle, decode everything, average over the mask."""
    encoder, decoder = model.encoder, model.decoder
    x = encoder.normalise(images)
    tokens = encoder.patch_embed.proj(x).flatten(2).transpose(1, 2) + encoder.pos_embed[:, 1:]
    kept = torch.stack([tokens[i, ids] for i, ids in enumerate(ids_visible)])
    latent = torch.cat([(encoder.cls_token + encoder.pos_embed[:, :1]).expand(len(x), -1, -1), kept], 1)
    for block in encoder.blocks:
        latent = block(latent)
    latent = decoder.decoder_embed(encoder.norm(latent))
    full = decoder.mask_token.repeat(len(x), tokens.shape[1], 1)
    mask = torch.ones(len(x), tokens.shape[1])
    for i, ids in enumerate(ids_visible):
        full[i, ids] = latent[i, 1:]
        mask[i, ids] = 0
    y = torch.cat([latent[:, :1], full], 1) + decoder.decoder_pos_embed
    for block in decoder.decoder_blocks:
        y = block(y)
    predicted = decoder.decoder_pred(decoder.decoder_norm(y))[:, 1:]
    target = patchify(x, 16)
    mean, var = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
    loss = (((predicted - (target - mean) / (var + 1e-6) ** 0.5) ** 2).mean(-1) * mask).sum() / mask.sum()
    return loss


@pytest.mark.parametrize("channels", [1, 3])
def test_loss_and_gradients_are_maes(channels):
    """Check 6: gathering the targets gives the loss of decoding everything."""
    model = build("mae", f"model.in_chans={channels}")
    images, output = passed(model)
    expected = textbook(model, images, output.ids_visible)
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    output.loss.backward()
    ours = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    expected.backward()
    for name, p in model.named_parameters():
        if p.grad is not None:
            assert torch.allclose(ours[name], p.grad, atol=1e-6), name


def test_initialised_as_mae():
    model = MaskedAutoencoder(recipes.load("mae", ("model.name=vit_tiny_patch16_224",)))
    projection = model.encoder.patch_embed.proj.weight.detach()
    bound = (6 / (projection.shape[0] + projection[0].numel())) ** 0.5
    assert projection.abs().max() <= bound
    assert projection.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
    for name, p in model.named_parameters():
        if name.endswith("bias") and "patch_embed" not in name:
            assert not p.any(), name
    for token in (model.encoder.cls_token, model.decoder.mask_token):
        assert 0.012 < token.std() < 0.028
    assert not model.encoder.pos_embed.requires_grad
    assert model.decoder.decoder_pos_embed.shape == (1, 197, 512)


def test_decoder_has_maes_parameters():
    decoder = MaskedAutoencoder(recipes.load("mae", ("in_chans=3", "model.name=vit_base_patch16_224"))).decoder
    assert sum(p.numel() for p in decoder.parameters() if p.requires_grad) == 26_008_320


def test_normalised_patches():
    patches = normalised(torch.rand(4, 5, 256) * 9 + 3, 16)
    assert torch.allclose(patches.mean(-1), torch.zeros(4, 5), atol=1e-5)
    assert torch.allclose(patches.var(-1), torch.ones(4, 5), atol=1e-4)


def test_orientations_follow_stripes():
    """Turning the stripes turns the histogram, contrast changes nothing, and a flat patch has none."""
    x = torch.arange(16.0)
    upright = torch.sin(x).repeat(16, 1).reshape(1, 1, 256)
    lying = torch.sin(x).repeat(16, 1).T.reshape(1, 1, 256)
    a, b = hog(upright, 16).view(9, 4), hog(lying, 16).view(9, 4)
    assert set(a.argmax(0).tolist()) <= {3, 4, 5}
    assert set(b.argmax(0).tolist()) <= {0, 8}
    assert torch.allclose(hog(3 * upright, 16), hog(upright, 16), atol=0.03)
    assert not hog(torch.ones(1, 1, 256), 16).any()
    drawn = hog_glyphs(hog(upright, 16), 16).view(16, 16)
    assert drawn.std(0).mean() > 3 * drawn.std(1).mean() or drawn.std(1).mean() > 3 * drawn.std(0).mean()


@pytest.mark.parametrize("name", recipes.names())
def test_gradients_reach_everything_that_is_trained(name):
    model = build(name, "model.name=vit_nano_patch16_64")
    _, output = passed(model)
    output.loss.backward()
    idle = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("prior, expansion", [("texture+grid", "progressive"), ("smooth", "none")])
def test_parts_recombine(decoder, target, prior, expansion):
    changes = (f"decoder.kind={decoder}", f"target.kind={target}", f"prior={prior}", f"expansion={expansion}")
    changes += ("hide=mean",) if decoder == "linear" else ()
    model = build("polarmae", *changes)
    _, output = passed(model, progress=0.48)
    assert torch.isfinite(output.loss)
    assert output.predictions.shape == (
        3,
        Counts.of(16, model.recipe.selection).targets,
        model.target.length(16, 1),
    )


@pytest.mark.parametrize("name", ["polarmae", "polarmae-published"])
def test_the_draw_is_the_same_in_every_precision(name):
    """Growth compares embeddings: under autocast they would be rounded, and near ties would fall the other way."""
    model = build(name, "model.name=vit_nano_patch16_224")
    torch.manual_seed(1)
    gray = 120 + 8 * torch.randn(64, 1, 224, 224)  # alike patches: many near ties
    images = gray.expand(-1, model.encoder.shape.in_chans, -1, -1)
    coverage = torch.ones(64, 196)
    view = View(images[:, :1], coverage, (14, 14))
    counts, uniform = Counts.of(176, model.recipe.selection), torch.rand(NOISES, 64, 196)
    drawn = []
    for enabled in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = model(images, view, counts, uniform, 0.2)
        drawn.append((output.ids_visible, output.ids_target))
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert torch.equal(drawn[0][1], drawn[1][1])


# ---------------------------------------------------------------- targets of several scales


def local_loss(images, predictions, cells, ids_target, grid=4, patch=16):
    """LocalMIM's loss on maps: errors of every cell, weighted by the mask brought to the map's size."""
    mask = torch.zeros(len(images), grid * grid).scatter(1, ids_target, 1.0).view(-1, 1, grid, grid)
    total = 0.0
    for cell, predicted in zip(cells, predictions, strict=True):
        strength = torch.nn.functional.avg_pool2d(orientations(images), cell)
        truth = torch.nn.functional.normalize(strength, dim=1)
        if cell > patch:
            weights = torch.nn.functional.avg_pool2d(mask, 2)[:, 0]
            full = predicted.transpose(1, 2).unflatten(2, truth.shape[2:])
        else:
            side = patch // cell
            weights = mask.repeat_interleave(side, 2).repeat_interleave(side, 3)[:, 0]
            spread = torch.zeros(len(images), grid * grid, predicted.shape[2])
            spread = spread.scatter(1, ids_target[..., None].expand_as(predicted), predicted)
            full = spread.view(-1, grid, grid, side, side, 9).permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)
        errors = (full - truth).square().mean(1)
        total += (errors * weights).sum() / weights.sum()
    return total


def test_the_loss_on_four_scales_is_localmims():
    model = build("localmim")
    images, output = passed(model)
    clean = model.encoder.normalise(images)
    tokens = model.encoder.embed(patchify(clean, 16), output.ids_visible)
    outputs = model.encoder.encode(tokens, taps=model.decoder.taps)
    predictions = model.decoder(outputs, output.ids_visible, output.ids_target)
    expected = local_loss(clean, predictions, model.decoder.cells, output.ids_target)
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("cell", [4, 8, 16, 32])
def test_every_target_is_of_every_scale(target, cell):
    kind, ids = TARGETS[target], torch.stack([torch.randperm(16)[:5] for _ in range(2)])
    for channels in (1, 3):
        values, weights = aim(kind, kind.prepare(torch.randn(2, channels, 64, 64)), ids, 16, cell)
        count = 4 if cell > 16 else 5
        assert values.shape == (2, count, kind.length(cell, channels) * (1 if cell > 16 else (16 // cell) ** 2))
        assert values.isfinite().all()
        if cell > 16:
            assert weights.shape == (2, 4)
            assert weights.sum().item() == pytest.approx(2 * 5 / 4)


def test_the_encoder_may_see_something_else_than_the_target():
    model = build("mae").eval()
    images = torch.rand(2, 1, 64, 64) * 255
    view, counts = View(images, torch.ones(2, 16), (4, 4)), Counts.of(16, model.recipe.selection)
    uniform = torch.rand(NOISES, 2, 16)
    plain = model(images, view, counts, uniform, 0.0)
    worse = model(images, view, counts, uniform, 0.0, images.flip(3))
    assert torch.equal(plain.targets, worse.targets)
    assert torch.equal(plain.ids_visible, worse.ids_visible)
    assert not torch.allclose(plain.predictions, worse.predictions)
    assert torch.equal(plain.loss, model(images, view, counts, uniform, 0.0, images.clone()).loss)
