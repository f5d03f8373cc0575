"""The encoder against timm's, and its own rules."""

import pytest
import torch

from usfm.errors import RequestError
from usfm.model.vit import build_encoder, patchify, unpatchify


def small(**kw):
    torch.manual_seed(0)
    return build_encoder("vit_nano_patch16_64", depth=2, **kw).eval()


def test_equals_timm_with_our_weights():
    import timm

    encoder = small(in_chans=3)
    other = timm.models.vision_transformer.VisionTransformer(
        img_size=64, patch_size=16, in_chans=3, embed_dim=64, depth=2, num_heads=2, num_classes=0, global_pool=""
    ).eval()
    torch.nn.init.normal_(encoder.norm.weight, 1, 0.1)
    assert set(other.state_dict()) == set(encoder.state_dict())
    other.load_state_dict(encoder.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(encoder(images), other(images), atol=1e-5)


def test_some_tokens_equal_the_same_rows_of_the_embedding():
    encoder = small()
    patches = patchify(torch.randn(2, 1, 64, 64), 16)
    ids = torch.tensor([[3, 0, 15], [7, 2, 1]])
    some, every = encoder.embed(patches, ids), encoder.embed(patches)
    assert torch.allclose(some[1], every[1, ids[1]], atol=1e-6)


def test_token_order_does_not_matter():
    encoder = small()
    images = torch.randn(1, 1, 64, 64)
    ids = torch.randperm(16)[None]
    with torch.no_grad():
        shuffled, plain = encoder(images, ids), encoder(images)
    assert torch.allclose(shuffled[0, 1:], plain[0, 1:][ids[0]], atol=1e-5)


def test_patchify_is_inverted_and_channel_fastest():
    images = torch.arange(2 * 3 * 32 * 48.0).view(2, 3, 32, 48)
    patches = patchify(images, 16)
    assert torch.equal(unpatchify(patches, 16, (2, 3)), images)
    assert torch.equal(patches[0, 0, :3], images[0, :, 0, 0])


def test_gray_and_colour_frames_normalise_alike():
    gray = torch.randint(0, 256, (2, 16, 16), dtype=torch.uint8)
    one, three = small(), small(in_chans=3)
    assert one.normalise(gray).shape == (2, 1, 16, 16)
    assert three.normalise(gray).shape == (2, 3, 16, 16)
    colour = gray.unsqueeze(1).expand(-1, 3, -1, -1)
    assert torch.allclose(one.normalise(colour), one.normalise(gray), atol=1e-5)


@pytest.mark.parametrize("layers", [(0, 1), (1,), (0,), (-1,), ()])
def test_feature_maps_are_the_patch_tokens_of_their_blocks(layers):
    encoder, images = small(), torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        maps = encoder.feature_maps(images, layers)
        x = torch.cat([(encoder.cls_token + encoder.pos_embed[:, :1]).expand(2, -1, -1),
                       encoder.embed(patchify(images, 16))], 1)  # fmt: skip
        after = [x := block(x) for block in encoder.blocks]
    assert len(maps) == len(layers or (-1,))
    for each, layer in zip(maps, layers or (-1,), strict=True):
        assert each.shape == (2, 64, 4, 4)
        for row, column in ((0, 0), (0, 3), (3, 1)):  # the class token comes first and is no patch
            assert torch.allclose(each[:, :, row, column], after[layer][:, 1 + 4 * row + column], atol=1e-5)


def test_biases_start_as_maes_do():
    """Zero in linear layers; the convolution that cuts patches keeps its own start, uniform in +-1 / sqrt(inputs)."""
    encoder = build_encoder("vit_base_patch16_224", depth=1, in_chans=3)
    bias = encoder.patch_embed.proj.bias
    assert bias.std().item() == pytest.approx((3 * 16 * 16) ** -0.5 / 3**0.5, rel=0.1)
    assert bias.abs().max() <= (3 * 16 * 16) ** -0.5
    assert not any(value.any() for name, value in encoder.named_parameters() if "blocks" in name and "bias" in name)


@pytest.mark.parametrize(
    "name,size", [("vit_giant_patch16_224", None), ("resnet50", None), ("vit_tiny_patch16_224", 100)]
)
def test_wrong_names_and_sizes_are_one_sentence(name, size):
    with pytest.raises(RequestError):
        build_encoder(name, image_size=size)
