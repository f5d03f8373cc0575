"""Labels of one source in the pixels of its frames: boxes cut at the border, outlines and mask files painted."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from usfm.errors import MediaError
from usfm.extract.annotations.contract import Marks, Shape
from usfm.extract.annotations.match import WHOLE
from usfm.extract.mask_plan import IGNORE, MaskPlane, frames_of
from usfm.extract.mask_reading import pages_of
from usfm.extract.media import Media
from usfm.imaging import mask_codes, polygon, rle

LEFT_OUT = "labels_left_out"
"""Key of a source's metadata that counts what did not become a label."""
TOLERANCE_PX = 1.0
"""A box that passes the border by less is cut and not counted: rounding does that."""


@dataclass(frozen=True)
class Boxes:
    """Boxes and outlines of one frame.

    Attributes:
        xyxy_px: float32 (k, 4).
        classes: int32 (k,), by the run's names of boxes.
        shapes: (class of masks, outline in px of the frame), in the order in which they are painted.
    """

    xyxy_px: np.ndarray
    classes: np.ndarray
    shapes: tuple[tuple[int, Shape], ...] = ()


@dataclass(frozen=True)
class Drawn:
    """What is known about the frames of one source.

    Attributes:
        size: (height, width) of the frames that it was made for, px.
        boxes: By frame number; `WHOLE` for all frames.
        planes: Mask files.
        bits: Whether classes are bit planes, so that they may overlap.
        left: What was left out, by reason.
        under: Classes that others lie on, so that to be covered is no conflict.
    """

    size: tuple[int, int]
    boxes: dict[int, Boxes] = field(default_factory=dict)
    planes: tuple[MaskPlane, ...] = ()
    bits: bool = False
    left: dict[str, int] = field(default_factory=dict)
    under: frozenset[int] = frozenset()


def placed(marks: Marks, size: tuple[int, int], boxes: dict[str, int], masks: dict[str, int]) -> tuple[Boxes, Counter]:
    """Put what a record says onto a frame of a size.

    A box is cut at the picture's border; one of which nothing is left there is left out. A record made for a picture of
    another size is left out.

    Args:
        marks: The record.
        size: (height, width) of the frame.
        boxes: Class -> number, of boxes.
        masks: Class -> number, of masks.

    Returns:
        Boxes and outlines; and how many were left out or cut, by reason.
    """
    left: Counter = Counter()
    if marks.size is not None and marks.size != size:
        left["label made for a picture of another size"] += max(1, len(marks.boxes) + len(marks.shapes))
        return Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int32)), left
    height, width = size
    scale = np.array([width, height, width, height], np.float64) if marks.relative else np.ones(4)
    with np.errstate(over="ignore"):
        whole = marks.boxes * scale
    cut = np.clip(whole, 0, [width, height, width, height])
    inside = (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])
    passing = inside & (np.abs(cut - whole).max(1, initial=0) > TOLERANCE_PX)
    left["box without area or outside of the picture"] += int((~inside).sum())
    left["box cut at the border of the picture"] += int(passing.sum())
    numbers = np.array([boxes[name] for name in marks.box_names], np.int32)
    shapes = []
    for shape in marks.shapes:
        if shape.runs is not None and (shape.runs_size != size or not _fills(shape, size)):
            left["run lengths that do not fill the picture"] += 1
        elif not all(_is_polygon(ring * scale[:2]) for ring in shape.rings):
            left["polygon that lies nowhere near the picture"] += 1
        else:
            rings = tuple(ring * scale[:2] for ring in shape.rings) if marks.relative else shape.rings
            shapes.append((masks[shape.name], Shape(shape.name, rings, shape.runs, shape.runs_size)))
    return Boxes(cut[inside].astype(np.float32), numbers[inside], tuple(shapes)), +left


def _is_polygon(ring: np.ndarray) -> bool:
    return 3 <= len(ring) <= polygon.MOST_POINTS and bool(np.isfinite(ring).all() and np.abs(ring).max() <= 1e9)


def _fills(shape: Shape, size: tuple[int, int]) -> bool:
    try:
        runs = rle.unpack(shape.runs) if isinstance(shape.runs, bytes) else shape.runs
    except ValueError:
        return False
    if runs is None or not len(runs) or size[0] * size[1] > rle.LARGEST_PX:
        return False
    return runs.min() >= 0 and runs.max() <= size[0] * size[1] and runs.sum() == size[0] * size[1]


@dataclass
class _Clip:
    """A file of several masks that is read on and on."""

    pages: Iterator
    at: int = -1
    last: tuple | None = None


