"""Stills: PNG, JPEG, BMP, TIFF, WebP, of any bit depth, with palette, alpha or an orientation tag."""

import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile, ImageOps

from usfm.errors import MediaError
from usfm.extract.readers.contract import Frame, Notes, Probe, Range
from usfm.extract.sampling import Sampling

STARTS = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",  # JPEG
    b"BM",
    b"II*\x00",  # TIFF and BigTIFF, little-endian
    b"II+\x00",
    b"MM\x00*",
    b"MM\x00+",
)
LARGEST_PX = 1 << 27  # rows times columns of a page
PAGED = ("TIFF",)  # formats whose further pages are frames too
ORIENTATION = 0x0112  # TIFF and EXIF tag
NAN = float("nan")


class ImageReader:
    """Reader of still images; each page of a TIFF is a frame of one source."""

    kind = "image"

    def recognises(self, head: bytes) -> bool:
        """Know an image by its first bytes."""
        if head[:2] == b"BM":  # two letters are thin evidence: the header's size field must be one of the known
            return len(head) > 18 and int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)
        return head.startswith(STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")

    def probe(self, path: str, *, stamps_above: int) -> Probe:
        """Read the header."""
        image, pages = _opened(path)
        with image:
            long = 3 * image.height * image.width * pages > stamps_above and pages > 1
            return Probe(image.height, image.width, pages, stamps=tuple(range(pages)) if long else ())

    def read(self, path: str, sampling: Sampling, notes: Notes, within: Range | None = None) -> Iterator[Frame]:
        """Decode; time has no meaning for a still, so only ``every`` and ``limit`` thin out the pages of a TIFF."""
        image, notes.frames = _opened(path)
        with image:
            pages = range(notes.frames)[:: sampling.every][: sampling.limit]
            for page in pages if within is None else within.indices:
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        image.seek(page)
                        pixels, bits = to_uint8(image)
                except (MediaError, MemoryError):
                    raise
                except Exception as error:  # Pillow raises whatever a broken file makes it trip over
                    where = f"page {page + 1} of {notes.frames}: " if notes.frames > 1 else ""
                    reason = "truncated" if "truncated" in str(error) else "damaged"
                    raise MediaError(reason, f"{where}the picture cannot be decoded to its end.") from None
                if bits != 8:
                    notes.metadata["bits"] = bits
                yield Frame(page, NAN, pixels)


def to_uint8(image: Image.Image) -> tuple[np.ndarray, int]:
    """Decode an opened image to 8 bits: gray stays gray, palette and CMYK become RGB, alpha lies over black.

    Deep gray is scaled by the bit depth that it uses (8, 12 or 16), so that a 12-bit image in a 16-bit file is not
    dark. Floating point must lie in 0..1 or 0..255. The orientation tag is applied, as every viewer does.

    Returns:
        uint8 (H, W) or RGB (H, W, 3), and the bits per sample that were found.

    Raises:
        MediaError: If the values cannot be brought to 8 bits without guessing.
    """
    image = ImageOps.exif_transpose(image)
    mode = image.mode
    if mode in ("1", "L"):
        return np.asarray(image.convert("L")), 8
    if mode.startswith("I"):
        return _deep(np.asarray(image).astype(np.int64))
    if mode == "F":
        return _floating(np.asarray(image)), 32
    if "transparency" in image.info or mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))), 8


def _deep(values: np.ndarray) -> tuple[np.ndarray, int]:
    if values.min() < 0:
        raise MediaError("unknown intensity scale", "its integers are negative; convert it to 8 bits first.")
    top = int(values.max())
    if top > 0xFFFF:
        raise MediaError("unknown intensity scale", "its integers pass 16 bits; convert it to 8 bits first.")
    bits = 8 if top < 256 else 12 if top < 4096 else 16
    scale = (1 << bits) - 1
    return ((values * 255 + scale // 2) // scale).astype(np.uint8), bits


def _floating(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not (0 <= low and high <= 255):  # also catches NaN
        raise MediaError("unknown intensity scale", "its floating-point values leave 0..255; convert it first.")
    return np.rint(values * 255 if high <= 1 else values).astype(np.uint8)


def _opened(path: str) -> tuple[Image.Image, int]:
    """Open an image and count its pages."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path)
            pages = int(getattr(image, "n_frames", 1)) if image.format in PAGED else 1
            turned = image.format == "TIFF" and image.getexif().get(ORIENTATION, 1) > 4
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file.") from None
    except Image.DecompressionBombError:
        raise MediaError("too large", f"it has more than {LARGEST_PX} pixels.") from None
    except MemoryError:
        raise
    except Exception:  # Pillow raises whatever a broken file makes it trip over
        detail = "its beginning is that of an image, but it cannot be opened."
        raise MediaError("truncated or damaged", detail) from None
    fault = None
    if turned:  # Pillow 13 scrambles the pixels of these
        fault = MediaError("turned TIFF", "its orientation tag says that it lies on its side; save it upright.")
    elif image.width * image.height > LARGEST_PX:
        fault = MediaError("too large", f"it is {image.width}x{image.height} pixels.")
    if fault is not None:
        image.close()
        raise fault
    return image, pages
