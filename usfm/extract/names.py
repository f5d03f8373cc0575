"""File names as text: any bytes that a file system holds become valid, printable UTF-8 and can be turned back."""

import os
import re
import unicodedata

from usfm.pseudonyms import alike

__all__ = ["alike", "path_of", "text_of"]

ODD_CATEGORIES = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Control characters, bytes that are no UTF-8 (as lone surrogates), line and paragraph separators."""
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that reorder what a person reads."""


def text_of(path: str) -> str:
    r"""Return a path as the store and messages show it.

    A byte that is no UTF-8, and each byte of a control character, line separator, mark that turns the direction of
    writing, or backslash, becomes ``\x`` and two hex digits. All else stays as it is.

    Args:
        path: As ``os`` gives it, with undecodable bytes as surrogates.

    Example:
        >>> text_of("M\udcfcller.png"), text_of("a\nb.png"), text_of("Müller.png")
        ('M\\xfcller.png', 'a\\x0ab.png', 'Müller.png')
    """
    if path.isprintable() and "\\" not in path:
        return path
    return "".join(_escaped(char) if _odd(char) else char for char in path)


def path_of(text: str) -> str:
    r"""Return the path whose ``text_of`` this is.

    Example:
        >>> path_of(text_of("M\udcfcller\\x.png")) == "M\udcfcller\\x.png"
        True
    """
    pieces = re.split(r"\\x([0-9a-f]{2})", text)
    data = b"".join(
        bytes.fromhex(piece) if number % 2 else piece.encode("utf-8", "surrogateescape")
        for number, piece in enumerate(pieces)
    )
    return os.fsdecode(data)


def _odd(char: str) -> bool:
    return char == "\\" or char in TURNING or (not char.isprintable() and unicodedata.category(char) in ODD_CATEGORIES)


def _escaped(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
