"""Vision transformers under the names of Hugging Face's transformers: ViT, ViT-MAE, BEiT (USFM's port), DINOv2."""

import re

import torch

from usfm.model.families.contract import Tensors
from usfm.model.tensors import joined

_MARK = "embeddings.patch_embeddings.projection.weight"
_NAMES = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.", ""),
    (r"^pooler\.layernorm\.", "fc_norm."),
    (r"^pooler\.", "head.pooler."),
    (r"^layernorm\.", "norm."),
    (r"^encoder\.relative_position_bias\.", "rel_pos_bias."),
    (r"^encoder\.layer\.(\d+)\.", r"blocks.\1."),
    (r"\.attention\.attention\.relative_position_bias\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.lambda_([12])$", r".gamma_\1"),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
)
_THREE = re.compile(r"^(blocks\.\d+)\.attention\.attention\.(query|key|value)\.(weight|bias)$")


def rename(tensors: Tensors) -> dict[str, torch.Tensor] | None:
    """Transformers' names to timm's; queries, keys and values become one, decoders and heads go under `head.`."""
    before = next((name.removesuffix(_MARK) for name in tensors if name.endswith(_MARK)), None)
    if before is None or not any(name.startswith(f"{before}encoder.layer.0.") for name in tensors):
        return None
    found: dict[str, torch.Tensor] = {}
    apart: dict[tuple[str, str], dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        inner = name.removeprefix(before)
        if (before and inner == name) or inner.startswith(("decoder.", "classifier.")):
            found[f"head.{name}"] = value
            continue
        for old, new in _NAMES:
            inner = re.sub(old, new, inner)
        three = _THREE.match(inner)
        if three:
            apart.setdefault((three[1], three[3]), {})[three[2]] = value
        else:
            found[inner] = value
    return found | joined(apart)
