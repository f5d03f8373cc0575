"""Which files the inputs name: literal names, globs, and everything below a folder."""

import errno
import glob
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace

from usfm.errors import RequestError
from usfm.extract import archive
from usfm.extract.archive import Member

TOO_LONG = "path too long"


@dataclass(frozen=True)
class File:
    """One file that an input names or holds.

    Attributes:
        path: Where it lies, absolute.
        root: The folder that was given, or that of a file which was given itself; absolute.
        below: The path below the root, with forward slashes.
        named: Whether it was given itself.
        fault: Why it cannot be looked at, "" where it can.
        item: The thing in the file that was given, as in ``scans.h5:/images``; "" for the file.
        member: What of an archive it is; None where the file is none.
        detail: With ``fault``, a sentence.
    """

    path: str
    root: str
    below: str
    named: bool
    fault: str = ""
    item: str = ""
    member: Member | None = None
    detail: str = ""


def files(inputs: Sequence[str], *, private: bool = False) -> list[File]:
    """List the files that the inputs name, each once.

    Folders are searched to the bottom; a linked one is entered once, and only where nothing else leads there. Hidden
    files and folders are left out.

    Args:
        inputs: Files, folders or globs; a literal name is tried before it is read as a glob.
        private: Whether messages must not name what lies below an input.

    Returns:
        The files, in the order in which they were found.

    Raises:
        RequestError: If an input is missing or a folder cannot be listed.
    """
    found: dict[tuple, File] = {}
    for one in _expanded(inputs):
        one, item = _cut_item(one)
        path = os.path.abspath(one)
        if os.path.isdir(path):
            for key, file in _below(path, private):
                found.setdefault(key, file)
        else:
            root, name = os.path.split(path)
            key = (_identity(root), name, item)
            earlier = found.get(key)
            found[key] = File(path, root, name, True, item=item) if earlier is None else _as_named(earlier)
    return list(found.values())


def with_members(listed: Sequence[File]) -> tuple[list[File], int]:
    """Put the files of each archive in its place.

    An archive is a folder of its name; one that was given itself is an input of its own. Hidden files are left out
    in it as everywhere. What is wrong with an archive is a file with a fault.

    Returns:
        The files, and how many links and devices in archives were left out.
    """
    found, links = [], 0
    for file in listed:
        if file.fault or file.item or not (file.named or archive.ends_as_one(file.below)):
            found.append(file)
            continue
        if not (archive.ends_as_one(file.below) or archive.looks_like_one(file.path)):
            found.append(file)
            continue
        try:
            inside = archive.listing(file.path)
        except OSError:
            found.append(replace(file, named=True))  # a look at it says why
            continue
        root, front = (file.path, "") if file.named else (file.root, file.below + "/")
        for member in inside.members:
            if not any(_hidden_name(part) for part in member.name.split("/")):
                found.append(File(file.path, root, front + member.name, False, member=member))
        links += inside.links
        if inside.fault is not None:
            found.append(replace(file, fault=inside.fault.reason, detail=inside.fault.detail))
    return found, links


def _as_named(file: File) -> File:
    return replace(file, named=True)


def _cut_item(given: str) -> tuple[str, str]:
    """Cut ``scans.h5:/images`` into the file and the thing in it, where there is such a file and no such path."""
    path, colon, item = given.partition(":/")
    return (path, "/" + item) if colon and not os.path.lexists(given) and os.path.isfile(path) else (given, "")


def _expanded(inputs: Sequence[str]) -> list[str]:
    if not inputs:
        raise RequestError("extract: no input; give a folder, files or a glob.")
    found = []
    for one in inputs:
        matches = [one] if os.path.lexists(_cut_item(one)[0]) else sorted(_globbed(one))
        if not matches:
            raise RequestError(f"{one}: there is no such file or folder; check the path.")
        found += matches
    return found


def _globbed(pattern: str) -> list[str]:
    """Expand a glob; ``**`` enters each folder once, where Python's own follows links in circles without end."""
    parts = pattern.split("/")
    try:
        if "**" not in parts:
            return glob.glob(pattern)
        place = parts.index("**")
        before = "/".join(parts[:place]) or ("/" if place else ".")
        tops = [one for one in (glob.glob(before) if glob.has_magic(before) else [before]) if os.path.isdir(one)]
        rest = "/".join(parts[place + 1 :])
        if not rest:
            return tops
        folders = [folder for top in tops for folder in _folders(top)]
        return list(dict.fromkeys(one for each in folders for one in _globbed(f"{glob.escape(each)}/{rest}")))
    except (OSError, ValueError):  # a name too long for the system, or one with NUL
        return []


def _folders(top: str) -> list[str]:
    """List a folder and all below it that are not hidden, each once, those that nothing but a link reaches last."""
    found, seen = [], set()
    waiting, linked = [top], []
    while waiting or linked:
        folder = waiting.pop() if waiting else linked.pop(0)
        identity = _identity(folder)
        if identity in seen:
            continue
        seen.add(identity)
        found.append(folder)
        try:
            with os.scandir(folder) as entries:
                inside = sorted((entry for entry in entries if not _hidden(entry)), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in inside:
            if _is_folder(entry):
                (linked if entry.is_symlink() else waiting).append(entry.path)
    return found


def _hidden(entry: os.DirEntry) -> bool:
    return _hidden_name(entry.name)


def _hidden_name(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _identity(folder: str) -> object:
    """What tells a folder from another, whatever path leads there."""
    try:
        status = os.stat(folder)
    except OSError:
        return folder
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def _below(root: str, private: bool) -> list[tuple[tuple, File]]:
    """List the files below a folder, each with what tells it from others."""
    listed, seen = [], set()
    waiting, linked = [root], []
    start = len(root.rstrip(os.sep)) + 1
    while waiting or linked:
        folder = waiting.pop() if waiting else linked.pop(0)
        identity = _identity(folder)
        if identity in seen:
            continue
        seen.add(identity)
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise RequestError(_unlistable(root, folder, error, private)) from None
            below = folder[start:].replace(os.sep, "/")
            listed.append(((folder,), File(folder, root, below, True, TOO_LONG)))
            continue
        for entry in inside:
            if _hidden(entry):
                continue
            if _is_folder(entry):
                (linked if entry.is_symlink() else waiting).append(entry.path)
            else:
                below = entry.path[start:].replace(os.sep, "/")
                listed.append(((identity, entry.name, ""), File(entry.path, root, below, False)))
    return listed


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:  # a link to itself, say; looking at it as a file tells what is wrong
        if error.errno != errno.ENAMETOOLONG:
            return False
        try:
            return stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode)
        except OSError:
            return False


def _unlistable(root: str, folder: str, error: OSError, private: bool) -> str:
    why = (error.strerror or "error").lower()
    if private and folder != root:
        return (
            f"{root}: a folder below it cannot be listed ({why}); find it with "
            f"'find {root} -type d ! -readable', and mend it or leave it out."
        )
    return f"{folder}: cannot list this folder ({why}); mend it or leave it out."
