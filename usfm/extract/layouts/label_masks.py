"""The label masks of a layout: of which picture each is, and what its pixels mean."""

from collections import Counter
from collections.abc import Mapping, Sequence

from usfm.errors import RequestError
from usfm.extract.annotations.match import WHOLE
from usfm.extract.coding import Coding
from usfm.extract.layouts import places
from usfm.extract.layouts.contract import Layout, Masks, found
from usfm.extract.layouts.templates import fill, plain
from usfm.extract.mask_files import MaskOf
from usfm.extract.masks import MaskFile

OF_NONE = "mask of no picture"


def masks_of(
    layout: Layout, files: Sequence[MaskFile], by_key: Mapping[str, Sequence[str]], left: Counter
) -> list[MaskOf]:
    """Find the picture of each mask file.

    Args:
        layout: The layout.
        files: The masks, with the root's own name in front of their paths.
        by_key: Key -> relative paths of the pictures.
        left: Counts masks of no picture.

    Returns:
        What each is of, and what its pixels mean.
    """
    masks = []
    for file in files:
        below = file.below.partition("/")[2]
        for rule in layout.masks:
            groups = found(rule.path, below)
            if groups is None:
                continue
            frame = fill(rule.frame, groups) if rule.frame else ""
            number = int(frame) if frame.isdecimal() and len(frame) < 10 else WHOLE
            of = by_key.get(plain(fill(rule.key, groups | {"path": below})), ())
            masks += [MaskOf(file, source, number, coding=_coding(rule, groups)) for source in of]
            left[OF_NONE] += not of
            break
    return masks


def missing(layout: Layout, root: str, listed: Sequence[str]) -> list[str]:
    """Name the masks that are not there where none is.

    Args:
        layout: The layout.
        root: Its root.
        listed: All files below it.

    Returns:
        What was looked for; nothing where nobody misses it.

    Raises:
        RequestError: If a folder of nearly that name is there.
    """
    rules = [rule for rule in layout.masks if not rule.optional]
    if not rules:
        return []
    wanted = places.looked_for(rules[0].path)
    near = places.misspelt(layout, listed, rules)
    if near:
        raise RequestError(f"{root}: no mask of {layout.name} ({wanted}) is there; is '{near}' their folder?")
    return [wanted]


def _coding(rule: Masks, groups: Mapping[str, str]) -> Coding:
    several = rule.values or rule.colours
    return Coding(
        name="" if several else fill(rule.name, groups) or "foreground",
        values=tuple((int(code), name) for code, name in rule.values.items()),
        colours=tuple((int(code.removeprefix("#"), 16), name) for code, name in rule.colours.items()),
        near=rule.near,
        threshold=rule.threshold,
        fill=rule.fill,
        resize=rule.resize,
        sparse=rule.sparse,
        labels=rule.labels,
        nothing=rule.nothing,
    )
