"""Heads: every one on every kind of encoder, gradients, one grid for all patches; the loss by slow formulas."""

import pytest
import torch

from usfm.errors import RequestError
from usfm.model.network import Entry, Network
from usfm.model.sources import network
from usfm.model.vit import build_encoder
from usfm.tasks.segment.heads import GRID_PX, HEADS, Head
from usfm.tasks.segment.learner import Pixels
from usfm.tasks.segment.loss import loss

SIZE = (64, 96)
CNN = ((8, 16, 24, 32, 40), (2, 4, 8, 16, 32))


def maps_of(channels, strides, seed=0):
    make = torch.Generator().manual_seed(seed)
    return [torch.randn(2, n, -(-SIZE[0] // s), -(-SIZE[1] // s), generator=make)
            for n, s in zip(channels, strides, strict=True)]  # fmt: skip


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("patch", [8, 14, 16, 32, "cnn"])
def test_every_head_on_every_encoder(kind, patch):
    channels, strides = CNN if patch == "cnn" else ((12,) * 4, (patch,) * 4)
    head = Head(kind, channels, strides, 3, width=32)
    maps = [one.requires_grad_() for one in maps_of(channels, strides)]
    out = head(maps, SIZE)
    assert out.shape == (2, 3, *SIZE)
    out.square().mean().backward()
    assert [name for name, one in head.named_parameters() if one.grad is None] == []
    used = [one for one in maps if one.grad is not None and one.grad.abs().sum() > 0]
    assert len(used) == (1 if kind == "linear" else 5 if (kind, patch) == ("unet", "cnn") else 4)


def test_a_small_patch_gets_no_finer_head():
    sizes = {
        sum(one.numel() for one in Head("dpt", (12,) * 4, (patch,) * 4, 2, width=32).parameters())
        for patch in (8, 14, 16, 32)
    }
    assert len(sizes) == 1
    head = Head("linear", (12,), (4,), 2).eval()
    fine = torch.randn(1, 12, 16, 16)
    coarse = torch.nn.functional.avg_pool2d(fine, GRID_PX // 4)
    with torch.no_grad():
        assert torch.allclose(head([fine], (64, 64)), head([coarse], (64, 64)), atol=1e-6)


def test_a_frame_alone_is_decoded_as_beside_others():
    """At 32 px the coarsest map of a pyramid is one cell, which PyTorch's norms refuse for a single frame."""
    head = Head("fpn", [8] * 4, [16] * 4, 2, width=32).eval()
    maps = [torch.randn(3, 8, 2, 2) for _ in range(4)]
    with torch.no_grad():
        together, alone = head(maps, (32, 32)), head([one[:1] for one in maps], (32, 32))
    assert torch.allclose(together[:1], alone, atol=1e-5)


@pytest.mark.parametrize(
    "model, usual",
    [
        ("resnet10t", "unet"),
        ("vit_nano_patch16_64", "dpt"),
        pytest.param("convnext_atto", "unet", marks=pytest.mark.slow),
        pytest.param("swin_tiny_patch4_window7_224", "unet", marks=pytest.mark.slow),
    ],
)
def test_the_head_suits_the_encoder(model, usual):
    found = network(f"random:{model}", image_size=None if "swin" in model else 64)
    size = found.entry.image_size
    frames = torch.randint(0, 256, (2, found.entry.in_chans, *size)).float()
    assert Pixels(found, "", 2).decoder.kind == usual
    for kind in HEADS:
        head = Pixels(found, kind, 2).eval()
        with torch.no_grad():
            out = head(found, frames)
        assert out.shape == (2, 2, *size)
        assert (out[0] - out[1]).abs().max() > 0


def test_taps_are_the_papers_at_twelve_blocks_and_in_proportion_elsewhere():
    def taps_of(depth):
        entry = Entry("nano", {}, (16, 16), 1, (0.0,), (1.0,))
        return Network(build_encoder("vit_nano_patch16_16", embed_dim=8, depth=depth), entry).usual_taps

    assert taps_of(12) == (2, 5, 8, 11)
    for depth in range(4, 40):
        taps = taps_of(depth)
        assert taps[-1] == depth - 1
        assert len(taps) == 4


def test_an_encoder_of_too_few_blocks_is_told_what_to_do():
    with pytest.raises(RequestError, match="--head linear"):
        Head("upernet", (12, 12), (16, 16), 2)


def test_the_loss_is_cross_entropy_and_one_minus_dice():
    make = torch.Generator().manual_seed(1)
    logits, masks = torch.randn(2, 3, 6, 5, generator=make), torch.randint(0, 3, (2, 6, 5), generator=make)
    masks[0, :2] = 255
    p, known = logits.softmax(1), masks != 255
    entropy = -torch.stack(
        [logits.log_softmax(1)[b, masks[b, r, c], r, c] for b, r, c in known.nonzero().tolist()]
    ).mean()
    dices = []
    for k in range(3):
        truth, given = (masks == k)[known].float(), p[:, k][known]
        dices.append(1 - 2 * (truth * given).sum() / (truth.sum() + given.sum()))
    want = 0.8 * entropy + 1.2 * torch.stack(dices).mean()
    assert torch.allclose(loss(logits, masks, cross_entropy=0.8, dice=1.2), want, atol=1e-5)


def test_overlapping_structures_and_nothing_known():
    logits = torch.randn(2, 2, 4, 4, requires_grad=True)
    masks = torch.randint(0, 2, (2, 2, 4, 4))
    perfect = torch.where(masks > 0, 30.0, -30.0)
    assert loss(perfect, masks) < 1e-4 < loss(-perfect, masks)
    nothing = loss(logits, torch.full((2, 4, 4), 255))
    nothing.backward()
    assert nothing == 0
