"""How many dimensions are in use."""

import pytest
import torch

from usfm.pretrain.watch import rank_me


def test_collapse_is_one_and_noise_is_full():
    torch.manual_seed(0)
    line = torch.randn(50, 1) @ torch.randn(1, 16) + 5
    assert rank_me(line) == pytest.approx(1, abs=0.01)
    assert 1 <= rank_me(torch.ones(50, 16)) <= 16
    assert rank_me(torch.randn(500, 16)) > 15
    flat = torch.randn(500, 4) @ torch.randn(4, 16)
    assert 3 < rank_me(flat) < 4.2
