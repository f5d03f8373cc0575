"""Rows of tables: which of them repeat, and which stand in two tables."""

from collections.abc import Mapping

import numpy as np

_ODD = 0x9E3779B97F4A7C15


def fingerprints(values: np.ndarray) -> np.ndarray:
    """A number for each text: the same for the same text, and hardly ever for another.

    Args:
        values: (n,) bytes of one length (dtype S).

    Returns:
        (n,) uint64.

    Examples:
        >>> a, b, c = fingerprints(np.array([b"x:1", b"x:2", b"x:1"]))
        >>> bool(a == c), bool(a == b)
        (True, False)
    """
    # A text is cut into words of eight bytes; shift and multiply, so that each bit of each word counts.
    words = -(-max(values.dtype.itemsize, 1) // 8)
    padded = np.ascontiguousarray(values.astype(f"S{words * 8}")).view(np.uint64).reshape(len(values), words)
    found = np.full(len(values), _ODD, np.uint64)
    for word in padded.T:
        found = (found ^ word) * np.uint64(_ODD)
        found ^= found >> np.uint64(29)
    return found


def repeated(values: np.ndarray) -> list[bytes]:
    """The texts that occur more than once.

    Args:
        values: (n,) bytes of one length (dtype S).

    Examples:
        >>> repeated(np.array([b"a", b"b", b"a"]))
        [b'a']
    """
    marks = fingerprints(values)
    ordered = np.sort(marks)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return []
    unique, counts = np.unique(values[np.isin(marks, twice)], return_counts=True)
    return unique[counts > 1].tolist()


def shared(first: np.ndarray, second: np.ndarray) -> list[bytes]:
    """The texts that stand in both of two tables, in order.

    Args:
        first: (n,) bytes of one length.
        second: (m,) bytes of one length.

    Returns:
        Each text once, sorted.

    Examples:
        >>> shared(np.array([b"a", b"b"]), np.array([b"b", b"c"]))
        [b'b']
    """
    if not len(first) or not len(second):
        return []
    first, second = (v.astype(f"S{max(first.itemsize, second.itemsize)}") for v in (first, second))
    common = np.intersect1d(fingerprints(first), fingerprints(second))
    if not len(common):
        return []
    few = [values[np.isin(fingerprints(values), common)].tolist() for values in (first, second)]
    return sorted(set(few[0]) & set(few[1]))


def once(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A table in which each row stands once, where it stood first; values that are not numbers equal one another.

    Args:
        columns: name -> (n,) values.

    Examples:
        >>> once({"a": np.array([b"x", b"x"]), "b": np.array([np.nan, np.nan])})["a"]
        array([b'x'], dtype='|S1')
    """
    plain = [
        [None if x != x else x for x in v.tolist()] if v.dtype.kind == "f" else v.tolist() for v in columns.values()
    ]
    first: dict[tuple, int] = {}
    for at, row in enumerate(zip(*plain, strict=True)):
        first.setdefault(row, at)
    kept = np.fromiter(first.values(), np.int64, len(first))
    return {name: values[kept] for name, values in columns.items()}
