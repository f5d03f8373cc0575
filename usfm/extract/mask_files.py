"""Which files are label masks, as the user says or as they look, and which picture, frame and structure each is of."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from usfm.errors import RequestError
from usfm.extract import walk
from usfm.extract.annotations.match import WHOLE, Places
from usfm.extract.coding import Coding
from usfm.extract.folders import compiled
from usfm.extract.manifest import Manifest
from usfm.extract.masks import WORDS, MaskFile, scheme_of
from usfm.extract.media import Media
from usfm.extract.names import path_of, text_of
from usfm.extract.readers import SUFFIXES
from usfm.extract.sources import Found, Source, suffix_of

_WORD = "|".join(sorted(WORDS, key=len, reverse=True))
_TAIL = re.compile(rf"[\s_.\-]*(?:ground[\s_\-]?truth|{_WORD})(?:[\s_.\-]*\d{{1,2}})?$", re.IGNORECASE)
_HEAD = re.compile(rf"^(?:{_WORD})[\s_.\-]+", re.IGNORECASE)


ARRAYS = frozenset((".mat", ".npy"))
"""Suffixes of label maps that claim no media elsewhere."""


@dataclass(frozen=True)
class How:
    """How label masks are told from pictures.

    Attributes:
        mode: ``auto`` (by their looks), ``keep`` (none is), or ``given`` (as the rest says).
        folder: Folder that holds nothing but masks, "" for none.
        suffix: What a mask's stem has behind that of its picture; a number may follow.
        pattern: Finds ``stem``, and ``name`` or ``frame``, in a mask's path.
    """

    mode: str = "auto"
    folder: str = ""
    suffix: str = ""
    pattern: re.Pattern | None = field(default=None)

    def claims(self, path: str, below: str) -> bool:
        """Say whether a file below the inputs is a mask, as the user says.

        Args:
            path: On this machine.
            below: Below its SRC.

        Returns:
            Whether it is one.

        Example:
            >>> how = How("given", suffix="_mask")
            >>> [how.claims("", name) for name in ("a_mask.png", "a_mask_2.png", "b/a.png", "_mask.png")]
            [True, True, False, False]
        """
        if self.folder and os.path.abspath(path).startswith(os.path.join(os.path.abspath(self.folder), "")):
            return True
        if self.suffix and not self.folder:
            return bool(self._cut(os.path.splitext(below.rsplit("/", 1)[-1])[0]))
        return bool(self.pattern and not self.folder and self.pattern.search(below))

    def _cut(self, stem: str) -> str:
        """Return a mask's stem without its suffix, "" where it has another."""
        found = re.fullmatch(rf"(.+){re.escape(self.suffix)}(?:_\d{{1,4}})?", stem)
        return found[1] if found else ""


def how_of(masks: str, suffix: str | None, pattern: str | None) -> How:
    """Read ``--masks``, ``--mask-suffix`` and ``--mask-pattern``.

    Args:
        masks: ``auto``, ``keep``, or a folder.
        suffix: Of the masks' stems, or None.
        pattern: A regular expression with the group ``stem``, or None.

    Returns:
        How masks are told apart.

    Raises:
        RequestError: If they do not fit together, or the folder is not there.
    """
    if masks == "keep" and (suffix or pattern):
        raise RequestError("extract: --masks keep takes masks as pictures; drop --mask-suffix and --mask-pattern.")
    if suffix and pattern:
        raise RequestError("extract: --mask-suffix and --mask-pattern both say how masks are named; give one of them.")
    expression = compiled("--mask-pattern", pattern, needs=("stem",), may=("name", "frame")) if pattern else None
    folder = "" if masks in ("auto", "keep") else masks
    if folder and not os.path.isdir(folder):
        raise RequestError(f"extract: --masks {masks}: no such folder; write auto, keep, or a folder of label masks.")
    given = bool(folder or suffix or pattern)
    return How("given" if given else masks, folder, suffix or "", expression)


