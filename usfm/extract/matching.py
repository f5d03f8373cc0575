"""Which source a row of a manifest means: by its path, however that is written."""

import csv
import os
import re
from collections.abc import Callable, Sequence

from usfm import console
from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.extract.identity import Paths
from usfm.extract.manifest import Manifest
from usfm.extract.names import alike, path_of, text_of
from usfm.extract.sources import Source

SHOWN = 3
"""Names in a warning."""
DEEPEST = 32
"""Parts of a path that the end of one may have."""


class Finder:
    """Sources by every way in which a row may name them: first to the letter, then by forms that look the same.

    The forms are: as it is; in Unicode's composed form; without regard to case; and, for a name that is no UTF-8, as
    Windows would read it.
    """

    def __init__(self, sources: Sequence[Source]):
        self._sources = sources
        self._tables: dict[Callable[[str], str], tuple[dict, dict, dict]] = {}
        self._ends: dict[Callable[[str], str], dict[str, list[Source]]] = {}

    def find(self, path: str, here: str) -> list[Source]:
        """Return the sources that a path may mean: none, one, or several equally well.

        Args:
            path: As the row has it, with forward slashes or back slashes.
            here: The manifest's folder.

        Returns:
            The sources.
        """
        ways = list(dict.fromkeys(os.path.normpath(one) for one in (path, path.replace("\\", "/"))))
        for form in (_as_it_is, alike, _any_case, _as_windows):
            for way in ways:
                found = self._by_form(form, way, here)
                if found:
                    return found
        return self._of_elsewhere(path) if re.match(r"[A-Za-z]:[\\/]|[\\/]", path) else []

    def _of_elsewhere(self, path: str) -> list[Source]:
        """Return the sources that a path of another machine means: by its longest end, a folder and a name at least."""
        parts = path.replace("\\", "/").split("/")
        for start in range(max(1, len(parts) - DEEPEST), len(parts) - 1):
            for form in (_any_case, _as_windows):
                found = self._ends_of(form).get(form("/".join(parts[start:])), [])
                if found:
                    return found
        return []

    def _by_form(self, form: Callable[[str], str], path: str, here: str) -> list[Source]:
        if form not in self._tables:
            tables: tuple[dict, dict, dict] = ({}, {}, {})
            for source in self._sources:
                for table, key in zip(tables, (source.relative, source.below, text_of(source.place)), strict=True):
                    table.setdefault(form(key), []).append(source)
            self._tables[form] = tables
        for table, key in zip(
            self._tables[form], (path, path, os.path.normpath(os.path.join(here, path))), strict=True
        ):
            if form(key) in table:
                return table[form(key)]
        return self._ends_of(form).get(form(path), [])

    def _ends_of(self, form: Callable[[str], str]) -> dict[str, list[Source]]:
        if form not in self._ends:
            ends: dict[str, list[Source]] = {}
            for source in self._sources:
                parts = form(text_of(source.place)).replace(os.sep, "/").strip("/").split("/")
                for start in range(max(0, len(parts) - DEEPEST), len(parts)):
                    ends.setdefault("/".join(parts[start:]), []).append(source)
            self._ends[form] = ends
        return self._ends[form]


def match(manifest: Manifest, sources: Sequence[Source], paths: Paths | None = None) -> dict[str, dict[str, str]]:
    """Find the row of each source: relative path -> row.

    A row's path counts, in this order, as the path below SRC, as a path on this machine (absolute, or from the
    manifest's folder), or as the end of exactly one source's path (a bare file name, for instance).

    Args:
        manifest: The manifest.
        sources: All of them.
        paths: How messages tell a source; plain by default.

    Returns:
        Column -> cell of each source that has a row.

    Raises:
        RequestError: If a row fits several sources equally well, two rows that differ fit one source, or a cell holds
            what looks like a row of its own.
    """
    paths = paths or Paths(None)
    finder, here = Finder(sources), os.path.dirname(text_of(os.path.abspath(manifest.file)))
    owners: dict[str, tuple[int, dict[str, str]]] = {}
    unmatched = []
    for line, row in manifest.rows:
        _refuse_swallowed(manifest, finder, here, line, row)
        found = finder.find(row["path"], here) if row["path"] else []
        if not found:
            unmatched.append((line, row["path"]))
            continue
        if len(found) > 1:
            shown = "its path" if paths.hidden else f"'{row['path']}'"
            raise RequestError(
                f"{manifest.file}: line {line}: {shown} fits {len(found)} sources; write more of the path."
            )
        facts = {key: value for key, value in row.items() if key != "path"}
        earlier = owners.setdefault(found[0].relative, (line, facts))
        if earlier[1] != facts:
            raise RequestError(
                f"{manifest.file}: lines {earlier[0]} and {line} say different things about one file; drop one of them."
            )
    _report(manifest, unmatched, [source for source in sources if source.relative not in owners], paths)
    return {name: row for name, (_, row) in owners.items()}


def _as_it_is(text: str) -> str:
    return text


def _any_case(text: str) -> str:
    return alike(text).casefold()


def _as_windows(text: str) -> str:
    r"""Read the bytes that are no UTF-8 in a name as Windows' code page 1252 has them (``M\xfcller`` -> ``Müller``)."""
    if "\\x" not in text:
        return _any_case(text)
    return _any_case(os.fsencode(path_of(text)).decode("cp1252", "replace"))


def _refuse_swallowed(manifest: Manifest, finder: Finder, here: str, line: int, row: dict[str, str]) -> None:
    """Refuse a cell of several lines one of which names a source: an open quote has swallowed rows."""
    for value in row.values():
        for number, inner in enumerate(value.split("\n")[1:] if "\n" in value else (), 1):
            for cell in next(csv.reader([inner], delimiter=manifest.delimiter), []):
                if cell.strip() and finder.find(cell.strip().strip('"'), here):
                    raise RequestError(
                        f"{manifest.file}: line {line}: a quoted cell goes on to line {line + number}, which looks "
                        "like a row of its own; close the quote."
                    )


def _report(manifest: Manifest, unmatched: list[tuple[int, str]], without: list[Source], paths: Paths) -> None:
    if unmatched:
        near = did_you_mean(unmatched[0][1], [source.below for source in without][:2000])
        names = [path or f"(line {line})" for line, path in unmatched]
        if paths.hidden:
            near, names = "", [f"line {line}" for line, _ in unmatched]
        shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        console.warn(f"{manifest.file}: {len(unmatched)} of {len(manifest.rows)} rows fit no source: {shown}{near}")
    if without:
        shown = ", ".join(paths.told(one.relative, one.size) for one in without[:SHOWN])
        shown += ", ..." if len(without) > SHOWN else ""
        console.warn(f"{manifest.file}: {len(without)} sources have no row and go without: {shown}")
