"""Which pictures are label masks of others, so that nobody learns them as ultrasound.

Two things must agree: the pixels look like a mask, and a name or a neighbour says that it is one. A name alone is no
evidence, since real frames lie in folders called `labels`; pixels alone are none, since a dark frame has few levels.
"""

import io
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from usfm.extract.media import Media

WORDS = frozenset(
    "mask masks gt groundtruth label labels labelcol annotation annotations annot seg segs segmentation segmentations"
    " segmented contour contours outline outlines roi rois segmentationclass segmentationobject segmask lesionmask"
    " labelmap labelmaps delineation delineations truth".split()
)
"""Words of a name or a folder that say mask; "ground truth" counts by its second word."""

PICTURE_WORDS = frozenset(
    "image images img imgs picture pictures frame frames us bmode original originals orig".split()
)
"""Words in which the name of a picture may differ from that of its mask."""

THUMBNAIL_PX = 256
"""Side of the square of pixels that is looked at, taken evenly from the picture without mixing neighbours."""

LEVELS = 24
"""Exact gray levels or colours, at most, of a mask without compression or smoothed edges."""

SAMPLE = 48
"""Pictures of one naming scheme that are decoded before the rest is judged by size in bytes."""

SAMPLE_FROM = 4 * SAMPLE
HEADER_BYTES = 1 << 16
"""Of a picture in an archive, enough to find its size."""

UNNAMED_SHARE = 0.9
"""Share of a folder's pictures that must look like masks where only a neighbour speaks for it."""


Picture = tuple[Media, str, int]


@dataclass(frozen=True)
class MaskFile:
    """One file that holds label masks.

    Attributes:
        media: Where it is.
        below: Its path below the folder that was given, with that folder's name in front.
        size: Bytes.
        mtime_ns: Time of the last change.
    """

    media: Media
    below: str
    size: int = 0
    mtime_ns: int = 0


@dataclass(frozen=True)
class Look:
    """What the pixels of one picture say.

    Attributes:
        mask: Whether they look like a mask.
        size: (height, width), px; (0, 0) where nothing could be read.
        density: Bytes of the file for each pixel.
    """

    mask: bool
    size: tuple[int, int] = (0, 0)
    density: float = 0.0


def find(pictures: Sequence[Picture], look: Callable[[Media], Look] | None = None) -> set[Media]:
    """Say which pictures are masks.

    Args:
        pictures: (where it is, path below SRC with the SRC's own name in front, bytes) of each image or clip.
        look: Judges the pixels of a file; default `look_at`.

    Returns:
        Which of them are masks. The same for any order of the pictures.
    """
    look, pictures = look or look_at, sorted(pictures, key=lambda picture: picture[1])
    schemes: dict[tuple, list[int]] = defaultdict(list)
    twins: dict[tuple, list[int]] = defaultdict(list)
    keys = [scheme_of(below) for _, below, _ in pictures]
    for at, key in enumerate(keys):
        schemes[key.folder, key.words, key.affix, key.suffix].append(at)
        twins[key.bare].append(at)
    named = {at for at, key in enumerate(keys) if key.words}
    masks = set()
    for members in schemes.values():
        if members[0] in named:
            masks |= _judged(pictures, members, look)
    for (folder, _, _, suffix), members in schemes.items():
        if members[0] in named:
            continue
        suspects = [at for at in members if _has_twin(at, twins[keys[at].bare], keys, masks, folder, suffix)]
        if len(suspects) >= UNNAMED_SHARE * len(members) and (
            thin := [at for at in suspects if _is_thin(pictures[at])]
        ):
            alike = _judged(pictures, thin, look)
            if len(alike) >= UNNAMED_SHARE * len(members):
                own = set(members)
                others = [each for at in members for each in twins[keys[at].bare] if each not in own][:SAMPLE]
                if len(_judged(pictures, others, look)) <= (1 - UNNAMED_SHARE) * len(others):
                    masks |= alike
    return {pictures[at][0] for at in masks}


@dataclass(frozen=True)
class Scheme:
    """How a file is named.

    Attributes:
        folder: Its folder.
        words: Words of the name and of the folders that say mask.
        affix: The rest of the naming scheme: what stands in place of the number, in the name without its mask words.
        suffix: Of the file, in lower case.
        bare: What a picture and its mask have in common: the folder above, and the name without words and numbering.
    """

    folder: str
    words: frozenset[str]
    affix: str
    suffix: str
    bare: tuple[str, str]


