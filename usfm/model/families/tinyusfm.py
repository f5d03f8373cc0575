"""TinyUSFM: a ViT-tiny with twelve heads, which its tensors do not tell."""

from usfm.model.families.contract import Family
from usfm.model.families.vit import vit
from usfm.model.tensors import PROJECTION, Weights

HEADS = 12


def marks(found: Weights) -> bool:
    """192 wide, plain blocks, no final norm."""
    t = found.tensors
    narrow = tuple(t[PROJECTION].shape[:1]) == (192,) and {"blocks.0.attn.qkv.bias", "blocks.0.mlp.fc1.weight"} <= set(
        t
    )
    return narrow and not {"norm.weight", "norm.bias"} & set(t)


TINYUSFM = Family(
    "TinyUSFM",
    "192 wide, no `norm`, and `tinyusfm` in the file's name, `?family=tinyusfm` or `?heads=12`",
    "vit_tiny_patch16_224",
    marks,
    build=vit,
    resize="stretch",
    norm=False,
    pool="mean, then its norm",
    licence="Apache-2.0 by its README, no licence file",
    source="MacDunno/TinyUSFM",
)
