"""Encoders that timm builds: its own models with weights from a file, and files of others that need such a model."""

import contextlib
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from usfm import offline
from usfm.errors import RequestError
from usfm.model import bounds, families, files, weights
from usfm.model.files import PROJECTION, Weights
from usfm.model.spec import Told

FC_NORM = ("fc_norm.weight", "fc_norm.bias")


@dataclass(frozen=True)
class Network:
    """A network of timm and how frames enter it.

    Attributes:
        model: the network, without a head.
        image_size: (rows, columns) of a frame.
        in_chans: 1 or 3.
        mean, std: of a frame / 255, one a channel.
        resize: "letterbox" or "stretch", as its authors do.
        facts: what else belongs to the identity: JSON values.
    """

    model: Any
    image_size: tuple[int, int]
    in_chans: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: str
    facts: dict


# ---------------------------------------------------------------- a file alone


def from_file(found: Weights, source: str, told: Told) -> Network:
    """Build the network that a file of a known family is for, and fill it.

    Raises:
        RequestError: something that its features depend on is not known, or a tensor is missing or left over.
    """
    kind = _kind(found, told)
    family = families.FAMILIES[kind]
    bounds.check_size(found.tensors, source)
    build = {"sam": _sam, "usfm": _beit, "beit": _beit, "dinov3": _dinov3}.get(kind, _vit)
    try:
        model, size, said = build(found, family, source, told)
        if min(size) < found.tensors[PROJECTION].shape[2]:
            raise ValueError(f"frames of {size[0]} px")
    except RequestError:
        raise
    except Exception as error:  # timm and torch meet odd shapes in many ways
        raise RequestError(
            f"{source}: looks like {family.title}, but no such network can be built from its tensors ({error}); give "
            f"it as timm:{family.nearest}@{source}"
        ) from None
    report = fill(model, found, source, f"timm's model for {family.title}", kind)
    chans = found.tensors[PROJECTION].shape[1]
    mean, std = _normalisation(chans, family.normalisation, told, source)
    told_of = (f"taken for {family.title}", said)
    dim, _, patch, _ = found.tensors[PROJECTION].shape
    facts = {"model": f"vit_{dim}x{bounds.depth_of(found.tensors, source)}_patch{patch}", "family": family.title}
    facts["loaded"] = str(replace(report, adapted=(*report.adapted, *filter(None, told_of))))
    return Network(model, size, chans, mean, std, family.resize, facts)


def _kind(found: Weights, told: Told) -> str:
    """The family; a narrow network without a final norm is TinyUSFM only with the twelve heads that were told."""
    kind = families.of(found) if PROJECTION in found.tensors else ""
    return "mae" if kind == "tinyusfm" and told.heads not in (0, 12) else kind


def _vit(found: Weights, family: families.Family, source: str, told: Told):
    """Timm's VisionTransformer with the parts that the file has."""
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
        else weights.heads_of(found, family, source, told.heads)
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
    return model, (px, px), said


def _beit(found: Weights, family: families.Family, source: str, told: Told):
    """Timm's BEiT; its tables of relative positions tell the number of heads."""
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
        init_values=0.1 if "blocks.0.gamma_1" in t else None, qkv_bias="blocks.0.attn.q_bias" in t, **_shared(found),
        use_fc_norm="norm.weight" not in t,
    )  # fmt: skip
    return model, (px, px), ""


_BEIT_SIDE = 64  # 1,024 px in patches of 16; timm keeps an index of the fourth power of it


def _dinov3(found: Weights, family: families.Family, source: str, told: Told):
    """Timm's DINOv3; the frequencies of the rotary positions tell the width of a head, where the file has them."""
    import timm

    t = found.tensors
    dim, chans, patch, _ = t[PROJECTION].shape
    periods = t.get("rope_embed.periods")
    if periods is None:
        heads, said = weights.heads_of(found, family, source, told.heads)
    else:
        heads, said = dim // (4 * periods.shape[0]), ""
    registers = next(t[name] for name in ("storage_tokens", "reg_token") if name in t)
    gated = [name for name in ("blocks.0.mlp.w1.weight", "blocks.0.mlp.fc1_g.weight") if name in t]
    hidden = t[gated[0] if gated else "blocks.0.mlp.fc1.weight"].shape[0]
    bias = "blocks.0.attn.q_bias" in t or _any_bias(t)
    px = told.px or 16 * patch
    model = timm.create_model(
        "vit_small_patch16_dinov3_qkvb" if bias else "vit_small_patch16_dinov3", img_size=px, patch_size=patch,
        in_chans=chans, num_classes=0, embed_dim=dim, num_heads=heads, depth=bounds.depth_of(t, source),
        mlp_ratio=(hidden + 0.5) / dim, swiglu_mlp=bool(gated), num_reg_tokens=registers.shape[1],
    )  # fmt: skip
    return model, (px, px), said


