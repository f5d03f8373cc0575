"""Kinds of weight files that are in use: how each is recognised, and how its authors feed it."""

from collections.abc import Collection
from dataclasses import dataclass

from usfm.model.files import PROJECTION, Weights

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Family:
    """One kind of weight file.

    Attributes:
        title: its name.
        known_by: what in the file tells it.
        nearest: timm's model of the usual size, for `timm:NAME@FILE`.
        normalisation: (mean, std) of a frame / 255 in red, green, blue.
        resize: how its authors fit a frame into the encoder's square: "letterbox" or "stretch".
        heads: width of a token -> attention heads, in the files that its authors give out.
        norm: whether its files have the final norm; where they lack it, it starts at 1 and 0.
    """

    title: str
    known_by: str
    nearest: str
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    resize: str = "letterbox"
    heads: tuple[tuple[int, int], ...] = ()
    norm: bool = True


_USUAL = ((64, 2), (384, 6), (768, 12), (1024, 16), (1280, 16))
_OF_64 = ((384, 6), (768, 12), (1024, 16), (1536, 24))
FAMILIES: dict[str, Family] = {
    "mae": Family("MAE, or another plain ViT", "none of the marks below", "vit_base_patch16_224", heads=_USUAL),
    "crossmae": Family(
        "CrossMAE", "`dec_norms` or `wfm` beside the encoder", "vit_base_patch16_224", heads=_USUAL, norm=False
    ),
    "tinyusfm": Family(
        "TinyUSFM", "192 wide, no `norm`, and `?heads=12`", "vit_tiny_patch16_224", resize="stretch", norm=False
    ),
    "openclip": Family(
        "BiomedCLIP and others of open_clip", "`visual.trunk.`", "vit_base_patch16_224", CLIP, heads=_USUAL
    ),
    "dinov2": Family(
        "DINOv2, or another ViT with LayerScale or registers",
        "`ls1.gamma`, `reg_token` or `register_tokens`",
        "vit_small_patch14_dinov2",
        heads=_OF_64,
    ),
    "dinov3": Family(
        "DINOv3",
        "`storage_tokens`, `rope_embed`, or registers and no `pos_embed`",
        "vit_small_patch16_dinov3",
        heads=((192, 3), (384, 6), (768, 12), (1024, 16), (1280, 20), (4096, 32)),
    ),
    "usfm": Family(
        "USFM",
        "one table of relative positions for all blocks, no `pos_embed`",
        "beit_base_patch16_224",
        resize="stretch",
        norm=False,
    ),
    "beit": Family("BEiT", "relative positions in each block, or `lm_head`", "beit_base_patch16_224", HALF, norm=False),
    "sam": Family("SAM, MedSAM", "`attn.rel_pos_h`", "samvit_base_patch16"),
}


def of(found: Weights) -> str:
    """Recognise the family of a file's vision transformer: a key of FAMILIES."""
    t, outside = found.tensors, found.outside
    if "blocks.0.attn.rel_pos_h" in t:
        return "sam"
    if any("relative_position_bias_table" in name for name in t):
        shared = "rel_pos_bias.relative_position_bias_table" in t and not any(n.startswith("lm_head") for n in t)
        return "usfm" if shared and "pos_embed" not in t else "beit"
    registers = {"reg_token", "register_tokens", "storage_tokens"} & set(t)
    if "storage_tokens" in t or any("rope" in name for name in t) or (registers and "pos_embed" not in t):
        return "dinov3"
    if registers or any(".ls1." in name or name.endswith(".gamma_1") for name in t):
        return "dinov2"
    if found.prefix.endswith("visual.trunk."):
        return "openclip"
    narrow = tuple(t[PROJECTION].shape[:1]) == (192,) and {"blocks.0.attn.qkv.bias", "blocks.0.mlp.fc1.weight"} <= set(
        t
    )
    if narrow and not {"norm.weight", "norm.bias"} & set(t):
        return "tinyusfm"
    cross = any(name.startswith(("dec_norms.", "wfm.")) for name in (*t, *outside))
    return "crossmae" if cross and "norm.weight" not in t else "mae"


# What a file may hold beside the encoder: heads, decoders, and buffers that networks make themselves.
_BESIDE = (
    "head", "fc.", "classifier", "decoder", "dec_norms", "mask_token", "lm_head", "projector", "predictor", "mlp_head",
    "logit", "text", "wfm", "hog", "get_token_probs", "pos_embed_probs", "dino_head", "ibot_head", "local_cls_norm",
    "cls_norm", "center", "norm.0.", "norm.1.", "norm.2.", "norm.3.", "queue", "proj_head",
)  # fmt: skip
_BUFFERS = (
    "relative_position_index", "num_batches_tracked", "bias_mask", "periods", "attn_mask", "rope.freqs", "mask_token",
)  # fmt: skip
_OF_AN_ENCODER = ("blocks.", "layers.", "stages.", "patch_embed", "cls_token", "dist_token", "pos_embed", "norm", "ln_",
    "fc_norm", "reg_token", "register_tokens", "storage_tokens", "rope", "rel_pos", "attn_pool", "neck", "stem",
    "temporal", "time_", "pre_norm", "position", "class_",
)  # fmt: skip


def lost(names: Collection[str], own: Collection[str]) -> list[str]:
    """Of the tensors that a network has no place for, those that belong to an encoder, and so must not be left out.

    >>> lost(["head.weight", "decoder_blocks.0.norm1.bias", "blocks.0.ls1.gamma"], ["blocks.0.norm1.bias"])
    ['blocks.0.ls1.gamma']
    """
    tops = {name.partition(".")[0] for name in own}
    return [
        name
        for name in names
        if name not in own
        and not name.startswith(_BESIDE)
        and not name.endswith(_BUFFERS)
        and (name.startswith(_OF_AN_ENCODER) or name.partition(".")[0] in tops)
    ]
