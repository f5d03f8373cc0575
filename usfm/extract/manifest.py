"""A manifest: a table from a file, read whole or refused with the line that is wrong."""

import codecs
import csv
import io
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from usfm import console, given
from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.extract import columns, sheets, typed
from usfm.extract.names import alike

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val"}
SPLITS |= {"test": "test", "testing": "test"}
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
LARGEST_BYTES = 1 << 30


@dataclass(frozen=True)
class Manifest:
    """A table read from a file.

    Attributes:
        file: Where it was read.
        rows: (line number, column -> value); known columns under their own names, missing values as "".
        columns: Names of the columns that are kept as they are.
        numeric: Those of them that hold measured numbers, or nothing, in every row; written with a decimal point.
        multi: Classes that have a column of their own (``label:NAME``), or stand in a column ``labels``.
        people: Whether it has a column of patients or exams, or one that may name somebody.
        delimiter: Between its cells.
    """

    file: str
    rows: tuple[tuple[int, dict[str, str]], ...]
    columns: tuple[str, ...]
    people: bool = False
    delimiter: str = ","
    numeric: tuple[str, ...] = ()
    multi: tuple[str, ...] = ()


@dataclass
class _Head:
    """What the columns are: the known ones by place, the others by place, and what was said about them."""

    known: dict[int, str] = field(default_factory=dict)
    kept: dict[int, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    multi: dict[int, str] = field(default_factory=dict)
    people: bool = False


def read_manifest(file: str, *, keep: Sequence[str] = (), private: bool = False, plain: bool = False) -> Manifest:
    """Read a manifest, whose first line names the columns: comma, semicolon or tab separated text, parquet, or xlsx.

    Patients and exams are known by their usual names (``columns.meaning``). A column that may name somebody is left
    out, with a warning, unless it is one of ``keep``; where paths are hidden, so is one that holds paths or repeats a
    patient, an exam or the name of the row's file.

    Args:
        file: The manifest; UTF-8, or UTF-16 or UTF-32 with a byte order mark; any line ends.
        keep: Columns to keep as they are, whatever they hold.
        private: Whether paths are hidden whatever the manifest holds.
        plain: Whether paths are plain whatever the manifest holds.

    Returns:
        The manifest.

    Raises:
        RequestError: If it cannot be read whole, and for columns that are missing, twice, or of one meaning.
    """
    delimiter, lines = _lines(file)
    names = next((cells for _, cells in lines if any(cell.strip() for cell in cells)), None)
    if names is None:
        raise RequestError(f"{file}: this manifest is empty; its first line names the columns.")
    names = [alike(name.strip()) for name in names]
    while names and not names[-1]:  # spreadsheets leave empty columns at the right
        names.pop()
    head = _head(file, names, keep)
    rows = [row for row in _rows(file, lines, names, head)]
    hides = not plain and (private or head.people)
    kept = {place: name for place, name in head.kept.items() if not (hides and _tells(name, place, rows, keep))}
    head.left += [name for place, name in head.kept.items() if place not in kept]
    _report(file, head, kept)
    found = tuple((line, cells) for line, cells, _ in rows)
    typed.mend(found, kept.values(), comma=delimiter != ",")
    numeric = tuple(name for name in kept.values() if typed.is_measured(name, [row[name] for _, row in found]))
    multi = typed.classes_of(file, found, head.multi.values())
    return Manifest(file, found, tuple(name for name in kept.values()), head.people, delimiter, numeric, multi)


def _lines(file: str):
    """Return what stands between cells, and (line number, cells) row by row."""
    kind = sheets.kind_of(file)
    if kind:
        return ",", sheets.lines_of(file, kind)
    delimiter, text = _delimiter(_text(file))
    return delimiter, _cells(file, text, delimiter)


def _text(file: str) -> str:
    try:
        with open(file, "rb", opener=given.without_waiting) as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RequestError(f"{file}: no ordinary file; save the manifest as CSV (UTF-8).")
            if status.st_size > LARGEST_BYTES:
                raise RequestError(f"{file}: {status.st_size:,} bytes are too many for a manifest; give a CSV.")
            data = handle.read()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RequestError(f"{file}: cannot read this manifest ({why}).") from None
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RequestError(f"{file}: not a UTF-8 text (line {line}); save the manifest as CSV (UTF-8).") from None
    if "\0" in text:
        raise RequestError(f"{file}: holds NUL characters, so it is not plain text; save the manifest as CSV (UTF-8).")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _delimiter(text: str) -> tuple[str, str]:
    """Return what stands between cells, and the text without the line by which Excel says so."""
    first, _, rest = text.partition("\n")
    if first.startswith("sep=") and len(first) == 5:
        return first[4], "\n" + rest  # so that lines keep their numbers
    first = next((line for line in text.split("\n", 100)[:100] if line.strip(" ,;\t")), "")
    bare = "".join(first.split('"')[::2])  # outside of quotes
    return max(",;\t", key=bare.count), text


def _cells(file: str, text: str, delimiter: str):
    """Give (line number, cells) row by row.

    Raises:
        RequestError: For a quote that is never closed, or text after one that is.
    """
    before = csv.field_size_limit(sys.maxsize)  # notes may be long
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)
    try:
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                closed = "unexpected end" not in str(error)
                what = "text stands behind a closing quote" if closed else "a quote is opened and never closed"
                raise RequestError(f"{file}: line {line}: {what}; mend the quotes of this row.") from None
            yield line, cells
    finally:
        csv.field_size_limit(before)


