"""Weights of a plain vision transformer put into an encoder: all of them, or a sentence that says what is missing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from usfm.errors import RequestError
from usfm.model import bounds, families, files
from usfm.model.positions import resize_positions
from usfm.model.tensors import PROJECTION, Weights
from usfm.model.vit import NORMALISATION, SIZES, Encoder, Shape

NORM = ("norm.weight", "norm.bias")


@dataclass(frozen=True)
class LoadReport:
    """What a weight file brought.

    Attributes:
        total: tensors of the encoder.
        missing: those that the file's family lacks (the final norm), left at their start.
        unexpected: tensors of the file that the encoder has no place for (decoders, heads).
        adapted: sentences about what was assumed or changed on the way in (heads, positions, channels).
    """

    total: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    adapted: tuple[str, ...]

    @property
    def matched(self) -> float:
        """Share of the encoder's tensors that were found, 0 to 1."""
        return 1 - len(self.missing) / self.total

    def __str__(self) -> str:
        text = f"all {self.total} tensors of the encoder found"
        if self.missing:
            text = (
                f"{self.total - len(self.missing)} of {self.total} tensors of the encoder found, "
                f"{', '.join(self.missing)} at their start (the file has none)"
            )
        if self.unexpected:
            more = ", ..." * (len(self.unexpected) > 3)
            text += f", {len(self.unexpected)} of the file not used ({', '.join(self.unexpected[:3])}{more})"
        return "; ".join([text, *self.adapted])


def read_weights(path: str | Path, *, prefix: str | None = None) -> Weights:
    """Read a plain vision transformer (MAE's and timm's key names) out of a file of any kind.

    Args:
        path: of the file.
        prefix: take the network whose names begin with this.

    Returns:
        The tensors, by the names of MAE and timm.

    Raises:
        RequestError: the file is damaged, or holds another kind of network; the nearest one is named.
    """
    found = plain(files.read(path, prefix=prefix))
    bounds.projection_of(found.tensors, path)
    family = families.FAMILIES[families.of(found)]
    reason = why_not_plain(found, path)
    if reason:
        raise RequestError(
            f"{path}: {reason}, and only a plain vision transformer can be used here (nearest: {family.title}); embed, "
            "finetune and dedup read the file as it is"
        )
    return found


def plain(found: Weights) -> Weights:
    """LocalMIM keeps one norm a tapped block; the last one belongs to the output."""
    tensors = dict(found.tensors)
    for key in NORM:
        last = key.replace("norm.", "norm.3.")
        if last in tensors and key not in tensors:
            tensors[key] = tensors.pop(last)
    return replace(found, tensors=tensors)


def with_a_norm(found: Weights) -> Weights:
    """The same network with the final norm that its file lacks, at its start: 1 and 0."""
    wide = found.tensors[PROJECTION].new_ones(found.tensors[PROJECTION].shape[0])
    tensors = {**found.tensors, NORM[0]: wide, NORM[1]: 0 * wide}
    return replace(found, tensors=tensors)


def why_not_plain(found: Weights, source: str | Path) -> str:
    """Say what keeps a file's network from being a plain ViT; "" when it is one.

    Args:
        found: tensors of the file.
        source: named in errors.

    Returns:
        A clause that follows "the file", such as "has no class token (cls_token)".
    """
    t = found.tensors
    depth = bounds.depth_of(t, source)
    own = {"patch_embed.proj.weight", "patch_embed.proj.bias", "cls_token", "pos_embed", *NORM}
    part = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    own |= {f"blocks.{i}.{name}.{kind}" for i in range(depth) for name in part for kind in ("weight", "bias")}
    extra = families.lost(t, own)
    if extra:
        return f"has {extra[0]}" + (f" and {len(extra) - 1} more tensors" if len(extra) > 1 else "")
    if "cls_token" not in t:
        return "has no class token (cls_token)"
    hidden, dim = t.get("blocks.0.mlp.fc1.weight"), t[PROJECTION].shape[0]
    if hidden is not None and hidden.shape[0] != 4 * dim:
        return f"has a hidden layer of {hidden.shape[0]} instead of {4 * dim}"
    if families.of(found) == "tinyusfm":
        return "is 192 wide and has no norm, as TinyUSFM"
    return ""


