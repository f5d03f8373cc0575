"""Weight files of other people and our own: unwrapped, adapted to an encoder, counted, refused when too little fits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from usfm.errors import RequestError
from usfm.model import bounds, header
from usfm.model.positions import resize_positions
from usfm.model.vit import NORMALISATION, SIZES, Encoder, Shape

MIN_MATCHED = 0.95  # share of the encoder's parameters that a file must bring


@dataclass(frozen=True)
class LoadReport:
    """What a weight file brought.

    Attributes:
        matched: share of the encoder's parameters found, 0 to 1.
        missing: encoder keys that the file lacks (left as initialised).
        unexpected: keys of the file that the encoder has no place for (decoders, heads).
        adapted: sentences about what was changed on the way in (positions resampled, channels folded).
    """

    matched: float
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    adapted: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{100 * self.matched:.1f} % of the encoder's parameters matched"
        if self.missing:
            text += f", {len(self.missing)} missing ({', '.join(self.missing[:3])}{', ...' * (len(self.missing) > 3)})"
        if self.unexpected:
            text += f", {len(self.unexpected)} not used"
        return "; ".join([text, *self.adapted])


def read_weights(path: str | Path) -> tuple[dict[str, torch.Tensor], dict]:
    """All tensors of a .safetensors, .pth or .pt file, unwrapped, and the metadata that the file brings.

    Unwraps `model` / `state_dict` / `module`, and strips `module.`, `backbone.` and `encoder.` from the names. A
    training checkpoint's `argparse.Namespace` is allowed; nothing else that could run code is.

    Raises:
        RequestError: the file is damaged, or holds something else than weights.
    """
    weights, said = header.load(path)
    metadata = _notes(path, said)
    for wrapper in ("model", "state_dict", "module", "teacher"):
        if isinstance(weights, Mapping) and isinstance(weights.get(wrapper), Mapping):
            weights = weights[wrapper]
    tensors = (
        {str(k): v for k, v in weights.items() if isinstance(v, torch.Tensor)} if isinstance(weights, Mapping) else {}
    )
    header.check_tensors(path, tensors)
    for prefix in ("module.", "backbone.", "encoder."):
        if f"{prefix}cls_token" in tensors or f"{prefix}patch_embed.proj.weight" in tensors:
            tensors = {k.removeprefix(prefix): v for k, v in tensors.items()}
    if "patch_embed.proj.weight" not in tensors:
        raise RequestError(
            f"{path}: holds no vision transformer (no patch_embed.proj.weight among {len(tensors)} tensors)"
        )
    if any("relative_position" in key or key.endswith("gamma_1") for key in tensors):
        raise RequestError(
            f"{path}: is a BEiT-style transformer (relative positions, layer scale), which needs another network"
        )
    for key in ("weight", "bias"):  # LocalMIM keeps one norm a tapped block; the last one belongs to the output
        if f"norm.3.{key}" in tensors and f"norm.{key}" not in tensors:
            tensors[f"norm.{key}"] = tensors.pop(f"norm.3.{key}")
    return tensors, metadata


def _notes(path: str | Path, metadata: Mapping[str, str]) -> dict:
    """What usfm wrote into a file's metadata."""
    try:
        notes = json.loads(metadata.get("usfm", "{}"))
    except (ValueError, RecursionError):
        notes = None
    if not isinstance(notes, dict):
        raise RequestError(f"{path}: what usfm wrote into its metadata is damaged; take another checkpoint")
    return notes


