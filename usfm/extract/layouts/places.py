"""Where a layout's root is: found by its marker, at the folder that was given, below it or above it."""

import difflib
import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.extract import archive
from usfm.extract.layouts.contract import Layout, Masks, found, load, names
from usfm.extract.names import text_of

DOWN, UP = 5, 3
"""Folders below and above the one that was given in which a root is looked for."""
MOST_FOLDERS = 400
SAMPLE = 300
"""Files by which the nearest layout is found."""
MOST_FILES = 2_000_000


@dataclass
class Tree:
    """Names in folders, each folder listed once.

    Attributes:
        held: Folder -> small letters -> name.
        complete: Whether nothing else is to be listed, because the folders are those of archives.
    """

    held: dict[str, dict[str, str]] = field(default_factory=dict)
    complete: bool = False

    def inside(self, folder: str) -> dict[str, str]:
        """Return small letters -> name of what is in a folder; nothing where it cannot be listed."""
        if folder not in self.held and self.complete:
            return {}
        if folder not in self.held:
            try:
                listed = sorted(os.listdir(folder))
            except OSError:
                listed = []
            self.held[folder] = {name.casefold(): name for name in listed if not name.startswith(".")}
        return self.held[folder]

    def is_folder(self, path: str) -> bool:
        """Say whether a path is that of a folder."""
        return path in self.held if self.complete else os.path.isdir(path)

    def holds(self, folder: str, marker: str) -> bool:
        """Say whether something below a folder matches.

        Args:
            folder: The folder.
            marker: A glob of a path below it, or several with ``|`` between them.

        Returns:
            Whether one of them matches something.
        """
        return any(self._holds(folder, one.split("/")) for one in marker.casefold().split("|"))

    def _holds(self, folder: str, parts: Sequence[str]) -> bool:
        inside, part = self.inside(folder), parts[0]
        if part in inside:
            fits = [part]
        elif any(letter in part for letter in "*?["):
            pattern = re.compile(fnmatch.translate(part))
            fits = islice((name for name in inside if pattern.match(name)), None if len(parts) == 1 else 50)
        else:
            fits = []
        return any(len(parts) == 1 or self._holds(os.path.join(folder, inside[one]), parts[1:]) for one in fits)

    def folders(self, top: str) -> Iterator[str]:
        """Give a folder and those below it, the upper ones first."""
        level = [top]
        count = 0
        for depth in range(DOWN + 1):
            below = []
            for folder in level:
                count += 1
                if count > MOST_FOLDERS:
                    return
                yield folder
                if depth < DOWN:
                    paths = (
                        os.path.join(folder, name) for name in self.inside(folder).values() if "." not in name[-5:]
                    )
                    below += [path for path in paths if self.is_folder(path)]
            level = below


def root_of(layout: Layout, folder: str, tree: Tree | None = None) -> str:
    """Find the root of a layout.

    Args:
        layout: The layout.
        folder: That was given: the root, a folder above it or one in it.
        tree: Names that are known already.

    Returns:
        Its path.

    Raises:
        RequestError: If there is none, or several.
    """
    tree = tree or Tree()
    roots = _roots(layout, folder, tree)
    if len(roots) > 1:
        raise RequestError(
            f"{folder}: holds {layout.name} {len(roots)} times ({_shown(roots[0], folder)} and "
            f"{_shown(roots[1], folder)}); give one of them."
        )
    if not roots:
        raise RequestError(f"{folder}: {_misfit(layout, folder, tree)}{_nearest(folder, tree, layout.name)}.")
    return roots[0]


def auto(folder: str, tree: Tree | None = None) -> tuple[Layout, str]:
    """Find the one layout that fits a folder, and its root.

    Args:
        folder: That was given.
        tree: Names that are known already.

    Returns:
        The layout and its root.

    Raises:
        RequestError: If none fits, or several.
    """
    tree = tree or Tree()
    fits = [(one, roots) for one in map(load, names()) if (roots := _roots(one, folder, tree))]
    every = [root for _, roots in fits for root in roots]  # one in another is a part of it
    fits = [(one, roots) for one, roots in fits if not any(roots[0].startswith(root + os.sep) for root in every)]
    fits = [one for one in fits if _is_called(*one)] or fits if len(fits) > 1 else fits
    if len(fits) > 1:
        which = ", ".join(one.name for one, _ in fits[:-1]) + f" and {fits[-1][0].name}"
        raise RequestError(f"{folder}: fits the layouts {which}; say which with --layout NAME, or give its own folder.")
    if not fits:
        near = _nearest(folder, tree, "")
        raise RequestError(
            f"{folder}: fits none of the {len(names())} layouts of `usfm catalogue`{near}{_packed(folder, tree)}."
        )
    return fits[0][0], root_of(fits[0][0], folder, tree)


def files_below(root: str) -> list[str]:
    """List all files below a root: paths as text, with forward slashes, in order; hidden ones are left out.

    Raises:
        RequestError: For more files than a collection has.
    """
    listed, seen = [], {os.path.realpath(root)}
    for where, folders, files in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        real = {name: os.path.realpath(os.path.join(where, name)) for name in folders}
        folders[:] = [name for name in folders if real[name] not in seen]  # a linked folder is entered once
        seen.update(real.values())
        front = os.path.relpath(where, root).replace(os.sep, "/")
        listed += [text_of(name if front == "." else f"{front}/{name}") for name in files if not name.startswith(".")]
        if len(listed) > MOST_FILES:
            raise RequestError(f"{root}: more than {MOST_FILES:,} files; give the folder of the collection itself.")
    return sorted(listed)


