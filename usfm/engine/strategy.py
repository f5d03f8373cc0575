"""How the processes of one training share a model: the one place that knows of wrappers, gathering and gradients."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from usfm.engine.device import Ranks
from usfm.engine.optim import Average


class Strategy(Protocol):
    """One way to share a model.

    `shards` says that a process holds only a part of the weights; then every process has to take part in a check and
    in a save, else the first one does both alone.
    """

    shards: bool

    def wrap(self, model: nn.Module) -> nn.Module:
        """What the forward pass goes through; before the optimiser is made."""
        ...

    def exchange(self, net: nn.Module, now: bool) -> None:
        """Say whether the next backward pass is the last of its step, so that gradients have to be exchanged.

        Args:
            net: the model as `wrap` gave it.
            now: whether it is the last pass.
        """
        ...

    def clip(self, model: nn.Module, norm: float) -> torch.Tensor:
        """Bound the norm of all gradients together, and return what it was.

        Args:
            model: whose gradients are bounded in place.
            norm: the largest norm that stays.

        Returns:
            The norm before, a scalar on the device.
        """
        ...

    def average(self, model: nn.Module, decay: float) -> Average:
        """Weights averaged over time, where the weights are.

        Args:
            model: whose weights are averaged.
            decay: share of the old average that stays at each step.

        Returns:
            The average, begun.
        """
        ...

    def gather(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Whole tensors of a model's or an average's state dict; every process calls it where `shards`."""
        ...

    def gather_optimizer(self, optimizer: torch.optim.Optimizer) -> dict:
        """The optimiser's whole state; every process calls it where `shards`."""
        ...

    def load(self, model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
        """Put whole tensors into the model.

        Args:
            model: changed in place.
            weights: name -> whole tensor.
        """
        ...

    def load_optimizer(self, optimizer: torch.optim.Optimizer, state: dict) -> None:
        """Put a whole state into the optimiser.

        Args:
            optimizer: changed in place.
            state: whole, as `gather_optimizer` gives it.
        """
        ...


class Alone:
    """One process, one model."""

    shards = False

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model itself."""
        return model

    def exchange(self, net: nn.Module, now: bool) -> None:
        """See `Strategy`; there is nobody to exchange with."""

    def clip(self, model: nn.Module, norm: float) -> torch.Tensor:
        """See `Strategy`; PyTorch's own."""
        return nn.utils.clip_grad_norm_(model.parameters(), norm)

    def average(self, model: nn.Module, decay: float) -> Average:
        """See `Strategy`; of all weights."""
        return Average(model, decay)

    def gather(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """They are whole."""
        return dict(weights)

    def gather_optimizer(self, optimizer: torch.optim.Optimizer) -> dict:
        """It is whole."""
        return optimizer.state_dict()

    def load(self, model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
        """See `Strategy`; every tensor has to fit."""
        model.load_state_dict(weights)

    def load_optimizer(self, optimizer: torch.optim.Optimizer, state: dict) -> None:
        """See `Strategy`; PyTorch's own."""
        optimizer.load_state_dict(state)


class Copies(Alone):
    """A copy of the model on every process, gradients averaged: DistributedDataParallel."""

    def __init__(self, device: torch.device):
        self.device = device

    def wrap(self, model: nn.Module) -> nn.Module:
        """Its wrapper, which exchanges gradients while they are made."""
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, gradient_as_bucket_view=True)

    def exchange(self, net: nn.Module, now: bool) -> None:
        """See `Strategy`; gradients of all parts but the last stay here."""
        net.require_backward_grad_sync = now  # type: ignore[assignment]


def strategy_of(ranks: Ranks, device: torch.device) -> Strategy:
    """The one for so many processes.

    Args:
        ranks: the processes of the training.
        device: of this process.

    Returns:
        `Copies` for more than one process, else `Alone`.
    """
    return Copies(device) if ranks.world > 1 else Alone()
