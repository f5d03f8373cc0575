"""Kinds of weight files that are in use: how each is recognised, and how its authors feed it."""

import re
from pathlib import Path

import torch

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.model.families import transformers
from usfm.model.families.beit import BEIT
from usfm.model.families.contract import Family, Tensors, heads_of
from usfm.model.families.crossmae import CROSSMAE, POLARMAE, SELECTIVEMAE
from usfm.model.families.dinov2 import DINOV2
from usfm.model.families.dinov3 import DINOV3
from usfm.model.families.localmim import LOCALMIM
from usfm.model.families.lost import lost
from usfm.model.families.mae import DEBLURMAE, MAE, ULTRAFEDFM, USF_MAE
from usfm.model.families.medclip import MEDCLIP
from usfm.model.families.openclip import CLIP_VIT, OPENCLIP
from usfm.model.families.resnet import RESNET
from usfm.model.families.sam import LVM_MED, MEDSAM, SAM
from usfm.model.families.tinyusfm import TINYUSFM
from usfm.model.families.ultradino import ULTRADINO
from usfm.model.families.ultrasam import ULTRASAM
from usfm.model.families.usfm import USFM
from usfm.model.tensors import Weights

__all__ = ["FAMILIES", "UNREAD", "Family", "heads_of", "lost", "named", "of", "projection_of", "renamed"]

FAMILIES: dict[str, Family] = {
    "resnet": RESNET,
    "ultrasam": ULTRASAM,
    "sam": SAM,
    "medsam": MEDSAM,
    "lvm-med": LVM_MED,
    "medclip": MEDCLIP,
    "usfm": USFM,
    "beit": BEIT,
    "dinov3": DINOV3,
    "ultradino": ULTRADINO,
    "dinov2": DINOV2,
    "clip": CLIP_VIT,
    "openclip": OPENCLIP,
    "tinyusfm": TINYUSFM,
    "crossmae": CROSSMAE,
    "polarmae": POLARMAE,
    "selectivemae": SELECTIVEMAE,
    "localmim": LOCALMIM,
    "mae": MAE,
    "usf-mae": USF_MAE,
    "ultrafedfm": ULTRAFEDFM,
    "deblurmae": DEBLURMAE,
}
"""The first whose marks a file has is taken; the last ones with marks fit every plain ViT."""

UNREAD = {
    "OpenUS": "its network (VMamba) runs on CUDA kernels of its own only; weights are CC-BY-NC 4.0",
    "EchoCare": "neither code nor weights are public",
}
"""Published names for which there is no reader, and why."""


def renamed(tensors: Tensors, source: str | Path) -> Tensors:
    """The tensors of a file by timm's names, where a family has others.

    Args:
        tensors: of the file.
        source: named in the error.

    Returns:
        Timm's name -> tensor; `tensors` itself where no family has other names.

    Raises:
        RequestError: they cannot be put together.
    """
    for rename in (*(family.rename for family in FAMILIES.values() if family.rename), transformers.rename):
        try:
            found = rename(tensors)
        except RuntimeError as error:  # parts that do not fit one another
            raise RequestError(f"{source}: its tensors do not fit one another ({error}); is the file whole?") from None
        if found is not None:
            return found
    return tensors


def projection_of(tensors: Tensors) -> torch.Tensor | None:
    """The matrix (out, in) that a file's pooled vector goes through at the end; None where no family knows one."""
    for family in FAMILIES.values():
        if family.projection is not None:
            pattern, turned = family.projection
            name = next((name for name in tensors if re.search(pattern, name)), None)
            if name is not None and tensors[name].ndim == 2:
                return tensors[name].T if turned else tensors[name]
    return None


def of(found: Weights) -> str:
    """Recognise the family of a file's network by its tensors: a key of FAMILIES."""
    return next(name for name, family in FAMILIES.items() if family.marks is not None and family.marks(found))


def named(found: Weights, source: str | Path, told: str = "") -> str:
    """The family of a file: as told, else by its tensors and its name.

    Args:
        found: its tensors.
        source: the file.
        told: a key of FAMILIES, or "".

    Returns:
        A key of FAMILIES.

    Raises:
        RequestError: no family has the name that was told, or its files have other tensors.
    """
    seen = of(found)
    if not told:
        low = Path(source).name.lower()
        same = (key for key, each in FAMILIES.items() if each.like == seen and any(part in low for part in each.names))
        return next(same, seen)
    if told not in FAMILIES:
        raise RequestError(f"{source}: no family is called '{told}'{did_you_mean(told, FAMILIES)}")
    if told != seen and FAMILIES[told].like != seen:
        raise RequestError(
            f"{source}: looks like {FAMILIES[seen].title}, which has other tensors than {FAMILIES[told].title}; leave "
            "?family= out"
        )
    return told
