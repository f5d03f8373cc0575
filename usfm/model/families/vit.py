"""Timm's VisionTransformer for a file: the parts that it has, in the sizes of its tensors."""

from typing import Any

import torch

from usfm.model import bounds
from usfm.model.families.contract import Built, Family, heads_of
from usfm.model.spec import Told
from usfm.model.tensors import PROJECTION, Weights


def vit(found: Weights, family: Family, source: str, told: Told) -> Built:
    """See `Builder`. Timm's VisionTransformer with the parts that the file has."""
    from timm.layers import SwiGLUPacked
    from timm.models.vision_transformer import VisionTransformer

    t = found.tensors
    dim, chans, patch, _ = t[PROJECTION].shape
    cls, regs = "cls_token" in t, [t[k].shape[1] for k in ("reg_token", "register_tokens") if k in t]
    length, prefix = t["pos_embed"].shape[1], int(cls) + sum(regs)
    free = int(length**0.5) ** 2 == length  # registers and class token have no positions
    if "register_tokens" in t:  # in Meta's files the class token has one; timm adds it to the token
        free, length = True, length - 1
    side = round((length if free else length - prefix) ** 0.5)
    px = told.px or side * patch
    hidden = (t["blocks.0.mlp.w12.weight"] if "blocks.0.mlp.w12.weight" in t else t["blocks.0.mlp.fc1.weight"]).shape[0]
    after = t.get("blocks.0.mlp.w3.weight", t.get("blocks.0.mlp.fc2.weight"))
    packed = after is not None and after.shape[1] * 2 == hidden
    heads, said = (
        (dim // t["blocks.0.attn.q_norm.weight"].shape[0], "")
        if "blocks.0.attn.q_norm.weight" in t
        else heads_of(found, family, source, told.heads)
    )
    more: dict[str, Any] = {"mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU} if packed else {}
    model = VisionTransformer(
        img_size=px, patch_size=patch, in_chans=chans, num_classes=0, embed_dim=dim, num_heads=heads,
        depth=bounds.depth_of(t, source), mlp_ratio=(hidden + 0.5) / dim, class_token=cls, no_embed_class=free,
        global_pool="token" if cls else "avg", reg_tokens=sum(regs), qkv_bias="blocks.0.attn.qkv.bias" in t,
        proj_bias="blocks.0.attn.proj.bias" in t, qk_norm="blocks.0.attn.q_norm.weight" in t,
        init_values=1e-5 if {"blocks.0.ls1.gamma", "blocks.0.gamma_1"} & set(t) else None,
        pre_norm="norm_pre.weight" in t, fc_norm="norm.weight" not in t, weight_init="skip", **more,
    )  # fmt: skip
    return Built(model, (px, px), said)
