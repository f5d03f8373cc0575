"""One network for any SPEC, frozen or trained: frames to vectors or feature maps, layers counted from the pixels."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from usfm.errors import RequestError
from usfm.model.blur import gaussian
from usfm.model.vit import NORMALISATION, Encoder, luminance, patchify


@dataclass(frozen=True)
class Entry:
    """How frames enter a network and how its outputs become one vector.

    Attributes:
        name: short, for tables and figures.
        identity: everything that fixes the outputs: JSON values, no paths.
        image_size: (rows, columns) of a frame, px.
        in_chans: 1 or 3 channels that the network reads.
        mean, std: of a frame / 255, one a channel.
        resize: "letterbox" or "stretch", as its authors do.
        pool: how tokens become one vector: "mean" of the patch tokens, the class token "cls", or "meanstd". Networks
            without tokens have their own pooling.
        blur_px: sigma of a Gaussian blur that its frames need; 0 = none.
        scale: "frame" where each frame's darkest and brightest pixel become 0 and 1 before mean and std.
        projection: (out, in) that the pooled vector goes through; None = none.
        unit: whether the projected vector is brought to length 1.
    """

    name: str
    identity: dict
    image_size: tuple[int, int]
    in_chans: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: str = "letterbox"
    pool: str = "mean"
    blur_px: float = 0.0
    scale: str = ""
    projection: torch.Tensor | None = field(default=None, repr=False)
    unit: bool = False


def pooled(tokens: torch.Tensor, prefix: int, pool: str, norm: Callable | None = None) -> torch.Tensor:
    """Tokens to vectors.

    Args:
        tokens: (B, prefix + L, D).
        prefix: tokens in front that stand for no patch.
        pool: "mean", "cls" or "meanstd".
        norm: of networks that pool before their last norm, as in their own heads.

    Returns:
        (B, D), or (B, 2 D) for "meanstd".
    """
    norm = norm or (lambda vectors: vectors)
    if pool == "cls":
        return norm(tokens[:, 0])
    patches = tokens[:, prefix:].float()
    mean = norm(patches.mean(1))
    return mean if pool == "mean" else torch.cat([mean, patches.std(1, correction=0)], dim=1)


class Network(nn.Module):
    """An encoder of ours or a whole network of timm, without a head.

    Frames are (B, 1 or 3, rows, columns), uint8 or float from 0 to 255, of any size that `image_size` was loaded for.

    Attributes:
        body: the network; its state dict has the names of its authors or of timm.
        entry: how frames enter it.
        tap: block, from 1, whose tokens make the vector; 0 for those behind the last norm. See `tapped`.
    """

    def __init__(self, body: nn.Module, entry: Entry):
        super().__init__()
        self.body, self.entry, self.tap = body, entry, 0
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (entry.mean, entry.std))
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.matrix: torch.Tensor | None
        self.register_buffer("matrix", entry.projection, persistent=False)
        self._layers = _layers(body)

    def enter(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames as the body wants them: its channels, blurred, scaled, normalised; (B, in_chans, H, W) float."""
        chans = self.entry.in_chans
        if frames.shape[1] != chans:
            frames = luminance(frames) if chans == 1 else frames.expand(-1, chans, -1, -1)
        if isinstance(self.body, Encoder):
            return self.body.normalise(gaussian(frames.float(), self.entry.blur_px) if self.entry.blur_px else frames)
        values = frames / 255
        if self.entry.scale == "frame":
            low, high = frames.float().amin((1, 2, 3), keepdim=True), frames.float().amax((1, 2, 3), keepdim=True)
            values = (frames - low) / (high - low).clamp(min=1e-8)
        return (values - self.mean) / self.std

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """One vector a frame: (B, dim)."""
        pool, body = self.entry.pool, self.body
        if self.tap:
            return self._of_block(self.enter(frames))
        if isinstance(body, Encoder):
            return pooled(body(self.enter(frames)), 1, pool)
        tokens = body.forward_features(self.enter(frames))  # pyright: ignore[reportCallIssue]  every network of timm
        if self.matrix is not None:
            vectors = body.forward_head(tokens, pre_logits=True) @ self.matrix.T  # pyright: ignore[reportCallIssue]
            return nn.functional.normalize(vectors, dim=-1) if self.entry.unit else vectors
        prefix = getattr(body, "num_prefix_tokens", 0)
        if tokens.ndim == 3 and (pool != "cls" or prefix):
            return pooled(tokens, prefix, pool, getattr(body, "fc_norm", None))
        return body.forward_head(tokens, pre_logits=True)  # pyright: ignore[reportCallIssue]

    def _of_block(self, entered: torch.Tensor) -> torch.Tensor:
        """The vector of a block's tokens; each token is normed by itself, since no weights were trained for that."""
        body, prefix = self.body, 1
        if isinstance(body, Encoder):
            tokens = body.encode(body.embed(patchify(entered, body.shape.patch)), taps=(self.tap - 1,))[0]
        else:
            prefix = int(getattr(body, "num_prefix_tokens", 0))
            found = body.forward_intermediates(  # pyright: ignore[reportCallIssue]
                entered, indices=[self.tap - 1], intermediates_only=True, output_fmt="NLC", return_prefix_tokens=True
            )[0]
            patches, *front = found if isinstance(found, (tuple, list)) else (found,)
            tokens = torch.cat([*front, patches], dim=1)
        return pooled(nn.functional.layer_norm(tokens.float(), tokens.shape[-1:]), prefix, self.entry.pool)

    def maps(self, frames: torch.Tensor, taps: tuple[int, ...] = ()) -> list[torch.Tensor]:
        """Feature maps, finest first.

        Args:
            frames: as `forward` takes them.
            taps: blocks of a transformer or stages of a convolutional network, from 0, ascending; () for four that
                are spread evenly over a transformer, or the last four stages.

        Returns:
            (B, channels, rows, columns) each; their patches or strides are what `map_shapes` says.
        """
        taps = taps or self.usual_taps
        if isinstance(self.body, Encoder):
            return self.body.feature_maps(self.enter(frames), taps)
        return self.body.forward_intermediates(  # pyright: ignore[reportCallIssue]
            self.enter(frames), indices=list(taps), intermediates_only=True, output_fmt="NCHW"
        )

    @property
    def usual_taps(self) -> tuple[int, ...]:
        """The taps that `maps` takes when it is told none."""
        if _is_transformer(self.body):
            depth = len(self.body.blocks)  # pyright: ignore[reportArgumentType]
            return tuple(sorted({max(0, round(depth * k / 4) - 1) for k in (1, 2, 3, 4)}))
        stages = len(self.body.feature_info)  # pyright: ignore[reportArgumentType]
        return tuple(range(max(0, stages - 4), stages))

    @torch.no_grad()
    def map_shapes(self, taps: tuple[int, ...] = ()) -> list[tuple[int, float]]:
        """Channels and stride (px of a frame a cell) of each map, found by a pass of one black frame."""
        training = self.training
        black = torch.zeros(1, self.entry.in_chans, *self.entry.image_size, device=self.mean.device)
        found = self.eval().maps(black, taps)
        self.train(training)
        return [(each.shape[1], self.entry.image_size[0] / each.shape[2]) for each in found]

    @property
    @torch.no_grad()
    def dim(self) -> int:
        """Length of a vector; of networks that are not ours found by a pass of one black frame."""
        if isinstance(self.body, Encoder):
            return self.body.shape.embed_dim * (2 if self.entry.pool == "meanstd" else 1)
        training = self.training
        black = torch.zeros(1, self.entry.in_chans, *self.entry.image_size, device=self.mean.device)
        length = self.eval()(black).shape[1]
        self.train(training)
        return length

    # ------------------------------------------------------------ training

    @property
    def last_layer(self) -> int:
        """The layer of the final norm, to which a head belongs too."""
        return max(self._layers.values())

    def factor(self, name: str, decay: float) -> float:
        """Layer decay: how much of the learning rate a parameter has, less the nearer it is to the pixels.

        Args:
            name: of the parameter in `named_parameters()` of this network.
            decay: factor from one layer to the one below, such as 0.65.

        Returns:
            decay ** (last_layer - layer). Source: MAE's fine-tuning (after BEiT) for transformers; other networks
            by timm's own groups, a stage being a layer.
        """
        return decay ** (self.last_layer - self._layers.get(_plain(name), self.last_layer))

    def undecayed(self, name: str) -> bool:
        """Whether a parameter has no weight decay though it is no vector: positions and class tokens, as in MAE."""
        return name.rpartition(".")[2] in ("pos_embed", "cls_token", "reg_token", "relative_position_bias_table")

    def drop_paths(self, rate: float) -> None:
        """Leave residual branches out while training, from none in the first block up to `rate` in the last one.

        Args:
            rate: share of the branches of the last block; a network without such branches stays as it is.
        """
        names = ("drop_path", "drop_path1", "drop_path2")
        blocks = [part for part in self.body.modules() if any(hasattr(part, name) for name in names)]
        for block, share in zip(blocks, torch.linspace(0, rate, len(blocks)).tolist(), strict=True):
            for name in filter(lambda name: hasattr(block, name), names):
                setattr(block, name, _drop_path(self.body, share).train(self.training))


