"""One optimiser step: accumulation, clipping, rates, averages, and a state that goes on to the same numbers."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from usfm.engine import keep
from usfm.engine.data import Batch
from usfm.engine.device import Ranks
from usfm.engine.optim import Group
from usfm.engine.schedule import cosine
from usfm.engine.step import Loop, NotFinite, Training
from usfm.engine.stream import BatchPlan
from usfm.engine.timing import Clock
from usfm.errors import RequestError
from usfm.model import checkpoint

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

    def group(self, name):
        return Group(0.5, 0.2) if name == "2.weight" else Group()


def loop(**training):
    job = Regression()
    return Loop(job, Training(**{"steps": 10, "lr": 1e-2, **training}), Ranks(), CPU)


def batch(rows, step=0):
    torch.manual_seed(step)
    frames = torch.randint(0, 256, (12, 1, 4, 4), dtype=torch.uint8)[rows]
    plan = BatchPlan(step, None, None, None, 0, None)
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


def test_all_groups_follow_the_schedule_times_their_factor():
    one = loop(steps=4, warmup=0.25, min_lr=1e-4)
    for step in range(4):
        one.advance(parts(1, step), Clock(CPU, enabled=False))
        wanted = cosine((step + 0.5) / 4, peak=1e-2, floor=1e-4, warmup=0.25)
        assert [group["lr"] for group in one.optimizer.param_groups] == [0.5 * wanted, wanted, wanted]
    assert wanted > 1e-4


def test_the_state_goes_on_to_the_same_numbers():
    straight = loop(ema=0.9)
    for step in range(6):
        straight.advance(parts(1, step), Clock(CPU, enabled=False))
    first = loop(ema=0.9)
    for step in range(3):
        first.advance(parts(1, step), Clock(CPU, enabled=False))
    second = loop(ema=0.9)
    second.go_on(first.model.state_dict(), first.state())
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


def _optimizer(**values):
    return lambda state: state["optimizer"]["state"][0].update(values)


ODD_STATES = {
    "no step": lambda state: state.pop("step"),
    "a step of text": lambda state: state.update(step="2"),
    "a true step": lambda state: state.update(step=True),
    "a step before the run": lambda state: state.update(step=-1),
    "a step behind the run": lambda state: state.update(step=11),
    "a best of text": lambda state: state.update(best="good"),
    "a best that is no number": lambda state: state.update(best=float("nan")),
    "pending of text": lambda state: state.update(pending=["x"]),
    "no list of pending": lambda state: state.update(pending=3),
    "no optimiser": lambda state: state.pop("optimizer"),
    "an optimiser of text": lambda state: state.update(optimizer="adamw"),
    "no groups": lambda state: state["optimizer"].update(param_groups=[]),
    "moments of another shape": _optimizer(exp_avg=torch.zeros(7)),
    "no moments": _optimizer(exp_avg_sq=None),
    "two step counts": _optimizer(step=torch.zeros(2)),
    "an average of text": lambda state: state.update(average="mean"),
    "an average of another shape": lambda state: state["average"]["weights"].update({"0.bias": torch.zeros(9)}),
    "an average of other names": lambda state: state["average"].update(weights={"x": torch.zeros(1)}),
    "an average that lacks one": lambda state: state["average"]["weights"].pop("0.bias"),
    "an average of half a step": lambda state: state["average"].update(steps="many"),
    "no scaler": lambda state: state.pop("scaler"),
}


@pytest.mark.parametrize("case", ODD_STATES)
def test_a_state_that_does_not_fit_is_one_sentence(tmp_path, monkeypatch, case):
    one = loop(ema=0.9)
    one.advance(parts(1), Clock(CPU, enabled=False))
    weights, state = copy.deepcopy((dict(one.model.state_dict()), one.state()))
    monkeypatch.setattr(checkpoint, "load_state", lambda path: (weights, state))
    loop(ema=0.9).go_on(weights, state)
    ODD_STATES[case](state)
    with pytest.raises(RequestError, match="its state does not fit the run"):
        keep.resume(one, SimpleNamespace(path=tmp_path))


def test_settings_of_the_optimiser_are_those_of_the_command(tmp_path):
    one, other = loop(weight_decay=0.5), loop(weight_decay=0.1)
    one.advance(parts(1), Clock(CPU, enabled=False))
    other.go_on(one.model.state_dict(), one.state())
    assert [group["weight_decay"] for group in other.optimizer.param_groups] == [0.2, 0.1, 0.0]


def test_a_state_of_an_earlier_version_has_no_factor_and_no_count_of_checks():
    one, other = loop(), loop()
    one.advance(parts(1), Clock(CPU))
    state = one.state()
    del state["waited"]
    for group in state["optimizer"]["param_groups"]:
        del group["factor"]
    other.go_on(one.model.state_dict(), state)
    assert (other.waited, [group["factor"] for group in other.optimizer.param_groups]) == (0, [0.5, 1.0, 1.0])


# ---------------------------------------------------------------- steps without a run


def test_steps_from_given_weights_are_those_of_a_whole_training():
    """Two sites that begin a round at the same weights and see the same batches end it alike, whatever came before."""
    one, other = loop(ema=0.9), loop(ema=0.9)
    start = {name: value.clone() for name, value in one.model.state_dict().items()}
    assert math.isnan(one.take([]))
    other.take([parts(1, step) for step in range(3)])
    other.start_from(start)
    other.step = 0
    batches = [parts(1, step) for step in range(4)]
    assert one.take(batches) == other.take(batches)
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name])
        assert torch.equal(one.average.weights[name], other.average.weights[name])
    assert one.step == 4


def test_a_loss_that_is_not_finite_ends_the_steps():
    one = loop()
    with torch.no_grad():
        one.model[0].bias.fill_(float("inf"))
    with pytest.raises(NotFinite):
        one.take([parts(1)])


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("higher", [False, True])
def test_the_best_score_and_the_patience(higher):
    one = loop(higher=higher, patience=2)
    sign = 1 if higher else -1
    answers = [(0.1, True), (0.2, True), (0.2, False), (None, False), (0.3, True), (0.1, False), (float("nan"), False)]
    for score, better in answers:
        assert not one.tired
        assert one.judge(score if score is None else sign * score) is better
    assert one.tired
    assert one.best == sign * 0.3
    again = loop(higher=higher, patience=2)
    again.go_on(one.model.state_dict(), one.state())
    assert again.tired
    assert again.best == one.best


def test_without_patience_nothing_ends_early():
    one = loop()
    for _ in range(50):
        one.judge(1.0)
    assert not one.tired
