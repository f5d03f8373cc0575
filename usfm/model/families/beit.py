"""BEiT: relative positions in each block, no final norm before the pool."""

from usfm.model import bounds
from usfm.model.families.contract import HALF, Built, Family
from usfm.model.spec import Told
from usfm.model.tensors import PROJECTION, Weights


def beit_marks(found: Weights) -> bool:
    """Tables of relative positions, of whatever kind."""
    return any("relative_position_bias_table" in name for name in found.tensors) and "layers.0" not in found.prefix


def build(found: Weights, family: Family, source: str, told: Told) -> Built:
    """See `Builder`. Timm's BEiT; its tables of relative positions tell the number of heads."""
    import timm

    t = found.tensors
    dim, chans, patch, _ = t[PROJECTION].shape
    table = next(value for name, value in t.items() if name.endswith("relative_position_bias_table"))
    side = round((((table.shape[0] - 3) ** 0.5) + 1) / 2)
    if side > _BEIT_SIDE:
        raise ValueError(f"relative positions of {side} x {side} patches")
    px = told.px or side * patch
    model = timm.create_model(
        "beit_base_patch16_224", img_size=px, patch_size=patch, in_chans=chans, num_classes=0, embed_dim=dim,
        num_heads=table.shape[1], depth=bounds.depth_of(t, source),
        mlp_ratio=(t["blocks.0.mlp.fc1.weight"].shape[0] + 0.5) / dim, use_abs_pos_emb="pos_embed" in t,
        init_values=0.1 if "blocks.0.gamma_1" in t else None, qkv_bias="blocks.0.attn.q_bias" in t, **shared(found),
        use_fc_norm="norm.weight" not in t,
    )  # fmt: skip
    return Built(model, (px, px), "")


_BEIT_SIDE = 64  # 1,024 px in patches of 16; timm keeps an index of the fourth power of it


def shared(found: Weights) -> dict:
    """BEiT's keywords for relative positions of all blocks together, of each block, or both."""
    names = [name for name in found.tensors if name.endswith("relative_position_bias_table")]
    if not names:
        return {}
    shared = "rel_pos_bias.relative_position_bias_table" in names
    return {"use_shared_rel_pos_bias": shared, "use_rel_pos_bias": len(names) > shared}


BEIT = Family(
    "BEiT",
    "relative positions in each block, or `lm_head`",
    "beit_base_patch16_224",
    beit_marks,
    build=build,
    normalisation=HALF,
    norm=False,
    pool="mean, then its norm",
    licence="MIT",
    source="microsoft/unilm",
)