def tapped(network: Network, block: int) -> Network:
    """Let the tokens of another block make the vector.

    Args:
        network: of a transformer; changed in place. What lies above the block is trained no more.
        block: from 1; 0 leaves the network as it is.

    Returns:
        The network.

    Raises:
        RequestError: it is no transformer, has no such block, or pools a class token that it does not have.
    """
    if not block:
        return network
    body, entry = network.body, network.entry
    if not _is_transformer(body):
        raise RequestError(f"--tap {block}: {entry.name} is no transformer, so it has no blocks to take tokens from")
    blocks = list(body.blocks)  # pyright: ignore[reportArgumentType]
    if block > len(blocks):
        raise RequestError(f"--tap {block}: {entry.name} has {len(blocks)} blocks")
    if entry.pool == "cls" and not isinstance(body, Encoder) and not getattr(body, "num_prefix_tokens", 0):
        raise RequestError(f"--tap {block}: {entry.name} has no class token; take --pool mean")
    for part in (*blocks[block:], getattr(body, "norm", None), getattr(body, "fc_norm", None)):
        if isinstance(part, nn.Module):
            part.requires_grad_(False)
    network.tap = block
    network.entry = replace(entry, identity={**entry.identity, "tap": block}, projection=None)
    network.matrix = None
    return network


