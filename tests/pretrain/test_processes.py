"""What only other processes can show: a real kill, and two ranks that equal one."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

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


def test_two_ranks_prune_what_one_does(store_path, tiny, tmp_path):
    """Each process knows the losses of both; a pass is pruned once its losses are 40 steps old."""
    long = (*tiny, "steps=64", "checks=1", "saves=1", "prune=0.5")
    assert together(store_path, tmp_path / "two", long, 2) == [0, 0]
    assert start(store_path, tmp_path / "one", long).wait(120) == 0
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=5e-3)


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
    ours, theirs = (load_file(run / "last" / "model.safetensors") for run in (out, straight))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)  # the order of a file's notes is not fixed


GROUP = """
import os, signal, sys, torch
torch.set_num_threads(1)
from usfm.cli.main import main
from usfm.pretrain.job import PretrainJob
how, rank = sys.argv[1], int(os.environ["RANK"])
failing = int(sys.argv[2]) == rank
plain = PretrainJob.loss
def loss(self, net, batch, step):
    if step == 2 and failing:
        if how == "memory": raise torch.OutOfMemoryError("CUDA out of memory")
        if how == "exit": raise SystemExit(5)
        if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if how == "bug": raise ZeroDivisionError("a fault of ours")
        if how == "nan":
            found, more = plain(self, net, batch, step)
            return found * float("nan"), more
    return plain(self, net, batch, step)
PretrainJob.loss = loss
main(sys.argv[3:])
"""
SAYS = {
    "nan": "not finite",
    "memory": "out of memory",
    "exit": "SystemExit",
    "kill": "gave no reason",
    "bug": "of ours",
}


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", SAYS)
def test_a_failure_of_one_rank_ends_all(store_path, tiny, tmp_path, how, rank):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    changes = [word for change in tiny for word in ("--set", change)]
    command = ["pretrain", "--in", store_path, "--out", str(tmp_path / "run"), "--recipe", "polarmae", *changes]
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", GROUP, how, str(rank), *command, "--device", "cpu"],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "RANK": str(k),
                "LOCAL_RANK": str(k),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for k in range(2)
    ]
    said = [process.communicate(timeout=90)[1] for process in ranks]
    assert all(process.returncode for process in ranks), said
    assert SAYS[how] in said[1 - rank], said
    assert "Traceback" not in said[1 - rank], said
    if how != "kill":
        assert ranks[1 - rank].returncode == (5 if how == "exit" else 1), said
