"""Settings: a frozen dataclass with one line a knob, then a TOML file over it, then flags over both."""

import dataclasses
import difflib
import json
import math
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeGuard, TypeVar

from usfm.errors import RequestError
from usfm.toml import read_toml

T = TypeVar("T")


@dataclass(frozen=True)
class Knob:
    """What a setting means: the one place where its help, unit and range stand.

    Args:
        help: One phrase, without the default and the unit (both are added where it is shown).
        unit: Unit of the value, "" where it has none.
        low: Smallest value allowed.
        high: Largest value allowed.
        choices: The values allowed; empty for any.
        panel: Heading under which ``--help`` shows it.
        content: False when the setting cannot change the result, only how it is made (workers, verbosity).
        metavar: Placeholder in ``--help``.
        flag: Another flag than ``--name-of-the-field``.
        number: Whether a text may be written as a number in a file: ``folds = 5``, where the flag takes a name too.
        offers: Gives the values that a shell completes, where others are allowed too.
    """

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    panel: str = "Options"
    content: bool = True
    metavar: str = ""
    flag: str = ""
    number: bool = False
    offers: Callable[[], Iterable[str]] | None = None


@dataclass(frozen=True)
class Setting:
    """One field of a settings dataclass, taken apart."""

    name: str
    kind: type
    optional: bool
    many: bool
    default: Any
    knob: Knob

    @property
    def flag(self) -> str:
        """The long flag on the command line."""
        return self.knob.flag or "--" + self.name.replace("_", "-")


def cores() -> int:
    """Count the cores this process may use (a container or scheduler may allow fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Request:
    """What every command is asked for besides its own settings."""

    inputs: Annotated[tuple[str, ...], Knob("input, may be repeated and takes globs", panel="Input/Output")] = ()
    out: Annotated[str | None, Knob("where the result goes", panel="Input/Output", content=False)] = None
    overwrite: Annotated[
        bool, Knob("replace an existing output", panel="Input/Output", content=False, flag="--overwrite")
    ] = False
    dry_run: Annotated[
        bool,
        Knob(
            "say what would be read, done and written; touch nothing", panel="Running", content=False, flag="--dry-run"
        ),
    ] = False
    strict: Annotated[
        bool,
        Knob(
            "exit 3 when inputs were rejected or a leak was found, 2 when an encoder is not trained to the end",
            panel="Running",
            content=False,
            flag="--strict",
        ),
    ] = False
    workers: Annotated[
        int, Knob("processes (default: all cores this process may use)", low=1, panel="Running", content=False)
    ] = field(default_factory=cores)
    cluster: Annotated[
        str | None,
        Knob("a Dask scheduler's address, or local", panel="Running", content=False, metavar="ADDRESS"),
    ] = None
    device: Annotated[
        str,
        Knob(
            "auto, cpu, cuda, cuda:1 or mps",
            panel="Running",
            content=False,
            metavar="NAME",
            offers=lambda: ("auto", "cpu", "cuda", "mps"),
        ),
    ] = "auto"
    seed: Annotated[int, Knob("the same seed gives the same result, whatever --workers is", low=0, panel="Running")] = 0
    debug: Annotated[bool, Knob("show tracebacks", panel="Running", content=False, flag="--debug")] = False


def describe(cls: type) -> list[Setting]:
    """Take a settings dataclass apart, field by field, in the order they are written.

    Raises:
        TypeError: If a field has no ``Knob`` or a type that settings cannot have.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    settings = []
    for item in dataclasses.fields(cls):
        hint = hints[item.name]
        knob = next((extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Knob)), None)
        if knob is None:
            raise TypeError(f"{cls.__name__}.{item.name} needs Annotated[type, Knob(...)]")
        kind, optional, many = hint.__origin__, False, False
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            kind = next(arg for arg in typing.get_args(kind) if arg is not type(None))
            optional = True
        if typing.get_origin(kind) is tuple:
            kind, many = typing.get_args(kind)[0], True
        if kind not in (int, float, str, bool):
            raise TypeError(f"{cls.__name__}.{item.name} has type {kind}; settings are int, float, str or bool")
        default = None if item.default is dataclasses.MISSING else item.default
        settings.append(Setting(item.name, kind, optional, many, default, knob))
    return settings


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest known name, "" when none is near.

    Args:
        name: as the user typed it.
        known: names that exist.

    Returns:
        A clause to end a message with.

    Example:
        >>> did_you_mean("max_frame", ["fps", "max_frames"])
        "; did you mean 'max_frames'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


