"""Discs: a DICOMDIR among the files stands for the files that it lists; what it lists and is not there is told."""

import os
from collections.abc import Sequence

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


def _is_directory(file: File) -> bool:
    if file.fault or file.item or not os.path.basename(file.path).lower().startswith(NAME):
        return False
    try:
        with open(file.path, "rb") as opened:
            return os.path.isfile(file.path) and directory.is_directory(opened.read(directory.HEAD_BYTES))
    except OSError:
        return False
