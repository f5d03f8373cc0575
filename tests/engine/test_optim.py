"""The optimiser's groups and rates, the schedule, and weights averaged over time, against the plain formulae."""

import math

import pytest
import torch
from torch import nn

from usfm.engine.optim import Average, Group, adamw, layer_factor
from usfm.engine.schedule import cosine
from usfm.model.vit import build_encoder


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))


def test_one_dimensional_parameters_are_not_decayed():
    net = model()
    net[0].weight.requires_grad_(False)
    decayed, free = adamw(net, weight_decay=0.1).param_groups
    assert {id(p) for p in decayed["params"]} == {id(net[2].weight)}
    assert {id(p) for p in free["params"]} == {id(p) for p in net.parameters() if p.ndim == 1}
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)


def test_groups_have_their_own_rates_and_decay():
    net = model()
    rules = {"0.weight": Group(0.5), "0.bias": Group(0.5), "2.weight": Group(weight_decay=0.0)}
    groups = adamw(net, weight_decay=0.1, lr=2.0, group=lambda name: rules.get(name, Group())).param_groups
    found = {id(p): (g["lr"], g["factor"], g["weight_decay"]) for g in groups for p in g["params"]}
    wanted = {"0.weight": (1.0, 0.5, 0.1), "0.bias": (1.0, 0.5, 0.0), "2.weight": (2.0, 1.0, 0.0)}
    for name, p in net.named_parameters():
        assert found.pop(id(p)) == wanted.get(name, (2.0, 1.0, 0.0))
    assert not found


@pytest.mark.parametrize("depth, decay", [(12, 0.65), (4, 0.75), (2, 1.0)])
def test_layer_decay_is_that_of_mae(depth, decay):
    """MAE's own arithmetic: a list of depth + 2 scales, the layer's number read from the parameter's name."""
    net = build_encoder("vit_nano_patch16_64", depth=depth)
    scales = [decay ** (depth + 1 - i) for i in range(depth + 2)]
    for name, _ in net.named_parameters():
        if name in ("cls_token", "pos_embed") or name.startswith("patch_embed"):
            layer = 0
        elif name.startswith("blocks"):
            layer = int(name.split(".")[1]) + 1
        else:
            layer = depth + 1
        assert layer_factor(name, depth, decay) == scales[layer]
    assert layer_factor("head.weight", depth, decay) == 1.0


@pytest.mark.parametrize("steps, warmup, floor", [(1, 0.05, 0.0), (2, 0.0, 0.0), (20, 0.05, 0.0), (1000, 0.1, 1e-3)])
def test_every_step_of_a_run_has_a_rate(steps, warmup, floor):
    rates = [cosine((step + 0.5) / steps, peak=1.0, floor=floor, warmup=warmup) for step in range(steps)]
    assert min(rates) > floor
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    for step, rate in enumerate(rates):
        at = (step + 0.5) / steps
        if at >= warmup:
            wanted = floor + (1 - floor) * (1 + math.cos(math.pi * (at - warmup) / (1 - warmup))) / 2
            assert rate == pytest.approx(wanted)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99, 0.9999])
def test_the_average_equals_a_loop(decay):
    """Most of the old average stays: with the two shares swapped it would follow the newest weights."""
    net = model()
    average, wanted = Average(net, decay), [p.detach().clone() for p in net.parameters()]
    for step in range(1, 8):
        with torch.no_grad():
            for p in net.parameters():
                p.add_(torch.randn_like(p))
        average.update()
        share = min(decay, (1 + step) / (10 + step))
        wanted = [share * old + (1 - share) * new.detach() for old, new in zip(wanted, net.parameters(), strict=True)]
    for (name, _), value in zip(net.named_parameters(), wanted, strict=True):
        assert torch.allclose(average.weights[name], value, atol=1e-6)


def test_the_average_goes_on_from_what_was_saved():
    net = model()
    average = Average(net, 0.9)
    average.update()
    again = Average(model(), 0.9)
    again.load(average.weights, average.steps)
    with torch.no_grad():
        net[0].weight.add_(1)
    again._model = net
    average.update()
    again.update()
    assert all(torch.equal(value, again.weights[name]) for name, value in average.weights.items())
