"""DINOv3, in timm's layout and in Meta's: rotary positions, four registers."""

from collections.abc import Mapping

import torch

from usfm.model import bounds
from usfm.model.families.contract import Built, Family, heads_of
from usfm.model.spec import Told
from usfm.model.tensors import PROJECTION, Weights


def marks(found: Weights) -> bool:
    """Rotary positions, storage tokens, or registers without positions."""
    t = found.tensors
    registers = {"reg_token", "register_tokens", "storage_tokens"} & set(t)
    return "storage_tokens" in t or any("rope" in name for name in t) or bool(registers and "pos_embed" not in t)


def build(found: Weights, family: Family, source: str, told: Told) -> Built:
    """See `Builder`. Timm's DINOv3; frequencies of the rotary positions, if there are any, tell the width of a head."""
    import timm

    t = found.tensors
    dim, chans, patch, _ = t[PROJECTION].shape
    periods = t.get("rope_embed.periods")
    if periods is None:
        heads, said = heads_of(found, family, source, told.heads)
    else:
        heads, said = dim // (4 * periods.shape[0]), ""
    registers = next(t[name] for name in ("storage_tokens", "reg_token") if name in t)
    gated = [name for name in ("blocks.0.mlp.w1.weight", "blocks.0.mlp.fc1_g.weight") if name in t]
    hidden = t[gated[0] if gated else "blocks.0.mlp.fc1.weight"].shape[0]
    bias = "blocks.0.attn.q_bias" in t or any_bias(t)
    px = told.px or 16 * patch
    model = timm.create_model(
        "vit_small_patch16_dinov3_qkvb" if bias else "vit_small_patch16_dinov3", img_size=px, patch_size=patch,
        in_chans=chans, num_classes=0, embed_dim=dim, num_heads=heads, depth=bounds.depth_of(t, source),
        mlp_ratio=(hidden + 0.5) / dim, swiglu_mlp=bool(gated), num_reg_tokens=registers.shape[1],
    )  # fmt: skip
    return Built(model, (px, px), said)


def any_bias(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether DINOv3's biases of query and value are used (those of the key never are, and may hold NaN)."""
    third = [value.chunk(3) for name, value in tensors.items() if name.endswith("attn.qkv.bias")]
    return any(bool(part.any()) for query, _, value in third for part in (query, value))


DINOV3 = Family(
    "DINOv3",
    "`storage_tokens`, `rope_embed`, or registers and no `pos_embed`",
    "vit_small_patch16_dinov3",
    marks,
    build=build,
    heads=((192, 3), (384, 6), (768, 12), (1024, 16), (1280, 20), (4096, 32)),
    pool="class token",
    licence="DINOv3 licence (asked for)",
    source="facebookresearch/dinov3, or timm",
)
