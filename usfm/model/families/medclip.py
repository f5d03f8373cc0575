"""MedCLIP's Swin-T, under transformers' names, without its package."""

import re

import torch

from usfm.model.families.contract import Built, Family, Tensors
from usfm.model.spec import Told
from usfm.model.tensors import PROJECTION, Weights, joined

_MARK = "encoder.layers.0.blocks.0.attention.self.query.weight"
_NAMES = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.norm\.", "patch_embed.norm."),
    (r"^layernorm\.", "norm."),
    (r"^encoder\.layers\.", "layers."),
    (r"\.attention\.self\.relative_position", ".attn.relative_position"),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
)
_THREE = re.compile(r"^(.*)\.attention\.self\.(query|key|value)\.(weight|bias)$")


_STAGES, _WINDOW = 6, 64


def rename(tensors: Tensors) -> dict[str, torch.Tensor] | None:
    """Transformers' names of a Swin to timm's; the projection to 512 numbers and the text tower go under `head.`."""
    before = next((name.removesuffix(_MARK) for name in tensors if name.endswith(_MARK)), None)
    if before is None:
        return None
    found: dict[str, torch.Tensor] = {}
    apart: dict[tuple[str, str], dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        inner = name.removeprefix(before)
        if before and inner == name:
            found[f"head.{name}"] = value
            continue
        for old, new in _NAMES:
            inner = re.sub(old, new, inner)
        three = _THREE.match(inner)
        if three:
            apart.setdefault((f"swin.{three[1]}", three[3]), {})[three[2]] = value
        else:
            found[f"swin.{inner}"] = value
    return found | joined(apart)


def build(found: Weights, family: Family, source: str, told: Told) -> Built:
    """See `Builder`. Timm's Swin; its tables of relative positions tell heads and windows."""
    import timm

    t = found.tensors
    dim, chans, patch, _ = t[PROJECTION].shape
    places = {
        tuple(map(int, match.groups()))
        for name in t
        if (match := re.match(r"layers\.(\d{1,3})\.blocks\.(\d{1,3})\.", name))
    }
    stages = len({stage for stage, _ in places})
    depths = [sum(stage == each for each, _ in places) for stage in range(stages)]
    whole = {(stage, block) for stage, count in enumerate(depths) for block in range(count)}
    asked = sum(12 * depth * (dim << stage) ** 2 for stage, depth in enumerate(depths))
    if (
        places != whole
        or not 0 < stages <= _STAGES
        or asked > 2 * sum(value.numel() for value in t.values()) + (1 << 20)
    ):
        raise ValueError(f"{len(places)} blocks in {stages} stages, some of them missing")
    tables = [t[f"layers.{stage}.blocks.0.attn.relative_position_bias_table"] for stage in range(stages)]
    window = round((tables[0].shape[0] ** 0.5 + 1) / 2)
    if window > _WINDOW:
        raise ValueError(f"windows of {window} x {window} patches")
    px = told.px or 224
    model = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=px, patch_size=patch, in_chans=chans, num_classes=0, embed_dim=dim,
        depths=depths, num_heads=[table.shape[1] for table in tables], window_size=window,
    )  # fmt: skip
    return Built(model, (px, px))


MEDCLIP = Family(
    "MedCLIP (Swin-T)",
    "transformers' names of a Swin (`attention.self.query`)",
    "swin_tiny_patch4_window7_224",
    lambda found: found.prefix == "swin.",
    build=build,
    rename=rename,
    normalisation=((0.5862785803043838,) * 3, (0.27950088968644304,) * 3),
    pool="mean, then a projection to 512",
    projection=(r"(^|\.)projection_head\.weight$", False),
    unit=True,
    licence="none given (its setup says BSD)",
    source="RyanWangZf/MedCLIP",
)
