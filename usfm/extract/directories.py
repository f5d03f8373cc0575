"""Discs: a DICOMDIR among the files stands for the files that it lists; what it lists and is not there is told."""

import os
from collections.abc import Sequence
from dataclasses import replace

from usfm.errors import MediaError
from usfm.extract.archive import Member
from usfm.extract.media import Media
from usfm.extract.readers.dicom import directory
from usfm.extract.walk import File

NAME = "dicomdir"
MISSING = "missing file"


def with_listed(files: Sequence[File]) -> tuple[list[File], int]:
    """Put the files that each DICOMDIR lists in its place; those that are there already stay once.

    Args:
        files: What the inputs name.

    Returns:
        The files, a listed one that is not there with a fault; and how many DICOMDIR there were.
    """
    kept = [file for file in files if not _is_directory(file)]
    seen = {os.path.normpath(file.path) for file in kept}
    for file in files:
        if not _is_directory(file):
            continue
        folder = os.path.dirname(file.path)
        for name in directory.listed(Media(file.path)):
            path = directory.found(folder, name)
            if os.path.normpath(path) in seen:
                continue
            seen.add(os.path.normpath(path))
            below = "/".join([*file.below.split("/")[:-1], *os.path.relpath(path, folder).split(os.sep)])
            kept.append(File(path, file.root, below, True, "" if os.path.lexists(path) else MISSING))
    return kept, len(files) - sum(not _is_directory(file) for file in files)


def in_archives(files: Sequence[File]) -> tuple[list[File], int]:
    """Treat the DICOMDIR of archives as those of folders: a member that one lists counts as given itself.

    Args:
        files: What the inputs name, the members of archives among them.

    Returns:
        The files, a listed one that is in no archive with a fault; and how many DICOMDIR there were.
    """
    discs = [file for file in files if _is_packed_directory(file)]
    kept = {(file.path, _lower(file)): file for file in files if file.member is not None and file not in discs}
    told: dict[tuple[str, str], File] = {}
    for disc in discs:
        for name in directory.listed(Media(disc.path, member=disc.member)):
            below = "/".join([*_folder(disc.member.name if disc.member else ""), *name.split("/")])
            key = (disc.path, below.lower())
            front = "/".join([*_folder(disc.below), *name.split("/")])
            missing = File(disc.path, disc.root, front, True, MISSING, member=Member(below, 0, -1))
            told.setdefault(key, replace(kept[key], named=True) if key in kept else missing)
    others = [told.pop((file.path, _lower(file)), file) for file in files if file not in discs]
    return others + list(told.values()), len(discs)


def _folder(name: str) -> list[str]:
    return name.split("/")[:-1]


def _lower(file: File) -> str:
    return file.member.name.lower() if file.member is not None else ""


def _is_packed_directory(file: File) -> bool:
    if file.fault or file.member is None or not file.member.name.lower().split("/")[-1].startswith(NAME):
        return False
    try:
        return directory.is_directory(Media(file.path, member=file.member).head(directory.HEAD_BYTES))
    except (OSError, MediaError):
        return False


def _is_directory(file: File) -> bool:
    if file.fault or file.item or not os.path.basename(file.path).lower().startswith(NAME):
        return False
    try:
        if not os.path.isfile(file.path):  # opening a pipe would wait for a writer
            return False
        with open(file.path, "rb") as opened:
            return directory.is_directory(opened.read(directory.HEAD_BYTES))
    except OSError:
        return False
