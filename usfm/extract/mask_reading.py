"""The pixels of a mask file as they are: stills of every kind, pages, and clips frame by frame."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.contract import HEAD_BYTES
from usfm.extract.readers.volume import elements, grid, hdf5, matlab, metaimage, nifti, npy, nrrd
from usfm.imaging import mask_codes

LARGEST_PX = 1 << 28
MOST_PAGES = 100_000
LOSSLESS = frozenset(("ffv1", "huffyuv", "ffvhuff", "png", "apng", "rawvideo", "utvideo", "qtrle", "zlib", "msrle"))
"""Codecs of clips that keep every value."""


@dataclass(frozen=True)
class MaskLook:
    """What the first look at a mask file found.

    Attributes:
        size: (height, width) of its masks, px; (0, 0) where they differ or nothing could be read.
        pages: How many masks it holds.
        words: ``values`` or ``colours``.
        levels: Codes that it is made of, rising.
        exact: Whether they are exact.
        counts: How many pixels have each of these codes, where exact.
        colours: Red, green, blue of each code, where it is a palette's.
        outline: Whether all of it is thin lines around areas.
        fault: Why it cannot be read.
    """

    size: tuple[int, int] = (0, 0)
    pages: int = 0
    words: str = "values"
    levels: tuple[int, ...] = ()
    exact: bool = True
    counts: tuple[int, ...] = ()
    colours: tuple[int, ...] = ()
    outline: bool = False
    fault: str = ""


def look(media: Media) -> MaskLook:
    """Look at all of a mask file; what cannot be read says why in ``fault``."""
    sizes, levels, every_exact, outlines, pages, kinds = set(), {}, True, [], 0, set()
    colours: dict[int, int] = {}
    try:
        for pixels, palette, lossy in pages_of(media):
            codes, words = mask_codes.codes_of(pixels)
            found, exact = mask_codes.levels_of(codes, words, lossy=lossy)
            kinds.add(words)
            sizes.add(codes.shape)
            every_exact = every_exact and exact
            pages += 1
            for level in found:
                levels[level] = levels.get(level, 0) + (int((codes == level).sum()) if exact else 1)
            colours |= {level: palette[level] for level in found if palette and level < len(palette)}
            front = codes != mask_codes.background_of(found, levels) if exact else codes >= 128
            if front.any():
                outlines.append(mask_codes.is_outline(front))
    except MediaError as error:
        return MaskLook(fault=error.reason)
    except ValueError as error:
        return MaskLook(fault=f"no mask: {error}")
    except (MemoryError, ImportError):
        raise
    except Exception:  # whatever a broken file makes a decoder trip over
        return MaskLook(fault="mask that cannot be read")
    if not pages or len(levels) > mask_codes.LEVELS:
        return MaskLook(fault="mask that cannot be read" if not pages else "mask of too many values")
    order = sorted(levels)
    return MaskLook(
        size=next(iter(sizes)) if len(sizes) == 1 else (0, 0),
        pages=pages,
        words=kinds.pop() if len(kinds) == 1 else "colours",
        levels=tuple(order),
        exact=every_exact,
        counts=tuple(levels[level] for level in order),
        colours=tuple(colours.get(level, -1) for level in order) if colours else (),
        outline=bool(outlines) and all(outlines),
    )


def pages_of(media: Media) -> Iterator[tuple[np.ndarray, list[int], bool]]:
    """Give the pixels of each mask in a file, the colours of its palette ([] for none), and whether it is lossy.

    Raises:
        MediaError: If it is no picture or clip that can be read.
    """
    try:
        head = media.head(HEAD_BYTES)
    except OSError:
        raise MediaError("mask that cannot be read") from None
    if not head:
        raise MediaError("mask file without bytes")
    format_ = next((one for one in (nifti, nrrd, metaimage, hdf5, matlab, npy) if one.recognises(head)), None)
    if format_ is not None:
        yield from _planes(format_.read(media))
        return
    with media.local() as path:
        yield from _pages(path)


def _pages(path: str) -> Iterator[tuple[np.ndarray, list[int], bool]]:
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(path)
        except UnidentifiedImageError:
            image = None
        except Image.DecompressionBombError:
            raise MediaError("mask that is too large") from None
        if image is not None:
            with image:
                yield from _stills(image)
            return
    yield from _clip(path)


def _planes(volume: grid.Grid) -> Iterator[tuple[np.ndarray, list[int], bool]]:
    """Give the planes of a volume, with the numbers that are stored: those of a label map are classes."""
    cut = grid.layout(volume)
    if cut.frames > MOST_PAGES:
        raise MediaError("mask that is too large")
    for _, plane in elements.planes(volume, cut, list(range(cut.frames))):
        yield plane, [], False


def _stills(image) -> Iterator[tuple[np.ndarray, list[int], bool]]:
    lossy = image.format in ("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000")
    for page in range(min(getattr(image, "n_frames", 1), MOST_PAGES)):
        if page:
            image.seek(page)
        if image.width * image.height > LARGEST_PX:
            raise MediaError("mask that is too large")
        if image.mode == "P" and getattr(image, "n_frames", 1) == 1:
            flat = np.asarray(image.getpalette() or [], np.int64)
            flat = flat[: len(flat) // 3 * 3].reshape(-1, 3)
            yield np.asarray(image), ((flat[:, 0] << 16) | (flat[:, 1] << 8) | flat[:, 2]).tolist(), False
        elif image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV"):
            yield np.asarray(image.convert("RGB")), [], lossy
        else:
            yield np.asarray(image), [], lossy


def _clip(path: str) -> Iterator[tuple[np.ndarray, list[int], bool]]:
    import av

    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise MediaError("mask that cannot be read")
            lossy = container.streams.video[0].codec_context.name not in LOSSLESS
            for page, frame in enumerate(container.decode(video=0)):
                if frame.width * frame.height > LARGEST_PX or page >= MOST_PAGES:
                    raise MediaError("mask that is too large")
                gray = frame.format.name.startswith("gray") and frame.format.components[0].bits == 8
                yield frame.to_ndarray(format="gray" if gray else "rgb24"), [], lossy
    except (av.FFmpegError, OSError):
        raise MediaError("mask that cannot be read") from None


def modified(path: str) -> tuple[int, int]:
    """Return bytes and time of the last change of a file."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
