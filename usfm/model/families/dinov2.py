"""DINOv2, in timm's layout and in Meta's: LayerScale, registers or none."""

import re

import torch

from usfm.model.families.contract import OF_64, Family, Tensors
from usfm.model.families.vit import vit
from usfm.model.tensors import Weights


def marks(found: Weights) -> bool:
    """Registers, or LayerScale under any of its names."""
    t = found.tensors
    registers = {"reg_token", "register_tokens", "storage_tokens"} & set(t)
    return bool(registers) or any(".ls1." in name or name.endswith(".gamma_1") for name in t)


_CHUNK = re.compile(r"(^|\.)blocks\.\d{1,3}\.(\d{1,3})\.(?=norm1|attn|ls1|norm2|mlp|ls2)")


def rename(tensors: Tensors) -> dict[str, torch.Tensor] | None:
    """Blocks of a training that was cut into chunks (`blocks.1.7.`, the seventh of all) -> as they are without."""
    if not any(_CHUNK.search(name) for name in tensors):
        return None
    return {_CHUNK.sub(r"\1blocks.\2.", name): value for name, value in tensors.items()}


DINOV2 = Family(
    "DINOv2, or another ViT with LayerScale or registers",
    "`ls1.gamma`, `reg_token` or `register_tokens`",
    "vit_small_patch14_dinov2",
    marks,
    build=vit,
    rename=rename,
    heads=OF_64,
    pool="class token",
    licence="Apache-2.0",
    source="facebookresearch/dinov2, or timm",
)