def _head(file: str, names: list[str], keep: Sequence[str]) -> _Head:
    head, meanings = _Head(), [columns.meaning(name) for name in names]
    paths = [place for place, name in enumerate(names) if columns.shows_file(name) and not meanings[place]]
    if "path" not in meanings and len(paths) == 1:
        meanings[paths[0]] = "path"
    if "path" not in meanings:
        raise RequestError(f"{file}: this manifest has no column 'path'; {_path_hint(names)}.")
    for place, name in enumerate(names):
        if name and name in names[:place]:
            raise RequestError(f"{file}: the column '{name}' is there twice; rename or drop one.")
    strange = [name for name in keep if name not in names]
    if strange:
        raise RequestError(f"{file}: --keep-column {strange[0]}: no such column{did_you_mean(strange[0], names)}")
    for known in columns.KNOWN:
        places = [place for place, meaning in enumerate(meanings) if meaning == known]
        free = [place for place in places if names[place] not in keep] if len(places) > 1 else places
        if len(free) > 1 or len(places) > len(free) == 0:
            both = " and ".join(f"'{names[place]}'" for place in places[:2])
            raise RequestError(
                f"{file}: the columns {both} both say the {known}; drop one, or keep it as it is with "
                f"--keep-column {names[places[-1]]}."
            )
        head.known |= dict.fromkeys(free, known)
    for place, name in enumerate(names):
        if name in keep:
            head.kept[place] = name
        elif name.startswith(typed.MARK) and name != typed.MARK:
            head.multi[place] = name
        elif place not in head.known and columns.personal(name):
            head.left.append(name)
        elif place not in head.known and name:
            head.kept[place] = name
    head.people = bool(head.left) or any(meaning in columns.PEOPLE for meaning in head.known.values())
    for place, known in head.known.items():
        if names[place] != known:
            console.say(f"{file}: the column '{names[place]}' is taken as the {known}.")
    _refuse_clashes(file, list(head.kept.values()))
    return head


def _path_hint(names: Sequence[str]) -> str:
    near = next((name for name in names if columns.shows_path(name)), None)
    near = near or next((name for name in names if did_you_mean(name.lower(), ["path"])), None)
    if near:
        return f"rename the column '{near}'"
    return f"the first line has {len(names)} cells and none is 'path'"  # which may be a row: somebody's name


def _refuse_clashes(file: str, names: Sequence[str]) -> None:
    owners: dict[str, str] = {}
    for name in names:
        stored = columns.stored_name(name)
        other = owners.setdefault(stored, name)
        if other != name:
            raise RequestError(
                f"{file}: the columns '{other}' and '{name}' would both be called '{stored}' in the store; rename one."
            )


def _rows(file: str, lines, names: list[str], head: _Head):
    """Give (line number, known and kept cells by name, all cells) of each row that is not blank."""
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        extra = next((place for place, cell in enumerate(cells) if place >= len(names) and cell.strip()), None)
        if extra is not None or len(cells) < len(names):
            raise RequestError(f"{file}: line {line} has {len(cells)} cells where the first line has {len(names)}.")
        values = [alike(cell.strip()) for cell in cells[: len(names)]]
        unnamed = next((place for place, name in enumerate(names) if not name and values[place]), None)
        if unnamed is not None:
            raise RequestError(f"{file}: line {line} has a value in column {unnamed + 1}, which has no name; name it.")
        row = {name: values[place] for place, name in (head.kept | head.multi).items()}
        row |= {known: _known(known, values[place]) for place, known in head.known.items()}
        if row.get("split", "").lower() not in SPLITS and row.get("split"):
            near = columns.near(row["split"], ("train", "val", "test"))
            hint = f"; did you mean '{near}'?" if near else "."
            shown = f"the split '{row['split']}'" if near or not head.people else "its split"
            raise RequestError(f"{file}: line {line}: {shown} is none of train, val, test{hint}")
        yield line, row, values


def _known(column: str, value: str) -> str:
    return "" if column != "path" and value.casefold() in typed.MISSING else value


def _tells(name: str, place: int, rows: Sequence[tuple], keep: Sequence[str]) -> bool:
    """Whether a column says what is hidden elsewhere."""
    if name in keep:
        return False
    return columns.shows_path(name) or columns.repeats(
        [values[place] for _, _, values in rows], [r for _, r, _ in rows]
    )


def _report(file: str, head: _Head, kept: dict[int, str]) -> None:
    if head.left:
        several = len(head.left) > 1
        shown = ", ".join(f"'{name}'" for name in head.left)
        console.warn(
            f"{file}: the column{'s' if several else ''} {shown} may identify somebody and "
            f"{'are' if several else 'is'} left out; keep one as it is with --keep-column {head.left[0]}."
        )
    for name in kept.values():
        near = did_you_mean(name.lower(), [one for one in columns.KNOWN if one not in columns.PEOPLE])
        if near:
            console.warn(f"{file}: the column '{name}' is kept as it is{near}")