def shape_of(found: Weights, source: str | Path = "the file", heads: int = 0) -> tuple[Shape, str]:
    """The encoder's shape, from the file's metadata or from the sizes of its tensors, and what was assumed for it.

    Args:
        found: tensors of the file.
        source: named in errors.
        heads: attention heads that the user told, 0 for none.

    Returns:
        The shape, and the sentence; "" where nothing was assumed.

    Raises:
        RequestError: the number of heads is neither known nor given.
    """
    shape = _kept_shape(found, source)
    if shape is not None:
        if heads not in (0, shape.num_heads):
            raise RequestError(f"{source}: has {shape.num_heads} heads by its metadata, not {heads}; leave heads= out")
        return shape, ""
    t = found.tensors
    dim, chans, patch = bounds.projection_of(t, source)
    tokens, depth = bounds.tokens_of(t, source), bounds.depth_of(t, source)
    heads, said = families.heads_of(found, families.FAMILIES[families.of(found)], source, heads)
    pixels = round(((tokens or 197) - 1) ** 0.5) * patch
    size = next((name for name, (width, _, _) in SIZES.items() if width == dim), "base")
    shape = Shape(f"vit_{size}_patch{patch}_{pixels}", (pixels, pixels), patch, chans, dim, depth, heads)
    bounds.check(shape, t, source)
    return shape, said


def grid_of(found: Weights, source: str | Path) -> tuple[int, int] | None:
    """(rows, columns) of a file's positions where its metadata says it; None for a square.

    Args:
        found: tensors of the file.
        source: named in errors.

    Returns:
        (rows, columns), patches.
    """
    shape = _kept_shape(found, source)
    return None if shape is None else shape.grid


def _kept_shape(found: Weights, source: str | Path) -> Shape | None:
    """The shape in a file's metadata."""
    if "encoder" not in found.metadata:
        return None
    shape = bounds.claimed(found.metadata["encoder"], source)
    bounds.check(shape, found.tensors, source)
    return shape


