"""Which files are sources: found below each SRC, told apart by their first bytes, in one fixed order."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from usfm.errors import RequestError
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import HEAD_BYTES

MEDIA_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .qt .avi .mpg .mpeg .mpe .m2v .mkv .webm .wmv .asf .flv .ts .m2ts .ogv .3gp .h264 .gif"
    " .png .jpg .jpeg .jfif .bmp .tif .tiff .webp"
    " .dcm .dicom .ima .nii .nii.gz .mha .mhd .nrrd .nhdr".split()
)
"""A file with such a suffix claims to be media: if its bytes are not, that is reported and not passed over."""

NO_READER = {
    "DICOM": lambda head, suffix: head[128:132] == b"DICM" or suffix in (".dcm", ".dicom", ".ima"),
    "NIfTI": lambda head, suffix: suffix in (".nii", ".nii.gz") and bool(head),
    "MetaImage": lambda head, suffix: suffix in (".mha", ".mhd") and b"=" in head[:200],
    "NRRD": lambda head, suffix: head.startswith(b"NRRD"),
}
"""Formats that we know and cannot read."""


@dataclass(frozen=True)
class Source:
    """One file that is to be read, or to be rejected with a reason.

    Attributes:
        path: Where it lies on this machine.
        relative: Its path below its SRC, with forward slashes; unique within a run.
        below: Its path below its SRC before roots were put in front to make it unique.
        root: Name of the SRC folder.
        size: Bytes.
        mtime_ns: Time of the last change.
        kind: Row of ``READERS``, "" where none reads it.
        fault: Why it is rejected, "" where it is not; with ``detail``, a sentence.
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


@dataclass(frozen=True)
class Found:
    """What lies below the inputs: the sources in canonical order of path, and how many other files were passed over."""

    sources: tuple[Source, ...]
    skipped: int


def find(inputs: Sequence[str]) -> Found:
    """Find the sources of a run.

    A file counts as a source if its first bytes are those of a format that we read, if its suffix claims so, or if it
    was named itself. Everything else in a folder (tables, texts, licences, hidden files) is passed over and counted.

    Args:
        inputs: Files, folders (searched to the bottom) or globs.

    Raises:
        RequestError: If an input is missing, a folder cannot be listed, or nothing at all is found.
    """
    files: dict[str, tuple[Path, bool]] = {}  # path -> (its SRC folder, named itself)
    for one in _expanded(inputs):
        path = Path(one)
        if path.is_dir():
            for file in _below(path):
                files.setdefault(os.path.abspath(file), (path, False))
        else:
            files.setdefault(os.path.abspath(path), (path.parent, True))
    sources, skipped = [], 0
    roots = {path: os.path.abspath(root) for path, (root, _) in files.items()}
    below = {path: os.path.relpath(path, root).replace(os.sep, "/") for path, root in roots.items()}
    fronts = _fronts({path: (root, below[path]) for path, root in roots.items()})
    for path, (_, named) in files.items():
        name = os.path.basename(roots[path])
        source = _look(Source(path, fronts[path] + below[path], below[path], name), named)
        if source is None:
            skipped += 1
        else:
            sources.append(source)
    if not sources:
        where = inputs[0] if len(inputs) == 1 else f"the {len(inputs)} inputs"
        passed = f" ({skipped} other files were passed over)" if skipped else ""
        raise RequestError(f"{where}: no video or image in it{passed}; give a folder or files that hold some.")
    sources.sort(key=lambda source: PurePosixPath(source.relative).parts)
    return Found(tuple(sources), skipped)


def suffix_of(path: str) -> str:
    """Return the suffix in lower case, ``.nii.gz`` as one."""
    name = os.path.basename(path).lower()
    return ".nii.gz" if name.endswith(".nii.gz") else os.path.splitext(name)[1]


def _expanded(inputs: Sequence[str]) -> list[str]:
    if not inputs:
        raise RequestError("extract: no input; give a folder, files or a glob.")
    found = []
    for one in inputs:
        matches = [one] if os.path.lexists(one) else sorted(glob.glob(one, recursive=True))
        if not matches:
            raise RequestError(f"{one}: there is no such file or folder; check the path.")
        found += matches
    return found


def _below(root: Path) -> list[str]:
    """List the files below a folder; hidden ones are left out, linked folders are entered once."""
    files, seen, waiting = [], set(), [str(root)]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise RequestError(
                f"{folder}: cannot list this folder ({error.strerror}); mend it or leave it out."
            ) from None
        for entry in inside:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if entry.is_dir():
                waiting.append(entry.path)
            else:
                files.append(entry.path)
    return files


def _fronts(files: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Say what goes in front of each relative path: nothing, or the root's own name where two roots clash."""
    roots: dict[str, set[str]] = {}
    for root, below in files.values():
        roots.setdefault(below, set()).add(root)
    clashing = sorted({root for owners in roots.values() if len(owners) > 1 for root in owners})
    names = {root: "" for root, _ in files.values()}
    depth = 1
    while clashing:
        short = {root: "/".join(Path(root).parts[1:][-depth:]) for root in clashing}
        if len(set(short.values())) == len(clashing) or depth > 64:
            names.update({root: name + "/" for root, name in short.items()})
            break
        depth += 1
    return {path: names[root] for path, (root, _) in files.items()}


def _look(plain: Source, named: bool) -> Source | None:
    """Open a file's beginning: return it with its kind or its fault, None where it is to be passed over."""
    suffix = suffix_of(plain.path)
    claims = named or suffix in MEDIA_SUFFIXES
    fault, detail, head = "", "", b""
    try:
        status = os.stat(plain.path)
        plain = replace(plain, size=status.st_size, mtime_ns=status.st_mtime_ns)
        if os.path.isfile(plain.path):
            with open(plain.path, "rb") as file:
                head = file.read(HEAD_BYTES)
        else:  # a socket or pipe: opening it would hang
            fault, detail = "not a file", "it is no ordinary file."
    except OSError as error:
        fault = "no permission" if isinstance(error, PermissionError) else "not readable"
        detail = f"it cannot be read ({(error.strerror or 'error').lower()})."
    if not fault:
        dicom = head[128:132] == b"DICM"  # before it may stand anything, even the beginning of a TIFF
        kind = next((kind for kind, reader in READERS.items() if reader.recognises(head)), "")
        if kind and not dicom:
            return replace(plain, kind=kind)
        unread = next((name for name, matches in NO_READER.items() if matches(head, suffix)), None)
        if unread:
            return replace(plain, fault=f"no reader for {unread} yet", detail="convert it to a video or images.")
        fault, detail = "not media", "its first bytes are those of no video or image that we know."
        if not head:
            fault, detail = "empty file", "it has no bytes."
    return replace(plain, fault=fault, detail=detail) if claims else None
