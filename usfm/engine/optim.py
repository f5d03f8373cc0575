"""The optimiser, and weights averaged over time."""

from collections.abc import Mapping

import torch
from torch import nn


def adamw(
    model: nn.Module, *, weight_decay: float, betas: tuple[float, float] = (0.9, 0.95), lr: float = 0.0
) -> torch.optim.AdamW:
    """AdamW without decay on one-dimensional parameters (biases, norms); fused where the device has it. Source: MAE."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = bool(trained) and trained[0].device.type in ("cpu", "cuda")
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
        """Go on from a saved average."""
        self.steps = steps
        for name, value in weights.items():
            self.weights[name].copy_(value)
