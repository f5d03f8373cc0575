"""Intensities of stills: one scale for all pages of a source, eight bits at the end, transparency over black."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from usfm.errors import MediaError

DARK_FLOAT = 16
"""Below this largest value, floating point that is not whole is on a scale of its own and not one of 0..255."""


@dataclass(frozen=True)
class Samples:
    """One page as it lies in the file.

    Attributes:
        values: (H, W) or (H, W, 3); uint8 is final, integers and floating point of other kinds wait for a scale.
        full: Value of full brightness where the file declares it; 0 where the depth that is used decides.
        negative: Whether 0 is white; the values are turned round after scaling.
        alpha: Opacity, 0 to 1, (H, W); None where everything is opaque.
    """

    values: np.ndarray
    full: int = 0
    negative: bool = False
    alpha: np.ndarray | None = None

    @property
    def deep(self) -> bool:
        """Whether the values need a scale."""
        return self.values.dtype != np.uint8


def scale(pages: Iterable[Samples]) -> float:
    """Return the value of full brightness of a source: one for all its pages, so that they stay comparable.

    Integers use 8, 12 or 16 bits (15 where they have a sign); the depth is the least that holds all pages. Floating
    point lies in 0..1 or 0..255; where it passes 1 by little (below ``DARK_FLOAT``, not whole), its largest value is
    the scale.

    Returns:
        The value that becomes 255; 0 where no page needs a scale.

    Raises:
        MediaError: If the values cannot be brought to 8 bits without guessing.

    Example:
        >>> import numpy as np
        >>> [scale([Samples(np.full((2, 2), value, np.uint16)) for value in pair]) for pair in ((9, 200), (9, 4000))]
        [255.0, 4095.0]
    """
    low, top, declared, whole = np.inf, -np.inf, 0, True
    kinds, widths = set(), set()
    for page in pages:
        if not page.deep:
            continue
        kinds.add("f" if page.values.dtype.kind == "f" else "i")
        widths.add(32767 if page.values.dtype == np.int16 else 65535)
        if not np.isfinite(page.values).all():
            raise MediaError("unknown intensity scale", "its floating-point values are not all finite; convert it.")
        low, top = min(low, float(page.values.min())), max(top, float(page.values.max()))
        whole = whole and (page.values.dtype.kind != "f" or bool((page.values == np.rint(page.values)).all()))
        declared = max(declared, page.full)
    if not kinds:
        return 0.0
    if len(kinds) > 1:
        raise MediaError("unknown intensity scale", "some pages are integers and others floating point; convert it.")
    if kinds == {"f"}:
        return _floating(low, top, whole)
    if low < 0:
        raise MediaError("unknown intensity scale", "its integers are negative; convert it to 8 bits first.")
    if top > 0xFFFF:
        raise MediaError("unknown intensity scale", "its integers pass 16 bits; convert it to 8 bits first.")
    used = 255 if top < 256 else 4095 if top < 4096 else min(widths)
    return float(declared if declared >= top else used)


def _floating(low: float, top: float, whole: bool) -> float:
    if not (low >= 0 and top <= 255):
        raise MediaError("unknown intensity scale", "its floating-point values leave 0..255; convert it first.")
    if top <= 1:
        return 1.0
    return 255.0 if whole or top >= DARK_FLOAT else top


def bits(samples: Samples, full: float) -> int:
    """Return how many bits a sample uses: 8, 12 or 16, or those of floating point.

    Args:
        samples: Of the source.
        full: Value of full brightness.

    Returns:
        The number of bits.
    """
    if not samples.deep:
        return 8
    if samples.values.dtype.kind == "f":
        return 8 * samples.values.dtype.itemsize
    return max(int(full).bit_length() + int(full == 32767), 8)


def shown(samples: Samples, full: float) -> np.ndarray:
    """Bring one page to eight bits.

    Args:
        samples: The page.
        full: Value of full brightness, from ``scale``.

    Returns:
        uint8 (H, W) or (H, W, 3); transparency lies over black.
    """
    values = samples.values
    if samples.deep:
        if values.dtype.kind == "f":
            values = np.rint(values.astype(np.float64) * (255 / full))
        else:
            values = (values.astype(np.int64) * 255 + int(full) // 2) // int(full)
        values = np.clip(values, 0, 255).astype(np.uint8)
    if samples.negative:
        values = 255 - values
    if samples.alpha is not None:
        alpha = samples.alpha if values.ndim == 2 else samples.alpha[:, :, None]
        values = np.rint(values * alpha).astype(np.uint8)
    return np.ascontiguousarray(values)


def over_black(image: Image.Image) -> np.ndarray:
    """Bring an image of at most eight bits a sample to gray or RGB, with transparency over black.

    An alpha channel that is 0 in the whole picture was never filled in (many programs write 32 bits and leave the
    fourth byte alone): the colours are kept. A transparent palette entry is meant, whatever it covers.

    Returns:
        uint8 (H, W) where the image is gray and opaque, else RGB (H, W, 3).

    Raises:
        MediaError: If its colours cannot be converted.
    """
    indexed = "transparency" in image.info and image.mode in ("1", "L", "P", "RGB", "PA")
    if indexed or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        if image.mode in ("La", "RGBa"):
            image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
        rgba = np.asarray(image.convert("RGBA"))
        colours, alpha = rgba[:, :, :3], rgba[:, :, 3:]
        if not indexed and not alpha.any():
            return np.ascontiguousarray(colours)
        return ((colours.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode == "LAB":
        image = _from_lab(image)
    return np.ascontiguousarray(np.asarray(image.convert("RGB")))


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    try:
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        turned = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    except (ImportError, ImageCms.PyCMSError):
        turned = None
    if turned is None:
        raise MediaError(
            "unknown colours", "its colours are CIE L*a*b*, which cannot be converted here; save it as RGB."
        )
    return turned
