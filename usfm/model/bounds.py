"""An encoder's shape, as a file claims it: bounded and held against the file's tensors before a network is built."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from usfm.errors import RequestError
from usfm.model.vit import Shape

WIDEST, DEEPEST, MOST_PIXELS, LARGEST_PATCH = 8192, 128, 4096, 128
"""Twice what the largest published encoders have."""


def depth_of(weights: Mapping[str, torch.Tensor], source: str | Path) -> int:
    """How many blocks a file holds.

    Args:
        weights: by timm's key names.
        source: named in the error.

    Returns:
        The number of blocks.

    Raises:
        RequestError: the blocks are not numbered 0, 1, 2, ... without a gap, or are more than `DEEPEST`.
    """
    found = [re.match(r"blocks\.([0-9]{1,18})\.", name) for name in weights]
    numbers = sorted({int(each[1]) for each in found if each})
    odd = next((number for at, number in enumerate(numbers) if at != number), None)
    if odd is not None:
        raise RequestError(f"{source}: its blocks are numbered with a gap before {odd}, so some are missing")
    if not 1 <= len(numbers) <= DEEPEST:
        raise RequestError(f"{source}: holds {len(numbers)} transformer blocks; 1 to {DEEPEST} can be used")
    return len(numbers)


def projection_of(weights: Mapping[str, torch.Tensor], source: str | Path) -> tuple[int, int, int]:
    """Width, channels and patch of a file, from its patch projection.

    Args:
        weights: by timm's key names.
        source: named in the error.

    Returns:
        (width, channels, patch in px).

    Raises:
        RequestError: it has none, or not one of square patches.
    """
    found = weights.get("patch_embed.proj.weight")
    shape = () if found is None else tuple(found.shape)
    if len(shape) != 4 or shape[2] != shape[3] or not shape[0] or not shape[2]:
        raise RequestError(
            f"{source}: its patch_embed.proj.weight has shape {shape}; (width, channels, p, p) is needed"
        )
    return shape[0], shape[1], shape[2]


def tokens_of(weights: Mapping[str, torch.Tensor], source: str | Path) -> int | None:
    """How many positions a file holds, class token included; None where it holds none.

    Args:
        weights: by timm's key names.
        source: named in the error.

    Returns:
        The number of positions.

    Raises:
        RequestError: they have another layout than (1, tokens, width).
    """
    found = weights.get("pos_embed")
    if found is None:
        return None
    if found.ndim != 3 or found.shape[0] != 1 or found.shape[1] < 2:
        raise RequestError(f"{source}: its pos_embed has shape {tuple(found.shape)}; (1, 1 + patches, width) is needed")
    return found.shape[1]


def claimed(values: object, source: str | Path) -> Shape:
    """The shape that a file's metadata claim.

    Args:
        values: their entry "encoder", as JSON gave it.
        source: named in the error.

    Returns:
        The shape, not yet held against the tensors.

    Raises:
        RequestError: an entry is missing or of another type.
    """
    known = values if isinstance(values, dict) else {}
    size, name = known.get("image_size"), known.get("name")
    names = ("patch", "in_chans", "embed_dim", "depth", "num_heads")
    sides = size if isinstance(size, list) and len(size) == 2 else [None]
    numbers = [value for value in (*sides, *(known.get(key) for key in names)) if type(value) is int and value > 0]
    if not isinstance(name, str) or len(name) > 200 or len(numbers) != 2 + len(names):
        raise RequestError(f"{source}: the shape of the encoder in its metadata is damaged; take another checkpoint")
    rows, columns, *rest = numbers
    return Shape(name=name, image_size=(rows, columns), **dict(zip(names, rest, strict=True)))


def check(shape: Shape, weights: Mapping[str, torch.Tensor], source: str | Path) -> None:
    """See that a shape is one that can be built, and that of the tensors in the file.

    Args:
        shape: claimed by metadata or read off the tensors.
        weights: by timm's key names.
        source: named in the error.

    Raises:
        RequestError: says which claim does not hold.
    """
    width, channels, patch = projection_of(weights, source)
    tokens, depth = tokens_of(weights, source), depth_of(weights, source)
    rows, columns = shape.grid
    faults = {
        f"{shape.embed_dim} wide": shape.embed_dim != width or width > WIDEST,
        f"{shape.num_heads} heads of a width of {shape.embed_dim}": shape.num_heads < 1
        or shape.embed_dim % shape.num_heads > 0,
        f"{shape.in_chans} channels": shape.in_chans != channels or channels not in (1, 3),
        f"patches of {shape.patch} pixels": shape.patch != patch or patch > LARGEST_PATCH,
        f"{shape.depth} blocks": shape.depth != depth,
        f"frames of {shape.image_size[0]}x{shape.image_size[1]} pixels": max(shape.image_size) > MOST_PIXELS
        or (rows * shape.patch, columns * shape.patch) != shape.image_size
        or not 1 <= rows * columns <= (1 << 16)
        or (tokens is not None and not rows * columns <= tokens <= rows * columns + 64),
    }
    wrong = [words for words, fault in faults.items() if fault]
    if wrong:
        raise RequestError(
            f"{source}: an encoder of {', '.join(wrong)} does not fit its tensors (width {width}, {channels} channels, "
            f"patch {patch}, {depth} blocks, {tokens} positions) or cannot be built; is it a vision transformer?"
        )
    _check_blocks(shape, weights, source)


def check_size(weights: Mapping[str, torch.Tensor], source: str | Path, *, blocks: bool = True) -> None:
    """See that the network which a file asks for is about as large as the file: before it is built.

    Args:
        weights: by timm's key names.
        source: named in the error.
        blocks: whether it is made of numbered blocks of one width, whose size can be told beforehand.

    Raises:
        RequestError: its width, depth or patch is beyond all published ones, or its blocks are not in the file.
    """
    width, channels, patch = projection_of(weights, source)
    depth = depth_of(weights, source) if blocks else 0
    hidden = max((v.shape[0] for k, v in weights.items() if v.ndim == 2 and k.startswith("blocks.0.mlp.")), default=0)
    asked, held = depth * width * (4 * width + 2 * hidden), sum(value.numel() for value in weights.values())
    if width > WIDEST or patch > LARGEST_PATCH or channels > 16 or asked > 2 * held + (1 << 20):
        raise RequestError(
            f"{source}: asks for an encoder {width} wide with {depth} blocks, {asked:,} numbers, and holds {held:,}; "
            "is it whole?"
        )


def _check_blocks(shape: Shape, weights: Mapping[str, torch.Tensor], source: str | Path) -> None:
    """See that each block brings its attention: then the network is at most a few times as large as the file."""
    wanted = (3 * shape.embed_dim, shape.embed_dim)
    for block in range(shape.depth):
        name = f"blocks.{block}.attn.qkv.weight"
        found = tuple(weights[name].shape) if name in weights else None
        if found != wanted:
            raise RequestError(
                f"{source}: {name} is {'missing' if found is None else f'of shape {found}'}; {wanted} is needed"
            )
