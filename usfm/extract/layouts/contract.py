"""What a layout says, field by field, and reading it from its TOML file."""

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.toml import names_in, read_toml

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class About:
    """What a collection is; all of it is shown by ``usfm catalogue``.

    Attributes:
        title: Its own name.
        anatomy: Which part of the body.
        frames: Pictures or clips as published, as text; the count that extract finds is what counts.
        media: Kinds of files.
        labels: What is labelled.
        patients: Whether patients are known, and how.
        split: The official split.
        licence: As published; "?" where it is not established.
        home: Where to get it.
        source: Where these facts are from.
        confidence: ``A`` to ``C``.
        traps: What goes wrong.
        leaks: Names of collections that hold the same pictures or frames of the same clips.
        open: What is not established, and is left out.
        why_none: Why there is no layout, "" where there is one.
        other_names: Names under which lists have it.
    """

    title: str
    anatomy: str
    media: str = ""
    frames: str = ""
    labels: str = ""
    patients: str = ""
    split: str = ""
    licence: str = "?"
    home: str = ""
    source: str = ""
    confidence: str = ""
    traps: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    why_none: str = ""
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Find:
    """How its folder is known.

    Attributes:
        marker: Globs below the root, all of which something must match; ``a|b`` are alternatives.
        never: Globs that nothing may match.
        called: Globs of the root's own name, which decide where several layouts fit.
        exclude: Globs of files that are no sources, as for ``--exclude``.
        fps: Frames to take each second, as for ``--fps``; "" for the usual.
        most: Frames to take of a source, as for ``--max-frames``; 0 for the usual.
        code: Row of ``prepare.CODE`` that cuts a file into sources; "" where files are sources.
    """

    marker: tuple[str, ...]
    never: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    fps: str = ""
    most: int = 0
    code: str = ""


@dataclass(frozen=True)
class Says:
    """What is known about a picture, as templates over the groups of its path or the columns of a row.

    Attributes:
        label: Class.
        split: train, val or test.
        patient: Whose it is.
        exam: Of which exam.
        spacing_mm: Size of a pixel.
        columns: Name in the store -> template, of texts.
        values: Name in the store -> template, of measured numbers.
    """

    label: str = ""
    split: str = ""
    patient: str = ""
    exam: str = ""
    spacing_mm: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pictures(Says):
    """Which files are sources.

    Attributes:
        path: Pattern of the whole path below the root; its groups are the words of templates.
        key: By which masks, tables and outlines find it.
    """

    path: str = ""
    key: str = "{id}"


@dataclass(frozen=True)
class Masks:
    """Which files are label masks, and what their pixels mean.

    Attributes:
        path: As of pictures.
        key: Of the picture that it is of.
        name: Of its class, where it has one; a template.
        frame: Number of the frame of a clip; a template.
        values: Value -> class.
        colours: Colour ``#rrggbb`` -> class.
        near: Whether the nearest of these colours counts.
        threshold: Gray level from which on a pixel belongs to it; 0 for any but 0.
        fill: Whether outlines are filled.
        resize: Whether it may be of another size than its picture.
        sparse: Whether nothing on it means that nobody has drawn.
        labels: Classes of masks that are the picture's class, the first found counts.
        nothing: The class of a picture on whose mask nothing is.
        optional: Whether nobody misses it.
    """

    path: str
    key: str = "{id}"
    name: str = ""
    frame: str = ""
    values: dict[str, str] = field(default_factory=dict)
    colours: dict[str, str] = field(default_factory=dict)
    near: bool = False
    threshold: int = 0
    fill: bool = False
    resize: bool = False
    sparse: bool = False
    labels: tuple[str, ...] = ()
    nothing: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Box:
    """A box out of a row of a table.

    Attributes:
        name: Of its class; a template.
        left: A template of its left edge, px; top, right and bottom likewise.
        xywh: A text of four numbers instead: left, top, width, height.
        frame: Number of the frame of a clip.
    """

    name: str
    left: str = ""
    top: str = ""
    right: str = ""
    bottom: str = ""
    xywh: str = ""
    frame: str = ""


