"""DINOv2, in timm's layout and in Meta's: LayerScale, registers or none."""

from usfm.model.families.contract import OF_64, Family
from usfm.model.families.vit import vit
from usfm.model.tensors import Weights


def marks(found: Weights) -> bool:
    """Registers, or LayerScale under any of its names."""
    t = found.tensors
    registers = {"reg_token", "register_tokens", "storage_tokens"} & set(t)
    return bool(registers) or any(".ls1." in name or name.endswith(".gamma_1") for name in t)


DINOV2 = Family(
    "DINOv2, or another ViT with LayerScale or registers",
    "`ls1.gamma`, `reg_token` or `register_tokens`",
    "vit_small_patch14_dinov2",
    marks,
    build=vit,
    heads=OF_64,
    pool="class token",
    licence="Apache-2.0",
    source="facebookresearch/dinov2, or timm",
)
