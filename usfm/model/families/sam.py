"""SAM's image encoder, and those with the same tensors: MedSAM and LVM-Med's ViT."""

from usfm.model import bounds
from usfm.model.families.contract import Built, Family
from usfm.model.spec import Told
from usfm.model.tensors import PROJECTION, Weights


def marks(found: Weights) -> bool:
    """Relative positions by row in a block's attention."""
    return "blocks.0.attn.rel_pos_h" in found.tensors


def build(found: Weights, family: Family, source: str, told: Told) -> Built:
    """See `Builder`. Timm's image encoder of SAM; its relative positions tell the width of a head and the windows."""
    import timm

    t = found.tensors
    dim, chans, patch, _ = t[PROJECTION].shape
    depth, side = bounds.depth_of(t, source), t["pos_embed"].shape[1]
    reach = [(t[f"blocks.{i}.attn.rel_pos_h"].shape[0] + 1) // 2 for i in range(depth)]
    window = min(reach)
    model = timm.create_model(
        "samvit_base_patch16", img_size=side * patch, patch_size=patch, in_chans=chans, num_classes=0, embed_dim=dim,
        num_heads=dim // t["blocks.0.attn.rel_pos_h"].shape[1], depth=depth, window_size=window,
        global_attn_indexes=[i for i in range(depth) if reach[i] != window],
        mlp_ratio=(next(v for k, v in t.items() if k.startswith("blocks.0.mlp.")).shape[0] + 0.5) / dim,
    )  # fmt: skip
    px = told.px or side * patch
    return Built(model, (px, px), _said(family))


def _said(family: Family) -> str:
    if family.scale or family.names:
        return ""
    return "SAM's mean and std assumed; for MedSAM, which wants each frame from 0 to 1, write ?family=medsam behind it"


SAM = Family(
    "SAM",
    "`attn.rel_pos_h`",
    "samvit_base_patch16",
    marks,
    build=build,
    pool="mean of the map behind the neck",
    licence="Apache-2.0",
    source="facebookresearch/segment-anything",
)
MEDSAM = Family(
    "MedSAM",
    "SAM's tensors, and `medsam` in the file's name or `?family=medsam`",
    "samvit_base_patch16",
    like="sam",
    names=("medsam",),
    build=build,
    resize="stretch",
    scale="frame",
    pool="mean of the map behind the neck",
    licence="Apache-2.0",
    source="bowang-lab/MedSAM",
)
LVM_MED = Family(
    "LVM-Med (ViT)",
    "SAM's tensors, and `lvmmed` in the file's name or `?family=lvm-med`",
    "samvit_base_patch16",
    like="sam",
    names=("lvmmed", "lvm-med", "lvm_med"),
    build=build,
    pool="mean of the map behind the neck",
    licence="CC-BY-NC-SA (its README says CC-BY-NC-ND)",
    source="duyhominhnguyen/LVM-Med",
)
