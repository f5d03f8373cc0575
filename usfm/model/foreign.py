"""Encoders that timm builds: its own models with weights from a file, and files of others that need such a model."""

import contextlib
import io
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from usfm import offline
from usfm.errors import RequestError
from usfm.model import bounds, families, files, weights
from usfm.model.families.beit import shared
from usfm.model.families.dinov3 import any_bias
from usfm.model.families.resnet import marks as of_resnet
from usfm.model.families.tinyusfm import HEADS as TINY_HEADS
from usfm.model.families.vit import vit
from usfm.model.spec import Told
from usfm.model.tensors import PROJECTION, STEM, Weights

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
        scale: "frame" where each frame's darkest and brightest pixel become 0 and 1 before mean and std.
        projection: (out, in) that its pooled vector goes through, where that was asked for.
        unit: whether the result is brought to length 1.
    """

    model: Any
    image_size: tuple[int, int]
    in_chans: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: str
    facts: dict
    scale: str = ""
    projection: torch.Tensor | None = None
    unit: bool = False


# ---------------------------------------------------------------- a file alone


def from_file(found: Weights, source: str, told: Told) -> Network:
    """Build the network that a file of a known family is for, and fill it.

    Args:
        found: tensors of the file.
        source: the file, named in errors.
        told: what the user said of it.

    Returns:
        The network, filled.

    Raises:
        RequestError: something that its features depend on is not known, or a tensor is missing or left over.
    """
    kind = _kind(found, source, told)
    family = families.FAMILIES[kind]
    told = _with_known_heads(told, kind, source)
    plain, stem = any(name.startswith("blocks.") for name in found.tensors), _stem(found)
    if PROJECTION in found.tensors:
        bounds.check_size(found.tensors, source, blocks=plain)
    try:
        built = (family.build or vit)(found, family, source, told)
        if min(built.size) < stem.shape[2]:
            raise ValueError(f"frames of {built.size[0]} px")
    except RequestError:
        raise
    except Exception as error:  # timm and torch meet odd shapes in many ways
        raise RequestError(
            f"{source}: looks like {family.title}, but no such network can be built from its tensors ({error}); give "
            f"it as timm:{family.nearest}@{source}"
        ) from None
    model, size = built.model, built.size
    report = fill(model, found, source, f"timm's model for {family.title}", kind)
    chans = stem.shape[1]
    known = ((0.0,), (1.0,)) if family.scale else family.normalisation
    mean, std = _normalisation(chans, known, told, source)
    by = " by the file's name" if family.like and not told.family else ""
    told_of = (f"taken for {family.title}{by}", built.said)
    dim, _, patch, _ = stem.shape
    blocks = f"vit_{dim}x{bounds.depth_of(found.tensors, source)}" if plain else f"{type(model).__name__.lower()}_{dim}"
    facts = {"model": built.name or f"{blocks}_patch{patch}", "family": family.title}
    facts["loaded"] = str(replace(report, adapted=(*report.adapted, *filter(None, told_of))))
    matrix = _projection(found, told, source)
    return Network(model, size, chans, mean, std, family.resize, facts, family.scale, matrix, family.unit)


def _stem(found: Weights) -> torch.Tensor:
    """The first layer's weight: (width, channels, side, side)."""
    stem = found.tensors[PROJECTION if PROJECTION in found.tensors else STEM]
    return stem if stem.ndim == 4 else stem.new_zeros(1, 0, 1, 1)


def _with_known_heads(told: Told, kind: str, source: str) -> Told:
    """TinyUSFM's twelve heads, where its name and not only its tensors say that it is TinyUSFM."""
    named = told.family == kind or kind in Path(source).name.lower()
    return replace(told, heads=TINY_HEADS) if kind == "tinyusfm" and named and not told.heads else told


def _projection(found: Weights, told: Told, source: str) -> torch.Tensor | None:
    """The matrix of a model of images and texts, where it was asked for.

    Raises:
        RequestError: the file has none.
    """
    if not told.projection:
        return None
    if found.projection is None:
        raise RequestError(f"{source}: holds no projection of images beside its encoder; leave projection out")
    weights.refuse_not_finite({"projection": found.projection}, {"projection": found.projection.float()}, source)
    return found.projection.float()


