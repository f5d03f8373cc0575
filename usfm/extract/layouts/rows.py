"""The tables of a layout by the keys of their rows, so that a picture finds its own."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.extract.annotations.contract import Faults, Marks, numbers
from usfm.extract.annotations.match import WHOLE
from usfm.extract.layouts.contract import Box, Layout, Table, found
from usfm.extract.layouts.outlines import corners
from usfm.extract.layouts.places import looked_for
from usfm.extract.layouts.tables import rows_of
from usfm.extract.layouts.templates import fill, plain, words_of

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


@dataclass
class Rows:
    """The files of one rule, read.

    Attributes:
        rule: The rule.
        files: Their paths below the root.
        by_key: Key -> row, the first of several.
        every: (key, row) of all rows, where each says a box.
    """

    rule: Table
    files: list[str] = field(default_factory=list)
    by_key: dict[str, dict[str, str]] = field(default_factory=dict)
    every: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def row(self, words: Mapping[str, str]) -> dict[str, str] | None:
        """Return the row of a picture, by the words of its path; None where there is none."""
        key = plain(fill(self.rule.on, words))
        return self.by_key.get(key) if key else None

    def boxes(self, faults: Faults) -> Iterator[tuple[str, int, Marks]]:
        """Give key, frame and box of each row, where the rule has a box."""
        box = self.rule.box
        if box is None:
            return
        for key, row in self.every:
            marks = _box(box, row)
            if marks is None:
                if any(fill(one, row) for one in (box.xywh, box.left) if one):
                    faults.add("box that cannot be read")
                continue
            frame = fill(box.frame, row) if box.frame else ""
            yield key, int(frame) if frame.isdecimal() and len(frame) < 10 else WHOLE, marks

    def unmatched(self, by_key: Mapping[str, object], pictures: Iterable[Mapping[str, str]]) -> tuple[int, int]:
        """Count pictures without a row, and rows without a picture.

        Args:
            by_key: Keys of the pictures that are there.
            pictures: The words of their paths.

        Returns:
            Both counts; (0, 0) where that is no wonder.
        """
        if self.rule.on != "{key}" or self.rule.optional or not self.files:
            return 0, 0
        lacks = sum(self.row(words) is None for words in pictures)
        return lacks, len(set(self.by_key) - set(by_key))


def read_tables(layout: Layout, root: str, listed: Sequence[str]) -> tuple[list[Rows], list[str]]:
    """Read the tables of a layout.

    Args:
        layout: The layout.
        root: Its root.
        listed: All files below it.

    Returns:
        The tables that are there, and the names of files that are not.

    Raises:
        RequestError: For a table that is damaged or has other columns.
    """
    tables, missing = [], []
    for rule in layout.tables:
        rows = Rows(rule)
        for path in listed:
            groups = found(rule.file, path)
            if groups is not None:
                _add(rows, os.path.join(root, path), path, groups, layout.name)
        if rows.files:
            tables.append(rows)
        elif not rule.optional:
            missing.append(looked_for(rule.file))
    return tables, list(dict.fromkeys(missing))


def _add(rows: Rows, file: str, path: str, groups: Mapping[str, str], name: str) -> None:
    lines, columns = rows_of(file, rows.rule)
    rows.files.append(path)
    if columns and rows.rule.form in ("", "csv", "xlsx"):
        for word in sorted(_needed(rows.rule) - set(groups)):
            if word not in columns and not word.startswith("#"):
                near = did_you_mean(word, columns).rstrip(".?")
                raise RequestError(
                    f"{file}: has no column '{word}'{near}, so it is of another release than the layout {name}; get "
                    "the one that the layout knows, or move the table away to read the pictures without it."
                )
    for line in lines:
        row = {**groups, **line}
        key = plain(fill(rows.rule.key, row))
        if key:
            rows.by_key.setdefault(key, row)
            if rows.rule.box:
                rows.every.append((key, row))


def _needed(rule: Table) -> set[str]:
    """Return the columns without which a table says nothing: its key, and what is no mere column."""
    words = set(rule.where)
    for template in (rule.key, rule.label, rule.split, rule.patient, rule.exam, *rule.values.values()):
        words |= words_of(template)
    for template in (rule.box.xywh, rule.box.left, rule.box.name) if rule.box else ():
        words |= words_of(template)
    return words


def _box(box: Box, row: Mapping[str, str]) -> Marks | None:
    name = fill(box.name, row)
    if box.xywh:
        found = [float(one) for one in _NUMBER.findall(fill(box.xywh, row))]
        if len(found) != 4 or not name:
            return None
        return corners(found[0], found[1], found[0] + found[2], found[1] + found[3], name)
    sides = numbers([fill(one, row) for one in (box.left, box.top, box.right, box.bottom)])
    return corners(sides[0], sides[1], sides[2], sides[3], name) if sides and name else None