LARGEST = 2**53
"""No number of a setting is larger: up to here a float tells all whole numbers apart."""


_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates that stand for no byte of a file name."""


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _takes_numbers(setting: Setting) -> bool:
    """Whether a text may be written as a number in a file: ``fps = 5``, where the flag takes 5 as well as "all"."""
    by_default = isinstance(setting.default, str) and setting.default.replace(".", "", 1).isdigit()
    return setting.kind is str and (setting.knob.number or by_default)


def _brief(value: Any) -> str:
    """Show what stands in a file, however long or deep it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits; a table in a table in a table
        return "far too long"
    return text if len(text) <= 60 else text[:57] + "..."


def _checked_one(setting: Setting, value: Any, where: str) -> Any:
    name, knob = setting.name, setting.knob
    if _is_number(value) and LARGEST < abs(value) < math.inf:
        raise RequestError(f"{where}: {name} is {_brief(value)}; no setting takes so large a number.")
    if setting.kind is float and _is_number(value):
        value = float(value)
    if _is_number(value) and _takes_numbers(setting):
        value = str(value)
    if not isinstance(value, setting.kind) or (isinstance(value, bool) and setting.kind is not bool):
        raise RequestError(f"{where}: {name} is {_brief(value)}; it must be of type {setting.kind.__name__}.")
    if isinstance(value, str) and "\0" in value:
        raise RequestError(f"{where}: {name} holds a NUL character; no path or name can have one.")
    if isinstance(value, str) and _HALF.search(value):
        raise RequestError(f"{where}: {name} holds half of a character (a surrogate); no path or name can have one.")
    if knob.choices and value not in knob.choices:
        near = did_you_mean(str(value), knob.choices)
        raise RequestError(f"{where}: {name} is {_brief(value)}; it must be one of {', '.join(knob.choices)}{near}")
    if _is_number(value) and _outside(value, knob.low, knob.high):
        unit = f" {knob.unit}" if knob.unit else ""
        raise RequestError(f"{where}: {name} is {value}{unit}; it must be {_bounds(knob)}{unit}.")
    return value


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high) or not math.isfinite(value)


def _bounds(knob: Knob) -> str:
    if knob.low is None and knob.high is None:
        return "a finite number"
    if knob.high is None:
        return f"at least {knob.low:g}"
    return f"at most {knob.high:g}" if knob.low is None else f"between {knob.low:g} and {knob.high:g}"


def _checked(setting: Setting, value: Any, where: str) -> Any:
    if value is None and setting.optional:
        return None
    if setting.many:
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        return tuple(_checked_one(setting, one, where) for one in values)
    return _checked_one(setting, value, where)


def read_section(section: str, file: str | Path, sections: Sequence[str] = ()) -> dict:
    """Read one command's section of a TOML file; dashes in keys count as underscores.

    Args:
        section: The command's name.
        file: Path of the file.
        sections: All commands' names; none means that any section may stand there.

    Returns:
        Setting -> value, as TOML gives it; {} where the section is not there.

    Raises:
        RequestError: If the file is missing, not TOML, or has a section that no command owns.
    """
    if file == "":
        raise RequestError(f"{section}: --config is empty; give the path of a settings file.")
    tables = read_toml(file, "settings file")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise RequestError(f"{file}: '{name}' stands outside a section; write it under [{section}].")
        if sections and name not in sections:
            raise RequestError(f"{file}: no command is called '{name}'{did_you_mean(name, sections)}")
    return {key.replace("-", "_"): value for key, value in tables.get(section, {}).items()}


