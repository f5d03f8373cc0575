"""The digests that a store keeps of its own columns, names and history, so that no change of them passes unseen."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from usfm.store.codec import Running
from usfm.store.labels import KINDS

ATTRIBUTE = "digests"
HISTORY_ATTRIBUTE = "history_digest"
LATER = ("@multi names", "@mask names", "@score runs")
"""Entries that older stores lack."""

HEADINGS = "@headings"
"""Entry of the units and descriptions: nothing depends on them, so only `verify` reads them."""


class Seal:
    """Digests of columns as they are written, piece by piece."""

    def __init__(self) -> None:
        self._running: dict[str, Running] = {}

    def add(self, path: str, values: np.ndarray) -> None:
        """Take the next values of a column.

        Args:
            path: of the column.
            values: numbers, bytes of one length, or bytes as objects.
        """
        self._running.setdefault(path, Running()).add(_bytes_of(values))

    def attribute(self, names: Mapping[str, object], headings: Mapping[str, Sequence]) -> str:
        """The root's attribute: JSON, path -> digest.

        Args:
            names: what `names_of` gives.
            headings: of all datasets, as `headings_digest` takes them.

        Returns:
            The JSON text.
        """
        found = {path: running.digest for path, running in self._running.items()}
        return json.dumps(found | name_digests(names) | {HEADINGS: headings_digest(headings)}, sort_keys=True)


def column_digest(values: np.ndarray) -> str:
    """CRC-32 and Adler-32 of a whole column's values, 16 hex digits.

    Args:
        values: numbers or bytes of one length as they lie in the file, or bytes as objects.

    Examples:
        >>> column_digest(np.array([b"ab", b"c"], object)) == column_digest(np.array([b"a", b"bc"], object))
        False
    """
    running = Running()
    running.add(_bytes_of(values))
    return running.digest


def _bytes_of(values: np.ndarray):
    if values.dtype == object:
        return b"\0".join([*values.tolist(), b""])
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1) if values.size else b""


def names_of(heads: Mapping[str, dict]) -> dict[str, object]:
    """What a store's attributes hold besides its columns.

    Args:
        heads: kind of label -> its head, that of an empty store where it holds none.
    """
    return {key: value for name, kind in KINDS.items() for key, value in kind.sealed(heads[name]).items()}


def name_digests(names: Mapping[str, object]) -> dict[str, str]:
    """Digest of each of `names_of`."""
    return {f"@{key}": _text_digest(json.dumps(value)) for key, value in names.items()}


def headings_digest(headings: Mapping[str, Sequence]) -> str:
    """Digest of the attributes of all datasets, such as unit and description.

    Args:
        headings: path -> (attribute, value) of each.
    """
    return _text_digest(json.dumps(headings, sort_keys=True))


def history_digest(steps: Sequence[str]) -> str:
    """Digest of the history, as text that is stored."""
    return _text_digest("\n".join(steps))


def _text_digest(text: str) -> str:
    running = Running()
    running.add(text.encode())
    return running.digest
