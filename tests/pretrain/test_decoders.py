"""Decoders: positions by grid index, and only what was asked."""

import pytest
import torch

from usfm.pretrain.decoders import DECODERS


def build(kind, **kw):
    torch.manual_seed(0)
    return DECODERS[kind](24, (4, 4), 10, width=16, depth=2, heads=2, **kw).eval()


@pytest.fixture
def tokens():
    torch.manual_seed(1)
    ids = torch.stack([torch.randperm(16) for _ in range(3)])
    return torch.randn(3, 7, 24), ids[:, :6], ids[:, 6:11]


@pytest.mark.parametrize("kind", DECODERS)
def test_the_order_of_the_visible_tokens_does_not_matter(kind, tokens):
    """Check 2: permute what was seen, with its memory, and every prediction stays."""
    memory, visible, target = tokens
    decoder = build(kind)
    turn = torch.tensor([3, 1, 5, 0, 2, 4])
    moved = torch.cat([memory[:, :1], memory[:, 1:][:, turn]], 1)
    assert torch.allclose(decoder(memory, visible, target), decoder(moved, visible[:, turn], target), atol=1e-5)


def test_the_published_positions_follow_the_order(tokens):
    memory, visible, target = tokens
    decoder = build("cross", positions="order")
    turn = torch.tensor([3, 1, 5, 0, 2, 4])
    moved = torch.cat([memory[:, :1], memory[:, 1:][:, turn]], 1)
    assert not torch.allclose(decoder(memory, visible, target), decoder(moved, visible[:, turn], target), atol=1e-4)


@pytest.mark.parametrize("kind", DECODERS)
def test_where_a_token_was_seen_matters(kind, tokens):
    memory, visible, target = tokens
    decoder = build(kind)
    elsewhere = torch.cat([target[:, 4:], visible[:, 1:]], 1)
    assert not torch.allclose(
        decoder(memory, visible, target[:, :4]), decoder(memory, elsewhere, target[:, :4]), atol=1e-4
    )


@pytest.mark.parametrize("kind", DECODERS)
def test_each_target_is_predicted_by_itself(kind, tokens):
    memory, visible, target = tokens
    decoder = build(kind)
    every = decoder(memory, visible, target)
    assert every.shape == (3, 5, 10)
    assert torch.allclose(every[:, 2:3], decoder(memory, visible, target[:, 2:3]), atol=1e-5)