def of_encoder(encoder: Encoder, name: str, identity: dict, *, pool: str, resize: str, blur_px: float = 0.0) -> Network:
    """The network of an encoder of ours.

    Args:
        encoder: with its weights.
        name: short.
        identity: what fixes the weights; the shape and the entry are added.
        pool: see `Entry`.
        resize: letterbox, stretch, or auto, which is letterbox.
        blur_px: of the frames that it was trained on.

    Returns:
        The network.
    """
    shape = encoder.shape
    facts = {"model": shape.name, "image_size": list(shape.image_size), "in_chans": shape.in_chans, "pool": pool}
    resize, (mean, std) = "letterbox" if resize == "auto" else resize, NORMALISATION[shape.in_chans]
    facts |= {"heads": shape.num_heads, **_entered(mean, std, resize, after=False)}
    if blur_px:
        facts["blur_px"] = blur_px
    entry = Entry(name, {**identity, **facts}, shape.image_size, shape.in_chans, mean, std, resize, pool, blur_px)
    return Network(encoder, entry)


def of_timm(found, name: str, identity: dict, *, pool: str, resize: str) -> Network:
    """The network that `usfm.model.foreign` built and filled.

    Args:
        found: `usfm.model.foreign.Network`.
        name: short.
        identity: what fixes the weights; the entry is added.
        pool: see `Entry`.
        resize: letterbox, stretch, or auto: as its authors do.

    Returns:
        The network.
    """
    facts = {"image_size": list(found.image_size), "in_chans": found.in_chans, "pool": pool, **found.facts}
    facts |= {"scale": found.scale} if found.scale else {}
    if found.projection is not None:
        facts["pool"] = "the authors', projected" + (" to length 1" if found.unit else "")
    attention = getattr(next(iter(getattr(found.model, "blocks", [])), None), "attn", None)
    heads = getattr(attention, "num_heads", None)
    facts |= {} if heads is None else {"heads": heads}
    after = any(True for _ in getattr(found.model, "fc_norm", nn.Identity()).parameters())
    resize = found.resize if resize == "auto" else resize
    facts |= _entered(found.mean, found.std, resize, after)
    entry = Entry(
        name, identity | facts, found.image_size, found.in_chans, tuple(found.mean), tuple(found.std), resize, pool,
        scale=found.scale, projection=found.projection, unit=found.unit,
    )  # fmt: skip
    return Network(found.model, entry)


