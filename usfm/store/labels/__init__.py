"""The kinds of label that a store holds: one row and one file each; nothing else in the store knows a kind by name."""

from usfm.store.dataset import Dataset
from usfm.store.labels.boxes import BOXES
from usfm.store.labels.classes import CLASS, MULTI
from usfm.store.labels.contract import Kind
from usfm.store.labels.coverage import COVERAGE
from usfm.store.labels.masks import MASKS
from usfm.store.labels.numbers import SCORE, VALUE
from usfm.store.labels.split import SPLIT

KINDS: dict[str, Kind] = {kind.name: kind for kind in (CLASS, SPLIT, MULTI, MASKS, BOXES, COVERAGE, VALUE, SCORE)}
"""In the order in which a frame's digest takes them."""


_ROWS = {row.path: row for kind in KINDS.values() for row in kind.datasets}


def row_of(path: str) -> Dataset | None:
    """The schema's row of a column of labels, None for any other path.

    Examples:
        >>> row_of("/labels/value/ef").dtype, row_of("/labels/odd")
        ('float64', None)
    """
    return _ROWS.get(path) or _ROWS.get(f"{path.rpartition('/')[0]}/<column>")


def empty_heads() -> dict[str, dict]:
    """The heads of a store without labels."""
    return {name: kind.empty() for name, kind in KINDS.items()}


def token(values: dict[str, object], heads: dict[str, dict]) -> str:
    """All labels of one frame as text, "" where it has none.

    Args:
        values: name of a kind -> what the frame has of it; None for nothing.
        heads: name of a kind -> its head.

    Returns:
        The kinds' tokens, joined by ";".
    """
    pieces = [kind.token(values[name], heads[name]) for name, kind in KINDS.items() if values.get(name) is not None]
    return ";".join(piece for piece in pieces if piece)


__all__ = ["KINDS", "Kind", "empty_heads", "row_of", "token"]
