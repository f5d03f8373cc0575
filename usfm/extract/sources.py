"""Which files are sources: found below each SRC, told apart by their first bytes, in one fixed order."""

import errno
import fnmatch
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from usfm.errors import MediaError, RequestError
from usfm.extract import masks
from usfm.extract.archive import Member, ends_as_one
from usfm.extract.directories import MISSING, in_archives, with_listed
from usfm.extract.masks import MaskFile
from usfm.extract.media import Media
from usfm.extract.names import text_of
from usfm.extract.readers import GIVEN, READERS, SUFFIXES, recognised
from usfm.extract.readers.contract import HEAD_BYTES
from usfm.extract.readers.dicom import directory
from usfm.extract.readers.unread import Unread
from usfm.extract.walk import TOO_LONG, File, files, with_members

OTHER_SUFFIXES = SUFFIXES | frozenset(
    ".txt .md .csv .tsv .json .jsonl .xml .yaml .yml .toml .ini .log .pdf .doc .docx .xls .xlsx .ods .ppt .pptx .html"
    " .htm .py .m .mat .r .sh .ipynb .npy .npz .pkl .pt .pth .h5 .hdf5 .zip .tar .gz .7z .rar .db .sqlite .exe .dll"
    " .ico .cur .icns .svg .psd .exr .pcx .hdr .dng .ds_store .bak .tmp .raw .bin .dat .mp3 .wav .srt .vtt".split()
)
"""Suffixes that are told by name where files are passed over; any other may be part of a name."""


UNREACHED = {
    TOO_LONG: "the system opens no path as long as this; move it further up.",
    MISSING: "a DICOMDIR lists it, and it is not there.",
}
"""What to say about files that cannot even be looked at."""


@dataclass(frozen=True)
class Source:
    """One file that is to be read, or to be rejected with a reason.

    Attributes:
        path: Where it lies on this machine.
        relative: Its path below its SRC as text (``names.text_of``), with forward slashes; unique within a run. A part
            of a file has the file's path, a colon and the item, which starts with a slash.
        below: Its path below its SRC before roots were put in front to make it unique.
        root: Name of the SRC folder.
        size: Bytes, of its companions too.
        mtime_ns: Time of the last change of them.
        kind: Row of ``READERS``, "" where none reads it.
        fault: Why it is rejected, "" where it is not; with ``detail``, a sentence.
        item: Which of several things in the file it is; "" for all of it.
        companions: The other files that it is read from.
        member: What of an archive it is; None where ``path`` is the file itself.
    """

    path: str
    relative: str
    below: str
    root: str
    size: int = 0
    mtime_ns: int = 0
    kind: str = ""
    fault: str = ""
    detail: str = ""
    item: str = ""
    companions: tuple[Media, ...] = ()
    member: Member | None = None

    @property
    def media(self) -> Media:
        """What its reader opens."""
        return Media(self.path, self.item, self.member)

    @property
    def place(self) -> str:
        """Its path on this machine, and behind that of an archive the path in it."""
        return self.media.place


@dataclass(frozen=True)
class Found:
    """What lies below the inputs: the sources in canonical order of path, and what was passed over.

    Attributes:
        sources: In canonical order.
        skipped: How many other files were passed over.
        passed: The same by kind (suffix), the most frequent first.
        masks: How many pictures are label masks of others.
        excluded: How many files `--include` and `--exclude` left out.
        mask_files: The label masks.
    """

    sources: tuple[Source, ...]
    skipped: int
    passed: dict[str, int] = field(default_factory=dict)
    masks: int = 0
    excluded: int = 0
    mask_files: tuple[MaskFile, ...] = ()