def _entered(mean, std, resize: str, after: bool) -> dict:
    """How a frame enters an encoder, and where it leaves it: part of the identity."""
    norm = "after the pool" if after else "before the pool"
    return {"mean": [round(x, 6) for x in mean], "std": [round(x, 6) for x in std], "resize": resize, "norm": norm}


# ---------------------------------------------------------------- layers


def _is_transformer(body: nn.Module) -> bool:
    return hasattr(body, "blocks") and hasattr(body, "patch_embed")


def _plain(name: str) -> str:
    """The name that a parameter of `Network`, or that which an adapter stands beside, has in its body."""
    return re.sub(r"\.parametrizations\.(\w+)\..*$", r".\1", name.removeprefix("body."))


def _layers(body: nn.Module) -> dict[str, int]:
    """The layer of each parameter, counted from the pixels."""
    names = [name for name, _ in body.named_parameters()]
    if _is_transformer(body):
        depth = len(body.blocks)  # pyright: ignore[reportArgumentType]
        return {name: _of_transformer(name, depth) for name in names}
    from timm.models._manipulate import group_parameters

    found = group_parameters(body, body.group_matcher(coarse=True), reverse=True)  # pyright: ignore
    if re.fullmatch("VGG", type(body).__name__):  # whose groups are single convolutions
        ends = [int(info["module"].rpartition(".")[2]) for info in body.feature_info]  # pyright: ignore
        found = {name: _stage(name, ends) for name in names}
    return {name: int(found[name]) for name in names}  # pyright: ignore[reportArgumentType]  timm's type is loose


def _of_transformer(name: str, depth: int) -> int:
    """Embeddings 0, block i is i + 1, norm and all behind it depth + 1. Source: MAE's fine-tuning, after BEiT."""
    block = re.match(r"blocks\.(\d+)\.", name)
    first = name in ("cls_token", "pos_embed", "mask_token", "reg_token") or name.startswith("patch_embed.")
    return int(block[1]) + 1 if block else 0 if first else depth + 1


def _stage(name: str, ends: list[int]) -> int:
    """How many stages of a sequential network end before a parameter; the last of `ends` is a pool."""
    found = re.match(r"features\.(\d+)\.", name)
    return len(ends) - 1 if found is None else sum(end < int(found[1]) for end in ends)


def _drop_path(body: nn.Module, rate: float) -> nn.Module:
    """A layer that drops paths, of the body's own kind."""
    if isinstance(body, Encoder):
        from usfm.model.vit import DropPath

        return DropPath(rate)
    from timm.layers import DropPath as OfTimm

    return OfTimm(rate) if rate else nn.Identity()
