"""Tensors of weight files: containers of every kind unwrapped, one network of several chosen by name."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import torch

from usfm.errors import RequestError
from usfm.model import families, header
from usfm.model.tensors import PROJECTION, Weights

_DEPTH = 8  # containers inside containers
_NOT_WEIGHTS = ("optimizer", "optim", "scaler", "lr_scheduler", "scheduler", "loss")


def read(path: str | Path, own: Collection[str] = (PROJECTION,), *, prefix: str | None = None) -> Weights:
    """Read the network out of a .safetensors, .pth or .pt file.

    Containers (`state_dict`, `model`, `teacher`, ...) and prefixes (`module.`, `visual.trunk.`, ...) are removed,
    however deep: a prefix is whatever stands before the names of the network. Of several networks in one file an
    averaged one is taken, else a teacher, else the one without a prefix. A training checkpoint's `argparse.Namespace`
    is allowed; nothing else that could run code is.

    Args:
        path: the file.
        own: names that the network has; the default is what every vision transformer has.
        prefix: take the network whose names begin with this.

    Returns:
        The tensors of that network, and what our own files say of themselves.

    Raises:
        RequestError: the file is damaged, holds something else than weights, or holds several networks.
    """
    content, notes = header.load(path)
    if not isinstance(content, Mapping):
        raise RequestError(f"{path}: holds no vision transformer but a {type(content).__name__}; save a state dict")
    metadata = _notes(path, notes.get("usfm", content.get("usfm")))
    flat = {name: value for name, value in _flat(content).items() if not name.startswith(_NOT_WEIGHTS)}
    header.check_tensors(path, flat)
    if tuple(own) == (PROJECTION,):
        flat = families.renamed(flat, path)
    found = _prefixes(flat, own)
    if prefix is not None:
        found = [each for each in found if each == prefix]
    if not found and prefix is None and own != (PROJECTION,) and flat:
        return _as_it_is(flat, metadata)
    if not found:
        found = [name.removesuffix(_RESNET) for name in flat if name.endswith(_RESNET)]
    if not found or (prefix is not None and prefix not in found):
        raise _nothing(path, flat, prefix)
    best = min(map(_rank, found))
    first = [each for each in found if _rank(each) == best]
    if len(first) > 1 and "" not in first:
        raise RequestError(
            f"{path}: holds several networks ({', '.join(f'{each}*' for each in first[:4])}); name one as "
            f"{path}?prefix={first[0]}"
        )
    chosen = "" if "" in first else first[0]
    tensors = {name.removeprefix(chosen): value for name, value in flat.items() if name.startswith(chosen)}
    others = tuple(each for each in found if each != chosen)
    if chosen == "":
        tensors = {name: value for name, value in tensors.items() if not (others and name.startswith(others))}
    outside = tuple(name for name in flat if not name.startswith(chosen))
    return Weights(tensors, chosen, outside, others, metadata, families.projection_of(flat))


def _nothing(path: str | Path, flat: Mapping[str, torch.Tensor], prefix: str | None) -> RequestError:
    """The refusal of a file that holds no vision transformer."""
    if any("embeddings.patch_embeddings" in name for name in flat):
        return RequestError(
            f"{path}: has the names of Hugging Face's transformers for a network that is not known here; convert it to "
            "timm's (blocks.0.attn.qkv ...)"
        )
    under = "" if prefix is None else f" under '{prefix}'"
    return RequestError(
        f"{path}: holds no vision transformer and no ResNet (no {PROJECTION}{under} among {len(flat)} tensors)"
    )


def _as_it_is(flat: Mapping[str, torch.Tensor], metadata: dict) -> Weights:
    """A network under names that are not its own: timm's conversions know some, once the containers are gone."""
    prefix, names = "", list(flat)
    while len(tops := {name.partition(".")[0] for name in names}) == 1 and tops <= _CONTAINERS:
        prefix += f"{next(iter(tops))}."
        names = [name.partition(".")[2] for name in names]
    tensors = dict(zip(names, flat.values(), strict=True))
    return Weights(tensors, prefix, metadata=metadata, projection=families.projection_of(flat))


_RESNET = "layer4.0.conv3.weight"


_CONTAINERS = {"state_dict", "model", "module", "weights", "params", "teacher", "student", "ema", "model_ema", "net"}


def _notes(path: str | Path, text: object) -> dict:
    """What usfm wrote into a file beside the tensors."""
    if not isinstance(text, str):
        return {}
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        notes = None
    if not isinstance(notes, dict):
        raise RequestError(f"{path}: what usfm wrote into its metadata is damaged; take another checkpoint")
    return notes


def _flat(content: Mapping) -> dict[str, torch.Tensor]:
    """Tensors of containers in containers, by dotted names; a container that is met again is not entered again."""
    found: dict[str, torch.Tensor] = {}
    met, waiting = {id(content)}, [("", content)]
    while waiting:
        prefix, part = waiting.pop()
        for name, value in part.items():
            if isinstance(value, torch.Tensor):
                found[f"{prefix}{name}"] = value
            elif isinstance(value, Mapping) and id(value) not in met and prefix.count(".") < _DEPTH:
                met.add(id(value))
                waiting.append((f"{prefix}{name}.", value))
    return found


def _prefixes(flat: Mapping[str, torch.Tensor], own: Collection[str]) -> list[str]:
    """What stands before the network's names: every prefix with (nearly) as many of them as the best one."""
    ends = [name for name in own if name.endswith(PROJECTION)] or list(own)[:1]
    candidates = {
        name[: len(name) - len(end)]
        for end in ends
        for name in flat
        if name == end or name.endswith(f".{end}")
    }  # fmt: skip
    counted = {prefix: sum(f"{prefix}{name}" in flat for name in own) for prefix in candidates}
    return sorted(prefix for prefix, n in counted.items() if n > 0.5 * max(counted.values()))


def _rank(prefix: str) -> int:
    words = set(prefix.replace("_", ".").split("."))
    if "ema" in words:
        return 0
    if words & {"teacher", "target"}:
        return 1
    return 3 if words & {"student", "online", "momentum"} else 2
