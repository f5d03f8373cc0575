"""LoRA: a network is trained through small matrices beside its frozen ones, and merged into a plain one after it."""

import math
import re
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils import parametrize

from usfm.errors import RequestError

RANK, ALPHA = 8, 16.0
TARGETS = ("qkv", "proj", "fc1", "fc2")


class Low(nn.Module):
    """W -> W + alpha / rank * up @ down: an update of low rank, zero at the start.

    A parametrisation of the weight, so that it works where a network reads the weight itself (BEiT's attention does).
    Source: Hu et al. 2022.
    """

    def __init__(self, weight: torch.Tensor, rank: int, alpha: float):
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, weight.shape[1], device=weight.device))
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank, device=weight.device))
        self.factor = alpha / rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """(out, in) -> (out, in)."""
        return weight + self.factor * (self.up @ self.down)


def add(
    network: nn.Module,
    *,
    rank: int = RANK,
    alpha: float = ALPHA,
    targets: tuple[str, ...] = TARGETS,
    last: int = 0,
) -> list[str]:
    """Freeze a transformer but for its norms, and put an update of low rank beside its linear layers.

    Args:
        network: a `usfm.model.network.Network`, or a network of timm.
        rank: of the updates.
        alpha: the updates are multiplied by alpha / rank.
        targets: last part of the names of the linear layers in its blocks.
        last: only in so many last blocks; 0 = in all.

    Returns:
        The names of the layers that have one.

    Raises:
        RequestError: it has no such layers.
    """
    network.requires_grad_(False)
    for part in network.modules():
        if isinstance(part, nn.LayerNorm):
            part.requires_grad_(True)
    found: dict[str, int] = {}
    for name, part in network.named_modules():
        block = re.search(r"(?:^|\.)blocks\.(\d+)\.", name)
        if block and isinstance(part, nn.Linear) and name.rpartition(".")[2] in targets:
            found[name] = int(block[1])
    if not found:
        raise RequestError(
            "lora: this network has no transformer blocks with layers named "
            f"{', '.join(targets)}; use --protocol full or frozen"
        )
    first = max(found.values()) + 1 - last if last else 0
    names = [name for name, block in found.items() if block >= first]
    for name in names:
        layer = network.get_submodule(name)
        parametrize.register_parametrization(
            layer, "weight", Low(torch.as_tensor(layer.weight), rank, alpha), unsafe=True
        )
    return names


def merge(network: nn.Module) -> None:
    """Add the updates to the weights, so that the network is as it was built, with other numbers."""
    for part in list(network.modules()):
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)


def trained(network: nn.Module) -> tuple[int, int]:
    """How many parameters are trained, and how many there are."""
    sizes = [(value.numel(), value.requires_grad) for value in network.parameters()]
    return sum(size for size, on in sizes if on), sum(size for size, _ in sizes)


def plain(weights: Mapping[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """A state dict with the updates added to the weights, as the network has it without them.

    Args:
        weights: of the network with its updates.
        network: the same network; it says how strong the updates are.

    Returns:
        The names and shapes that it was built with.
    """
    mark = ".parametrizations.weight."
    found = {name: value for name, value in weights.items() if mark not in name}
    for name, value in weights.items():
        if name.endswith(mark + "original"):
            layer = name.removesuffix(mark + "original")
            low = network.get_submodule(f"{layer}{mark}0")
            up, down = weights[f"{layer}{mark}0.up"], weights[f"{layer}{mark}0.down"]
            found[f"{layer}.weight"] = value + float(cast(Any, low).factor) * (up @ down)
    return found
