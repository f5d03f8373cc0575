"""Pages of a TIFF: which are pictures of their own, and what their samples are, in any depth and layout."""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from usfm.errors import MediaError
from usfm.extract.readers.tone import Samples, over_black

REDUCED, MASK = 1, 4  # bits of NewSubfileType
OLD_REDUCED = 2  # value of the older SubfileType
MINISWHITE, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 2, 3, 5, 6, 8
GRAY = (MINISWHITE, 1)
PLAIN = frozenset({1, 5, 8, 32773, 32946, 34925, 50000})
"""Compressions whose samples come out as they went in: none, LZW, deflate, PackBits, LZMA, Zstandard."""
BY_TIFFFILE = PLAIN - {5}
JPEG = (6, 7)
SAME = 0.95  # correlation from which a smaller page is a reduced copy
ALPHA = (1, 2)  # ExtraSamples that are opacity


@dataclass(frozen=True)
class Page:
    """One page, from its tags.

    Attributes:
        number: Its place in the file, from 0.
        height: Rows.
        width: Columns.
        bits: Bits of a sample.
        kind: ``u`` unsigned, ``i`` signed, ``f`` floating point.
        samples: Samples of a pixel, opacity among them.
        extra: What the samples after the colours are.
        photometric: The tag's number.
        compression: The tag's number.
        planar: Whether the colours lie one after another.
        subsampled: Whether the colours are kept at fewer pixels than the brightness.
        orientation: The tag's number.
        reduced: Whether the file says that it is a smaller copy or a mask of another page.
        cut: Whether the file ends before its data do.
        description: The first kilobyte of its description.
    """

    number: int
    height: int
    width: int
    bits: int
    kind: str
    samples: int
    extra: tuple[int, ...]
    photometric: int
    compression: int
    planar: bool
    subsampled: bool
    orientation: int
    reduced: bool
    cut: bool
    description: str

    @property
    def deep(self) -> bool:
        """Whether the samples do not fit in eight unsigned bits."""
        return self.bits > 8 or self.kind != "u"


class Stack:
    """The pages of a TIFF that are pictures of their own.

    Args:
        path: The file.
        image: The same file, opened with Pillow; None where Pillow does not know its layout.

    Attributes:
        pages: The pages, in order.
        left_out: How many reduced copies and masks were left out.
        cut: Whether the file ends before further pages that it points to.
        sizes: How many sizes of pages there are.
        described: Pages that ImageJ's description names; it writes large stacks as one page. 0 where there is none.
    """

    def __init__(self, path: str, image: Image.Image | None):
        self.path, self.image = path, image
        listed, self.cut = _listed(path)
        kept = [page for page in listed if not page.reduced]
        if not kept:  # nothing but copies: the largest is the picture
            most = max(page.height * page.width for page in listed)
            kept = [page for page in listed if page.height * page.width == most]
        self.pages = _without_copies(self, kept)
        self.left_out = len(listed) - len(self.pages)
        self.sizes = len({(page.height, page.width) for page in self.pages})
        named = re.search(r"^images=(\d+)", listed[0].description, re.MULTILINE)
        self.described = int(named[1]) if named and listed[0].description.startswith("ImageJ=") else 0

    def __len__(self) -> int:
        return len(self.pages)

    def close(self) -> None:
        """Close the file."""
        if self.image is not None:
            self.image.close()
        if "_file" in self.__dict__:
            self._file.close()
            self._raw.close()

    @cached_property
    def _raw(self) -> BinaryIO:
        return open(self.path, "rb")  # tifffile turns a path into the file's real one, which may have no name

    @cached_property
    def _file(self) -> Any:
        return _quiet_tifffile().TiffFile(self._raw)

    def samples(self, number: int) -> Samples:
        """Decode one of ``pages``.

        Raises:
            MediaError: If nothing here decodes its layout rightly.
        """
        return self.decoded(self.pages[number])

    def decoded(self, page: Page) -> Samples:
        """Decode a page by the library that gets its layout right.

        Raises:
            MediaError: If the page is cut short, or coded in a way that is not read.
        """
        _refuse_unknown(page)
        if page.cut:
            raise MediaError("truncated", f"page {page.number + 1} ends before its data do.")
        if not page.deep:
            if self.image is None:
                return _split(self._array(page), page)
            self.image.seek(page.number)
            narrow = self._narrow_palette(page)
            return Samples(over_black(self.image) if narrow is None else narrow[np.asarray(self.image)])
        by_pillow = page.samples == 1 and (page.bits == 12 or page.compression == 5)
        if by_pillow and self.image is not None:
            self.image.seek(page.number)
            values = np.asarray(self.image)
            values = values.view(np.uint32) if page.kind == "u" and values.dtype == np.int32 else values
            full = (1 << page.bits) - 1 if page.bits % 8 else 0
            return Samples(values, full, page.photometric == MINISWHITE)
        return _split(self._array(page), page)

    def _narrow_palette(self, page: Page) -> np.ndarray | None:
        """Return the palette, (N, 3), where it was written in 8 of its 16 bits, which Pillow shows as black."""
        table = self._file.pages[page.number].colormap if page.photometric == PALETTE else None
        return table.T.astype(np.uint8) if table is not None and 0 < table.max() < 256 else None

    def _array(self, page: Page) -> np.ndarray:
        if page.compression not in BY_TIFFFILE:
            text = f"its compression ({page.compression}) with {page.bits}-bit samples is not read; save it without."
            raise MediaError("no decoder", text)
        try:
            values = self._file.pages[page.number].asarray()
        except MemoryError:
            raise
        except Exception as error:
            if type(error).__name__ == "ImportError" or "imagecodecs" in str(error):
                raise MediaError("no decoder", "its layout is not read; save it uncompressed, 8 or 16 bits.") from None
            raise
        values = values.reshape(page.samples, page.height, page.width) if page.planar and page.samples > 1 else values
        values = np.moveaxis(values, 0, 2) if page.planar and page.samples > 1 else values
        values = values.reshape(page.height, page.width, -1)
        return _upright(values.astype(values.dtype.newbyteorder("="), copy=False), page.orientation)


