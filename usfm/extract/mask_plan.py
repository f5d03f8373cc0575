"""Which class each code of each mask file is: one list of names for all of them, whatever order they are read in."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from usfm.errors import RequestError
from usfm.extract.annotations.match import WHOLE
from usfm.extract.coding import UNNAMED, Coding
from usfm.extract.mask_files import MaskOf
from usfm.extract.mask_reading import MaskLook
from usfm.extract.media import Media
from usfm.imaging.mask_codes import background_of

IGNORE = 255
"""Class of pixels that nobody judged; as a value of a mask it means the same where other classes are small numbers."""
MOST = 254
SMALL = 64
FOREGROUND = "foreground"
SMEARED = "mask of several values that are smeared"


@dataclass(frozen=True)
class MaskPlane:
    """A mask file as a worker reads it.

    Attributes:
        media: The file.
        pages: Masks in it.
        frame: The frame that it is of; `WHOLE` where its pages are those of the source.
        words: As in `MaskLook`.
        exact: As in `MaskLook`.
        size: (height, width) of all its masks, px; (0, 0) where they differ.
        numbers: (code, class) of all that is no background; class `IGNORE` for what nobody judged.
        fill: Whether its lines are to be filled.
        raw: Whether its values are those of the store already: classes, or bits.
        threshold: Gray level from which on all is its one class; 0 for codes as they are.
        resize: Whether it is brought to the size of its picture.
        sparse: Whether nothing on it means that nobody has drawn.
    """

    media: Media
    pages: int
    frame: int
    words: str
    exact: bool
    size: tuple[int, int]
    numbers: tuple[tuple[int, int], ...]
    fill: bool = False
    raw: bool = False
    threshold: int = 0
    resize: bool = False
    sparse: bool = False


@dataclass
class MaskPlan:
    """What all mask files together are.

    Attributes:
        names: Of the classes, 1 for the first.
        planes: Relative path of a source -> its mask files.
        left: What was left out, by reason.
        outlines: Files that are thin lines around areas.
        how: A clause that says how values became classes.
        labels: Relative path of a source -> its class, where its mask says it.
    """

    names: list[str] = field(default_factory=list)
    planes: dict[str, list[MaskPlane]] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    outlines: int = 0
    how: str = ""
    labels: dict[str, str] = field(default_factory=dict)


def plan(
    files: Sequence[tuple[MaskOf, MaskLook]], known: Sequence[str], *, fill: bool, first: Sequence[str] = ()
) -> MaskPlan:
    """Give every code of every file its class.

    A file whose name says the structure has one class of that name. All other files share their values: where each has
    one, it is the class "foreground"; where there are several, a class each, named by ``known`` where they are 1, 2,
    ..., and by the value or the colour where not. Black is background; where a file has none, its most frequent value.

    Args:
        files: What each is of, and what was seen in it.
        known: Names that annotations give to classes 1, 2, ...
        fill: Whether files that are outlines are filled.
        first: Names that come first in the list, such as those of outlined structures.

    Returns:
        The classes, and for each source its mask files with the number of each code.

    Raises:
        RequestError: For more classes than a mask can hold.
    """
    found = MaskPlan(names=list(first))
    whole = []
    for one, seen in files:
        if seen.fault:
            found.left[seen.fault] = found.left.get(seen.fault, 0) + 1
        else:
            whole.append((one, seen))
    own = [(one, seen) for one, seen in whole if not one.name and one.coding is None]
    shared, found.how = _shared(own, known)
    names = dict.fromkeys([*first, *(name for one, _ in whole if one.coding for name in one.coding.classes)])
    names |= dict.fromkeys(shared[key] for key in sorted(shared) if shared[key])
    names |= dict.fromkeys(sorted({one.name for one, _ in whole} - {""}))
    found.names = list(names)
    if len(found.names) > MOST:
        raise RequestError(f"extract: the masks have {len(found.names)} classes, and {MOST} are the most.")
    place = {name: at for at, name in enumerate(found.names, 1)}
    for one, seen in whole:
        if one.coding is not None:
            _coded(one, one.coding, seen, place, found)
            continue
        found.outlines += seen.outline
        front = _front(seen)
        if one.name:
            numbers = {code: place[one.name] for code in front}
        else:
            numbers = {code: place[shared[key]] if shared[key] else IGNORE
                       for code in front if (key := (seen.words, code)) in shared}  # fmt: skip
        plane = MaskPlane(one.file.media, seen.pages, one.frame, seen.words, seen.exact, seen.size,
                      tuple(sorted(numbers.items())), fill and seen.outline)  # fmt: skip
        found.planes.setdefault(one.source, []).append(plane)
    return found


def _coded(one: MaskOf, coding: Coding, seen: MaskLook, place: dict[str, int], found: MaskPlan) -> None:
    """Add a mask file whose codes a layout names."""
    if seen.words == "values" and not seen.exact and not coding.threshold and len(coding.classes) > 1:
        found.left[SMEARED] = found.left.get(SMEARED, 0) + 1
        return
    palette = dict(zip(seen.levels, seen.colours, strict=False))
    numbers = coding.numbers(seen.words, seen.levels, seen.exact, place, palette)
    if coding.threshold:
        numbers = {coding.threshold: place[next(iter(coding.classes))]}
    elif seen.exact and not coding.near and {code for code in seen.levels if palette.get(code, code)} - set(numbers):
        found.left[UNNAMED] = found.left.get(UNNAMED, 0) + 1
    if coding.labels or coding.nothing:
        label = coding.label(seen.words, seen.levels, palette)
        found.labels[one.source] = found.labels.get(one.source) or label
    plane = MaskPlane(one.file.media, seen.pages, one.frame, seen.words, seen.exact and not coding.near, seen.size,
                  tuple(sorted(numbers.items())), coding.fill and seen.outline, threshold=coding.threshold,
                  resize=coding.resize, sparse=coding.sparse)  # fmt: skip
    found.planes.setdefault(one.source, []).append(plane)


def _front(seen: MaskLook) -> list[int]:
    counts = dict(zip(seen.levels, seen.counts, strict=False))
    background = background_of(seen.levels, counts) if seen.levels else 0
    return [code for code in seen.levels if code != background]


def _shared(own: Sequence[tuple[MaskOf, MaskLook]], known: Sequence[str]) -> tuple[dict[tuple[str, int], str], str]:
    """Return (words, code) -> name, "" for ignored, and how it was decided."""
    every = sorted({(seen.words, code) for _, seen in own for code in _front(seen)})
    if not every:
        return {}, ""
    if all(len(_front(seen)) <= 1 for _, seen in own) and {code for _, code in every} <= {1, 255}:
        return dict.fromkeys(every, FOREGROUND), ""
    found = {}
    values = sorted(code for words, code in every if words == "values")
    rest = [code for code in values if code != IGNORE]
    ignored = IGNORE in values and bool(rest) and max(rest) <= SMALL
    if ignored:
        values = rest
    in_order = bool(values) and values[0] >= 1 and values[-1] <= len(known)
    for words, code in every:
        if words == "values" and code == IGNORE and ignored:
            found[words, code] = ""
        elif words == "values":
            found[words, code] = known[code - 1] if in_order else str(code)
        else:
            found[words, code] = f"#{code:06x}"
    how = "named by the annotations' classes" if in_order else "named by their values"
    return found, how + (", and 255 is ignored" if ignored else "")


def frames_of(planes: Sequence[MaskPlane], index: int) -> list[tuple[MaskPlane, int]]:
    """Return which of a source's mask files have a mask of one frame, and on which page.

    Args:
        planes: Mask files of the source.
        index: Number of the frame in its source.

    Returns:
        (mask file, page from 0).
    """
    found = []
    for plane in planes:
        if plane.frame in (WHOLE, index):
            page = index if plane.frame == WHOLE and plane.pages > 1 else 0
            found += [(plane, page)] if page < plane.pages else []
    return found
