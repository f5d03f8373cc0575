"""Decoders: positions by grid index, and only what was asked."""

import pytest
import torch

from usfm.errors import RequestError
from usfm.model.vit import encoder_shape
from usfm.pretrain.decoders import DECODERS
from usfm.pretrain.selection.draw import Counts
from usfm.pretrain.settings import Decoder

GRID, PATCH, OUT = (4, 4), 16, 10
SHAPE = encoder_shape("vit_nano_patch16_64", embed_dim=24)


def build(kind, **kw):
    torch.manual_seed(0)
    return DECODERS[kind](Decoder(kind=kind, width=16, depth=2, heads=2, **kw), SHAPE, lambda cell: OUT).eval()


@pytest.fixture
def tokens():
    torch.manual_seed(1)
    ids = torch.stack([torch.randperm(16) for _ in range(3)])
    return torch.randn(SHAPE.depth + 2, 3, 7, 24), ids[:, :6], ids[:, 6:11]


def decode(decoder, memory, visible, target):
    """All scales after one another; `memory` has an output a tap of any encoder."""
    outputs = decoder([memory[tap + 1] for tap in decoder.taps], visible, target)
    return torch.cat([output.flatten(1) for output in outputs], 1)


@pytest.mark.parametrize("kind", DECODERS)
def test_the_order_of_the_visible_tokens_does_not_matter(kind, tokens):
    """Check 2: permute what was seen, with its memory, and every prediction stays."""
    memory, visible, target = tokens
    decoder = build(kind)
    turn = torch.tensor([3, 1, 5, 0, 2, 4])
    moved = torch.cat([memory[:, :, :1], memory[:, :, 1:][:, :, turn]], 2)
    assert torch.allclose(
        decode(decoder, memory, visible, target), decode(decoder, moved, visible[:, turn], target), atol=1e-5
    )


def test_the_published_positions_follow_the_order(tokens):
    memory, visible, target = tokens
    decoder = build("cross", positions="order")
    turn = torch.tensor([3, 1, 5, 0, 2, 4])
    moved = torch.cat([memory[:, :, :1], memory[:, :, 1:][:, :, turn]], 2)
    assert not torch.allclose(
        decode(decoder, memory, visible, target), decode(decoder, moved, visible[:, turn], target), atol=1e-4
    )


@pytest.mark.parametrize("kind", ["self", "cross", "local"])  # the others leave positions to the encoder
def test_where_a_token_was_seen_matters(kind, tokens):
    memory, visible, target = tokens
    decoder = build(kind)
    elsewhere = torch.cat([target[:, 4:], visible[:, 1:]], 1)
    assert not torch.allclose(
        decode(decoder, memory, visible, target[:, :4]), decode(decoder, memory, elsewhere, target[:, :4]), atol=1e-4
    )


@pytest.mark.parametrize("kind", DECODERS)
def test_each_target_is_predicted_by_itself(kind, tokens):
    """Asked for one target, a decoder says of it what it says beside others; cells larger than patches are all said."""
    memory, visible, target = tokens
    decoder = build(kind)
    taps = [memory[tap + 1] for tap in decoder.taps]
    every, one = decoder(taps, visible, target), decoder(taps, visible, target[:, 2:3])
    assert len(every) == len(decoder.cells)
    assert PATCH in decoder.cells
    for cell, all_of_them, alone in zip(decoder.cells, every, one, strict=True):
        if cell > PATCH:
            assert all_of_them.shape == (3, 16 * PATCH**2 // cell**2, OUT)
            assert torch.equal(all_of_them, alone)
        else:
            assert all_of_them.shape == (3, 5, OUT * (PATCH // cell) ** 2)
            assert torch.allclose(all_of_them[:, 2:3], alone, atol=1e-5)


@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoder_says_what_it_needs(kind):
    decoder = build(kind)
    few, many = Counts(16, 2, 0, 4), Counts(16, 4, 0, 12)
    assert 0 < decoder.flops(few) <= decoder.flops(many)
    assert bool(decoder.blocks()) == (decoder.tokens(few) > 0)
    assert decoder.tokens(few) <= decoder.tokens(many)
    assert all(-1 <= tap <= SHAPE.depth for tap in decoder.taps)
    assert list(decoder.taps) == sorted(set(decoder.taps))
    assert len(decoder.blocks()) in ((0,) if kind == "linear" else (2, 8))


def test_only_maes_own_decoder_is_said_to_be_maes():
    assert [kind for kind in DECODERS if build(kind).layout == "mae"] == ["self"]


def test_mixtures_of_encoder_blocks_equal_the_stack(tokens):
    """CrossMAE stacks all outputs and multiplies by W; here they are summed one block at a time."""
    memory, _, _ = tokens
    decoder = build("weighted")
    taps = [memory[tap + 1] for tap in decoder.taps]
    assert len(taps) == SHAPE.depth + 1
    stacked = torch.einsum("jk,kbnd->jbnd", decoder.wfm.linear.weight, torch.stack(taps))
    for j, norm in enumerate(decoder.dec_norms):
        assert torch.allclose(decoder.memory(taps, j), norm(stacked[j]), atol=1e-5)


@pytest.mark.parametrize("name", ["vit_nano_patch16_80", "vit_nano_patch10_80"])
def test_a_grid_that_four_scales_do_not_fit_is_one_sentence(name):
    with pytest.raises(RequestError, match="even grid"):
        DECODERS["local"](Decoder(width=16, depth=1, heads=2), encoder_shape(name), lambda cell: OUT)