def scheme_of(below: str) -> Scheme:
    """Take a path apart.

    Example:
        >>> scheme = scheme_of("busi/benign/benign (1)_mask_1.png")
        >>> sorted(scheme.words), scheme.bare
        (['mask'], ('busi', 'benign 1'))
        >>> scheme_of("busi/benign/benign (1).png").bare, sorted(scheme_of("set/GT/x.png").words)
        (('busi', 'benign 1'), ['gt'])
        >>> sorted(scheme_of("hospital/masked ball/1.png").words)
        []
    """
    folder, _, name = below.rpartition("/")
    stem, suffix = os.path.splitext(name)
    tokens = _tokens(stem)
    inside = [token for token in tokens if _says_mask(token)]
    folders = {token for part in folder.split("/") for token in _tokens(part) if _says_mask(token)}
    kept = list(tokens)
    if inside:
        last = max(at for at, token in enumerate(tokens) if _says_mask(token))
        numbered = len(tokens) == last + 2 and tokens[-1].isdigit() and len(tokens[-1]) <= 2 and last > 0
        kept = tokens[:-1] if numbered else kept  # `_mask_1`: the first of several masks
    kept = [token for token in kept if not _says_mask(token) and token not in PICTURE_WORDS]
    bare = " ".join(kept) or " ".join(token for token in tokens if not _says_mask(token))
    affix = " ".join("#" if token.isdigit() else token for token in kept)
    return Scheme(folder, frozenset(inside) | folders, affix, suffix.lower(), (folder.rpartition("/")[0], bare))


def _says_mask(token: str) -> bool:
    return token in WORDS or token.endswith(("mask", "masks"))


