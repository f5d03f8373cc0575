"""What every recipe owes: a loss that falls, a run that resumes to the last bit, gradients that two processes share."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from usfm.config import Request
from usfm.engine import loop
from usfm.errors import RequestError
from usfm.pretrain.config import Config
from usfm.pretrain.run import run
from usfm.pretrain.settings import names

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
    monkeypatch.setattr("usfm.pictures.curves.curves", lambda path, *arguments, **more: path.touch())


def pretrain(store, out, recipe, changes):
    return run(Config(recipe=recipe, set=changes), Request(inputs=(store,), out=str(out), device="cpu"))


def column(out, name):
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if row.get(name) is not None]


@pytest.mark.parametrize("recipe", names())
def test_the_loss_is_finite_and_falls_over_four_epochs(recipe, store_path, tiny, tmp_path):
    """On held-out frames with fixed masks, from the end of the first epoch to that of the fourth."""
    changes = (*tiny, "steps=0", "epochs=4", "checks=4", "saves=1", "lr=3e-3", "held_out=0.2", "clip=1")
    pretrain(store_path, tmp_path / "run", recipe, changes)
    held, losses = (column(tmp_path / "run", name) for name in ("held_out_loss", "loss"))
    assert all(torch.isfinite(torch.tensor(values)).all() for values in (held, losses))
    assert len(held) == 4
    assert held[-1] < held[0]


@pytest.mark.parametrize("recipe", names())
def test_every_recipe_resumes_to_the_last_bit(recipe, store_path, tiny, tmp_path, monkeypatch):
    changes, advance = (*tiny, "steps=4", "checks=1", "saves=4", "ema=0.9"), loop.Loop.advance

    class Killed(BaseException):
        """Nothing in the loop expects this."""

    def dying(self, parts, clock):
        if self.step == 2:
            raise Killed
        return advance(self, parts, clock)

    pretrain(store_path, tmp_path / "straight", recipe, changes)
    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "advance", dying)
        with pytest.raises(Killed):
            pretrain(store_path, tmp_path / "killed", recipe, changes)
    pretrain(store_path, tmp_path / "killed", recipe, changes)
    assert column(tmp_path / "killed", "loss") == column(tmp_path / "straight", "loss")
    ours, theirs = (load_file(tmp_path / name / "last" / "model.safetensors") for name in ("killed", "straight"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_a_pruned_run_is_shorter_and_resumes_to_the_last_bit(store_path, tiny, tmp_path, monkeypatch):
    changes = (*tiny, "steps=0", "epochs=24", "checks=1", "saves=20", "prune=0.5", "clip=1", "lr=1e-3", "held_out=0.1")
    advance, seen = loop.Loop.advance, []

    class Killed(BaseException):
        """Nothing in the loop expects this."""

    def dying(self, parts, clock):
        if self.step == 55:
            raise Killed
        return advance(self, parts, clock)

    def noted(self, parts, clock):
        seen.append(self.job.pruning.weights(parts[0].plan.rows, parts[0].plan.epochs).max())
        return advance(self, parts, clock)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "advance", noted)
        long = pretrain(store_path, tmp_path / "straight", "selectivemae", changes)
    assert long["steps"] == -(-24 * 30 * (7 / 8 * 3 / 4 + 1 / 8) // 8)
    assert 2.0 in seen[:-3]
    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "advance", dying)
        with pytest.raises(Killed):
            pretrain(store_path, tmp_path / "killed", "selectivemae", changes)
    pretrain(store_path, tmp_path / "killed", "selectivemae", changes)
    assert column(tmp_path / "killed", "loss") == column(tmp_path / "straight", "loss")
    ours, theirs = (load_file(tmp_path / name / "last" / "model.safetensors") for name in ("killed", "straight"))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    with pytest.raises(RequestError, match="take one"):
        pretrain(store_path, tmp_path / "other", "selectivemae", (*changes, "balance.by=patient"))


SCRIPT = """
import os, sys
import torch
import torch.distributed as dist
from usfm.engine.strategy import Copies
from usfm.pretrain import recipe as recipes
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import NOISES, Counts
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank, recipe = dist.get_rank(), recipes.load
for name in sys.argv[2:]:
    torch.manual_seed(0)
    model = MaskedAutoencoder(recipe(name, tuple(sys.argv[1].split(";"))))
    counts = Counts.of(16, model.recipe.selection)
    images, noise = torch.rand(4, model.encoder.shape.in_chans, 64, 64) * 255, torch.rand(NOISES, 4, 16)
    def loss(net, part):
        view = View(images[part, :1], torch.ones(len(images[part]), 16), (4, 4))
        return net(images[part], view, counts, noise[:, part], 0.9).loss
    loss(model, slice(0, 4)).backward()
    whole = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
    model.zero_grad(set_to_none=True)
    net = Copies(torch.device("cpu")).wrap(model)
    for _ in range(2):  # an idle parameter makes the second pass fail
        model.zero_grad(set_to_none=True)
        loss(net, slice(2 * rank, 2 * rank + 2)).backward()
    for n, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad is not None, f"{name}: {n} has no gradient"
            away = (p.grad - whole[n]).abs().max() / whole[n].abs().max().clamp(min=1e-4)
            assert away < 1e-3, f"{name}: {n} differs by {away:.2g}"
    dist.barrier()
    if rank == 0: print("shared", name)
dist.destroy_process_group()
"""


def test_two_processes_share_the_gradient_of_every_parameter(tiny):
    """The mean over two halves of a batch is the gradient of the whole, for each parameter of each recipe."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shapes = ";".join(one for one in tiny if one.startswith(("model.", "decoder.")))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, shapes, *names()],
            env={**common, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    ended = [process.communicate(timeout=170) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended[0][1][-1500:] + ended[1][1][-1500:]
    assert ended[0][0].split("\n")[:-1] == [f"shared {name}" for name in names()]
