"""One optimiser step: accumulation, clipping, rates, averages, and a state that goes on to the same numbers."""

import pytest
import torch
from torch import nn

from usfm.engine.data import Batch
from usfm.engine.device import Ranks
from usfm.engine.schedule import cosine
from usfm.engine.step import Loop, Training
from usfm.engine.stream import Plan
from usfm.engine.timing import Clock

CPU = torch.device("cpu")


class Regression:
    """A job with a known gradient: the mean squared error of a linear model on the frames' first pixels."""

    def __init__(self):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 1))

    def loss(self, net, batch, step):
        x = batch.frames.float().flatten(1)[:, :4] / 255
        return net(x).square().mean(), {}

    def check(self, model, step):
        return {}


class NoRun:
    """A run directory that nobody writes to."""

    path = None

    def log(self, values):
        self.last = values


def loop(**training):
    job = Regression()
    return Loop(job, Training(**{"steps": 10, "lr": 1e-2, **training}), NoRun(), Ranks(), CPU)


def batch(rows, step=0):
    torch.manual_seed(step)
    frames = torch.randint(0, 256, (12, 1, 4, 4), dtype=torch.uint8)[rows]
    plan = Plan(step, None, None, None, 0, None)
    return Batch(plan, slice(0, len(frames)), frames, torch.zeros(len(frames), 7), torch.zeros(len(frames)).long())


def parts(count, step=0):
    size = 12 // count
    return [batch(slice(k * size, (k + 1) * size), step) for k in range(count)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_accumulation_gives_the_gradient_of_the_whole_batch(count):
    """The norm shows it: AdamW itself would hide a gradient that is `count` times too large."""
    whole, cut = loop(clip=1e9), loop(clip=1e9)
    one = whole.advance(parts(1), Clock(CPU, enabled=False))
    many = cut.advance(parts(count), Clock(CPU, enabled=False))
    assert many["loss"].item() == pytest.approx(one["loss"].item(), rel=1e-5)
    assert many["grad_norm"].item() == pytest.approx(one["grad_norm"].item(), rel=1e-5)


def test_clipping_bounds_the_step_and_logs_the_norm_before_it():
    free, held = loop(clip=1e9, betas=(0.0, 0.0)), loop(clip=1e-6)
    norm = free.advance(parts(1), Clock(CPU, enabled=False))["grad_norm"]
    assert held.advance(parts(1), Clock(CPU, enabled=False))["grad_norm"].item() == pytest.approx(norm.item())
    moments = [state["exp_avg"].norm() for state in held.optimizer.state.values()]
    assert torch.stack(moments).norm().item() == pytest.approx(0.1 * 1e-6, rel=1e-2)


def test_all_groups_follow_the_schedule():
    one = loop(steps=4, warmup=0.25, min_lr=1e-4)
    for step in range(4):
        one.advance(parts(1, step), Clock(CPU, enabled=False))
        wanted = cosine((step + 0.5) / 4, peak=1e-2, floor=1e-4, warmup=0.25)
        assert {group["lr"] for group in one.optimizer.param_groups} == {wanted}
    assert wanted > 1e-4


def test_the_state_goes_on_to_the_same_numbers():
    straight = loop(ema=0.9)
    for step in range(6):
        straight.advance(parts(1, step), Clock(CPU, enabled=False))
    first = loop(ema=0.9)
    for step in range(3):
        first.advance(parts(1, step), Clock(CPU, enabled=False))
    second = loop(ema=0.9)
    second.model.load_state_dict(first.model.state_dict())
    state = first.state()
    second.optimizer.load_state_dict(state["optimizer"])
    second.step = state["step"]
    second.average.load(state["average"]["weights"], state["average"]["steps"])
    for step in range(3, 6):
        second.advance(parts(1, step), Clock(CPU, enabled=False))
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name])
        assert torch.equal(straight.average.weights[name], second.average.weights[name])


@pytest.mark.parametrize("times, steps", [(1, 7), (3, 10), (20, 20), (20, 1000), (50, 7)])
def test_what_is_due_happens_that_often_and_at_the_end(times, steps):
    training = Training(steps=steps, lr=1.0)
    due = [step for step in range(1, steps + 1) if training.due(times, step)]
    assert due[-1] == steps
    assert len(due) == min(times, steps)
