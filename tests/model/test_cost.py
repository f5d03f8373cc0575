"""What a run costs: the peak of its own memory, not of what ran before it."""

import numpy as np
import pytest
import torch

from usfm.model import cost


def test_the_peak_is_that_of_what_came_after_the_mark():
    cost.forget_peak()
    before = cost.peak(torch.device("cpu"))
    if not before:
        pytest.skip("this system does not tell")
    held = np.ones(25_000_000)
    held[::512] = 2
    during = cost.peak(torch.device("cpu"))["memory_bytes"]
    assert during - before["memory_bytes"] > 150e6
    del held
    assert cost.peak(torch.device("cpu"))["memory_bytes"] > during - 20e6, "a peak does not fall"
    cost.forget_peak()
    if cost._CLEAR.exists():
        assert cost.peak(torch.device("cpu"))["memory_bytes"] < during - 100e6


def test_a_system_that_keeps_no_mark_still_says_a_peak(monkeypatch, tmp_path):
    monkeypatch.setattr(cost, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(cost, "_CLEAR", tmp_path)
    cost.forget_peak()
    assert cost.peak(torch.device("cpu"))["memory_bytes"] > 10e6
