"""Where a training runs: what is said when the cores are taken."""

import pytest
import torch

from usfm.engine import device


@pytest.mark.parametrize(
    ("load", "threads", "said"), [(0.2, 8, False), (7.9, 8, True), (7.9, 1, False), (4.5, 4, False), (5.5, 4, True)]
)
def test_a_crowded_machine_is_named(monkeypatch, load, threads, said):
    monkeypatch.setattr(device.os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(device, "cores", lambda: 8)
    monkeypatch.setattr(device.torch, "get_num_threads", lambda: threads)
    assert bool(device.crowded(torch.device("cpu"))) == said
    assert not device.crowded(torch.device("meta"))