def _split(values: np.ndarray, page: Page) -> Samples:
    """Tell colours from opacity."""
    colours = page.samples - len(page.extra)
    if colours not in (1, 3):
        raise MediaError("unknown colours", f"it has {colours} colours of {page.bits} bits; save it as gray or RGB.")
    alpha = None
    for place, what in enumerate(page.extra):
        if what in ALPHA and values.dtype.kind == "u":
            alpha = values[:, :, colours + place] / np.float64(np.iinfo(values.dtype).max)
            alpha = alpha if what == 2 and alpha.any() else None  # 1: the colours hold it already
    picture = values[:, :, 0] if colours == 1 else values[:, :, :3]
    full = (1 << page.bits) - 1 if page.bits % 8 else 0
    return Samples(picture, full, page.photometric == MINISWHITE, alpha)


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    turned = {2: values[:, ::-1], 3: values[::-1, ::-1], 4: values[::-1]}
    return turned.get(orientation, values)


def _refuse_unknown(page: Page) -> None:
    known = (*GRAY, RGB, PALETTE, CMYK, YCBCR, CIELAB)
    fault = ""
    if page.photometric not in known:
        fault = f"its colours are of a kind (photometric {page.photometric}) that is not read; save it as gray or RGB."
    elif page.photometric == YCBCR and page.subsampled and page.compression not in JPEG:
        fault = "its colours are subsampled without JPEG, which is not read; save it as RGB."
    elif page.photometric in (PALETTE, CMYK, YCBCR, CIELAB) and page.deep:
        fault = (
            f"its colours (photometric {page.photometric}) have {page.bits} bits, which is not read; save it as RGB."
        )
    elif page.photometric in GRAY and page.samples - len(page.extra) != 1:
        fault = f"it has {page.samples} channels that are no colours; save each as a picture."
    if fault:
        raise MediaError("unknown colours", fault)
    if page.orientation > 4:  # Pillow 13 scrambles the pixels of these
        raise MediaError("turned TIFF", "its orientation tag says that it lies on its side; save it upright.")


def _quiet_tifffile() -> Any:
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # a broken file is told in our words, once
    return tifffile


