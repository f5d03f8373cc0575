"""Vision towers of open_clip: timm's under a prefix (BiomedCLIP), or its own ViT (FetalCLIP and most others)."""

import re

import torch

from usfm.model import bounds
from usfm.model.families.contract import CLIP, USUAL, Built, Family, Tensors, heads_of
from usfm.model.families.vit import vit
from usfm.model.spec import Told
from usfm.model.tensors import PROJECTION, Weights

_NAMES = (
    (r"^conv1\.weight$", PROJECTION),
    (r"^ln_pre\.", "norm_pre."),
    (r"^ln_post\.", "norm."),
    (r"^transformer\.resblocks\.(\d+)\.ln_([12])\.", r"blocks.\1.norm\2."),
    (r"^transformer\.resblocks\.(\d+)\.attn\.in_proj_", r"blocks.\1.attn.qkv."),
    (r"^transformer\.resblocks\.(\d+)\.attn\.out_proj\.", r"blocks.\1.attn.proj."),
    (r"^transformer\.resblocks\.(\d+)\.mlp\.c_fc\.", r"blocks.\1.mlp.fc1."),
    (r"^transformer\.resblocks\.(\d+)\.mlp\.c_proj\.", r"blocks.\1.mlp.fc2."),
    (r"^transformer\.resblocks\.", "blocks."),
)
_MARK = "visual.class_embedding"


def rename(tensors: Tensors) -> dict[str, torch.Tensor] | None:
    """open_clip's names of a vision tower to timm's; everything else goes under `text.`."""
    before = next((name.removesuffix(_MARK) for name in tensors if name.endswith(_MARK)), None)
    if before is None:
        return None
    found: dict[str, torch.Tensor] = {}
    for name, value in tensors.items():
        inner = name.removeprefix(f"{before}visual.")
        if inner == name or inner == "proj":
            found[f"text.{name}"] = value
        elif inner == "class_embedding":
            found["clip.cls_token"] = value.reshape(1, 1, -1)
        elif inner == "positional_embedding":
            found["clip.pos_embed"] = value.unsqueeze(0) if value.ndim == 2 else value
        else:
            for old, new in _NAMES:
                inner = re.sub(old, new, inner)
            found[f"clip.{inner}"] = value
    return found


def build(found: Weights, family: Family, source: str, told: Told) -> Built:
    """See `Builder`. Timm's ViT with a norm before the blocks and CLIP's epsilon."""
    from timm.models.vision_transformer import VisionTransformer

    t = found.tensors
    dim, chans, patch, _ = t[PROJECTION].shape
    heads, said = heads_of(found, family, source, told.heads)
    px = told.px or round((t["pos_embed"].shape[1] - 1) ** 0.5) * patch
    model = VisionTransformer(
        img_size=px, patch_size=patch, in_chans=chans, num_classes=0, embed_dim=dim, num_heads=heads,
        depth=bounds.depth_of(t, source), mlp_ratio=(t["blocks.0.mlp.fc1.weight"].shape[0] + 0.5) / dim,
        pre_norm=True, norm_layer=torch.nn.LayerNorm, weight_init="skip",
    )  # fmt: skip
    return Built(model, (px, px), f"{said}; GELU assumed, not OpenAI's QuickGELU")


OPENCLIP = Family(
    "BiomedCLIP and others of open_clip",
    "`visual.trunk.`",
    "vit_base_patch16_224",
    lambda found: found.prefix.endswith("visual.trunk."),
    build=vit,
    normalisation=CLIP,
    heads=USUAL,
    pool="class token, then a projection",
    projection=(r"(^|\.)visual\.head\.proj\.weight$", False),
    licence="MIT (BiomedCLIP)",
    source="microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
)
CLIP_VIT = Family(
    "FetalCLIP and other ViTs of open_clip",
    "`visual.class_embedding`",
    "vit_large_patch14_clip_224",
    lambda found: found.prefix == "clip." and "norm_pre.weight" in found.tensors,
    build=build,
    rename=rename,
    normalisation=CLIP,
    heads=USUAL,
    pool="class token, then a projection",
    projection=(r"(^|\.)visual\.proj$", True),
    licence="its model card's (FetalCLIP)",
    source="BioMedIA-MBZUAI/FetalCLIP",
)
