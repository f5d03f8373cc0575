"""What only other processes can show: a real kill, and two ranks that equal one."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

SCRIPT = """
import json, sys, torch
torch.set_num_threads(1)
from usfm.config import Request
from usfm.engine import loop
from usfm.pretrain.config import Config
from usfm.pretrain.run import run
store, out, stop, slow, *changes = sys.argv[1:]
advance = loop.Loop.advance
def step(self, parts, clock):
    if int(stop) == self.step: raise SystemExit(9)
    if slow == "slow": __import__("time").sleep(0.3)
    return advance(self, parts, clock)
loop.Loop.advance = step
run(Config(recipe="polarmae", set=tuple(changes)), Request(inputs=(store,), out=out, device="cpu"))
"""
pytestmark = pytest.mark.slow


def start(store, out, tiny, *, stop=-1, slow="", environment=None):
    arguments = [sys.executable, "-c", SCRIPT, store, str(out), str(stop), slow, *tiny]
    return subprocess.Popen(arguments, env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})})


def together(store, out, tiny, world, *, stop=-1):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        start(store, out, tiny, stop=stop, environment={**common, "RANK": str(k), "LOCAL_RANK": str(k)})
        for k in range(world)
    ]
    return [rank.wait(120) for rank in ranks]


def losses(out):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def straight(store_path, tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("one") / "run"
    assert start(store_path, out, tiny).wait(120) == 0
    return out


def test_two_ranks_equal_one(straight, store_path, tiny, tmp_path):
    assert together(store_path, tmp_path / "two", tiny, 2) == [0, 0]
    assert losses(tmp_path / "two") == pytest.approx(losses(straight), rel=2e-4)


def test_a_run_goes_on_with_another_number_of_ranks(straight, store_path, tiny, tmp_path):
    assert any(together(store_path, tmp_path / "two", tiny, 2, stop=5))
    assert start(store_path, tmp_path / "two", tiny).wait(120) == 0
    assert losses(tmp_path / "two") == pytest.approx(losses(straight), rel=2e-4)


def test_sigkill_loses_nothing(straight, store_path, tiny, tmp_path):
    out = tmp_path / "killed"
    process = start(store_path, out, tiny, slow="slow")
    file = out / "metrics.jsonl"
    for _ in range(600):
        if file.is_file() and len(file.read_text().splitlines()) >= 5:
            break
        time.sleep(0.1)
    process.kill()
    process.wait(20)
    assert len(losses(out)) < 8
    assert start(store_path, out, tiny).wait(120) == 0
    assert losses(out) == losses(straight)
    assert (out / "last" / "model.safetensors").read_bytes() == (straight / "last" / "model.safetensors").read_bytes()
