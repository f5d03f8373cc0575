"""The optimiser, its groups of parameters, and weights averaged over time."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Group:
    """How a parameter is trained.

    Attributes:
        factor: times the run's learning rate.
        weight_decay: its own; None = the run's. One-dimensional parameters never decay.
    """

    factor: float = 1.0
    weight_decay: float | None = None


def same(name: str) -> Group:
    """Every parameter by the run's settings."""
    return Group()


def layer_factor(name: str, depth: int, decay: float) -> float:
    """Layer decay: how much of the learning rate a parameter of a plain ViT has, less the nearer it is to the pixels.

    Source: MAE's fine-tuning (after BEiT): embeddings are layer 0, block i is layer i + 1, norm and head are layer
    depth + 1, and a layer has decay ** (depth + 1 - layer).

    Args:
        name: of the parameter, such as `blocks.3.attn.qkv.weight`; what is no part of the encoder (a head) has 1.
        depth: blocks of the encoder.
        decay: factor from one layer to the one below, such as 0.65.

    Returns:
        The factor, 1 for the head.

    Examples:
        >>> [round(layer_factor(name, 2, 0.5), 3) for name in ("pos_embed", "blocks.0.norm1.bias", "norm.weight")]
        [0.125, 0.25, 1.0]
    """
    block = re.match(r"blocks\.(\d+)\.", name)
    first = name in ("cls_token", "pos_embed", "mask_token") or name.startswith("patch_embed.")
    layer = int(block[1]) + 1 if block else 0 if first else depth + 1
    return decay ** (depth + 1 - layer)


def adamw(
    model: nn.Module,
    *,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.95),
    lr: float = 0.0,
    group: Callable[[str], Group] = same,
) -> torch.optim.AdamW:
    """AdamW without decay on one-dimensional parameters (biases, norms); fused where the device has it. Source: MAE.

    Args:
        model: its trainable parameters are taken.
        weight_decay: of parameters whose group has none of its own.
        betas: decay of the two moments.
        lr: rate of a group whose factor is 1.
        group: parameter's name -> how it is trained.

    Returns:
        Groups in ascending order of their factors, those with decay first; each knows its `factor`, by which whoever
        sets the rates multiplies them.
    """
    table: dict[tuple[float, bool, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            own, flat = group(name), parameter.ndim <= 1
            decay = 0.0 if flat else weight_decay if own.weight_decay is None else own.weight_decay
            table.setdefault((own.factor, flat, decay), []).append(parameter)
    groups = [
        {"params": table[key], "weight_decay": key[2], "factor": key[0], "lr": lr * key[0]} for key in sorted(table)
    ]
    fused = bool(groups) and groups[0]["params"][0].device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=lr, betas=betas, fused=fused)


class Average:
    """Exponential moving average of a model's parameters, in their own precision.

    Args:
        model: averaged; buffers and frozen parameters are taken as they are.
        decay: share of the old average that stays at each step. The average starts as a plain mean, so that the
            random start is forgotten: at step t the decay is at most (1 + t) / (10 + t).
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.steps = decay, 0
        self._model = model
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the model's current weights in."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        names = [name for name, value in self.weights.items() if value.is_floating_point()]
        current = self._model.state_dict()
        torch._foreach_lerp_([self.weights[n] for n in names], [current[n].detach() for n in names], 1 - decay)

    def load(self, weights: Mapping[str, torch.Tensor], steps: int) -> None:
        """Go on from a saved average.

        Args:
            weights: name -> averaged weights.
            steps: that the average has seen.
        """
        self.steps = steps
        for name, value in weights.items():
            self.weights[name].copy_(value)