def resolve(cls: type[T], section: str, file: str | Path | None, flags: dict, *, beside: Iterable[str] = ()) -> T:
    """Build settings: the dataclass' defaults, a TOML section over them, flags over both.

    Args:
        cls: Settings dataclass, each field ``Annotated[type, Knob(...)]``.
        section: Section of the file, the command's name.
        file: TOML file, or None.
        flags: Field name -> value as typed; None means not given.
        beside: Keys that the section may hold for others (the fields of ``Request``).

    Returns:
        The settings, each within its range.

    Raises:
        RequestError: For an unknown key (with the nearest known one), a wrong type, or a value out of range.
    """
    settings = {setting.name: setting for setting in describe(cls)}
    values: dict[str, Any] = {}
    table = read_section(section, file) if file is not None else {}
    for key, value in table.items():
        if key in settings:
            values[key] = _checked(settings[key], value, f"{file} [{section}]")
        elif key not in beside:
            known = [*settings, *beside]
            raise RequestError(f"{file}: unknown setting '{key}' in [{section}]{did_you_mean(key, known)}")
    for key, value in flags.items():
        if value is not None:
            values[key] = _checked(settings[key], value, section)
    return cls(**values)


def refuse_empty(config: Any, command: str, given: Iterable[str]) -> None:
    """Refuse an empty text: most often it is what a command in ``$(...)`` left that failed.

    Args:
        config: Settings.
        command: For the sentence.
        given: Names of those that were typed; an empty default is none that a user gave.

    Raises:
        RequestError: For the first that is empty.
    """
    given = set(given)
    for setting in describe(type(config)):
        value = getattr(config, setting.name)
        empty = "" in value if setting.many and value else value == ""
        if empty and (setting.name in given or setting.default != ""):
            what = "an input" if setting.name == "inputs" else setting.flag
            raise RequestError(
                f"{command}: {what} is empty; give a value, and where it is the result of a command in $(...), see why "
                "that command failed."
            )


def as_dict(config: Any) -> dict:
    """Turn settings into a plain dict that JSON can hold."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(config).items()}


def content_dict(config: Any) -> dict:
    """Like ``as_dict``, but only the settings that can change the result: what makes two runs "the same"."""
    keep = {setting.name for setting in describe(type(config)) if setting.knob.content}
    return {key: value for key, value in as_dict(config).items() if key in keep}


def words_of(config: Any) -> list[str]:
    """The words that give these settings on a command line; those that have their default are left out.

    Args:
        config: Settings whose flags are options, not arguments.

    Example:
        >>> words_of(Request(inputs=("a.h5", "b.h5"), seed=3, strict=True, workers=cores()))
        ['--inputs', 'a.h5', '--inputs', 'b.h5', '--strict', '--seed', '3']
    """
    plain = type(config)()
    words: list[str] = []
    for setting in describe(type(config)):
        value = getattr(config, setting.name)
        if value == getattr(plain, setting.name):
            continue
        if setting.kind is bool:
            words.append(setting.flag if value else f"--no-{setting.flag[2:]}")
        else:
            words += [word for one in (value if setting.many else [value]) for word in (setting.flag, str(one))]
    return words


def override(tables: dict, assignments: Sequence[str]) -> dict:
    """Apply ``a.b=value`` assignments (``--set``) to nested dicts and return a changed copy.

    A value is read as TOML and, where it is none, as a bare string.

    Args:
        tables: Nested dicts, which stay as they are.
        assignments: One text for each ``--set``.

    Returns:
        The changed copy.

    Raises:
        RequestError: For an assignment without ``=`` or a path that the tables do not have.

    Example:
        >>> override({"optim": {"lr": 1e-3}}, ["optim.lr=3e-4"])
        {'optim': {'lr': 0.0003}}
    """
    changed = json.loads(json.dumps(tables))
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise RequestError(f"--set {assignment}: write it as key=value.")
        *parents, leaf = path.strip().split(".")
        table = changed
        for parent in parents:
            if not isinstance(table.get(parent), dict):
                raise RequestError(f"--set {path}: there is no section '{parent}'{did_you_mean(parent, table)}")
            table = table[parent]
        if leaf not in table:
            raise RequestError(f"--set {path}: unknown setting '{leaf}'{did_you_mean(leaf, table)}")
        try:
            table[leaf] = tomllib.loads(f"value = {text}")["value"]
        except ValueError:
            table[leaf] = text
        except RecursionError:
            raise RequestError(f"--set {path}: nested too deep; give one value.") from None
    return changed
