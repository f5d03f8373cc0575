"""Classes and splits out of folders and names: ``--labels folder``, ``--labels parent``, ``--label-regex``."""

import re
from collections import Counter
from collections.abc import Sequence

from usfm import console
from usfm.errors import RequestError
from usfm.extract.archive import without_end
from usfm.extract.manifest import SPLITS
from usfm.extract.names import alike
from usfm.extract.sources import Source

Found = dict[str, tuple[str, str]]
"""Relative path -> (class, split), "" where there is none."""


def by_folder(sources: Sequence[Source], which: str) -> Found:
    """Take each source's class, and its split, from the folders that hold it.

    Folders called train, val or test (or training, validation, ...) are the split where they can be that: two of them
    beside one another, or one above class folders; else such a name is a class like any other.

    Args:
        sources: All of them, since what a folder means depends on those beside it.
        which: ``"folder"`` for the first folder below SRC that is no split, ``"parent"`` for the last one. An input
            without folders is a class itself.

    Returns:
        Relative path -> (class, split), "" for what is not said.
    """
    roots = {source.root for source in sources}
    by_root = len({_split(root) for root in roots} - {""}) > 1
    levels = _split_levels(sources)
    deep = {source.root for source in sources if "/" in source.below}
    found: Found = {}
    for source in sources:
        folders = source.below.split("/")[:-1]
        split = _split(source.root) if by_root else ""
        place = next((level for level in levels if level < len(folders) and _split(folders[level])), None)
        if place is not None:
            split = _split(folders.pop(place))
        label = folders[0 if which == "folder" else -1] if folders else ""
        if not label and not (by_root and _split(source.root)):
            alone = source.root not in deep or which == "parent" if place is None else len(roots) > 1
            label = source.root if alone else ""
        found[source.relative] = (alike(without_end(label)), split)
    missing = sum(not label for label, _ in found.values())
    if missing:
        console.warn(f"--labels {which}: {missing} sources lie beside the class folders and have no class.")
    return found


def by_pattern(sources: Sequence[Source], pattern: str) -> Found:
    """Take each source's class, and its split where the pattern names one, from its path below SRC.

    Args:
        sources: All of them.
        pattern: A regular expression with the group ``label``, and ``split`` if it likes.

    Returns:
        Relative path -> (class, split), "" for what is not said.

    Raises:
        RequestError: If the pattern is no regular expression, names no label, or finds a split that is none.
    """
    expression = compiled("--label-regex", pattern, needs=("label",), may=("split",))
    found: Found = {}
    misses = 0
    for source in sources:
        match = expression.search(source.relative)
        groups = {key: value or "" for key, value in match.groupdict().items()} if match else {}
        misses += not groups.get("label")
        split = groups.get("split", "")
        if split and not _split(split):
            raise RequestError(f"extract: --label-regex finds the split '{split}', which is none of train, val, test.")
        found[source.relative] = (alike(groups.get("label", "")), _split(split))
    if misses:
        console.warn(f"--label-regex fits {len(sources) - misses} of {len(sources)} paths; the others have no class.")
    return found


def compiled(flag: str, pattern: str, *, needs: Sequence[str], may: Sequence[str] = ()) -> re.Pattern:
    """Read a regular expression that names groups: one of ``needs`` at least, and none but those and ``may``.

    Args:
        flag: That gave the pattern, for errors.
        pattern: A regular expression.
        needs: Names of groups, of which it must have one.
        may: Names of groups that it may have.

    Returns:
        The expression, compiled.

    Raises:
        RequestError: If it is none, or its groups are others.
    """
    from usfm.config import did_you_mean

    try:
        found = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise RequestError(f"extract: {flag} {pattern!r} is not a regular expression ({error}).") from None
    unknown = sorted(set(found.groupindex) - {*needs, *may})
    if unknown or not set(needs) & set(found.groupindex):
        what = f"names '{unknown[0]}'" if unknown else "names no group"
        near = did_you_mean(unknown[0], (*needs, *may)) if unknown else ""
        wanted = " or ".join(f"(?P<{name}>...)" for name in needs)
        raise RequestError(f"extract: {flag} {pattern!r} {what}; write {wanted}{near}")
    return found


def _split(name: str) -> str:
    return SPLITS.get(alike(name).casefold(), "")


def _split_levels(sources: Sequence[Source]) -> list[int]:
    """Say at which levels below SRC folders mean splits."""
    levels = []
    for level in range(4):
        names: Counter[str] = Counter()
        inside: dict[str, set[str]] = {}
        for source in sources:
            folders = source.below.split("/")[:-1]
            if level < len(folders):
                names[folders[level]] += 1
                inside.setdefault(folders[level], set()).update(folders[level + 1 : level + 2])
        splits = {name for name in names if _split(name)}
        others = set(names) - splits
        below = set().union(*(inside[name] for name in splits))
        several = len({_split(name) for name in splits}) > 1
        if several or (level == 0 and splits and (not others or below & others)):
            levels.append(level)
    return levels
