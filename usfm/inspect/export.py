"""Hand a run's encoder to timm, to code written for MAE, or to ONNX.

What was written is read back and compared before it counts.
"""

import json
import time
from pathlib import Path

import numpy as np
import torch

from usfm import console
from usfm.config import Request, content_dict
from usfm.errors import RequestError, WorkError
from usfm.inspect import export_mae
from usfm.inspect.export_config import Config
from usfm.jobs.outputs import check_free, up_to_date
from usfm.model import checkpoint, header, progress
from usfm.model.vit import NORMALISATION, Encoder, Shape
from usfm.provenance import digest, file_sha256
from usfm.store.whole import place, whole_file, write_json

TOLERANCE = 1e-4  # largest difference of a feature between the run and what was written


def run(config: Config, request: Request) -> dict:
    """Export the encoder of a run.

    timm: `--out` is a .safetensors file that `timm.create_model(NAME, checkpoint_path=FILE, ...)` reads, with the
    arguments to use beside it in FILE.json. mae: a .pth with {"model": ...}, the layout of MAE's releases (encoder,
    and the decoder where the run has MAE's), always in three channels. onnx: uint8 frames (n, H, W) in, vectors (n, D)
    out, any n. How frames enter the encoder goes with each: size, channels, mean, std, resize rule, pool.

    Args:
        config: how to export.
        request: common options; `inputs` names the run, `out` the file.

    Returns:
        The summary, with `difference`: the largest between the run's features and those of the file read back.

    Raises:
        RequestError: no such run, or the output is in the way.
        WorkError: what was read back does not give the same features.
    """
    started = time.monotonic()
    if len(request.inputs) != 1:
        raise RequestError("usfm export: name one run directory or checkpoint file.")
    source = Path(request.inputs[0])
    wanted = source if config.which == "auto" else source / config.which
    suffix = {"timm": ".safetensors", "mae": ".pth", "onnx": ".onnx"}[config.to]
    out = Path(request.out or f"{source.name}{suffix}")
    if out.suffix != suffix:
        raise RequestError(f"--out {out}: an export to {config.to} ends in {suffix}")
    progress.say(wanted, strict=request.strict)
    encoder, card, _ = checkpoint.load_encoder(wanted)
    _say_blurred(source, card)
    key = _key(config, source)
    summary = {"command": "export", "out": str(out), "to": config.to, "frames_in": None, "frames_out": None}
    summary |= {"dropped": None, "rejected": None, "sources": None, "frames_per_s": None}
    if request.dry_run:
        check_free(out, request.overwrite, key_of)
        console.say(f"would write {out} from {source} ({encoder.shape.name})")
        return summary | {"out": None, "dry_run": True, "seconds": 0.0}
    beside = place(out).with_name(place(out).name + ".json") if config.to == "timm" else None
    if up_to_date(out, key, request.overwrite, key_of):
        return summary | {"difference": None, "seconds": 0.0, "up_to_date": True}
    if beside is not None and beside.exists() and not _is_sidecar(beside):
        raise RequestError(
            f"{beside}: would go beside the weights, but exists and usfm did not make it; choose another --out"
        )
    try:
        place(out).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as part:
            difference, note = _written(config, encoder, card, wanted, part, key)
            if not difference <= TOLERANCE:
                raise WorkError(f"{out} was not written: read back, its features differ by {difference:.2g}")
            up_to_date(out, key, request.overwrite, key_of)  # what has taken the name meanwhile is not replaced
            if beside is not None:
                write_json(beside, note)
    except OSError as error:
        raise WorkError(f"{out}: cannot be written ({error.strerror})") from None
    console.say(f"{out}: read back, features differ by at most {difference:.1e}")
    return summary | {"difference": difference, "seconds": round(time.monotonic() - started, 3)}


def _written(
    config: Config, encoder: Encoder, card: dict, wanted: Path, part: Path, key: str
) -> tuple[float, dict | None]:
    """Write the file; gives the largest difference of what was read back, and what goes beside it."""
    if config.to == "timm":
        return _timm(encoder, part, key)
    if config.to == "mae":
        return _mae(encoder, wanted, part, card, key), None
    return _onnx(encoder, config.pool, part, card, key), None


def _say_blurred(source: Path, card: dict) -> None:
    if card.get("blur_px"):
        console.warn(
            f"{source}: its encoder learnt on blurred frames (sigma {card['blur_px']} px at its size), and what is "
            "exported does not blur them: whoever uses it has to"
        )


def entry(encoder: Encoder, shape: Shape | None = None, pool: str = "mean") -> dict:
    """How a frame enters an encoder and how its tokens become a vector: what an export carries.

    Args:
        encoder: what is exported.
        shape: its shape in the file, where that differs.
        pool: of the tokens.

    Returns:
        size, channels, resize, scale, mean, std, pool and norm, all of it JSON.
    """
    shape = shape or encoder.shape
    mean, std = NORMALISATION[shape.in_chans]
    size = {"px": list(shape.image_size), "channels": shape.in_chans, "resize": "letterbox"}
    return {**size, "scale": 255, "mean": list(mean), "std": list(std), "pool": pool, "norm": "before the pool"}


