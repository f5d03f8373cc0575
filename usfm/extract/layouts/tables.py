"""Tables of a collection as rows of text: CSV and xlsx, lists of names, settings, JSON."""

import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from usfm.errors import RequestError
from usfm.extract import sheets
from usfm.extract.layouts.contract import Table
from usfm.extract.names import alike

LARGEST_BYTES = 1 << 28
Rows = Iterator[dict[str, str]]


def rows_of(path: str, table: Table) -> tuple[list[dict[str, str]], list[str]]:
    """Read a table.

    Args:
        path: Of the file.
        table: Its rule.

    Returns:
        The rows, column -> text; and the names of the columns, where the file has names.

    Raises:
        RequestError: If it cannot be read.
    """
    rows = list(each(path, table))
    columns = list(rows[0]) if rows else _head(path) if _form(path, table) == "csv" else []
    wanted = [row for row in rows if all(row.get(name, "") == value for name, value in table.where.items())]
    return wanted, columns


def each(path: str, table: Table) -> Rows:
    """Give the rows of a table one by one, whatever the rule wants of them.

    Args:
        path: Of the file.
        table: Its rule.

    Returns:
        The rows, column -> text.

    Raises:
        RequestError: If it cannot be read.
    """
    return FORMS[_form(path, table)](path, table)


def _form(path: str, table: Table) -> str:
    return table.form or ("xlsx" if path.lower().endswith(".xlsx") else "csv")


def _csv(path: str, table: Table) -> Rows:
    text = _text(path)
    before = csv.field_size_limit(min(sys.maxsize, 1 << 27))
    try:
        lines = csv.reader(io.StringIO(text, newline="\n"), delimiter=_delimiter(text))
        yield from _named(([alike(cell) for cell in row] for row in lines), table)
    except csv.Error as error:
        raise RequestError(f"{path}: no table that can be read ({error}); download it again.") from None
    finally:
        csv.field_size_limit(before)


def _xlsx(path: str, table: Table) -> Rows:
    if sheets.kind_of(path) != "xlsx":
        raise RequestError(f"{path}: no xlsx file; download it again.")
    yield from _named((cells for _, cells in sheets.lines_of(path, "xlsx")), table)


def _named(lines: Iterable[list[str]], table: Table) -> Rows:
    """Give rows by the names of the first line; by their places too, where the rule has such a word."""
    names, places = None, "{#" in table.key
    for cells in lines:
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if names is None:
            names = cells
            continue
        numbered = {f"#{at}": cell for at, cell in enumerate(cells, 1)} if places else {}
        yield {name: cells[at] if at < len(cells) else "" for at, name in enumerate(names) if name} | numbered


def _lines(path: str, table: Table) -> Rows:
    pattern = re.compile(table.line or r"(?P<id>\S.*?)", re.IGNORECASE)
    for line in _text(path).splitlines():
        match = pattern.fullmatch(line.strip())
        if match:
            yield {key: value or "" for key, value in match.groupdict().items()}


def _pairs(path: str, table: Table) -> Rows:
    """One row: each line is ``Key: value``."""
    pairs = (line.partition(":") for line in _text(path).splitlines())
    yield {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _json_lists(path: str, table: Table) -> Rows:
    """An object of lists: a row for each element, with ``list`` (its key) and ``value``."""
    data = json_of(path)
    for key, values in data.items() if isinstance(data, dict) else ():
        for value in values if isinstance(values, list) else ():
            if isinstance(value, str | int) and not isinstance(value, bool):
                yield {"list": str(key), "value": str(value)}


def _coco_images(path: str, table: Table) -> Rows:
    """The pictures that a COCO file lists: ``file_name``."""
    data = json_of(path)
    for row in data.get("images", ()) if isinstance(data, dict) else ():
        if isinstance(row, dict) and isinstance(row.get("file_name"), str):
            yield {"file_name": row["file_name"]}


def _xml(path: str, table: Table) -> Rows:
    """One row: the children of the outer element, by their names."""
    from xml.etree import ElementTree

    text = _text(path)
    if "<!ENTITY" in text or "<!DOCTYPE" in text:  # entities can grow without bound
        return
    try:
        top = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return  # outlines count it as a fault
    yield {child.tag: (child.text or "").strip() for child in top if not len(child)}


FORMS: dict[str, Callable[[str, Table], Rows]] = {
    "csv": _csv, "xlsx": _xlsx, "lines": _lines, "pairs": _pairs, "json-lists": _json_lists,
    "coco-images": _coco_images, "xml": _xml,
}  # fmt: skip


def json_of(path: str) -> Any:
    """Read a JSON file.

    Raises:
        RequestError: If it is none.
    """
    try:
        return json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path}: damaged JSON ({error}); download it again.") from None


def lines_of(path: str) -> list[str]:
    """Return the lines of a text file.

    Raises:
        RequestError: If it cannot be read.
    """
    return _text(path).split("\n")


def _text(path: str) -> str:
    try:
        size = os.path.getsize(path)
        if size > LARGEST_BYTES or not os.path.isfile(path):
            raise RequestError(f"{path}: {size:,} bytes are too many for a table; download it again.")
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise RequestError(f"{path}: cannot read this table ({(error.strerror or 'error').lower()}).") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # tables out of spreadsheets
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _delimiter(text: str) -> str:
    first = next((line for line in text.split("\n", 50) if line.strip()), "")
    return max(",;\t", key="".join(first.split('"')[::2]).count)


def _head(path: str) -> list[str]:
    text = _text(path)
    first = next((line for line in text.split("\n", 50) if line.strip()), "")
    return [cell.strip() for cell in next(csv.reader([first], delimiter=_delimiter(text)), [])]
