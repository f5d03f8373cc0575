"""Stills: PNG, JPEG, BMP, TIFF, WebP, AVIF, JPEG 2000, PNM; of any bit depth, with palette, alpha, orientation tag."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Protocol

import numpy as np
from PIL import Image, ImageFile, ImageOps

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers import animation
from usfm.extract.readers.contract import HEAD_BYTES, NO_OPTIONS, Frame, Notes, Options, Probe, Range
from usfm.extract.readers.heif import brands
from usfm.extract.readers.tiff import Stack
from usfm.extract.readers.tone import Samples, bits, over_black, scale, shown
from usfm.extract.sampling import Sampling

PNG_START = b"\x89PNG\r\n\x1a\n"
TIFF_STARTS = (b"II*\x00", b"II+\x00", b"MM\x00*", b"MM\x00+")  # + is BigTIFF
STARTS = (
    PNG_START,
    b"\xff\xd8\xff",  # JPEG
    b"\x00\x00\x00\x0cjP  \r\n\x87\n",  # JPEG 2000
    b"\xff\x4f\xff\x51",  # its bare codestream
    *TIFF_STARTS,
)
LARGEST_PX = 1 << 27  # rows times columns of a page
NEEDED_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf")
NAN = float("nan")


class Picture(Protocol):
    """An opened file of one or more pages.

    Attributes:
        left_out: How many pages are no pictures of their own.
        cut: Whether the file ends before further pages that it points to.
        sizes: How many sizes of pages there are.
        described: Pages that a description names; 0 where it names none.
    """

    left_out: int
    cut: bool
    sizes: int
    described: int

    def __len__(self) -> int: ...

    def samples(self, number: int) -> Samples:
        """Decode one page."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class ImageReader:
    """Reader of still images; each page of a TIFF is a frame of one source."""

    kind = "image"
    identifies: ClassVar[bool] = False
    suffixes = frozenset(
        ".png .jpg .jpeg .jfif .bmp .tif .tiff .webp .jp2 .j2k .jpx .pgm .ppm .pnm .pbm .avif .heic .heif".split()
    )

    def recognises(self, head: bytes, suffix: str = "") -> bool:
        """See `Reader`."""
        if animation.recognises(head):
            return False
        if head[:2] == b"BM":  # two letters are thin evidence: the header's size field must be one of the known
            return len(head) > 18 and int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)
        if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n":  # PNM: a number must follow
            return _pnm_numbers(head)
        webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
        return head.startswith(STARTS) or webp or b"avif" in brands(head)

    def companions(self, media: Media) -> Sequence[Media]:
        """Return nothing: an image is one file."""
        return ()

    def probe(self, media: Media, *, stamps_above: int, options: Options = NO_OPTIONS) -> Probe:
        """See `Reader`: read the header."""
        with media.local() as path, _opened(path) as (picture, (height, width)):
            pages = len(picture)
            long = 3 * height * width * pages > stamps_above and pages > 1
            full = _scale(picture) if long else 0.0
            return Probe(height, width, pages, stamps=tuple(range(pages)) if long else (), full=full)

    def read(
        self, media: Media, sampling: Sampling, notes: Notes, within: Range | None = None, options: Options = NO_OPTIONS
    ) -> Iterator[Frame]:
        """See `Reader`: a still has no time, so only ``every`` and ``limit`` thin out the pages of a TIFF."""
        with media.local() as path, _opened(path) as (picture, _):
            notes.frames = len(picture)
            if picture.left_out:
                notes.metadata["reduced_pages"] = picture.left_out
            if picture.sizes > 1:
                notes.metadata["page_sizes"] = picture.sizes
            full = within.full if within is not None and within.full else _scale(picture)
            pages = range(notes.frames)[:: sampling.every][: sampling.limit]
            for number in pages if within is None else within.indices:
                samples = _decoded(picture, number)
                used = bits(samples, full)
                if used != 8:
                    notes.metadata["bits"] = used
                yield Frame(number, NAN, shown(samples, full))
            if picture.described > notes.frames + picture.left_out:
                lost = f"its description names {picture.described} pages, of which {notes.frames} can be reached."
                notes.faults.append(MediaError("further pages", lost))
            if picture.cut:
                raise MediaError("truncated", f"the file is cut short: it ends after {notes.frames} pages.")


class _Still:
    """One picture in one file, through Pillow; kept once decoded, since it is asked for its scale first."""

    left_out = 0
    cut = False
    sizes = 1
    described = 0

    def __init__(self, image: Image.Image, path: str):
        self.image, self.path = image, path
        self._held: Samples | None = None

    def __len__(self) -> int:
        return 1

    def samples(self, number: int) -> Samples:
        """Decode it; ``number`` is 0."""
        if self._held is None:
            self._held = _deep_png(self.path, self.image) or _by_pillow(self.path, self.image)
        return self._held

    def close(self) -> None:
        """Close the file."""
        self.image.close()


