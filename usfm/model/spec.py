"""What a SPEC may say about a weight file that the file does not tell itself: `FILE?heads=12&px=224`."""

from dataclasses import dataclass
from pathlib import Path

from usfm.config import did_you_mean
from usfm.errors import RequestError


@dataclass(frozen=True)
class Told:
    """The part of a SPEC behind the question mark.

    Attributes:
        heads: attention heads; 0 = not told.
        px: side of the square that a frame is brought to; 0 = not told.
        mean, std: of a frame / 255, one number or one a channel; () = not told.
        prefix: names of the wanted network begin with this, where a file holds several; None = not told.
        norm: "none" where a file has no final norm, which then starts at 1 and 0.
        projection: "yes" for the vector that a model of images and texts ends with, as its authors' `encode_image`.
        family: a key of `usfm.model.families.FAMILIES`, where tensors do not tell it; "" = not told.
    """

    heads: int = 0
    px: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    prefix: str | None = None
    norm: str = ""
    family: str = ""
    projection: str = ""

    def __bool__(self) -> bool:
        """Whether anything was told."""
        return self != Told()


def split(spec: str) -> tuple[str, Told]:
    """Split a SPEC into what it names and what it tells.

    >>> split("tiny.pth?heads=12")[1].heads
    12

    Raises:
        RequestError: an option is unknown or has a wrong value.
    """
    name, mark, rest = spec.rpartition("?")
    if not mark or Path(spec).exists():
        return spec, Told()
    told = {}
    for part in filter(None, rest.split("&")):
        key, _, value = part.partition("=")
        read = _READ.get(key)
        if read is None:
            raise RequestError(f"{spec}: '{key}' is nothing that can be told{did_you_mean(key, _READ)}")
        try:
            told[key] = read(value)
        except ValueError:
            raise RequestError(f"{spec}: '{value}' is no value of {key}; write {_EXAMPLE[key]}") from None
    return name, Told(**told)


def _whole(text: str) -> int:
    if not 1 <= int(text) <= 4096:
        raise ValueError
    return int(text)


def _numbers(text: str) -> tuple[float, ...]:
    numbers = tuple(float(each) for each in text.split(","))
    if len(numbers) not in (1, 3) or not all(0 <= each <= 1 for each in numbers):
        raise ValueError
    return numbers


def _deviations(text: str) -> tuple[float, ...]:
    if not all(_numbers(text)):
        raise ValueError
    return _numbers(text)


def _none(text: str) -> str:
    if text != "none":
        raise ValueError
    return text


def _yes(text: str) -> str:
    if text != "yes":
        raise ValueError
    return text


_READ = {
    "heads": _whole,
    "px": _whole,
    "mean": _numbers,
    "std": _deviations,
    "prefix": str,
    "norm": _none,
    "family": str,
    "projection": _yes,
}
_EXAMPLE = {
    "heads": "heads=12",
    "px": "px=224",
    "mean": "mean=0.485,0.456,0.406",
    "std": "std=0.229,0.224,0.225",
    "prefix": "prefix=teacher.backbone.",
    "norm": "norm=none",
    "family": "family=medsam",
    "projection": "projection=yes",
}


RANDOM_MODEL = "vit_tiny_patch16_224"
"""What `random` alone means."""

CLIPS = ("medclip", "openclip")
"""Kinds of SPEC that mean the projected vector of a file."""


YOLO = "yolo"
"""Kind of SPEC that names a whole detector of ultralytics', which is no encoder of anything else."""


def check(spec: str) -> None:
    """Refuse a SPEC that names nothing, before anything is loaded for it.

    Args:
        spec: as typed for an encoder.

    Raises:
        RequestError: it is empty, of an unknown kind, or a file or folder that is not there.
    """
    name, _ = split(spec)
    kind, _, rest = name.partition(":")
    if not name:
        raise RequestError("give an encoder: --encoder RUN, FILE, timm:NAME, timm:NAME@FILE, vectors:FILE.h5 or random")
    if kind in CLIPS and rest:
        file = rest if Path(rest).is_file() else rest.rpartition("@")[2]
        if not Path(file).is_file():
            raise RequestError(f"{file}: no such checkpoint file")
        return
    if kind == YOLO and rest:
        raise RequestError(
            f"{spec}: is a whole detector, no encoder; it is trained by 'usfm finetune detect --head yolo'"
        )
    if kind == "random" or (kind in ("timm", "vectors") and rest) or Path(name).exists():
        return
    if rest and len(kind) > 1:  # one letter would be a drive
        raise RequestError(
            f"{name}: unknown kind of encoder '{kind}'{did_you_mean(kind, ('timm', 'vectors', 'random', *CLIPS))}"
        )
    hint = did_you_mean(name, ("random",)) or f"; check the path, or write timm:{name} for an encoder of timm"
    raise RequestError(f"{name}: no such run directory or checkpoint file{hint}")
