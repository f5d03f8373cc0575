"""Tensors that a network has no place for: those of its encoder must not be left out in silence."""

from collections.abc import Collection

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

    Args:
        names: tensors of the file.
        own: tensors of the network.

    Returns:
        Those of `names`, in their order.

    Examples:
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