def _about(shape: Shape, entered: dict) -> str:
    return json.dumps({"encoder": shape.as_dict(), "preprocessing": entered})


MARK = "usfm_export"
"""Under this name every kind of file says what it was made from."""


def _key(config: Config, source: Path) -> str:
    file, _ = checkpoint.locate(source if config.which == "auto" else source / config.which)
    whole = file.parent / checkpoint.MODEL
    inputs = [file_sha256(one) for one in (file, whole) if one.is_file() and (one == file or config.to == "mae")]
    return digest(["export", content_dict(config), inputs])


def key_of(out: Path) -> str | None:
    """What an exported file was made from; None for a file that no export made."""
    try:
        if out.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(out, "pt") as file:
                return (file.metadata() or {}).get(MARK)
        if out.suffix == ".pth":
            found = torch.load(out, map_location="cpu", weights_only=True, mmap=True)
            return found.get(MARK) if isinstance(found, dict) else None
        import onnx

        found = {one.key: one.value for one in onnx.load(out, load_external_data=False).metadata_props}
        return found.get(MARK)
    except Exception:  # whatever it is that somebody keeps there, it is not ours
        return None


def _is_sidecar(path: Path) -> bool:
    try:
        return {"class", "arguments", "mean", "std"} <= set(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def _frames(encoder: Encoder, n: int = 2) -> torch.Tensor:
    """Frames to compare by: uint8 noise, (n, H, W)."""
    noise = np.random.default_rng(0).integers(0, 256, (n, *encoder.shape.image_size), np.uint8)
    return torch.from_numpy(noise)


def timm_arguments(encoder: Encoder) -> dict:
    """Keywords with which timm's VisionTransformer has this encoder's parameters."""
    s = encoder.shape
    return {
        "img_size": s.image_size[0] if s.image_size[0] == s.image_size[1] else list(s.image_size),
        "patch_size": s.patch,
        "in_chans": s.in_chans,
        "embed_dim": s.embed_dim,
        "depth": s.depth,
        "num_heads": s.num_heads,
        "num_classes": 0,
        "global_pool": "",
    }


@torch.no_grad()
def _timm(encoder: Encoder, part: Path, key: str) -> tuple[float, dict]:
    from safetensors.torch import load_file, save
    from timm.models.vision_transformer import VisionTransformer

    arguments = timm_arguments(encoder)
    weights = {k: v.contiguous() for k, v in encoder.state_dict().items()}
    metadata = {"format": "pt", MARK: key, "usfm": _about(encoder.shape, entry(encoder))}
    metadata[header.DIGEST] = header.digest_of(weights, metadata)
    part.write_bytes(save(weights, metadata=metadata))
    other = VisionTransformer(**arguments).eval()
    other.load_state_dict(load_file(part))
    images = encoder.normalise(_frames(encoder))
    note = {"class": "timm.models.vision_transformer.VisionTransformer", "arguments": arguments, **entry(encoder)}
    return (other(images) - encoder(images)).abs().max().item(), note


@torch.no_grad()
def _mae(encoder: Encoder, source: Path, part: Path, card: dict, key: str) -> float:
    weights, shape, said = export_mae.layout(encoder, checkpoint.locate(source)[0], card)
    torch.save({"model": weights, "usfm": _about(shape, entry(encoder, shape)), MARK: key}, part)
    for sentence in said:
        console.say(f"{source}: {sentence}")
    other, _, _ = checkpoint.load_encoder(part)
    frames = _frames(encoder)
    return (other(other.normalise(frames)) - encoder(encoder.normalise(frames))).abs().max().item()


class _FramesToVectors(torch.nn.Module):
    def __init__(self, encoder: Encoder, pool: str):
        super().__init__()
        self.encoder, self.pool = encoder, pool

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.encoder.features(self.encoder.normalise(frames), self.pool)


@torch.no_grad()
def _onnx(encoder: Encoder, pool: str, part: Path, card: dict, key: str) -> float:
    import onnx
    import onnxruntime

    model, frames = _FramesToVectors(encoder, pool).eval(), _frames(encoder, 3)
    program = torch.onnx.export(
        model,
        (frames,),
        dynamo=True,
        verbose=False,
        input_names=["frames"],
        output_names=["vectors"],
        dynamic_shapes={"frames": {0: torch.export.Dim("n")}},
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    program.save(str(part), external_data=False)
    written = onnx.load(str(part))
    about = {"usfm": encoder.shape.name, "recipe": card.get("recipe", ""), "pool": pool, MARK: key}
    for name, value in (about | {"preprocessing": json.dumps(entry(encoder, pool=pool))}).items():
        written.metadata_props.add(key=name, value=str(value))
    onnx.save(written, str(part))
    session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
    worst = 0.0
    for n in (1, 3):
        got = session.run(None, {"frames": frames[:n].numpy()})[0]
        worst = max(worst, float(np.abs(got - model(frames[:n]).numpy()).max()))
    return worst