def _by_pillow(path: str, image: Image.Image) -> Samples:
    format_, clear = image.format, image.info.get("transparency")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.load()
        try:
            image = ImageOps.exif_transpose(image)
        except Exception:  # a broken tag says nothing about the picture
            pass
    if not image.mode.startswith(("I", "F")):
        return Samples(over_black(image))
    values = np.asarray(image)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if isinstance(clear, int):
        values = np.where(values == clear, 0, values).astype(values.dtype)
    return Samples(values, 0xFFFF if format_ in ("PPM", "JPEG2000") and _declares_depth(path, format_) else 0)


def _declares_depth(path: str, format_: str) -> bool:
    """Say whether a file names a depth other than 16 bits, by which Pillow has scaled it to 16 then."""
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    if format_ == "PPM":
        words = b" ".join(line.split(b"#")[0] for line in head[2:200].split(b"\n")).split()
        return len(words) < 3 or words[2] != b"65535"
    siz = head.find(b"\xff\x4f\xff\x51") + 2
    return siz > 1 and len(head) > siz + 40 and (head[siz + 40] & 0x7F) + 1 != 16


def _deep_png(path: str, image: Image.Image) -> Samples | None:
    """Decode a PNG whose colours have 16 bits, of which Pillow keeps the upper half only; None for any other file."""
    with open(path, "rb") as file:
        head = file.read(26)
    if image.format != "PNG" or head[:8] != PNG_START or head[24] != 16 or head[25] not in (2, 4, 6):
        return None
    image.load()  # raises for a damaged file, where OpenCV shows what it has
    import cv2

    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None
    alpha = values[:, :, 3] / 65535 if values.shape[2] == 4 else None
    alpha = alpha if alpha is not None and alpha.any() else None
    colours = values[:, :, 2::-1]
    return Samples(colours[:, :, 0] if head[25] == 4 else colours, 0, False, alpha)


def _scale(picture: Picture) -> float:
    """Find the scale of all pages that can be decoded; reading tells about the others."""
    if isinstance(picture, Stack) and not any(page.deep for page in picture.pages):
        return 0.0

    def pages() -> Iterator[Samples]:
        for number in range(len(picture)):
            try:
                yield _decoded(picture, number)
            except MediaError:
                return

    return scale(pages())


def _decoded(picture: Picture, number: int) -> Samples:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return picture.samples(number)
    except (MediaError, MemoryError, ImportError):
        raise
    except Image.DecompressionBombError:
        raise MediaError("too large", f"it has more than {LARGEST_PX} pixels.") from None
    except Exception as error:  # libraries raise whatever a broken file makes them trip over
        where = f"page {number + 1} of {len(picture)}: " if len(picture) > 1 else ""
        reason = "truncated" if "truncated" in str(error) else "damaged"
        raise MediaError(reason, f"{where}the picture cannot be decoded to its end.") from None


def _pnm_numbers(head: bytes) -> bool:
    """Say whether width and height follow the two letters of a PNM, comments aside."""
    lines = [line.split(b"#")[0] for line in head[2:200].split(b"\n")]
    words = b" ".join(lines).split()
    return len(words) >= 2 and words[0].isdigit() and words[1].isdigit()


@contextmanager
def _opened(path: str) -> Iterator[tuple[Picture, tuple[int, int]]]:
    """Open an image; gives it and (height, width) of its first page."""
    picture, size = _open(path)
    try:
        yield picture, size
    finally:
        picture.close()


def _open(path: str) -> tuple[Picture, tuple[int, int]]:
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with open(path, "rb") as file:
        head = file.read(8)
    image = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _pillow(path, head)
            if image is None or head.startswith(TIFF_STARTS):
                picture: Picture = Stack(path, image)
                sizes = [(page.height, page.width) for page in picture.pages]
            else:
                picture, sizes = _Still(image, path), [_turned(image)]
    except PermissionError:
        raise MediaError("no permission", "this user may not read the file.") from None
    except Image.DecompressionBombError:
        raise MediaError("too large", f"it has more than {LARGEST_PX} pixels.") from None
    except (MemoryError, ImportError, MediaError):
        raise
    except Exception:  # libraries raise whatever a broken file makes them trip over
        if image is not None:
            image.close()
        detail = "its beginning is that of an image, but it cannot be opened."
        raise MediaError("truncated or damaged", detail) from None
    for height, width in sizes:
        if height * width > LARGEST_PX:
            picture.close()
            raise MediaError("too large", f"it is {width}x{height} pixels.")
    return picture, sizes[0]


def _pillow(path: str, head: bytes) -> Image.Image | None:
    try:
        return Image.open(path)
    except (PermissionError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception:
        if head.startswith(TIFF_STARTS):
            return None  # a layout that Pillow does not know
        if not head.startswith(PNG_START):
            raise
    return Image.open(io.BytesIO(_bare_png(path)))


def _bare_png(path: str) -> bytes:
    """Return a PNG without its texts and colour profiles: Pillow refuses pictures where those are long or broken."""
    with open(path, "rb") as file:
        data = file.read()
    kept, at = [data[:8]], 8
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] in NEEDED_CHUNKS:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _turned(image: Image.Image) -> tuple[int, int]:
    """Return (height, width) as shown: the orientation tag may lay the picture on its side."""
    try:
        aside = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception:  # a broken tag says nothing about the picture
        aside = False
    return (image.width, image.height) if aside else (image.height, image.width)