@dataclass(frozen=True)
class MaskOf:
    """What one mask file is of.

    Attributes:
        file: The file.
        source: Relative path of the source.
        frame: Number of the frame; `WHOLE` where the file has a mask for each, or the source is a still.
        name: Of the structure, "" where the names of files say none.
        coding: What its pixels mean, where a layout says so.
    """

    file: MaskFile
    source: str
    frame: int = WHOLE
    name: str = ""
    coding: Coding | None = None


def match(files: Sequence[MaskFile], sources: Sequence[Source], how: How) -> tuple[list[MaskOf], dict[str, int]]:
    """Find the picture of each mask file.

    A mask is of the picture whose path agrees with the longest end of its own, without what says mask; where several
    agree, it is refused.

    Args:
        files: Of masks.
        sources: All of them.
        how: Which files are masks.

    Returns:
        What each is of, in the order of the files; and how many were left, by reason.

    Raises:
        RequestError: If a folder of masks fits none of the pictures.
    """
    places = Places(sources)
    twins: dict[tuple[str, str], list[int]] = {}
    for at, source in enumerate(sources):
        twins.setdefault(scheme_of(f"{source.root}/{source.below}").bare, []).append(at)
    found, left = [], {}
    for file in files:
        one, several = _picture(file, places, twins, how)
        if one is None:
            reason = "mask that fits several pictures" if several else "mask of no picture"
            left[reason] = left.get(reason, 0) + 1
        else:
            found.append(one)
    if how.mode == "given" and not found:
        what = f"--masks {how.folder}" if how.folder else "--mask-suffix" if how.suffix else "--mask-pattern"
        tells = f"the {len(files)} masks fit no picture" if files else "no mask is found"
        raise RequestError(f"extract: {what}: {tells}; a mask has the path or the name of its picture.")
    if len({one.name for one in found} - {""}) < 2 and not how.pattern:  # a folder that all masks share names nothing
        found = [replace(one, name="") for one in found]
    return found, left


def _picture(file: MaskFile, places: Places, twins: dict, how: How) -> tuple[MaskOf | None, bool]:
    """Return what a mask is of, and, where nothing, whether it fits several pictures."""
    folder, _, name = file.below.rpartition("/")
    stem = os.path.splitext(name.removesuffix(".gz"))[0]
    if how.pattern:
        return _by_pattern(file, places, how.pattern)
    if how.suffix:
        stem = how._cut(stem) or stem if how.folder else how._cut(stem)
        return _named(file, places, [f"{folder}/{stem}"])
    if how.mode == "auto":
        same = [at for at in twins.get(scheme_of(file.below).bare, ()) if _is_of(places.sources[at], folder, True)]
        near = same or [at for at in twins.get(scheme_of(file.below).bare, ())]
        if len(near) == 1:
            return MaskOf(file, places.sources[near[0]].relative), False
    short = _HEAD.sub("", _TAIL.sub("", stem))
    return _named(file, places, list(dict.fromkeys(f"{folder}/{one}" for one in (stem, short) if one)))


def _is_of(source: Source, folder: str, same: bool) -> bool:
    return (f"{source.root}/{source.below}".rpartition("/")[0] == folder) == same


def _named(file: MaskFile, places: Places, ways: Sequence[str]) -> tuple[MaskOf | None, bool]:
    several = False
    for way in ways:
        found, parts = places.ends(way, bare=True)
        if len(found) == 1:
            return MaskOf(file, places.sources[found[0]].relative, WHOLE, _leftover(way, parts)), False
        several = several or len(found) > 1
    for way in ways:
        found, frame, parts = places.numbered(way)
        if len(found) == 1:
            return MaskOf(file, places.sources[found[0]].relative, frame, _leftover(way, parts)), False
        several = several or len(found) > 1
    return None, several


def _leftover(way: str, parts: int) -> str:
    """Return the folder just above the part of a path that the picture shares."""
    folders = way.split("/")[1:-parts]
    return folders[-1] if folders and folders[-1].lower() not in WORDS else ""


