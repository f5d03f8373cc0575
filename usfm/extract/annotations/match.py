"""Which source a label means: by its path as far as it goes, by its stem only where one source has that stem."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from usfm.extract.annotations.contract import Annotations, Faults, Marks
from usfm.extract.names import alike, text_of
from usfm.extract.sources import Source

DEEPEST = 32
_NUMBERED = re.compile(r"^(.*?)[/_\-. ]*(?:frame|img|image)?[_\-. ]*(\d{1,9})$", re.IGNORECASE)
BARE = "picture without label"
WHOLE = -1
"""Stands for "every frame of the source" where a frame's number is asked for."""


@dataclass(frozen=True)
class Matched:
    """Records by the source they mean.

    Attributes:
        of: Relative path -> frame number (`WHOLE` for a still, or all of a clip) -> record.
        unmatched: Records that fit no source.
        ambiguous: Records that fit several sources equally well.
        bare: Sources without a record.
    """

    of: dict[str, dict[int, Marks]]
    unmatched: int
    ambiguous: int
    bare: int


class Places:
    """Sources by every end of their paths, with and without suffix, to the letter and without regard to case."""

    def __init__(self, sources: Sequence[Source]):
        self.sources = sources
        self._absolute: dict[str, list[int]] = {}
        self._ends: dict[str, list[int]] = {}
        for at, source in enumerate(sources):
            path = _plain(text_of(os.path.abspath(source.place)))
            for key in {path, _stem(path)}:
                self._absolute.setdefault(key, []).append(at)
            parts = _plain(f"{source.root}/{source.below}").split("/")[-DEEPEST:]
            for start in range(len(parts)):
                end = "/".join(parts[start:])
                for key in {end, _stem(end)}:
                    self._ends.setdefault(key, []).append(at)

    def absolute(self, path: str, *, bare: bool = False) -> list[int]:
        """Return the sources at a path of this machine; where it has a suffix that none has, at its stem.

        Args:
            path: Absolute, with either kind of slash.
            bare: Whether it has no suffix; then no stem is cut off.

        Returns:
            Places in the list of sources.
        """
        plain = _plain(path)
        return self._absolute.get(plain) or ([] if bare else self._absolute.get(_stem(plain), []))

    def ends(self, path: str, *, bare: bool = False) -> tuple[list[int], int]:
        """Return the sources whose paths agree with the longest end of a path, and how many parts agree.

        Args:
            path: With either kind of slash.
            bare: Whether it has no suffix; else one that differs counts less than one that agrees.

        Returns:
            Places in the list of sources, and the number of parts; ([], 0) where none agrees.
        """
        parts = [part for part in _plain(path).split("/") if part not in ("", ".", "..")][-DEEPEST:]
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            found = self._ends.get(end) or ([] if bare else self._ends.get(_stem(end)))
            if found:
                exact = [at for at in found if _plain(self.sources[at].relative) in (end, _stem(end))]
                return (exact if len(exact) == 1 and len(found) > 1 and start == 0 else found), len(parts) - start
        return [], 0

    def numbered(self, path: str) -> tuple[list[int], int, int]:
        """Return the sources of more than one frame whose stem stands before a number: (them, the number, parts)."""
        match = _NUMBERED.match(path)
        if not match or not match[1] or match[1].endswith("/"):
            return [], WHOLE, 0
        found, parts = self.ends(match[1], bare=True)
        return [at for at in found if self.sources[at].kind != "image"], int(match[2]), parts


def match(annotations: Annotations, sources: Sequence[Source], faults: Faults) -> Matched:
    """Find the source of each record.

    A path counts as one on this machine, then by its longest end that a source has. Where that end fits several
    sources, the record is refused. Of two records for one source the one with the longer end wins; two of the same
    length are joined, and what both say is taken once.

    Args:
        annotations: Of the set.
        sources: All of them.
        faults: Takes what cannot be used.

    Returns:
        What belongs to each source and frame, and how many records belong to none.
    """
    places = Places(sources)
    folder = text_of(os.path.abspath(annotations.folder))
    taken: dict[tuple[int, int], tuple[int, Marks]] = {}
    unmatched = ambiguous = 0
    for record in annotations.pictures:
        found, frame, weight = _found(places, record, folder)
        if len(found) != 1:
            unmatched, ambiguous = unmatched + (not found), ambiguous + (len(found) > 1)
            continue
        key = found[0], frame
        earlier = taken.get(key)
        if earlier is None or earlier[0] < weight:
            unmatched += earlier is not None
            taken[key] = weight, record
        elif earlier[0] > weight:
            unmatched += 1
        else:
            faults.add("picture described twice, joined")
            taken[key] = weight, joined(earlier[1], record)
    of: dict[str, dict[int, Marks]] = {}
    for (at, frame), (_, record) in taken.items():
        of.setdefault(sources[at].relative, {})[frame] = record
    return Matched(of, unmatched, ambiguous, sum(source.relative not in of for source in sources if source.kind))


def joined(one: Marks, other: Marks) -> Marks:
    """Return what two records of one picture say together; a box or outline that both have is taken once.

    Args:
        one: The record that wins where they cannot be joined.
        other: The other one.

    Returns:
        The joined record; `one` where the two are of different pictures.
    """
    if one.relative != other.relative:
        return one
    rows = {(*box, name): None for r in (one, other) for box, name in zip(r.boxes.tolist(), r.box_names, strict=True)}
    shapes = {shape_key(shape): shape for record in (one, other) for shape in record.shapes}
    return replace(
        one,
        size=one.size or other.size,
        boxes=np.array([row[:4] for row in rows], np.float64).reshape(-1, 4),
        box_names=tuple(row[4] for row in rows),
        shapes=tuple(shapes.values()),
        split=one.split or other.split,
    )


def shape_key(shape) -> tuple:
    """Return what makes a shape equal to another."""
    runs = shape.runs.tobytes() if isinstance(shape.runs, np.ndarray) else shape.runs
    return shape.name, tuple(ring.tobytes() for ring in shape.rings), runs


def _found(places: Places, record: Marks, folder: str) -> tuple[list[int], int, int]:
    path = record.path.replace("\\", "/")
    ways = [(path, record.bare)] + ([(record.beside, True)] if record.beside else [])
    for way, bare in ways:
        found = places.absolute(os.path.normpath(os.path.join(folder, way)), bare=bare)
        if found:
            return found, WHOLE, DEEPEST + 1
    found, weight = places.ends(path, bare=record.bare)
    if not found and record.beside:
        found, weight = places.ends(record.beside, bare=True)
    if found:
        return found, WHOLE, weight
    several, frame, weight = places.numbered(path if record.bare else _stem(path))
    return several, frame if several else WHOLE, weight


def counted(matched: Matched) -> Counter:
    """Return what did not match, by reason."""
    found = Counter({
        "label of no picture": matched.unmatched,
        "label that fits several pictures": matched.ambiguous,
        BARE: matched.bare,
    })  # fmt: skip
    return +found


def _plain(path: str) -> str:
    return alike(path.replace("\\", "/")).casefold()


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem = name[:-7] if name.endswith(".nii.gz") else os.path.splitext(name)[0]
    return folder + slash + stem
