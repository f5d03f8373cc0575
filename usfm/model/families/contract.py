"""What is known of a kind of weight file: how to recognise it, whose network it is, and how its authors feed it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from usfm.errors import RequestError
from usfm.model.spec import Told
from usfm.model.tensors import PROJECTION, Weights

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
USUAL = ((64, 2), (384, 6), (768, 12), (1024, 16), (1280, 16))
OF_64 = ((384, 6), (768, 12), (1024, 16), (1536, 24))

Tensors = Mapping[str, torch.Tensor]


class Builder(Protocol):
    """What `Family.build` is: a function that makes the network of a file."""

    def __call__(self, found: Weights, family: "Family", source: str, told: Told) -> "Built":
        """Make timm's network in the sizes of the file's tensors.

        Args:
            found: tensors of the file.
            family: of the file.
            source: named in errors.
            told: what the user said of the file.

        Returns:
            The network, without weights.

        Raises:
            ValueError: the tensors are those of no network that timm has: blocks are missing, a size is absurd.
        """
        ...


@dataclass(frozen=True)
class Built:
    """A network without weights.

    Attributes:
        model: timm's.
        size: (rows, columns) of a frame, px.
        said: what was assumed for it; "" for nothing.
        name: short, for the identity; "" for one made of its sizes.
    """

    model: Any
    size: tuple[int, int]
    said: str = ""
    name: str = ""


@dataclass(frozen=True)
class Family:
    """One kind of weight file.

    Attributes:
        title: its name.
        known_by: what in the file tells it, in words.
        nearest: timm's model of the usual size, for `timm:NAME@FILE`.
        marks: whether a file's tensors are of this kind; None for one that only its name tells apart from `like`.
        like: the family that has the same tensors, where there is one.
        names: parts of file names that tell it apart from `like`.
        build: the network of timm for it; None where the encoder is usfm's own.
        rename: other names of the same tensors -> timm's; None where they are timm's, or the file is of another kind.
        normalisation: (mean, std) of a frame / 255 in red, green, blue.
        resize: how its authors fit a frame into the encoder's square: "letterbox" or "stretch".
        heads: width of a token -> attention heads, in the files that its authors give out.
        norm: whether its files have the final norm; where they lack it, it starts at 1 and 0.
        scale: "frame" where each frame's darkest and brightest pixel become 0 and 1, instead of mean and std.
        blur_px: sigma of a Gaussian blur that its frames need; 0 = none.
        pool: what its authors take for one vector, in words.
        projection: pattern of the name of the tensor that their own vector goes through at the end, and whether it is
            (in, out) instead of (out, in); None without one.
        unit: whether they bring that vector to length 1.
        licence: of the weights, as their authors say.
        source: where its authors give the weights out, in words.
    """

    title: str
    known_by: str
    nearest: str
    marks: Callable[[Weights], bool] | None = None
    like: str = ""
    names: tuple[str, ...] = ()
    build: Builder | None = None
    rename: Callable[[Tensors], dict[str, torch.Tensor] | None] | None = None
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    resize: str = "letterbox"
    heads: tuple[tuple[int, int], ...] = ()
    norm: bool = True
    scale: str = ""
    blur_px: float = 0.0
    pool: str = "mean"
    projection: tuple[str, bool] | None = None
    unit: bool = False
    licence: str = "not known"
    source: str = ""


def heads_of(found: Weights, family: Family, source: str | Path, given: int = 0) -> tuple[int, str]:
    """How many attention heads a file's network has, and a sentence when that was assumed.

    Tensors do not tell it: shapes fit whatever the number, and the features are wrong with another one.

    Args:
        found: tensors of the file.
        family: of the file.
        source: named in the error.
        given: heads that the user told, 0 for none.

    Returns:
        The number of heads, and the sentence.

    Raises:
        RequestError: it is not known for a network of this width, or does not divide it.
    """
    dim = found.tensors[PROJECTION].shape[0]
    if given:
        if dim % given:
            raise RequestError(f"{source}: {given} heads do not divide its width of {dim}; give another heads=")
        return given, f"{given} heads as told"
    known = dict(family.heads).get(dim)
    if known:
        return known, f"{known} heads assumed from the width of {dim}"
    raise RequestError(
        f"{source}: a file does not tell its number of attention heads, and it is not known for a width of {dim}; "
        f"{_TINY if dim == 192 else f'give it, such as {source}?heads={max(1, dim // 64)}'}"
    )


_TINY = "timm's ViT-tiny has 3 and TinyUSFM 12, so write ?heads=3 or ?heads=12 behind the file"