def _listed(path: str) -> tuple[list[Page], bool]:
    """Read the tags of all pages of the main chain; what hangs below them (SubIFDs) are reduced copies."""
    size, whole = os.path.getsize(path), _chain_ends(path)
    with open(path, "rb") as raw, _quiet_tifffile().TiffFile(raw) as file:
        pages = []
        try:
            for page in file.pages:
                pages.append(_page(len(pages), page, size))
        except Exception:  # tifffile raises whatever a broken file makes it trip over
            whole = False
    if not pages:
        raise MediaError("truncated or damaged", "the TIFF holds no page.")
    return pages, not whole


def _chain_ends(path: str) -> bool:
    """Say whether the chain of pages ends as it should, and not at an address outside the file."""
    size, seen = os.path.getsize(path), set()
    with open(path, "rb") as file:
        head = file.read(16)
        order = "little" if head[:2] == b"II" else "big"
        big = int.from_bytes(head[2:4], order) == 43
        counts, tag, link = (8, 20, 8) if big else (2, 12, 4)
        at = int.from_bytes(head[8:16] if big else head[4:8], order)
        while at and at not in seen:  # a circle ends too
            seen.add(at)
            file.seek(at)
            end = at + counts + tag * int.from_bytes(file.read(counts), order)
            if end + link > size:
                return False
            file.seek(end)
            at = int.from_bytes(file.read(link), order)
    return True


def _page(number: int, page: Any, size: int) -> Page:
    def tag(code: int, default: Any) -> Any:
        found = page.tags.get(code)
        return default if found is None else found.value

    samples, bits = int(page.samplesperpixel), page.bitspersample
    kinds = {int(one) for one in _several(page.sampleformat)}
    kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(max(kinds) if len(kinds) == 1 else 0, "?")
    photometric = int(page.photometric) if page.photometric is not None else 1
    colours = {RGB: 3, CMYK: 4, YCBCR: 3, CIELAB: 3}.get(photometric, 1)
    extra = tuple(int(one) for one in page.extrasamples)
    extra += (0,) * max(samples - colours - len(extra), 0)
    if kind == "?" or page.imagedepth > 1 or len(set(_several(bits))) > 1:
        photometric = -1
    offsets, counts = page.dataoffsets, page.databytecounts
    ends = [offset + count for offset, count in zip(offsets, counts, strict=False)]
    return Page(
        number=number,
        height=int(page.imagelength),
        width=int(page.imagewidth),
        bits=int(_several(bits)[0]),
        kind=kind,
        samples=samples,
        extra=extra,
        photometric=photometric,
        compression=int(page.compression),
        planar=int(page.planarconfig or 1) == 2,
        subsampled=tuple(tag(530, (2, 2))) != (1, 1),
        orientation=int(tag(274, 1)),
        reduced=bool(int(tag(254, 0)) & (REDUCED | MASK)) or int(tag(255, 1)) == OLD_REDUCED,
        cut=bool(ends) and max(ends) > size,
        description=str(page.description or "")[:1024],
    )


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (tuple, list)) else (value,)


def _without_copies(stack: Stack, pages: list[Page]) -> list[Page]:
    """Leave out smaller pages that show the first one again, where no tag says that they do (some slide scanners)."""
    first = pages[0]
    if all((page.height, page.width) == (first.height, first.width) for page in pages):
        return pages
    kept, smaller = [], None
    for page in pages:
        factor = first.width / page.width
        alike = factor >= 4 / 3 and abs(first.height / factor - page.height) <= 1.5 and min(page.height, page.width) > 8
        if alike:
            try:
                smaller = _gray(stack.decoded(first).values) if smaller is None else smaller
                alike = _correlation(smaller, _gray(stack.decoded(page).values)) >= SAME
            except Exception:  # reading tells what is wrong with it
                alike = False
        if not alike:
            kept.append(page)
    return kept


def _gray(values: np.ndarray) -> np.ndarray:
    return (values if values.ndim == 2 else values.mean(axis=2)).astype(np.float32)


def _correlation(large: np.ndarray, small: np.ndarray) -> float:
    shrunk = Image.fromarray(large).resize((small.shape[1], small.shape[0]), Image.Resampling.BOX)
    a, b = np.asarray(shrunk).ravel(), small.ravel()
    return 0.0 if a.std() == 0 or b.std() == 0 else float(np.corrcoef(a, b)[0, 1])
