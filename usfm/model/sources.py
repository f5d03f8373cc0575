"""From a SPEC to the network that it names: a run, a file of a family, a model of timm, or an untrained one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.model.network import Network, of_encoder, of_timm
from usfm.model.spec import CLIPS, RANDOM_MODEL, Told, check, split
from usfm.provenance import file_sha256
from usfm.seeding import torch_seed


def network(
    spec: str,
    *,
    download: bool = False,
    seed: int = 0,
    pool: str = "mean",
    resize: str = "auto",
    image_size: int | None = None,
) -> Network:
    """Load the network that a SPEC names (the table in `usfm.model.embedders`, all but `vectors:`), on the CPU.

    Args:
        spec: the encoder.
        download: allow `timm:NAME` to fetch weights from the hub.
        seed: of `random`.
        pool: how tokens become one vector: mean, cls or meanstd.
        resize: letterbox, stretch, or auto: as the authors of the weights do.
        image_size: side of a frame, px, where it is to differ from the encoder's own; positions are interpolated.

    Returns:
        In evaluation mode; its parameters can be trained.

    Raises:
        RequestError: the SPEC is unknown, or what it names is missing, damaged or of another kind.
    """
    whole = spec
    spec, told = split(spec)
    kind, _, rest = spec.partition(":")
    check(whole)
    if kind == "vectors":
        raise RequestError(f"{whole}: vectors made before cannot be trained; give the encoder that made them")
    if kind in CLIPS and rest:
        told = replace(told, projection="yes", family="medclip" if kind == "medclip" else told.family)
        kind, spec = ("", rest) if Path(rest).is_file() else ("timm", spec)
    if told and (kind == "random" or Path(spec).is_dir()):
        raise RequestError(f"{whole}: only weight files of others are told something behind '?'; leave it out")
    told = told if image_size is None else replace(told, px=image_size)
    if kind == "timm" and rest:
        made = _timm(rest, download, pool, told, resize)
    elif kind == "random":
        made = _random(rest or RANDOM_MODEL, seed, pool, resize, image_size)
    else:
        made = _own(spec, pool, told, resize)
    return made.eval()


def _random(model: str, seed: int, pool: str, resize: str, image_size: int | None) -> Network:
    from usfm.model.checkpoint import load_encoder
    from usfm.model.vit import Encoder, encoder_shape

    name, identity = model.removeprefix("timm:"), {"kind": "random", "seed": seed}
    if not Path(model).exists() and (model != name or _only_timms(name)):
        return _random_timm(name, identity, seed, pool, resize, image_size)
    if Path(model).exists():
        shape = load_encoder(model, image_size=image_size)[0].shape
    else:
        shape = encoder_shape(model, in_chans=1, image_size=image_size)
    encoder = _seeded(lambda: Encoder(shape), seed)
    return of_encoder(encoder, "random", identity, pool=pool, resize=resize)


def _only_timms(name: str) -> bool:
    """Whether timm has a network of this name and we have none."""
    from usfm.model.vit import encoder_shape

    try:
        encoder_shape(name)
        return False
    except RequestError:
        import timm

        return timm.is_model(name.partition(".")[0])


def _random_timm(name: str, identity: dict, seed: int, pool: str, resize: str, image_size: int | None) -> Network:
    from usfm.model import foreign

    _refuse_unknown(name)
    found = _seeded(lambda: foreign.untrained(name, image_size), seed)
    return of_timm(found, "random", identity | {"model": name}, pool=pool, resize=resize)


def _seeded(make: Callable, seed: int):
    """Make something whose random numbers come from the seed, without touching the generator of others."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "random encoder"))
        return make()


def _own(spec: str, pool: str, told: Told, resize: str) -> Network:
    from usfm.model import bounds, families, files, foreign
    from usfm.model.checkpoint import load_encoder, locate
    from usfm.model.families.resnet import marks as of_resnet
    from usfm.model.weights import plain, why_not_plain, with_a_norm

    file, card = locate(spec)
    path = Path(spec)
    identity = {"kind": "run" if path.is_dir() else "file", "weights_sha256": file_sha256(file)}
    if card.get("recipe"):
        identity["recipe"] = card["recipe"] if isinstance(card["recipe"], str) else str(card["recipe"].get("name", ""))
    path = path.resolve()
    name = path.stem if path.is_file() else f"{path.parent.name}/best" if path.name == "best" else path.name
    found = plain(files.read(file, prefix=told.prefix))
    if not of_resnet(found):
        bounds.projection_of(found.tensors, file)
    if told.norm and "norm.weight" not in found.tensors:
        found = with_a_norm(found)
    own = bool(found.metadata.get("encoder"))
    if told.projection and own:
        raise RequestError(f"{file}: an encoder of ours has no projection; leave it out")
    kind = families.named(found, file, told.family)
    family = families.FAMILIES[kind]
    of_ours = own or (family.build is None and not told.projection and not why_not_plain(found, file))
    if of_ours and not (told.mean or told.std):
        encoder, _, report = load_encoder(spec, found=found, heads=told.heads, image_size=told.px or None)
        identity["loaded"] = str(report)
        if family.like:
            identity["family"] = family.title
            identity["loaded"] += f"; taken for {family.title}{'' if told.family else ' by the name of the file'}"
        blur_px = _blur_of(card, file) if own else family.blur_px
        return of_encoder(encoder, name, identity, pool=pool, resize=resize, blur_px=blur_px)
    return of_timm(foreign.from_file(found, str(file), told), name, identity, pool=pool, resize=resize)


def _blur_of(card: dict, file: Path) -> float:
    """The blur that a run's frames had, px; 0 for none."""
    blur_px = card.get("blur_px", 0)
    if type(blur_px) not in (int, float) or not 0 <= blur_px <= 20:
        raise RequestError(f"{file}: its run's card says a blur of {blur_px!r} px; 0 to 20 is meant")
    return float(blur_px)


def _refuse_unknown(name: str) -> None:
    import timm

    if not timm.is_model(name.partition(".")[0]):
        known = [each for each in timm.list_models() if each[:3] == name[:3]]
        raise RequestError(f"timm:{name}: timm has no such model{did_you_mean(name.partition('.')[0], known)}")


def _timm(rest: str, download: bool, pool: str, told: Told, resize: str) -> Network:
    import timm

    from usfm.model import foreign

    name, _, file = rest.partition("@")
    _refuse_unknown(name)
    identity: dict = {"kind": "timm", "model": name, "timm": timm.__version__}
    if not file and download:
        return of_timm(foreign.published(name, told), name, identity, pool=pool, resize=resize)
    path = Path(file) if file else _cached(name)
    if not path.is_file():
        raise RequestError(f"{path}: no such checkpoint file")
    found = foreign.by_name(name, str(path), told)
    return of_timm(found, name, identity | {"weights_sha256": file_sha256(path)}, pool=pool, resize=resize)


def _cached(name: str) -> Path:
    """Find timm's weights in the local cache of the hub; nothing is fetched."""
    import timm
    from huggingface_hub import try_to_load_from_cache

    cfg = timm.get_pretrained_cfg(name)
    repository = (cfg.hf_hub_id if cfg else "") or ""
    for weights in ("model.safetensors", "pytorch_model.bin") if repository else ():
        found = try_to_load_from_cache(repository if "/" in repository else f"timm/{repository}", weights)
        if isinstance(found, str):
            return Path(found)
    raise RequestError(
        f"timm:{name}: its weights are not in the local cache; allow --download, or give a file as timm:{name}@FILE"
    )