def fold_channels(weight: torch.Tensor, bias: torch.Tensor, in_chans: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn a patch projection for 3 normalised channels into one for 1, or back, exactly for gray frames.

    A gray value v enters three channels as (v - m_c) / s_c and one channel as (v - m) / s; the new weights and bias
    give the same tokens for every v.

    Args:
        weight: (D, C, p, p).
        bias: (D,).
        in_chans: the wanted C, 1 or 3.

    Returns:
        The new weight (D, in_chans, p, p) and bias (D,).
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
    weights: Mapping[str, torch.Tensor] | Weights,
    source: str | Path = "the file",
    grid: tuple[int, int] | None = None,
    said: tuple[str, ...] = (),
) -> LoadReport:
    """Put a file's weights into an encoder: every tensor, positions resampled and channels folded where they differ.

    Args:
        encoder: changed in place.
        weights: from `read_weights`; tensors without a place (decoders, heads) are listed, not used.
        source: named in the error.
        grid: (rows, columns) of the file's positions where they are not square.
        said: what was assumed before, for the report.

    Returns:
        What matched, what did not, and what was changed.

    Raises:
        RequestError: a tensor of the encoder is not in the file, has another size there or holds NaN; only the final
            norm may be missing, in the files of a family that has none.
    """
    found = weights if isinstance(weights, Weights) else Weights(dict(weights))
    weights, adapted, own = dict(found.tensors), [], encoder.state_dict()
    projection, positions = weights.get(PROJECTION), weights.get("pos_embed")
    if projection is not None and {projection.shape[1], encoder.shape.in_chans} == {1, 3}:
        bias = weights.get("patch_embed.proj.bias", projection.new_zeros(projection.shape[0]))
        folded = fold_channels(projection.float(), bias.float(), encoder.shape.in_chans)
        weights[PROJECTION], weights["patch_embed.proj.bias"] = folded
        adapted.append(f"patch projection folded from {projection.shape[1]} to {encoder.shape.in_chans} channels")
    if positions is not None and positions.ndim == 3 and positions.shape[2] == encoder.shape.embed_dim:
        if (grid or encoder.shape.grid) != encoder.shape.grid or positions.shape != own["pos_embed"].shape:
            weights["pos_embed"] = _fit_positions(positions, grid, encoder.shape.grid)
            adapted.append(f"positions resampled to {encoder.shape.grid[0]}x{encoder.shape.grid[1]}")
    kept = _kept_shape(found, source)
    if kept is not None and kept.num_heads != encoder.shape.num_heads:
        raise RequestError(
            f"{source}: has {kept.num_heads} heads and {encoder.shape.name} has {encoder.shape.num_heads}: choose the "
            "--model that the file was made for"
        )
    fits = {k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}
    missing = tuple(k for k in own if k not in fits)
    kind = families.of(found) if PROJECTION in found.tensors else "mae"
    may_lack = () if families.FAMILIES[kind].norm or any(k in fits for k in NORM) else NORM
    refuse_missing([k for k in missing if k not in may_lack], own, weights, source, encoder.shape.name)
    unexpected = [k for k in weights if k not in fits]
    extra = families.lost(unexpected, own)
    if extra:
        raise RequestError(
            f"{source}: its {extra[0]} has no place in {encoder.shape.name} ({encoder.shape.depth} blocks, width "
            f"{encoder.shape.embed_dim}): choose the --model that the file was made for"
        )
    refuse_not_finite(fits, own, source)
    encoder.load_state_dict(fits, strict=False)
    return LoadReport(
        len(own), missing, (*unexpected, *found.outside), (*found.said(), *(s for s in said if s), *adapted)
    )


def refuse_missing(
    missing: Collection[str], own: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], source, name: str
) -> None:
    """Raise when tensors of a network are not in a file, or have another size there.

    Args:
        missing: names of those tensors.
        own: tensors of the network.
        given: tensors of the file.
        source: the file, named in the error.
        name: of the network.

    Raises:
        RequestError: with the first of them, and the network that was tried.
    """
    if not missing:
        return
    first = next(iter(missing))
    found = f"{tuple(given[first].shape)} in the file" if first in given else "not in the file"
    share = 1 - len(missing) / len(own)
    raise RequestError(
        f"{source}: only {len(own) - len(missing)} of {len(own)} tensors ({100 * share:.1f} %) of {name} are in it "
        f"with the right size; {first} is {tuple(own[first].shape)} in {name} and {found}: choose the model that the "
        "file was made for"
    )


def refuse_not_finite(tensors: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor], source: str | Path) -> None:
    """Raise when a tensor that is used holds NaN or infinite numbers, or whole ones in the place of real ones.

    Args:
        tensors: those of the file that are used.
        own: tensors of the network, which say the type.
        source: the file, named in the error.

    Raises:
        RequestError: with the first of them.
    """
    whole = [name for name, value in tensors.items() if own[name].is_floating_point() > value.is_floating_point()]
    if whole:
        raise RequestError(
            f"{source}: {whole[0]} holds whole numbers ({tensors[whole[0]].dtype}), so the file was quantised; take "
            "the one with real numbers"
        )
    bad = [name for name, value in tensors.items() if not value.float().isfinite().all()]
    if bad:
        raise RequestError(
            f"{source}: {bad[0]} holds NaN or infinite numbers ({len(bad)} of {len(tensors)} tensors do); take a "
            "checkpoint from before the training went wrong"
        )