def _any_bias(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether DINOv3's biases of query and value are used (those of the key never are, and may hold NaN)."""
    third = [value.chunk(3) for name, value in tensors.items() if name.endswith("attn.qkv.bias")]
    return any(bool(part.any()) for query, _, value in third for part in (query, value))


def _sam(found: Weights, family: families.Family, source: str, told: Told):
    """Timm's image encoder of SAM; its relative positions tell the width of a head and the windows."""
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
    return model, (px, px), "SAM's mean and std assumed; MedSAM wants each frame from 0 to 1 instead"


# ---------------------------------------------------------------- a model of timm by name


def by_name(name: str, file: str, told: Told) -> Network:
    """A model of timm, with the weights of a file.

    Raises:
        RequestError: a tensor of the model is not in the file, or one of the file's encoder has no place in the model.
    """
    import timm

    plain = timm.create_model(name, pretrained=False, num_classes=0)
    own = plain.state_dict()
    found = files.read(file, own.keys(), prefix=told.prefix)
    if told.norm and PROJECTION in found.tensors and not {"norm.weight", "fc_norm.weight"} & set(found.tensors):
        found = weights.with_a_norm(found)
    kind = _kind(found, told)
    keywords = _keywords(plain, found, kind, told, file)
    model = plain if not keywords else _create(name, keywords)
    report = fill(model, found, file, name, kind)
    cfg = _cfg(model)
    size = (told.px, told.px) if told.px else tuple(int(side) for side in cfg["input_size"][1:])
    chans = int(keywords.get("in_chans", cfg["input_size"][0]))
    said = [f"{told.heads} heads as told"] if told.heads else []
    known, resize, facts = (cfg["mean"], cfg["std"]), "letterbox", {}
    if _BUILT_BY.get(kind) == type(model).__module__:
        family = families.FAMILIES[kind]
        known, resize, facts = family.normalisation, family.resize, {"family": family.title}
        said.insert(0, f"taken for {family.title}, whose mean and std are used")
    mean, std = _normalisation(chans, known, told, file)
    facts["loaded"] = str(replace(report, adapted=(*report.adapted, *said)))
    return Network(model, (size[0], size[1]), chans, mean, std, resize, facts)


def _cfg(model: Any) -> dict[str, Any]:
    """What timm says of the weights that a model was published with: input size, mean, std, tag."""
    return model.pretrained_cfg


_BUILT_BY = {
    "tinyusfm": "timm.models.vision_transformer",
    "openclip": "timm.models.vision_transformer",
    "usfm": "timm.models.beit",
}
"""Families that are fed otherwise than the models of timm that fit them, and have no model of their own there."""


def published(name: str, told: Told) -> Network:
    """A model of timm with the weights that timm fetches.

    Raises:
        RequestError: its frames have another number of channels than 1 or 3.
    """
    model = _fetched(name)
    cfg = _cfg(model)
    chans, *size = cfg["input_size"]
    mean, std = _normalisation(chans, (cfg["mean"], cfg["std"]), told, f"timm:{name}")
    rows, columns = (told.px, told.px) if told.px else size
    return Network(model, (rows, columns), chans, mean, std, "letterbox", {"tag": str(cfg.get("tag", ""))})


def _fetched(name: str):
    """Make a timm model with its published weights, asking the hub."""
    import timm

    if not offline.allow_hub():
        raise RequestError(
            f"timm:{name}: --download wants the hub and HF_HUB_OFFLINE forbids it; unset that variable, or give a file "
            f"as timm:{name}@FILE"
        )
    try:
        return timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # of whatever kind: the hub's, the transport's, timm's
        raise RequestError(
            f"timm:{name}: its weights cannot be fetched ({type(error).__name__}); is the hub within reach? "
            f"Else give a file as timm:{name}@FILE"
        ) from error


def _create(name: str, keywords: dict):
    import timm

    try:
        return timm.create_model(name, pretrained=False, num_classes=0, **keywords)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise RequestError(f"timm:{name}: cannot be built with {keywords} ({error}); take another model") from None


def _keywords(plain, found: Weights, kind: str, told: Told, source: str) -> dict:
    """What must differ from timm's model for the file to fit it."""
    t, module, keywords = found.tensors, type(plain).__module__, {}
    if told.heads:
        keywords["num_heads"] = told.heads
    elif kind == "tinyusfm" and module == "timm.models.vision_transformer":
        weights.heads_of(found, families.FAMILIES[kind], source)
    if told.px and hasattr(plain, "patch_embed"):
        keywords["img_size"] = told.px
    if (
        PROJECTION in t
        and t[PROJECTION].ndim == 4
        and t[PROJECTION].shape[1] != plain.state_dict()[PROJECTION].shape[1]
    ):
        keywords["in_chans"] = t[PROJECTION].shape[1]
    after, before = "fc_norm.weight" in t, "norm.weight" in t
    if module == "timm.models.beit":
        keywords |= _shared(found)
        if after != before:
            keywords["use_fc_norm"] = after
    elif module == "timm.models.vision_transformer" and (after != before or kind == "tinyusfm"):
        keywords["fc_norm"] = not before
    return {key: value for key, value in keywords.items() if not _already(plain, key, value)}


def _already(plain, key: str, value: object) -> bool:
    """Whether the model is like that anyway."""
    if key in ("fc_norm", "use_fc_norm"):
        return isinstance(plain.norm, torch.nn.Identity) == value
    if key == "use_rel_pos_bias":
        return any(name.endswith("attn.relative_position_bias_table") for name in plain.state_dict()) == value
    return (key, value) == ("use_shared_rel_pos_bias", False)


def _shared(found: Weights) -> dict:
    """BEiT's keywords for relative positions of all blocks together, of each block, or both."""
    names = [name for name in found.tensors if name.endswith("relative_position_bias_table")]
    if not names:
        return {}
    shared = "rel_pos_bias.relative_position_bias_table" in names
    return {"use_shared_rel_pos_bias": shared, "use_rel_pos_bias": len(names) > shared}


# ---------------------------------------------------------------- filling


def fill(model, found: Weights, source: str, name: str, kind: str) -> weights.LoadReport:
    """Put a file's tensors into a model of timm, through the conversion of the model's own module.

    Raises:
        RequestError: a tensor of the model is not in the file, one of the file's encoder has no place in the model, or
            one that is used holds NaN.
    """
    raw = {k: v for k, v in found.tensors.items()}
    own = model.state_dict()
    if any(".mlp.lin1." in key for key in raw):  # SAM's names; timm changes them under its prefix only
        raw = {key.replace(".mlp.lin", ".mlp.fc"): value for key, value in raw.items()}
    module = type(model).__module__
    convert = getattr(sys.modules[module], "checkpoint_filter_fn", None)
    scaled = module == "timm.models.vision_transformer" and any(".ls1." in key for key in own)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # some of these functions print
            given = dict(raw)
            if convert is not None:
                given = convert(given, model, adapt_layer_scale=True) if scaled else convert(given, model)
    except Exception as error:
        raise RequestError(f"{source}: does not fit {name} ({error}){_nearest(found)}") from None
    fits = {key: value for key, value in given.items() if key in own and value.shape == own[key].shape}
    missing = [key for key in own if key not in fits and not key.endswith("num_batches_tracked")]
    norms = (*weights.NORM, *FC_NORM)
    may_lack = kind != "" and not families.FAMILIES[kind].norm and not any(key in given for key in norms)
    lacking = [key for key in missing if may_lack and key in norms]
    try:
        weights.refuse_missing([key for key in missing if key not in lacking], own, given, source, name)
    except RequestError as error:
        raise RequestError(f"{error}{_nearest(found)}") from None
    unused = [key for key in given if key not in fits]
    extra = families.lost(unused, own)
    if extra:
        raise RequestError(
            f"{source}: its {extra[0]} and {len(extra) - 1} more tensors have no place in {name}{_nearest(found)}"
        )
    if any("storage_tokens" in key for key in raw) and _any_bias(raw) and not any("q_bias" in key for key in own):
        raise RequestError(f"{source}: has biases of query and value, and {name} has none; take {name}_qkvb")
    weights.refuse_not_finite(fits, own, source)
    model.load_state_dict(fits, strict=False)
    return weights.LoadReport(len(own), tuple(lacking), (*unused, *found.outside), tuple(found.said()))


def _nearest(found: Weights) -> str:
    if PROJECTION not in found.tensors:
        return ""
    family = families.FAMILIES[families.of(found)]
    return f"; the file looks like {family.title}, for which timm has {family.nearest} and its sizes"


def _normalisation(chans: int, known: tuple, told: Told, source: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std, one a channel."""
    mean, std = told.mean or tuple(known[0]), told.std or tuple(known[1])
    mean, std = (values * chans if len(values) == 1 else tuple(values) for values in (mean, std))
    if chans not in (1, 3):
        raise RequestError(f"{source}: reads {chans} channels; an encoder of frames reads 1 or 3")
    if len(mean) != chans or len(std) != chans:
        raise RequestError(
            f"{source}: reads {chans} channel and does not say its mean and std; give them, such as "
            f"{source}?mean=0.449&std=0.226"
        )
    return mean, std