def _marked(found: Weights) -> bool:
    """Whether it is a network whose families can be asked: a transformer, or a ResNet."""
    return PROJECTION in found.tensors or of_resnet(found)


def _kind(found: Weights, source: str, told: Told) -> str:
    """The family; a narrow network without a final norm is TinyUSFM only with the twelve heads that were told."""
    kind = families.named(found, source, told.family) if _marked(found) else ""
    return "mae" if kind == "tinyusfm" and told.heads not in (0, 12) else kind


# ---------------------------------------------------------------- a model of timm by name


def by_name(name: str, file: str, told: Told) -> Network:
    """A model of timm, with the weights of a file.

    Args:
        name: timm's, of the model.
        file: of the weights.
        told: what the user said of it.

    Returns:
        The network, filled.

    Raises:
        RequestError: a tensor of the model is not in the file, or one of the file's encoder has no place in the model.
    """
    import timm

    plain = timm.create_model(name, pretrained=False, num_classes=0)
    own = plain.state_dict()
    found = files.read(file, own.keys(), prefix=told.prefix)
    if told.norm and PROJECTION in found.tensors and not {"norm.weight", "fc_norm.weight"} & set(found.tensors):
        found = weights.with_a_norm(found)
    kind = _kind(found, file, told)
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
    matrix = _projection(found, told, file)
    return Network(model, (size[0], size[1]), chans, mean, std, resize, facts, projection=matrix)


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

    Args:
        name: timm's, of the model.
        told: what the user said of it.

    Returns:
        The network, filled.

    Raises:
        RequestError: its frames have another number of channels than 1 or 3.
    """
    model = _fetched(name, told.px)
    cfg = _cfg(model)
    chans, *size = cfg["input_size"]
    mean, std = _normalisation(chans, (cfg["mean"], cfg["std"]), told, f"timm:{name}")
    rows, columns = (told.px, told.px) if told.px else size
    return Network(model, (rows, columns), chans, mean, std, "letterbox", {"tag": str(cfg.get("tag", ""))})


def untrained(name: str, image_size: int | None) -> Network:
    """A model of timm with random weights, fed as its published ones are.

    Args:
        name: timm's, of the model.
        image_size: side of a frame, px; None for the model's own.

    Returns:
        The network, which reads frames as the published one does.

    Raises:
        RequestError: timm cannot build it at this size, or it reads another number of channels than 1 or 3.
    """
    import timm

    model = timm.create_model(name, pretrained=False, num_classes=0)
    if image_size and hasattr(model, "patch_embed"):
        model = _create(name, {"img_size": image_size})
    cfg = _cfg(model)
    chans, *size = cfg["input_size"]
    mean, std = _normalisation(chans, (cfg["mean"], cfg["std"]), Told(), f"timm:{name}")
    rows, columns = (image_size, image_size) if image_size else size
    return Network(model, (rows, columns), chans, mean, std, "letterbox", {})


def _fetched(name: str, px: int):
    """Make a timm model with its published weights, asking the hub."""
    import timm

    if not offline.allow_hub():
        raise RequestError(
            f"timm:{name}: --download wants the hub and HF_HUB_OFFLINE forbids it; unset that variable, or give a file "
            f"as timm:{name}@FILE"
        )
    try:
        sized = px and hasattr(timm.create_model(name, pretrained=False, num_classes=0), "patch_embed")
        more: dict[str, Any] = {"img_size": px} if sized else {}
        return timm.create_model(name, pretrained=True, num_classes=0, **more)
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
        families.heads_of(found, families.FAMILIES[kind], source)
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
        keywords |= shared(found)
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


# ---------------------------------------------------------------- filling


def fill(model, found: Weights, source: str, name: str, kind: str) -> weights.LoadReport:
    """Put a file's tensors into a model of timm, through the conversion of the model's own module.

    Args:
        model: of timm, changed in place.
        found: tensors of the file.
        source: the file, named in errors.
        name: of the model, for errors.
        kind: family of the file.

    Returns:
        What matched and what did not.

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
    if any("storage_tokens" in key for key in raw) and any_bias(raw) and not any("q_bias" in key for key in own):
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