def shape_of(
    weights: Mapping[str, torch.Tensor], metadata: Mapping | None = None, source: str | Path = "the file"
) -> Shape:
    """The encoder's shape, from the file's metadata or from the sizes of its tensors.

    Raises:
        RequestError: it does not fit the tensors, or no network of that shape can be built.
    """
    if metadata and "encoder" in metadata:
        shape = bounds.claimed(metadata["encoder"], source)
    else:
        dim, chans, patch = bounds.projection_of(weights, source)
        tokens, depth = bounds.tokens_of(weights, source), bounds.depth_of(weights, source)
        side = round(((tokens or 197) - 1) ** 0.5)
        size, heads = next(((k, v[2]) for k, v in SIZES.items() if v[0] == dim), ("base", max(1, dim // 64)))
        pixels = side * patch
        shape = Shape(f"vit_{size}_patch{patch}_{pixels}", (pixels, pixels), patch, chans, dim, depth, heads)
    bounds.check(shape, weights, source)
    return shape


def fold_channels(weight: torch.Tensor, bias: torch.Tensor, in_chans: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn a patch projection for 3 normalised channels into one for 1, or back, exactly for gray frames.

    Args:
        weight: (D, C, p, p).
        bias: (D,).
        in_chans: the wanted C, 1 or 3.

    A gray value v enters three channels as (v - m_c) / s_c and one channel as (v - m) / s; the new weights and bias
    give the same tokens for every v.
    """
    (m1,), (s1,) = NORMALISATION[1]
    m3, s3 = (weight.new_tensor(values) for values in NORMALISATION[3])
    if in_chans == 1:
        scaled = weight / s3.view(1, 3, 1, 1)
        shift = (scaled * (m1 - m3).view(1, 3, 1, 1)).sum((1, 2, 3))
        return s1 * scaled.sum(1, keepdim=True), bias + shift
    wide = weight * (s3 / (3 * s1)).view(1, 3, 1, 1)
    return wide, bias + (weight.sum((1, 2, 3)) / (3 * s1)) * float((m3 - m1).sum())


def _fit_positions(positions: torch.Tensor, old: tuple[int, int] | None, new: tuple[int, int]) -> torch.Tensor:
    """Resample (1, prefix + L, D) to a new grid, with exactly one row in front; the old grid is square unless known."""
    rows, columns = old or (int(positions.shape[1] ** 0.5),) * 2
    prefix = positions.shape[1] - rows * columns
    grid = resize_positions(positions[:, prefix:], (rows, columns), new)
    return torch.cat([positions[:, :1] if prefix else torch.zeros_like(positions[:, :1]), grid], dim=1)


def load_into(
    encoder: Encoder,
    weights: Mapping[str, torch.Tensor],
    source: str | Path = "the file",
    grid: tuple[int, int] | None = None,
) -> LoadReport:
    """Put a file's weights into an encoder: positions resampled, channels folded, under 95 % refused.

    Args:
        encoder: changed in place.
        weights: from `read_weights`; keys without a place (decoders, heads) are counted, not used.
        source: named in the error.
        grid: (rows, columns) of the file's positions where they are not square.

    Raises:
        RequestError: less than 95 % of the encoder's parameters are in the file with a shape that fits, or a part of a
            block or the patch projection is not.
    """
    weights, adapted, own = dict(weights), [], encoder.state_dict()
    projection, positions = weights.get("patch_embed.proj.weight"), weights.get("pos_embed")
    if projection is not None and {projection.shape[1], encoder.shape.in_chans} == {1, 3}:
        bias = weights.get("patch_embed.proj.bias", projection.new_zeros(projection.shape[0]))
        folded = fold_channels(projection.float(), bias.float(), encoder.shape.in_chans)
        weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"] = folded
        adapted.append(f"patch projection folded from {projection.shape[1]} to {encoder.shape.in_chans} channels")
    same_width = positions is not None and positions.shape[2] == encoder.shape.embed_dim
    if same_width and ((grid or encoder.shape.grid) != encoder.shape.grid or positions.shape != own["pos_embed"].shape):
        weights["pos_embed"] = _fit_positions(positions, grid, encoder.shape.grid)
        adapted.append(f"positions resampled to {encoder.shape.grid[0]}x{encoder.shape.grid[1]}")
    fits = {k: v.to(own[k].dtype) for k, v in weights.items() if k in own and v.shape == own[k].shape}
    matched = sum(own[k].numel() for k in fits) / sum(v.numel() for v in own.values())
    missing = tuple(k for k in own if k not in fits)
    report = LoadReport(matched, missing, tuple(k for k in weights if k not in fits), tuple(adapted))
    if matched < MIN_MATCHED:
        raise RequestError(
            f"{source}: only {100 * matched:.1f} % of the encoder's parameters ({encoder.shape.name}, width "
            f"{encoder.shape.embed_dim}, {encoder.shape.depth} blocks) are in it, and {100 * MIN_MATCHED:.0f} % are "
            "needed: choose the --model that the file was made for"
        )
    lost = [key for key in missing if key.startswith(("blocks.", "patch_embed."))]
    if lost:
        found = f"{tuple(weights[lost[0]].shape)} in the file" if lost[0] in weights else "not in the file"
        raise RequestError(
            f"{source}: {lost[0]} is {tuple(own[lost[0]].shape)} in {encoder.shape.name} and {found}: choose the "
            "--model that the file was made for"
        )
    encoder.load_state_dict(fits, strict=False)
    return report
