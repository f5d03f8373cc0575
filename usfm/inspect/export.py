"""Hand a run's encoder to timm, to code written for MAE, or to ONNX.

What was written is read back and compared before it counts.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import torch

from usfm import console
from usfm.config import Request
from usfm.errors import RequestError, WorkError
from usfm.inspect.export_config import Config
from usfm.model import checkpoint, progress
from usfm.model.vit import Encoder

TOLERANCE = 1e-4  # largest difference of a feature between the run and what was written


def run(config: Config, request: Request) -> dict:
    """Export the encoder of a run.

    timm: `--out` is a .safetensors file that `timm.create_model(NAME, checkpoint_path=FILE, ...)` reads, with the
    arguments to use beside it in FILE.json. mae: a .pth with {"model": ...}, the layout of MAE's releases (encoder,
    and the decoder where the run has MAE's). onnx: uint8 frames (n, H, W) in, vectors (n, D) out, any n.

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
    progress.say(wanted, strict=request.strict)
    encoder, card, _ = checkpoint.load_encoder(wanted)
    suffix = {"timm": ".safetensors", "mae": ".pth", "onnx": ".onnx"}[config.to]
    out = Path(request.out or f"{source.name}{suffix}")
    if out.suffix != suffix:
        raise RequestError(f"--out {out}: an export to {config.to} ends in {suffix}")
    if out.exists() and not request.overwrite:
        raise RequestError(f"{out} exists; use --overwrite to replace it")
    summary = {"command": "export", "out": str(out), "to": config.to, "frames_in": None, "frames_out": None}
    summary |= {"dropped": None, "rejected": None, "sources": None, "frames_per_s": None}
    if request.dry_run:
        console.say(f"would write {out} from {source} ({encoder.shape.name})")
        return summary | {"out": None, "dry_run": True, "seconds": 0.0}
    part = out.with_name(f".{out.stem}.unfinished{suffix}")
    try:
        if config.to == "timm":
            difference = _timm(encoder, part, out)
        elif config.to == "mae":
            difference = _mae(encoder, source, part)
        else:
            difference = _onnx(encoder, config.pool, part, card)
        if not difference <= TOLERANCE:
            raise WorkError(f"{out} was not written: read back, its features differ by {difference:.2g}")
        os.replace(part, out)
    except OSError as error:
        raise WorkError(f"{out}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)
    console.say(f"{out}: read back, features differ by at most {difference:.1e}")
    return summary | {"difference": difference, "seconds": round(time.monotonic() - started, 3)}


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
def _timm(encoder: Encoder, part: Path, out: Path) -> float:
    from safetensors.torch import load_file, save_file
    from timm.models.vision_transformer import VisionTransformer

    arguments = timm_arguments(encoder)
    save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, part, metadata={"format": "pt"})
    other = VisionTransformer(**arguments).eval()
    other.load_state_dict(load_file(part))
    images = encoder.normalise(_frames(encoder))
    mean, std = encoder.mean.flatten().tolist(), encoder.std.flatten().tolist()
    note = {
        "class": "timm.models.vision_transformer.VisionTransformer",
        "arguments": arguments,
        "mean": mean,
        "std": std,
    }
    out.with_name(out.name + ".json").write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    return (other(images) - encoder(images)).abs().max().item()


@torch.no_grad()
def _mae(encoder: Encoder, source: Path, part: Path) -> float:
    weights = dict(encoder.state_dict())
    file, _ = checkpoint.locate(source)
    whole = file.parent / checkpoint.MODEL
    if whole.is_file():
        from safetensors.torch import load_file

        decoder = {k.removeprefix("decoder."): v for k, v in load_file(whole).items() if k.startswith("decoder.")}
        if not any("cross_attn" in key for key in decoder):
            weights |= decoder
    torch.save({"model": weights}, part)
    other, _, _ = checkpoint.load_encoder(part, image_size=encoder.shape.image_size)
    images = encoder.normalise(_frames(encoder))
    return (other(images) - encoder(images)).abs().max().item()


class _FramesToVectors(torch.nn.Module):
    def __init__(self, encoder: Encoder, pool: str):
        super().__init__()
        self.encoder, self.pool = encoder, pool

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.encoder.features(self.encoder.normalise(frames), self.pool)


@torch.no_grad()
def _onnx(encoder: Encoder, pool: str, part: Path, card: dict) -> float:
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
    program.save(str(part), external_data=False)
    written = onnx.load(str(part))
    for key, value in {"usfm": encoder.shape.name, "recipe": card.get("recipe", ""), "pool": pool}.items():
        written.metadata_props.add(key=key, value=str(value))
    onnx.save(written, str(part))
    session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
    worst = 0.0
    for n in (1, 3):
        got = session.run(None, {"frames": frames[:n].numpy()})[0]
        worst = max(worst, float(np.abs(got - model(frames[:n]).numpy()).max()))
    return worst