def misspelt(layout: Layout, listed: Sequence[str], rules: Sequence[Masks]) -> str:
    """Return the folder whose name is nearest to that of masks that are not there, "" for none.

    Args:
        layout: The layout.
        listed: All files below the root.
        rules: The rules of masks that nothing fits.

    Returns:
        The folder below the root.
    """
    taken = {
        path.rpartition("/")[0] for path in listed if any(found(one.path, path) is not None for one in layout.pictures)
    }
    folders = {path.rpartition("/")[0] for path in listed} - taken - {""}
    for rule in rules:
        wanted = _plain(rule.path).rpartition("/")[0].casefold()
        small = {folder.casefold(): folder for folder in sorted(folders)}
        near = difflib.get_close_matches(wanted, list(small), n=1, cutoff=0.75) if wanted else []
        if near:
            return small[near[0]]
    return ""


def looked_for(pattern: str) -> str:
    r"""Return a pattern as a person reads it.

    Example:
        >>> looked_for(r"Masks/mask_(?P<id>\d+)\.png")
        'Masks/mask_*.png'
    """
    return _plain(pattern)


def _plain(pattern: str) -> str:
    text = re.sub(r"\(\?:[^()]*\)\?", "", pattern)
    for _ in range(4):
        text = re.sub(r"\((?:\?P<\w+>|\?:)?([^()]*)\)", lambda match: "*" if "|" in match[1] else match[1], text)
    text = re.sub(r"\[[^\]]*\](?:[+*?]|\{[\d,]+\})?|\\[dwSs](?:[+*?]|\{[\d,]+\})?|\.[+*]\??", "*", text)
    text = re.sub(r"\\(.)", r"\1", text)
    return re.sub(r"\*+", "*", text)


def _roots(layout: Layout, folder: str, tree: Tree) -> list[str]:
    """Return the one above a folder that is in a root, or the roots at and below it."""
    top = os.path.abspath(folder)
    roots: list[str] = []
    for one in tree.folders(top):
        if _fits(layout, one, tree) and not any(one.startswith(root + os.sep) for root in roots):
            roots.append(one)
    above = top
    for _ in range(UP if roots in ([], [top]) and not tree.complete else 0):
        above = os.path.dirname(above)
        if os.path.dirname(above) == above:  # the root of all files is no collection, and much lies below it
            break
        if _fits(layout, above, tree):  # the topmost: a folder may lie in one of the same name
            roots = [above]
    return roots


def _fits(layout: Layout, folder: str, tree: Tree) -> bool:
    if layout.find is None:
        return False
    return all(tree.holds(folder, one) for one in layout.find.marker) and not any(
        tree.holds(folder, one) for one in layout.find.never
    )


def _is_called(layout: Layout, roots: Sequence[str]) -> bool:
    name = os.path.basename(roots[0]).casefold()
    return any(fnmatch.fnmatchcase(name, one) for one in (layout.find.called if layout.find else ()))


def _misfit(layout: Layout, folder: str, tree: Tree) -> str:
    """Say what a folder lacks to be a layout."""
    find = layout.find
    if find is None:
        return f"there is no layout '{layout.name}' ({layout.about.why_none or 'only its facts are known'})"
    top = os.path.abspath(folder)
    best = max(tree.folders(top), key=lambda one: sum(tree.holds(one, marker) for marker in find.marker))
    lacks = [marker for marker in find.marker if not tree.holds(best, marker)]
    where = "in it" if len(lacks) == len(find.marker) or best == top else f"in {_shown(best, folder)}"
    if not lacks:
        other = next((one for one in find.never if tree.holds(best, one)), "")
        return f"this is not {layout.name}, since '{other}' is in it"
    shown = " or ".join(f"'{one}'" for one in lacks[0].split("|"))
    near = did_you_mean(lacks[0].split("/")[0], list(tree.inside(best).values())).rstrip(".") if best else ""
    return f"this is not {layout.name}: {shown} is not {where}{near}{_packed(folder, tree)}"


def _packed(folder: str, tree: Tree) -> str:
    """Say that an archive may want to be unpacked."""
    there = tree.inside(os.path.abspath(folder)).values()
    packed = [name for name in there if archive.ends_as_one(name) or name.lower().endswith((".rar", ".7z"))]
    return f"; unpack {packed[0]} first" if packed else ""


def _nearest(folder: str, tree: Tree, but: str) -> str:
    """Name the layout that fits, or whose pictures most files look like."""
    fits = [one.name for one in map(load, names()) if one.name != but and _roots(one, folder, tree)]
    if fits:
        return f"; it fits the layout {fits[0]}"
    files = []
    for one in tree.folders(os.path.abspath(folder)):
        front = os.path.relpath(one, folder).replace(os.sep, "/")
        files += [name if front == "." else f"{front}/{name}" for name in tree.inside(one).values() if "." in name[-6:]]
    sample = files[:: max(1, len(files) // SAMPLE)]
    best, name = 0, ""
    for layout in map(load, names()):
        count = sum(_looks(layout, path) for path in sample)
        if layout.name != but and count > best:
            best, name = count, layout.name
    return f"; the nearest layout is {name}" if name else ""


def _looks(layout: Layout, path: str) -> bool:
    parts = path.split("/")
    ways = ["/".join(parts[start:]) for start in range(min(len(parts), DOWN))]
    return any(found(rule.path, way) is not None for rule in layout.pictures for way in ways)


def _shown(path: str, folder: str) -> str:
    return text_of(os.path.relpath(path, folder))