def _by_pattern(file: MaskFile, places: Places, pattern: re.Pattern) -> tuple[MaskOf | None, bool]:
    match = pattern.search(file.below)
    if not match or not match["stem"]:
        return None, False
    groups = match.groupdict()
    folder = file.below.rpartition("/")[0]
    way = match["stem"] if "/" in match["stem"] else f"{folder}/{match['stem']}"
    found, _ = places.ends(way, bare=True)
    if len(found) != 1:
        return None, len(found) > 1
    number = groups.get("frame") or ""
    frame = int(number) if number.isdecimal() and len(number) < 10 else WHOLE
    return MaskOf(file, places.sources[found[0]].relative, frame, (groups.get("name") or "").strip()), False


def of_manifest(manifest: Manifest | None, inputs: Sequence[str]) -> dict[str, str]:
    """Return the file that each cell of a manifest's column ``mask`` means; cells that mean none are left out.

    A cell is a path from the manifest's folder, from an input, or on this machine.

    Args:
        manifest: The manifest, or None.
        inputs: What the user gave.

    Returns:
        Cell -> path on this machine.
    """
    cells = {row.get("mask", "") for _, row in manifest.rows} - {""} if manifest else set()
    bases = [os.path.dirname(os.path.abspath(manifest.file)), *map(os.path.abspath, inputs)] if manifest else []
    found = {}
    for cell in sorted(cells):
        ways = [path_of(cell), path_of(cell.replace("\\", "/"))]
        paths = (os.path.normpath(os.path.join(base, way)) for base in bases for way in ways)
        path = next((path for path in paths if os.path.isfile(path)), None)
        if path is not None:
            found[cell] = path
    return found


def without(found: Found, paths: Collection[str]) -> Found:
    """Return what was found without some files, which are masks.

    Args:
        found: Sources and files set apart.
        paths: Of the masks.

    Returns:
        What is left.
    """
    there = {os.path.abspath(path) for path in paths}
    kept = tuple(source for source in found.sources if os.path.abspath(source.path) not in there)
    set_apart = tuple(file for file in found.mask_files if os.path.abspath(file.media.path) not in there)
    return replace(found, sources=kept, mask_files=set_apart)


def given(files: Mapping[str, str], cells: Mapping[str, str]) -> tuple[list[MaskOf], dict[str, int]]:
    """Return what the masks of a manifest are of; and how many are not there, by reason.

    Args:
        files: From `of_manifest`.
        cells: Relative path of a source -> its cell, "" for none.

    Returns:
        The masks, and reason -> how often.
    """
    masks, missing = [], 0
    for source, cell in cells.items():
        if cell and cell not in files:
            missing += 1
        elif cell:
            status = os.stat(files[cell])
            file = MaskFile(Media(files[cell]), text_of(cell), status.st_size, status.st_mtime_ns)
            masks.append(MaskOf(file, source))
    return masks, {"mask of the manifest that is not there": missing} if missing else {}


def listed(how: How, found: Sequence[MaskFile]) -> list[MaskFile]:
    """Return the mask files of a run: those found among the inputs, or all pictures and clips below the folder given.

    Args:
        how: Which files are masks.
        found: Mask files among the inputs.

    Returns:
        Mask files, sorted.

    Raises:
        RequestError: If the folder cannot be listed.
    """
    if not how.folder:
        return sorted(found, key=lambda file: file.below)
    files = []
    for file in walk.files([how.folder], private=True):
        below = text_of(f"{os.path.basename(file.root)}/{file.below}")
        if suffix_of(file.path) not in SUFFIXES | ARRAYS:
            continue
        if how.suffix and not how._cut(os.path.splitext(os.path.basename(below))[0]):
            continue
        if how.pattern and not how.pattern.search(below):
            continue
        try:
            status = os.stat(file.path)
        except OSError:
            continue
        files.append(MaskFile(Media(file.path), below, status.st_size, status.st_mtime_ns))
    return sorted(files, key=lambda file: file.below)