def _tokens(text: str) -> list[str]:
    """Words and numbers of a name in lower case: `img001_GroundTruth` -> img, 001, groundtruth."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])(?!Truth)", " ", text)
    return [token.lower() for token in re.findall(r"[^\W\d_]+|\d+", split)]


def _has_twin(at: int, twins: list[int], keys: list[Scheme], masks: set[int], folder: str, suffix: str) -> bool:
    """Whether another picture of the same bare name lies elsewhere, or here under another suffix, and is no mask."""
    return any(
        other != at and other not in masks and (keys[other].folder != folder or keys[other].suffix != suffix)
        for other in twins
    )


def _is_thin(picture: Picture) -> bool:
    """Whether a file is so small for its picture that only flat areas can be in it (asks the header only)."""
    size = _size_of(picture[0])
    return size is not None and picture[2] < 0.25 * size[0] * size[1]


def _judged(pictures: Sequence[Picture], members: Sequence[int], look: Callable[[Media], Look]) -> set[int]:
    """Which of some pictures look like masks. Of many, a sample is decoded; others of its density are believed."""
    members = sorted(members, key=lambda at: pictures[at][1])
    tried = members
    if len(members) > SAMPLE_FROM:
        tried = [members[round(k * (len(members) - 1) / (SAMPLE - 1))] for k in range(SAMPLE)]
    looks = _looked(pictures, tried, look)
    if tried is not members:
        limit = 3 * max(one.density for one in looks.values())
        bound = {at for at in members if at not in looks and _alike(pictures[at], limit)}
        if not all(one.mask for one in looks.values()):
            bound = set()
        looks |= _looked(pictures, [at for at in members if at not in looks and at not in bound], look)
        return bound | {at for at, one in looks.items() if one.mask}
    return {at for at, one in looks.items() if one.mask}


def _alike(picture: Picture, limit: float) -> bool:
    size = _size_of(picture[0])
    return size is not None and picture[2] <= limit * size[0] * size[1]


def _looked(pictures, members: Sequence[int], look: Callable[[Media], Look]) -> dict[int, Look]:
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(members, pool.map(lambda at: look(pictures[at][0]), members), strict=True))


# ---------------------------------------------------------------- pixels


def look_at(media: Media) -> Look:
    """Judge the pixels of a file; one that cannot be read is no mask, so that its own reader says what is wrong."""
    try:
        pixels = _still(media)
        pixels = _first_of_clip(media) if pixels is None else pixels
    except Exception:  # whatever a broken file makes a decoder trip over
        return Look(False)
    if pixels is None:
        return Look(False)
    size = (pixels.shape[0], pixels.shape[1])
    return Look(is_mask(pixels), size, media.size / max(1, size[0] * size[1]))


def is_mask(pixels: np.ndarray) -> bool:
    """Say whether a picture has the pixels of a mask: few exact levels or colours, or some plateaus with empty valleys.

    Args:
        pixels: uint8 (H, W), (H, W, 3) or (H, W, 4); alpha is left out unless it is all that varies.

    >>> yes, no = np.zeros((64, 64), np.uint8), np.arange(4096).reshape(64, 64) % 251
    >>> yes[20:40, 20:40] = 255
    >>> is_mask(yes), is_mask(no.astype(np.uint8))
    (True, False)
    """
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        alpha, pixels = pixels[..., -1], pixels[..., :-1]
        pixels = alpha if alpha.min() != alpha.max() and pixels.min() == pixels.max() else pixels
    step = max(1, min(pixels.shape[:2]) // THUMBNAIL_PX)
    some = pixels[::step, ::step] if step > 1 and min(pixels.shape[:2]) > 2 * THUMBNAIL_PX else pixels
    if some.ndim == 3:
        channels = some.astype(np.int16)
        if (channels.max(2) - channels.min(2)).max() <= 8:
            return _plateaus(some[..., 0])
        codes = (channels.astype(np.int32) << np.array([16, 8, 0])[: some.shape[2]]).sum(2)
        return _few(codes) or _few_colours(channels)
    return _plateaus(some)


def _few(codes: np.ndarray) -> bool:
    """Whether few exact values are there, in areas: few enough, and neighbours are nearly always equal."""
    if len(np.unique(codes[::2, ::2])) > LEVELS or len(np.unique(codes)) > LEVELS:
        return False
    return _equal_neighbours(codes) > 0.9


def _equal_neighbours(codes: np.ndarray) -> float:
    across = (codes[:, 1:] == codes[:, :-1]).mean() if codes.shape[1] > 1 else 1.0
    down = (codes[1:] == codes[:-1]).mean() if codes.shape[0] > 1 else 1.0
    return float(min(across, down))


def _plateaus(gray: np.ndarray) -> bool:
    """Whether the levels are a few plateaus: sharp peaks that hold nearly all pixels, in areas, with little between."""
    if _few(gray):
        return True
    counts = np.bincount(gray.ravel(), minlength=256).astype(float)
    left, held, near = counts.copy(), 0.0, np.zeros(256, bool)
    for _ in range(6):
        peak = int(left.argmax())
        window = slice(max(0, peak - 6), peak + 7)
        around = counts[max(0, peak - 24) : peak + 25].sum() - counts[window].sum()
        if left[window].sum() < 0.004 * gray.size or around > 0.25 * counts[window].sum():
            break
        held += left[window].sum()
        near[window], left[window] = True, 0.0
    background = int(counts.argmax())
    ground = counts[max(0, background - 6) : background + 7].sum()
    front = gray.size - ground
    if held < 0.95 * gray.size or front <= 0:
        return held >= 0.999 * gray.size
    return held - ground >= 0.7 * front and _equal_neighbours(near[gray] * 1 + (gray > 127)) > 0.9


def _few_colours(channels: np.ndarray) -> bool:
    """Whether a coloured picture is flat areas of few colours, with edges that compression has smeared."""
    codes = ((channels >> 5) << np.array([6, 3, 0])).sum(2)
    names, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts)
    top = names[order[:8]]
    ground = counts[order[0]]
    front = codes.size - ground
    held = counts[order[1:8]].sum()
    vivid = (channels.max(2) - channels.min(2)) > 96
    return bool(
        front > 0
        and held >= 0.8 * front
        and _equal_neighbours(np.isin(codes, top) * codes) > 0.9
        and vivid.sum() >= 0.5 * front
    )


def _still(media: Media) -> np.ndarray | None:
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with media.open() as file, Image.open(file) as image:
                if image.width * image.height > 1 << 26:
                    return None
                if image.mode in ("P", "1"):
                    image = image.convert(
                        "RGBA" if "transparency" in image.info else "RGB" if image.mode == "P" else "L"
                    )
                pixels = np.asarray(image)
        except UnidentifiedImageError:
            return None
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype != np.uint8:
        return _levels_of(pixels)
    return pixels


def _levels_of(pixels: np.ndarray) -> np.ndarray:
    """Numbers of any kind as at most 256 levels: few exact values stay apart, others are scaled."""
    values = np.unique(pixels)
    if len(values) <= LEVELS:
        return np.searchsorted(values, pixels).astype(np.uint8)
    low, high = float(values[0]), float(values[-1])
    return ((pixels.astype(np.float64) - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)


def _first_of_clip(media: Media) -> np.ndarray | None:
    """Some of the first frames of a video, one below the other: a mask clip has masks in all of them."""
    import av

    frames = []
    with media.local() as path, av.open(path) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24"))
            if len(frames) == 3:
                break
    return np.concatenate(frames) if frames else None


def _size_of(media: Media) -> tuple[int, int] | None:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _beginning(media) as file, Image.open(file) as image:
                return image.height, image.width
        except Exception:
            return None


def _beginning(media: Media) -> BinaryIO:
    return media.open() if media.member is None else io.BytesIO(media.head(HEADER_BYTES))
