"""UltraSam: SAM's encoder trained on ultrasound, under the names of mmdetection."""

import re

import torch

from usfm.model.families.contract import Built, Family, Tensors
from usfm.model.families.sam import build as build_sam
from usfm.model.spec import Told
from usfm.model.tensors import Weights

_PARTS = (
    (r"^patch_embed\.projection\.", "patch_embed.proj."),
    (r"^layers\.(\d+)\.ln1\.", r"blocks.\1.norm1."),
    (r"^layers\.(\d+)\.ln2\.", r"blocks.\1.norm2."),
    (r"^layers\.(\d+)\.attn\.", r"blocks.\1.attn."),
    (r"^layers\.(\d+)\.ffn\.layers\.0\.0\.", r"blocks.\1.mlp.fc1."),
    (r"^layers\.(\d+)\.ffn\.layers\.1\.", r"blocks.\1.mlp.fc2."),
    (r"^pos_embed$", "pos_embed"),
)
_MARK = "backbone.layers.0.ffn.layers.0.0.weight"


def rename(tensors: Tensors) -> dict[str, torch.Tensor] | None:
    """Mmdetection's names to timm's; the neck is left out, since its authors take the map before it."""
    before = next((name.removesuffix(_MARK) for name in tensors if name.endswith(_MARK)), None)
    if before is None:
        return None
    found: dict[str, torch.Tensor] = {}
    for name, value in tensors.items():
        inner = name.removeprefix(f"{before}backbone.")
        if inner == name:
            found[f"head.{name}"] = value
            continue
        for old, new in _PARTS:
            if re.search(old, inner):
                found[f"ultrasam.{re.sub(old, new, inner)}"] = value
                break
        else:
            own = inner.startswith("channel_reduction.")
            found[f"head.{name}" if own else f"ultrasam.{inner}"] = value
    return found


def marks(found: Weights) -> bool:
    """The prefix that `rename` gives."""
    return found.prefix == "ultrasam." and "blocks.0.attn.rel_pos_h" in found.tensors


def build(found: Weights, family: Family, source: str, told: Told) -> Built:
    """See `Builder`. SAM's encoder without its neck."""
    built = build_sam(found, family, source, told)
    built.model.neck = torch.nn.Identity()
    return Built(built.model, built.size)


ULTRASAM = Family(
    "UltraSam",
    "`backbone.layers.0.ffn` (mmdetection's names)",
    "samvit_base_patch16",
    marks,
    build=build,
    rename=rename,
    pool="mean of the map before the neck",
    licence="CC-BY-NC-SA 4.0",
    source="CAMMA-public/UltraSam",
)
