"""The device that a user asks for, checked once for training and for reading."""

import torch

from usfm.errors import RequestError


def choose_device(name: str = "auto", local_rank: int = 0) -> torch.device:
    """The device a user asked for.

    Args:
        name: auto, cpu, cuda, cuda:1 or mps.
        local_rank: which of a machine's processes this is; picks the GPU for auto and cuda.

    Returns:
        The device, with its number where it is a GPU.

    Raises:
        RequestError: the name is none of these, or the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number or "0") != str(int(number) if number.isdecimal() else 0):
        raise RequestError(f"--device {name}: write auto, cpu, cuda, cuda:1 or mps")
    if name.endswith(":"):
        raise RequestError(f"--device {name}: write auto, cpu, cuda, cuda:1 or mps")
    index = local_rank if name == "cuda" else int(number or 0)
    count = torch.cuda.device_count() if kind == "cuda" and torch.cuda.is_available() else int(kind != "cuda")
    if index >= count:
        raise RequestError(f"--device {name}: this machine shows PyTorch {count} devices of this kind; use cpu or auto")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise RequestError("--device mps: PyTorch finds no Apple GPU here; use --device cpu")
    return torch.device(f"cuda:{index}" if kind == "cuda" else name)
