"""Words put together from what a path or a row of a table says: ``{patient}_{view}``, ``{ID|06}``."""

import re
from collections.abc import Mapping

from usfm.extract.names import alike

_PIECE = re.compile(r"\{([^{}|?]+)(\?)?(?:\|(\w+(?:\|\w+)*))?\}")


def fill(template: str, known: Mapping[str, str]) -> str:
    """Return a template with its words in place; "" where one of them is not known.

    ``{name?}`` may be unknown. ``{name|stem}`` is a path without its suffix, ``{name|name}`` its last part,
    ``{name|06}`` a whole number of six digits, ``{name|int}`` one without zeros in front, ``{name|lower}`` small
    letters, ``{name|trim}`` without ``_`` around; several may follow one another.

    Args:
        template: The text.
        known: Word -> value.

    Returns:
        The text.

    Example:
        >>> fill("{patient}_{view?}", {"patient": "p1"}), fill("{ID|06}", {"ID": "12"}), fill("{a}", {})
        ('p1_', '000012', '')
    """
    empty = False

    def put(match: re.Match) -> str:
        nonlocal empty
        value = known.get(match[1]) or ""
        for how in (match[3] or "").split("|"):
            value = _changed(value, how)
        empty = empty or (not value and not match[2])
        return value

    text = _PIECE.sub(put, template)
    return "" if empty else text


def plain(key: str) -> str:
    """Return a key in the one form in which keys are compared: whatever the case."""
    return alike(key.strip()).casefold()


def words_of(template: str) -> set[str]:
    """Return the words that a template needs.

    Example:
        >>> sorted(words_of("{patient}_{view?}"))
        ['patient']
    """
    return {match[1] for match in _PIECE.finditer(template) if not match[2]}


def _changed(value: str, how: str) -> str:
    value = value.strip()
    if how == "stem":
        return re.sub(r"(\.nii\.gz|\.[A-Za-z0-9]{1,5})$", "", value)
    if how == "trim":
        return value.strip("_ ")
    if how == "name":
        return re.split(r"[/\\]", value)[-1]
    if how == "lower":
        return value.lower()
    number = re.fullmatch(r"(\d{1,18})(?:\.0+)?", value) if how == "int" or how.isdigit() else None
    if number:
        return str(int(number[1])).zfill(int(how) if how.isdigit() else 0)
    return value
