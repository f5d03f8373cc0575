"""Cells of a manifest as more than text: measured numbers, several classes, the size of a pixel."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from usfm.errors import RequestError
from usfm.quantities import MISSING

MARK = "label:"
"""What begins the name of a column that says of one class whether it applies."""
LABELS = "labels"
"""A column that lists the classes that apply, with `BETWEEN` between them."""
BETWEEN = re.compile(r"[|;]")
YES = frozenset(("1", "1.0", "yes", "y", "true", "t", "+", "positive"))
NO = frozenset(("0", "0.0", "no", "n", "false", "f", "-", "negative"))

_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,17}|(?=\.))(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_COMMA = re.compile(r"[+-]?\d{1,15},\d+")
_NUMBERING = frozenset("id ids number no nr num index idx code uid uuid key zip version fold".split())


def is_number(text: str) -> bool:
    """Say whether a text is a finite number; one that begins with needless zeros is a name.

    Example:
        >>> [is_number(text) for text in ("12", "-0.5", "1e3", "007", "1e999", "12 mm", "", "nan")]
        [True, True, True, False, False, False, False, False]
    """
    return bool(_NUMBER.fullmatch(text)) and math.isfinite(float(text))


def is_measured(name: str, values: Sequence[str]) -> bool:
    """Say whether a column holds measured numbers: each cell is one or empty, and the name does not say numbering.

    Args:
        name: Of the column.
        values: Its cells.

    Returns:
        Whether it does.

    Example:
        >>> is_measured("ef_percent", ["61.5", ""]), is_measured("image_id", ["1", "2"]), is_measured("ef", ["1", "x"])
        (True, False, False)
    """
    words = {word for word in re.split(r"[\W_\d]+", name.casefold()) if word}
    given = [value for value in values if value.casefold() not in MISSING]
    return bool(given) and not words & _NUMBERING and all(map(is_number, given))


def mend(rows: Sequence[tuple[int, dict[str, str]]], names: Iterable[str], *, comma: bool) -> None:
    """Write decimal commas as points, in place, in columns all of whose cells are numbers then.

    Args:
        rows: (line, column -> cell).
        names: Columns to look at, beside those of spacing.
        comma: Whether the table may have decimal commas, because cells are separated by something else.
    """
    spacings = [name for name in SPACINGS if rows and name in rows[0][1]]
    for name in (*names, *spacings) if comma else ():
        cells = [row[name] for _, row in rows if row[name].casefold() not in MISSING]
        if any(map(_COMMA.fullmatch, cells)) and all(_COMMA.fullmatch(cell) or is_number(cell) for cell in cells):
            for _, row in rows:
                row[name] = row[name].replace(",", ".")


def classes_of(file: str, rows: Sequence[tuple[int, dict[str, str]]], marked: Iterable[str]) -> tuple[str, ...]:
    """Return the classes of which several may apply, in order of their names.

    Args:
        file: The manifest.
        rows: (line, column -> cell).
        marked: Columns whose names begin with `MARK`.

    Returns:
        The classes.

    Raises:
        RequestError: For a cell that is neither yes nor no.
    """
    marked = list(marked)
    found = {name.removeprefix(MARK).strip() for name in marked}
    for line, row in rows:
        found.update(_listed(row.get(LABELS, "")))
        for name in marked:
            if row[name].casefold() not in MISSING | YES | NO:
                raise RequestError(f"{file}: line {line}: the column '{name}' says neither 1 nor 0; mend the cell.")
    return tuple(sorted(found - {""}))


def several(row: Mapping[str, str], names: Sequence[str]) -> dict[str, int] | None:
    """Return class -> 0 or 1 of one row, None where it says nothing; of a list, what is not there does not apply.

    Args:
        row: Column -> cell.
        names: Of the classes.

    Returns:
        The classes that the row says something about.

    Example:
        >>> several({"labels": "a|c"}, ("a", "b", "c")), several({"label:a": "yes", "label:b": ""}, ("a", "b"))
        ({'a': 1, 'b': 0, 'c': 1}, {'a': 1})
    """
    listed = _listed(row.get(LABELS, ""))
    found = {name: int(name in listed) for name in names} if listed else {}
    for name in names:
        cell = row.get(MARK + name, "").casefold()
        if cell not in MISSING:
            found[name] = int(cell in YES)
    return found or None


def _listed(cell: str) -> set[str]:
    return {part.strip() for part in BETWEEN.split(cell)} - {""}


SPACINGS = ("spacing_mm", "row_spacing_mm", "col_spacing_mm")


def spacing_of(row: Mapping[str, str]) -> tuple[float, float]:
    """Return the size of a pixel that a row says, (between rows, between columns) in mm; NaN where it does not.

    Example:
        >>> spacing_of({"spacing_mm": "0.1"}), spacing_of({"spacing_mm": "0.1", "col_spacing_mm": "0.2"})
        ((0.1, 0.1), (0.1, 0.2))
    """
    both, row_mm, col_mm = (_positive(row.get(name, "")) for name in SPACINGS)
    return (both if math.isnan(row_mm) else row_mm), (both if math.isnan(col_mm) else col_mm)


def _positive(text: str) -> float:
    return float(text) if is_number(text) and 0 < float(text) < 1e4 else math.nan
