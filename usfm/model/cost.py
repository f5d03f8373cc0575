"""What a run costs: the most memory that it held, and the parameters of its network."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Start to measure anew, so that a run does not report what an earlier one in this process needed.

    Where the system keeps no such mark (it is Linux's), the peak is that of the process since its start.
    """
    try:
        _CLEAR.write_text("5")
    except OSError:
        pass
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak(device: "torch.device") -> dict:
    """The most memory held since `forget_peak`.

    Args:
        device: where the network runs.

    Returns:
        memory_bytes, and memory_of: "gpu" (allocated by torch on that GPU) or "process" (resident, libraries
        included); {} where the system does not tell.
    """
    if device.type == "cuda":
        import torch

        return {"memory_bytes": int(torch.cuda.max_memory_allocated(device)), "memory_of": "gpu"}
    found = _resident()
    return {} if found is None else {"memory_bytes": found, "memory_of": "process"}


def _resident() -> int | None:
    try:
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def parameters(network: "torch.nn.Module") -> int:
    """How many parameters a network has, trained or not.

    >>> from torch import nn
    >>> parameters(nn.Linear(3, 2))
    8
    """
    return sum(value.numel() for value in network.parameters())