def find(
    inputs: Sequence[str],
    *,
    private: bool = False,
    keep_masks: bool = False,
    claims: Callable[[str, str], bool] | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Found:
    """Find the sources of a run.

    A file counts as a source if its first bytes are those of a format that we read, if its suffix claims so, or if it
    was named itself. Everything else in a folder (tables, texts, licences, hidden files) is passed over and counted.

    Args:
        inputs: Files, folders (searched to the bottom) or globs.
        private: Whether messages must not name what lies below an input.
        keep_masks: Whether label masks are taken as pictures; else they are set apart.
        claims: Says of (path, path below its SRC with the SRC's name in front) whether a file is a label mask; then
            looks do not count.
        include: Globs, one of which a path below its SRC must match; none takes all. See `matches`.
        exclude: Globs, none of which it may match.

    Returns:
        The sources in one fixed order, and what was passed over.

    Raises:
        RequestError: If an input is missing, a folder cannot be listed, or nothing at all is found.
    """
    listed, discs = with_listed(files(inputs, private=private))
    listed, links = with_members(listed)
    listed, packed = in_archives(listed)
    found = [file for file in listed if _wanted(text_of(file.below), include, exclude)]
    excluded = len(listed) - len(found)
    aside = {"DICOMDIR": discs + packed, "links in archives": links}
    passed = Counter({name: count for name, count in aside.items() if count})
    sources = _looked_at(found, passed)
    where = inputs[0] if len(inputs) == 1 else f"the {len(inputs)} inputs"
    if not sources:
        raise _nothing(where, passed, excluded)
    sources = _without_companions(sources)
    sources.sort(key=lambda source: source.relative.split("/"))
    found_masks = _masks_among(sources, claims, keep_masks)
    kept = tuple(source for source in sources if source.media not in found_masks)
    if not kept:
        raise RequestError(
            f"{where}: holds label masks only ({len(found_masks)}), and they are no ultrasound; give the folder with "
            "their pictures, or take them as pictures with --masks keep."
        )
    set_apart = tuple(
        MaskFile(one.media, f"{one.root}/{one.below}", one.size, one.mtime_ns)
        for one in sources
        if one.media in found_masks
    )
    return Found(kept, passed.total(), dict(passed.most_common()), len(found_masks), excluded, set_apart)


def _looked_at(found: Sequence[File], passed: Counter) -> list[Source]:
    """The files that are sources; the others are counted by their kind."""
    fronts, sources = _fronts(found), []
    for file in found:
        below = text_of(file.below)
        relative, root = text_of(fronts[file.root, file.below]) + below, text_of(os.path.basename(file.root))
        item = f":{file.item}" if file.item else ""
        plain = Source(file.path, relative + text_of(item), below, root, fault=file.fault, detail=file.detail)
        source = _look(replace(plain, item=file.item, member=file.member), file.named)
        if source is None:
            passed[kind_of_other(file.below)] += 1
        else:
            sources.append(source)
    return sources


def _nothing(where: str, passed: Counter, excluded: int) -> RequestError:
    """The refusal of inputs without a source."""
    told = [f"{passed.total()} other files were passed over"] if passed else []
    told += [f"--include and --exclude leave out {excluded} files"] if excluded else []
    said = f" ({', '.join(told)})" if told else ""
    return RequestError(f"{where}: no video or image in it{said}; give a folder or files that hold some.")


def _masks_among(sources: Sequence[Source], claims: Callable[[str, str], bool] | None, keep: bool) -> set[Media]:
    """The files that are label masks: as somebody claims, else as they look."""
    if claims is not None:
        return {one.media for one in sources if claims(one.path, f"{one.root}/{one.below}")}
    pictures = [(one.media, f"{one.root}/{one.below}", one.size) for one in sources if one.kind]
    return set() if keep else masks.find(pictures)


def matches(below: str, pattern: str) -> bool:
    """Say whether a path below its SRC fits a glob: the whole path where the glob has a slash, else any part of it.

    Args:
        below: The path, with forward slashes.
        pattern: The glob.

    Returns:
        Whether it fits.

    Example:
        >>> [matches("benign/raw/1.png", glob) for glob in ("raw", "*.png", "benign/*.png", "*/raw/*", "1")]
        [True, True, True, True, False]
    """
    parts = [below] if "/" in pattern.strip("/") else below.split("/")
    return any(fnmatch.fnmatchcase(part, pattern.strip("/")) for part in parts)


def _wanted(below: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    taken = not include or any(matches(below, pattern) for pattern in include)
    return taken and not any(matches(below, pattern) for pattern in exclude)


def suffix_of(path: str) -> str:
    """Return the suffix in lower case, ``.nii.gz`` as one."""
    name = os.path.basename(path).lower()
    return ".nii.gz" if name.endswith(".nii.gz") else os.path.splitext(name)[1]


def kind_of_other(path: str) -> str:
    """Return what to count a file by that was passed over: its suffix where that is a usual one and no part of a name.

    Example:
        >>> kind_of_other("a/notes.TXT"), kind_of_other("LICENSE"), kind_of_other("scan.Jane")
        ('.txt', 'without suffix', 'other')
    """
    suffix = suffix_of(path)
    return (suffix if suffix in OTHER_SUFFIXES else "other") if suffix else "without suffix"


def _fronts(found: Sequence[File]) -> dict[tuple[str, str], str]:
    """Say what goes in front of each (root, path below it): nothing, or the root's own name where two roots clash."""
    roots: dict[str, set[str]] = {}
    for file in found:
        roots.setdefault(file.below, set()).add(file.root)
    clashing = sorted({root for owners in roots.values() if len(owners) > 1 for root in owners})
    names = {file.root: "" for file in found}
    depth = 1
    while clashing:
        short = {root: "/".join(Path(root).parts[1:][-depth:]) for root in clashing}
        if len(set(short.values())) == len(clashing) or depth > 64:
            names.update({root: name + "/" for root, name in short.items()})
            break
        depth += 1
    return {(file.root, file.below): names[file.root] for file in found}


def stamp(source: Source) -> tuple[int, int]:
    """Return what tells a source from what it becomes when somebody writes to it: (bytes, time of the last change).

    Raises:
        OSError: If the file itself is gone; a companion that is gone counts as empty.
    """
    size, mtime_ns = _stamp_of(source.media)
    for companion in source.companions:
        try:
            more, later = _stamp_of(companion)
        except OSError:
            continue
        size, mtime_ns = size + more, max(mtime_ns, later)
    return size, mtime_ns


def _stamp_of(media: Media) -> tuple[int, int]:
    return media.size, os.stat(media.path).st_mtime_ns


def _without_companions(sources: Sequence[Source]) -> list[Source]:
    """Leave out files that others are read from, and let those count their bytes."""
    owned: set[str] = set()
    kept = []
    for source in sources:
        companions = tuple(READERS[source.kind].companions(source.media)) if source.kind else ()
        if companions:
            owned.update(os.path.normpath(one.place) for one in companions)
            source = replace(source, companions=companions)
            size, mtime_ns = stamp(source)
            source = replace(source, size=size, mtime_ns=mtime_ns)
        kept.append(source)
    return [source for source in kept if os.path.normpath(source.place) not in owned]


def _look(plain: Source, named: bool) -> Source | None:
    """Open a file's beginning: return it with its kind or its fault, None where it is to be passed over."""
    suffix = suffix_of(plain.media.name)
    if plain.fault:
        return replace(plain, detail=plain.detail or UNREACHED[plain.fault])
    fault, detail, head = "", "", b""
    try:
        size, mtime_ns = stamp(plain)
        plain = replace(plain, size=size, mtime_ns=mtime_ns, detail="")
        if os.path.isfile(plain.path):
            head = plain.media.head(HEAD_BYTES)
        else:  # a socket or pipe: opening it would hang
            fault, detail = "not a file", "it is no ordinary file."
    except OSError as error:
        fault = "no permission" if isinstance(error, PermissionError) else "not readable"
        fault = TOO_LONG if error.errno == errno.ENAMETOOLONG else fault
        detail = f"it cannot be read ({(error.strerror or 'error').lower()})."
    except MediaError as error:
        return replace(plain, fault=error.reason, detail=error.detail)
    if plain.member is not None and ends_as_one(plain.member.name):
        fault, detail = "nested archive", "an archive in an archive is not walked; unpack the outer one."
        return replace(plain, fault=fault, detail=detail)
    if not fault:
        reader = recognised(head, suffix)
        if plain.member is not None and directory.is_directory(head):
            return None  # the files that it lists lie beside it in the archive
        if isinstance(reader, Unread):
            return replace(plain, fault=reader.error.reason, detail=reader.error.detail)
        if reader and (named or reader.kind not in GIVEN):
            return replace(plain, kind=reader.kind)
        fault, detail = "not media", "its first bytes are those of no video or image that we know."
        if not head:
            fault, detail = "empty file", "it has no bytes."
    return replace(plain, fault=fault, detail=detail) if named or suffix in SUFFIXES else None