class Painter:
    """Paints the labels of one source's frames, in rising order of their numbers: a mask clip is read once."""

    def __init__(self, drawn: Drawn):
        self._drawn = drawn
        self._clips: dict[Media, _Clip] = {}
        self._lossy, self._words = False, "values"
        self.left: Counter = Counter()

    def labels(self, index: int, size: tuple[int, int]) -> dict:
        """Return ``boxes`` and ``mask`` of a frame, as far as they are known, and whether annotations know the frame.

        Args:
            index: Number of the frame in its source.
            size: (height, width).

        Returns:
            By the arguments of `PartWriter.frame`, and ``in_annotations``; {} where nothing is known.
        """
        drawn = self._drawn
        if size != drawn.size:
            self.left["label made for a picture of another size"] += 1
            return {}
        found = drawn.boxes.get(index, drawn.boxes.get(WHOLE))
        labels: dict = {} if found is None else {"boxes": (found.xyxy_px, found.classes), "in_annotations": True}
        shapes = () if found is None else found.shapes
        files = frames_of(drawn.planes, index)
        if files and files[0][0].raw:
            labels |= self._raw(*files[0], size)
        elif files or shapes:
            planes = self._planes(files, size)
            read = bool(planes) or len(shapes) > 0
            planes += [(number, _area(shape, size)) for number, shape in shapes]
            if read:
                planes = [plane for plane in planes if plane[0]]
                labels["mask"], hidden = painted(planes, size, bits=drawn.bits, under=drawn.under)
                self.left["mask with pixels of several classes"] += hidden and not drawn.bits
        return labels

    def _raw(self, plane: MaskPlane, page: int, size: tuple[int, int]) -> dict:
        codes = self._codes(plane, page, size)
        if codes is None:
            return {}
        known = {number for number, _ in plane.numbers}
        if not set(np.unique(codes).tolist()) <= known | {0}:
            self.left["mask with a value that no class has"] += 1
            return {}
        return {"mask": codes.astype(np.uint8)}

    def _codes(self, plane: MaskPlane, page: int, size: tuple[int, int]) -> np.ndarray | None:
        """Return the codes of a mask and whether they are lossy; None, and counted, where they cannot be had."""
        try:
            pixels, self._lossy = self._page(plane, page)
            codes, self._words = mask_codes.codes_of(pixels)
        except (MemoryError, ImportError):
            raise
        except Exception:  # whatever a broken file makes a decoder trip over
            self.left["mask that cannot be read"] += 1
            return None
        if codes.shape != size and plane.resize:
            rows, columns = (np.arange(new) * old // new for old, new in zip(codes.shape, size, strict=True))
            codes = codes[rows[:, None], columns[None, :]]  # the nearest
        if codes.shape != size:
            self.left["mask of another size than its picture"] += 1
            return None
        return codes

    def _planes(self, files: Sequence[tuple[MaskPlane, int]], size: tuple[int, int]) -> list[tuple[int, np.ndarray]]:
        """Return (class, area) of all that is on some masks; (0, nothing) of one on which nothing is."""
        found = []
        for plane, page in files:
            codes = self._codes(plane, page, size)
            if codes is None:
                continue
            if plane.threshold:
                classes = _thresholded(codes, self._words, *plane.numbers[0])
            else:
                exact = plane.exact and not self._lossy
                classes = mask_codes.classes_of(codes, self._words, exact, _with_ground(plane))
            if plane.sparse and not classes.any():
                continue
            found.append((0, np.zeros(size, bool)))
            for number in np.unique(classes[classes > 0]).tolist():
                area = classes == number
                found.append((number, mask_codes.filled(area) if plane.fill else area))
        return found

    def _page(self, plane: MaskPlane, page: int) -> tuple[np.ndarray, bool]:
        """Return the pixels of one mask of a file, and whether they are lossy."""
        clip = self._clips.get(plane.media) or _Clip(pages_of(plane.media))
        while clip.at < page:
            clip.last, clip.at = next(clip.pages, None), clip.at + 1
        if clip.last is None:
            raise MediaError("mask that cannot be read")
        if plane.pages > 1:
            self._clips[plane.media] = clip
        pixels, _, lossy = clip.last
        return pixels, lossy


def _with_ground(plane: MaskPlane) -> dict[int, int]:
    """Code -> class, with black as background where the nearest colour counts."""
    return {0: 0, **dict(plane.numbers)} if not plane.exact and plane.words == "colours" else dict(plane.numbers)


def _thresholded(codes: np.ndarray, words: str, threshold: int, number: int) -> np.ndarray:
    """Return the class of each pixel that is bright enough; of a colour, its green counts."""
    gray = codes if words == "values" else codes >> 8 & 255
    return (gray >= threshold).astype(np.uint8) * np.uint8(number)


def _area(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    return polygon.fill_all(shape.rings, size) if shape.runs is None else rle.decode(shape.runs, size)


def painted(
    planes: Sequence[tuple[int, np.ndarray]], size: tuple[int, int], *, bits: bool, under: Collection[int] = ()
) -> tuple[np.ndarray, bool]:
    """Paint areas as one label mask.

    Args:
        planes: (class, bool (H, W)); class `IGNORE` for what nobody judged.
        size: (height, width).
        bits: Whether a class is a bit (the first class is bit 0), so that all are kept; else the later class wins.
        under: Classes that others lie on; to be covered is no conflict.

    Returns:
        uint8 (H, W); and whether a pixel belongs to several classes.

    Example:
        >>> both = [(2, np.array([[True, True]])), (1, np.array([[False, True]]))]
        >>> painted(both, (1, 2), bits=False)[0].tolist(), painted(both, (1, 2), bits=True)[0].tolist()
        ([[2, 2]], [[2, 3]])
    """
    mask, several = np.zeros(size, np.uint8), False
    for number, area in sorted(planes, key=lambda plane: plane[0]):
        if bits:
            several = several or bool(mask[area].any())
            mask[area] |= np.uint8(1 << (number - 1)) if number != IGNORE else np.uint8(0)
        else:
            several = several or bool((~np.isin(mask[area], (0, number, *under))).any())
            mask[area] = number
    return mask, several
