"""Where the time of a step goes."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Clock:
    """Sums the seconds of named parts; costs nothing and waits for nothing unless enabled."""

    def __init__(self, device: torch.device, *, enabled: bool = False):
        self.device, self.enabled = device, enabled
        self.seconds: dict[str, float] = defaultdict(float)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what runs inside."""
        if not self.enabled:
            yield
            return
        started = self._now()
        try:
            yield
        finally:
            self.seconds[name] += self._now() - started

    def table(self, steps: int) -> dict[str, float]:
        """Milliseconds a step, by part."""
        return {name: round(1000 * seconds / max(1, steps), 3) for name, seconds in self.seconds.items()}
