"""TOML files: read one that a user names, write one that can be read again."""

import re
import tomllib
from functools import cache
from pathlib import Path

from usfm import given
from usfm.errors import RequestError

_DEEP = re.compile(r"(\.[^.=\n\"'#]*){50}")
"""A key of that many names: no person writes it, and the time to read it grows with its square."""


@cache
def names_in(folder: Path) -> tuple[str, ...]:
    """Return the names of the TOML files of one of our own folders, sorted, without their suffix."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def read_toml(file: str | Path, what: str) -> dict:
    """Read a TOML file that a user names.

    Args:
        file: Its path.
        what: What it should be, for the sentence, such as "settings file".

    Returns:
        The tables, as `tomllib` gives them.

    Raises:
        RequestError: It cannot be read, is no TOML, or is nested deeper than a person writes.
    """
    text = given.text_of(file, what)
    try:
        if _DEEP.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except ValueError as error:  # also an integer of thousands of digits
        raise RequestError(f"{file}: not a TOML file ({error}).") from None
    except RecursionError:
        raise RequestError(f"{file}: nested too deep for a {what}; write one section below another.") from None


def to_toml(tables: dict) -> str:
    """Write nested dicts as TOML; None is left out, since TOML has no null.

    Example:
        >>> print(to_toml({"seed": 0, "out": None, "model": {"name": "vit"}}))
        seed = 0
        <BLANKLINE>
        [model]
        name = "vit"
        <BLANKLINE>
    """
    import tomli_w  # not needed to start up

    return tomli_w.dumps(_without_none(tables))


def _without_none(tables: dict) -> dict:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in tables.items()
        if value is not None
    }
