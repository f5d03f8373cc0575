"""Turn an encoder's SPEC into one function from frames to vectors; the same words mean the same everywhere.

| SPEC | encoder |
|---|---|
| a run directory | its last checkpoint, else its best |
| a `.safetensors`, `.pth` or `.pt` file | a vision transformer of one of `usfm.model.families` |
| `timm:NAME` | timm's published weights, from the local cache (or the hub with `--download`) |
| `timm:NAME@FILE` | the same architecture with weights from a file |
| `medclip:FILE`, `openclip:FILE`, `openclip:NAME@FILE` | the vector that its authors' `encode_image` gives: projected |
| `FILE?heads=12`, `timm:NAME@FILE?px=98` | what the file does not tell itself (`usfm.model.spec`) |
| `vectors:FILE.h5` | vectors made before, by `usfm embed` or by anybody, found by frame_id |
| `random:RUN` | an untrained network of that run's shape, fixed by the seed: what every encoder must beat |
| `random`, `random:NAME` | an untrained ViT (tiny, or NAME) |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.imaging.framing import Framing
from usfm.imaging.gray import to_gray
from usfm.model.spec import CLIPS, Told, check, split
from usfm.provenance import file_sha256
from usfm.seeding import torch_seed

RANDOM_MODEL = "vit_tiny_patch16_224"
POOLS = ("mean", "cls", "meanstd")
FEATURES_FORMAT = "usfm-features"


@dataclass(frozen=True)
class Embedder:
    """A frozen encoder.

    Attributes:
        name: short, for tables and figures.
        dim: length of a vector.
        identity: everything that fixes the vectors (weights' digest, model, size, pooling): JSON values, no paths.
        image_size: (rows, columns) that a frame is letterboxed to.
        in_chans: 1 or 3 channels that the encoder reads.
        forward: uint8 (B, in_chans, rows, columns) -> float32 (B, dim); None for `vectors:`.
        vectors: frame_id -> row of the file, and the rows themselves; only for `vectors:`.
        resize: "letterbox" (nothing is cut, the shape stays) or "stretch" (the square is filled).
    """

    name: str
    dim: int
    identity: dict
    image_size: tuple[int, int]
    in_chans: int
    forward: Callable[[np.ndarray], np.ndarray] | None = field(default=None, repr=False)
    vectors: tuple[dict[str, int], np.ndarray] | None = field(default=None, repr=False)
    resize: str = "letterbox"

    def prepare(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """Bring frames of any size, (H, W) or (H, W, 3) uint8, into one uint8 (n, in_chans, rows, columns)."""
        fit = RESIZES[self.resize]
        batch = np.zeros((len(frames), self.in_chans, *self.image_size), np.uint8)
        for k, frame in enumerate(frames):
            picture = fit(to_gray(frame) if self.in_chans == 1 else frame, self.image_size)
            batch[k] = picture if picture.ndim == 2 else picture.transpose(2, 0, 1)
        return batch

    def embed(self, frames: Sequence[np.ndarray], batch_size: int = 64) -> np.ndarray:
        """Embed frames.

        Args:
            frames: n frames of any size, (H, W) or (H, W, 3) uint8.
            batch_size: frames in one pass; changes the speed, not the vectors (to 1e-5).

        Returns:
            (n, dim) float32.

        Raises:
            RequestError: the vectors come from a file, which has no encoder for new frames.
        """
        if self.forward is None:
            raise RequestError(f"{self.name}: these vectors come from a file; give an encoder to embed new frames")
        parts = [self.forward(self.prepare(frames[at : at + batch_size])) for at in range(0, len(frames), batch_size)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def lookup(self, frame_ids: Sequence[str]) -> np.ndarray:
        """Find the vectors of frames by frame_id: (n, dim) float32; only for `vectors:`.

        Raises:
            RequestError: some frames are not in the file.
        """
        index, rows = self.vectors or ({}, np.zeros((0, self.dim), np.float32))
        missing = [name for name in frame_ids if name not in index]
        if missing:
            raise RequestError(
                f"{self.name}: {len(missing)} of {len(frame_ids)} frames have no vector in this file (first: "
                f"{missing[0]}); make them with 'usfm embed' from the same store"
            )
        return rows[[index[name] for name in frame_ids]]


def letterbox(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale a frame by one factor into (rows, columns), centred on black: nothing is cut and no aspect changes."""
    height, width = frame.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    above, before = (round(size[0] / scale) - height) // 2, (round(size[1] / scale) - width) // 2
    return Framing(0, 0, height, width, scale, above * scale, before * scale, *size).apply(frame)


def stretch(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale rows and columns of a frame apart, so that it fills (rows, columns)."""
    import cv2

    shrinks = frame.shape[0] * frame.shape[1] > size[0] * size[1]
    return cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


RESIZES: dict[str, Callable[[np.ndarray, tuple[int, int]], np.ndarray]] = {"letterbox": letterbox, "stretch": stretch}


def load(
    spec: str,
    *,
    device: str = "auto",
    download: bool = False,
    seed: int = 0,
    pool: str = "mean",
    resize: str = "auto",
) -> Embedder:
    """Load what a SPEC names (the table at the top of this module).

    Args:
        spec: the encoder.
        device: auto, cpu, cuda, cuda:1 or mps.
        download: allow `timm:NAME` to fetch weights from the hub.
        seed: of `random`.
        pool: how a transformer's tokens become one vector: "mean" of the patch tokens, the class token "cls", or
            "meanstd", their mean and standard deviation side by side (twice as long; tells textures apart that have the
            same mean). Other networks have their own pooling.
        resize: how a frame fits the encoder's square: "letterbox", "stretch", or "auto", as the authors of the
            weights do (letterbox for ours).

    Raises:
        RequestError: the SPEC is unknown, or what it names is missing, damaged or of another kind.
    """
    whole = spec
    spec, told = split(spec)
    kind, _, rest = spec.partition(":")
    check(whole)
    if kind in CLIPS and rest:
        told = replace(told, projection="yes", family="medclip" if kind == "medclip" else told.family)
        kind, spec = ("", rest) if Path(rest).is_file() else ("timm", spec)
    if kind == "timm" and rest:
        return _timm(rest, device, download, pool, told, resize)
    if told and (kind in ("random", "vectors") or Path(spec).is_dir()):
        raise RequestError(f"{whole}: only weight files of others are told something behind '?'; leave it out")
    if kind == "random":
        return _random(rest or RANDOM_MODEL, seed, device, pool, resize)
    if kind == "vectors" and rest:
        return _vectors(rest)
    return _own(spec, device, pool, told, resize)


def say(embedder: Embedder) -> None:
    """Say what was found in a weight file and what was assumed for it."""
    if embedder.identity.get("loaded"):
        how = f"frames {'stretched' if embedder.resize == 'stretch' else 'letterboxed'} to {embedder.image_size[0]} px"
        console.say(f"{embedder.name}: {embedder.identity['loaded']}; {how}")


def _runner(model, device: str, pass_: Callable) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    from usfm.model.device import choose_device  # torch is not needed to name an encoder

    where = choose_device(device)
    model = model.eval().requires_grad_(False).to(where)

    def forward(batch: np.ndarray) -> np.ndarray:
        # TF32 convolutions would make the vectors depend on the batch in the fourth digit.
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            return pass_(model, torch.from_numpy(batch).to(where)).float().cpu().numpy()

    return forward


def _pooled(tokens, prefix: int, pool: str, norm: Callable | None = None):
    """Tokens (B, prefix + L, D) to vectors (B, D), or (B, 2 D) for "meanstd".

    Networks that pool before their last norm have it here, as in their own heads.
    """
    import torch

    norm = norm or (lambda vectors: vectors)
    if pool == "cls":
        return norm(tokens[:, 0])
    patches = tokens[:, prefix:].float()
    mean = norm(patches.mean(1))
    return mean if pool == "mean" else torch.cat([mean, patches.std(1, correction=0)], dim=1)


def _of_encoder(
    encoder, name: str, identity: dict, device: str, pool: str, resize: str, blur_px: float = 0.0
) -> Embedder:
    from usfm.model.blur import gaussian
    from usfm.model.vit import NORMALISATION

    shape = encoder.shape
    facts = {"model": shape.name, "image_size": list(shape.image_size), "in_chans": shape.in_chans, "pool": pool}
    resize = "letterbox" if resize == "auto" else resize
    facts |= {"heads": shape.num_heads, **_entry(*NORMALISATION[shape.in_chans], resize, after=False)}
    if blur_px:
        facts["blur_px"] = blur_px

    def pass_(model, x):
        return _pooled(model(model.normalise(gaussian(x.float(), blur_px) if blur_px else x)), 1, pool)

    forward = _runner(encoder, device, pass_)
    dim = shape.embed_dim * (2 if pool == "meanstd" else 1)
    return Embedder(name, dim, {**identity, **facts}, shape.image_size, shape.in_chans, forward, resize=resize)


def _random(model: str, seed: int, device: str, pool: str, resize: str) -> Embedder:
    import torch

    from usfm.model.checkpoint import load_encoder
    from usfm.model.vit import Encoder, encoder_shape

    shape = load_encoder(model)[0].shape if Path(model).exists() else encoder_shape(model, in_chans=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "random encoder"))
        encoder = Encoder(shape)
    return _of_encoder(encoder, "random", {"kind": "random", "seed": seed}, device, pool, resize)


def _own(spec: str, device: str, pool: str, told: Told, resize: str) -> Embedder:
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
        return _of_encoder(encoder, name, identity, device, pool, resize, blur_px)
    return _of_network(foreign.from_file(found, str(file), told), name, identity, device, pool, resize)


def _blur_of(card: dict, file: Path) -> float:
    """The blur that a run's frames had, px; 0 for none."""
    blur_px = card.get("blur_px", 0)
    if type(blur_px) not in (int, float) or not 0 <= blur_px <= 20:
        raise RequestError(f"{file}: its run's card says a blur of {blur_px!r} px; 0 to 20 is meant")
    return float(blur_px)


def _vectors(path: str) -> Embedder:
    from usfm.store import tables

    columns, attributes = tables.read(path, FEATURES_FORMAT)
    names, vectors = columns.get("frame_id"), columns.get("vectors")
    if names is None or vectors is None:
        lacking = "frame_id" if names is None else "vectors"
        raise RequestError(f"{path}: has no column '{lacking}'; 'usfm embed' writes both frame_id and vectors")
    if (
        names.dtype.kind != "O"
        or vectors.dtype.kind not in "fiu"
        or vectors.ndim != 2
        or names.shape != vectors.shape[:1]
    ):
        raise RequestError(
            f"{path}: expected n texts in frame_id and n rows of numbers in vectors, found shapes {names.shape} and "
            f"{vectors.shape} of {names.dtype} and {vectors.dtype}"
        )
    names, vectors = [str(name) for name in names], np.asarray(vectors, np.float32)
    if len(set(names)) < len(names):
        raise RequestError(f"{path}: {len(names) - len(set(names))} of its frame_ids occur more than once")
    identity = {"kind": "vectors", "content": tables.content_digest(columns), "made_by": attributes.get("encoder", {})}
    index = {name: row for row, name in enumerate(names)}
    return Embedder(Path(path).stem, vectors.shape[1], identity, (0, 0), 0, None, (index, vectors))


def _timm(rest: str, device: str, download: bool, pool: str, told: Told, resize: str) -> Embedder:
    import timm

    from usfm.model import foreign

    name, _, file = rest.partition("@")
    if not timm.is_model(name.partition(".")[0]):
        known = [each for each in timm.list_models() if each[:3] == name[:3]]
        raise RequestError(f"timm:{name}: timm has no such model{did_you_mean(name.partition('.')[0], known)}")
    identity: dict = {"kind": "timm", "model": name, "timm": timm.__version__}
    if not file and download:
        return _of_network(foreign.published(name, told), name, identity, device, pool, resize)
    path = Path(file) if file else _cached(name)
    if not path.is_file():
        raise RequestError(f"{path}: no such checkpoint file")
    network = foreign.by_name(name, str(path), told)
    return _of_network(network, name, identity | {"weights_sha256": file_sha256(path)}, device, pool, resize)


def _of_network(network, name: str, identity: dict, device: str, pool: str, resize: str) -> Embedder:
    """An embedder of a network that timm built."""
    import torch

    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (network.mean, network.std))
    prefix = getattr(network.model, "num_prefix_tokens", 0)

    def pass_(model, x):
        values = x / 255
        if network.scale == "frame":
            low, high = x.float().amin((1, 2, 3), keepdim=True), x.float().amax((1, 2, 3), keepdim=True)
            values = (x - low) / (high - low).clamp(min=1e-8)
        tokens = model.forward_features((values - mean.to(x.device)) / std.to(x.device))
        if network.projection is not None:
            vectors = model.forward_head(tokens, pre_logits=True) @ network.projection.to(x.device).T
            return torch.nn.functional.normalize(vectors, dim=-1) if network.unit else vectors
        if tokens.ndim == 3 and (pool != "cls" or prefix):
            return _pooled(tokens, prefix, pool, getattr(model, "fc_norm", None))
        return model.forward_head(tokens, pre_logits=True)

    forward = _runner(network.model, device, pass_)
    dim = forward(np.zeros((1, network.in_chans, *network.image_size), np.uint8)).shape[1]
    after = any(True for _ in getattr(network.model, "fc_norm", torch.nn.Identity()).parameters())
    facts = {"image_size": list(network.image_size), "in_chans": network.in_chans, "pool": pool, **network.facts}
    facts |= {"scale": network.scale} if network.scale else {}
    if network.projection is not None:
        facts["pool"] = "the authors', projected" + (" to length 1" if network.unit else "")
    attention = getattr(next(iter(getattr(network.model, "blocks", [])), None), "attn", None)
    heads = getattr(attention, "num_heads", None)
    facts |= {} if heads is None else {"heads": heads}
    facts |= _entry(network.mean, network.std, network.resize if resize == "auto" else resize, after)
    return Embedder(name, dim, identity | facts, network.image_size, network.in_chans, forward, resize=facts["resize"])


def _entry(mean: Sequence[float], std: Sequence[float], resize: str, after: bool) -> dict:
    """How a frame enters an encoder, and where it leaves it: part of the identity."""
    norm = "after the pool" if after else "before the pool"
    return {"mean": [round(x, 6) for x in mean], "std": [round(x, 6) for x in std], "resize": resize, "norm": norm}


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