@dataclass(frozen=True)
class Table(Says):
    """A file that says more about pictures, row by row.

    Attributes:
        file: Pattern of its whole path below the root; its groups are words too.
        form: One of `tables.FORMS`; "" to go by the suffix: CSV or xlsx.
        line: With form ``lines``: the pattern of a line, whose groups are its columns.
        key: By which a row is known; a template over its columns, of which ``{#1}`` is the first.
        on: By which a picture finds its row; a template over the groups of its path, ``{key}`` among them.
        where: Column -> value that a row must have.
        box: A box that each row says.
        optional: Whether nobody misses it.
    """

    file: str = ""
    form: str = ""
    line: str = ""
    key: str = ""
    on: str = "{key}"
    where: dict[str, str] = field(default_factory=dict)
    box: Box | None = None
    optional: bool = False


@dataclass(frozen=True)
class Outlines:
    """Files of boxes and outlines.

    Attributes:
        file: Pattern of the whole path below the root.
        form: One of `outlines.FORMS`.
        key: Of the picture; a template over the groups of the path and what the record says (``{name}``).
        name: Class, where the file says none; a template over the groups of the path.
        names: Class as written -> class; those of "" are left out.
        label: Whether the class of all of them is that of the picture.
        optional: Whether nobody misses it.
    """

    file: str
    form: str
    key: str = "{id}"
    name: str = ""
    names: dict[str, str] = field(default_factory=dict)
    label: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Layout:
    """One public collection as downloaded.

    Attributes:
        name: Of its file.
        about: What it is.
        find: How its folder is known; None where there is no layout.
        pictures: Sources.
        masks: Label masks.
        tables: Tables.
        outlines: Boxes and outlines.
        names: ``label``, ``split`` or the name of a column -> value as written -> value; ``*`` stands for any other.
        under: Structures that others lie on, so that to be covered is no conflict.
    """

    name: str
    about: About
    find: Find | None = None
    pictures: tuple[Pictures, ...] = ()
    masks: tuple[Masks, ...] = ()
    tables: tuple[Table, ...] = ()
    outlines: tuple[Outlines, ...] = ()
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    under: tuple[str, ...] = ()


def known() -> tuple[str, ...]:
    """Return the names of all collections that are known, with or without a layout."""
    return names_in(FOLDER)


def names() -> list[str]:
    """Return the names of the layouts."""
    return [name for name in known() if load(name).find]


@cache
def load(name: str) -> Layout:
    """Read a layout.

    Raises:
        RequestError: If there is none of this name.
    """
    if name not in known():
        raise RequestError(f"no layout is called '{name}'{did_you_mean(name, known())}; `usfm catalogue` lists them.")
    return made(Layout, {"name": name, **read_toml(FOLDER / f"{name}.toml", "layout")}, name)


def found(pattern: str, path: str) -> dict[str, str] | None:
    r"""Return the groups of a pattern that fits a whole path, whatever the case; None where it does not.

    Args:
        pattern: A regular expression.
        path: Below the root, with forward slashes.

    Returns:
        Group -> text, "" for one that took no part.

    Example:
        >>> found(r"img/(?P<id>.+)\.png", "img/A.PNG"), found("a", "b")
        ({'id': 'A'}, None)
    """
    match = re.compile(pattern, re.IGNORECASE).fullmatch(path)
    return {key: value or "" for key, value in match.groupdict().items()} if match else None


def made(kind: Any, table: Mapping[str, Any], where: str) -> Any:
    """Make a dataclass of a table, and those in it.

    Args:
        kind: The dataclass.
        table: Field -> value, as TOML has it.
        where: What to call the table in a sentence.

    Returns:
        The instance.

    Raises:
        RequestError: For a key that is none, or one that lacks.
    """
    hints = typing.get_type_hints(kind)
    every = {one.name: one for one in fields(kind)}
    strange = sorted(set(table) - set(every))
    lacking = [
        name
        for name, one in every.items()
        if name not in table and one.default is MISSING and one.default_factory is MISSING
    ]
    if strange or lacking:
        what = f"unknown key '{strange[0]}'" if strange else f"'{lacking[0]}' lacks"
        raise RequestError(f"layout {where}: {what} in {kind.__name__}; mend its TOML file.")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in table.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    origin, inside = typing.get_origin(hint) or hint, typing.get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return made(hint, value, where)
    if origin is tuple:
        return tuple(_value(inside[0], one, where) for one in value)
    if origin is dict:
        return {str(key): _value(inside[1], one, where) for key, one in value.items()}
    if not isinstance(value, origin):
        raise RequestError(f"layout {where}: {value!r} is no {origin.__name__}; mend its TOML file.")
    return value
