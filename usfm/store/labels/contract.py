"""Contract of a kind of label: all that the store knows of it, from the argument of `PartWriter.frame` to the reader.

A kind has a *head*: a dictionary that holds for all frames, such as the names that its numbers count by. Two heads are
joined by name, which gives *places*: number before -> number after. Everything below is asked of a kind by the writer,
by the assembly, by the reader and by what carries frames from store to store; none of them knows a kind by its name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from usfm.store.dataset import Dataset


class File(Protocol):
    """What a kind sees of `stored.StoredFile`."""

    path: str
    count: int
    heads: dict[str, dict]
    kinds: frozenset[str]
    layout: Any
    masks_seen: np.ndarray

    def column(self, path: str) -> np.ndarray:
        """A whole column; text as str."""
        ...

    def has_column(self, path: str) -> bool:
        """Whether the file holds a column."""
        ...

    def row(self, i: int) -> dict:
        """A row of /frames."""
        ...

    def label_block(self, group: str, row: int) -> np.ndarray:
        """A row of /labels/masks.

        Args:
            group: size of the mask, such as "256x256".
            row: in that group.

        Returns:
            The mask, uint8 (H, W).
        """
        ...

    def label_map(self, group: str) -> np.ndarray | None:
        """All rows of a dataset of /labels/masks, None where they are compressed."""
        ...


@dataclass(frozen=True)
class Incoming:
    """One part as the assembly puts it into the store.

    Attributes:
        tables: columns of the part.
        frames: how many it has.
        places: the part's numbers -> the store's.
        head: of the store.
        planned: columns that the store will have.
        widths: of those with more than one side.
        filled: rows that the store's columns hold so far.
        first: dataset of masks -> row of the part's first one in the store.
    """

    tables: Mapping[str, np.ndarray]
    frames: int
    places: np.ndarray
    head: dict
    planned: frozenset[str]
    widths: Mapping[str, tuple[int, ...]]
    filled: Mapping[str, int]
    first: Mapping[str, int]

    def column(self, row: Dataset) -> np.ndarray:
        """The part's values of a column, missing ones where it has none."""
        if row.path in self.tables:
            return self.tables[row.path]
        if row.dtype == "str":
            return np.zeros(self.frames, "S1")
        return np.full((self.frames, *self.widths.get(row.path, ())), row.missing, row.dtype)


class Kind:
    """A kind of label, as far as most are alike.

    Attributes:
        name: argument of `PartWriter.frame`, and of `of_frame`'s value.
        datasets: its rows of the schema.
        home: the column that a store has which holds any.
    """

    name: str
    datasets: tuple[Dataset, ...]
    home: str

    def within(self, paths: Sequence[str] | Mapping[str, Any] | frozenset[str]) -> bool:
        """Whether columns of this kind are among some."""
        return self.home in paths

    def empty(self) -> dict:
        """The head of a store or part that holds none."""
        return {}

    def checked(self, given: Any, head: dict, shape: tuple[int, ...]) -> Any:
        """What a caller gave for a frame, as it is kept; None for nothing.

        Args:
            given: as it was given to `PartWriter.frame`.
            head: of the part; a kind that counts by name may add to it.
            shape: of the frame's pixels.

        Returns:
            The value that the other methods take.

        Raises:
            ValueError: a store cannot hold it.
        """
        raise NotImplementedError

    def kept(self, value: Any, add: Callable[[str, np.ndarray], tuple[int, str]]) -> Any:
        """What the part's tables need of a value.

        Args:
            value: from `checked`.
            add: takes a dataset and a mask, and gives the mask's row and digest.

        Returns:
            What `columns` gets for this frame.
        """
        return value

    def token(self, value: Any, head: dict) -> str:
        """A value as text that depends on names, not on numbers: it makes the frame's digest.

        Args:
            value: from `checked`.
            head: of the part.

        Returns:
            The text; the same for the same label in any store.
        """
        raise NotImplementedError

    def columns(self, kept: Mapping[int, Any], frames: int, head: dict) -> dict[str, Any]:
        """The part's columns, of what `kept` gave for some of its frames; none where there is nothing.

        Args:
            kept: frame of the part -> what `kept` gave for it.
            frames: how many the part has.
            head: of the part.

        Returns:
            Dataset -> its values.
        """
        raise NotImplementedError

    def joined(self, head: dict, other: dict) -> tuple[dict, np.ndarray]:
        """A head that holds both, and where the other's numbers are in it.

        Args:
            head: the first.
            other: the head that is added.

        Returns:
            The new head, and (n,) int32: number in `other` -> number in the new head.

        Raises:
            ValueError: they cannot be one.
        """
        return {**other, **head}, np.zeros(0, np.int32)

    def widths(self, head: dict) -> dict[str, tuple[int, ...]]:
        """Further sides of columns that the head decides."""
        return {}

    def appended(self, part: Incoming) -> dict[str, np.ndarray]:
        """What a part adds to the store's columns."""
        return {row.path: part.column(row) for row in self.datasets if row.path in part.planned}

    def attributes(self, head: dict) -> dict[str, dict[str, Any]]:
        """Dataset or group -> its attributes."""
        return {}

    def head(self, read: Callable[[str, str], Any], paths: Iterable[str]) -> dict:
        """The head of a store from its attributes: `read(path, name)` gives a text, a number, texts, or None.

        Args:
            read: gives an attribute.
            paths: columns of the store.

        Returns:
            The head; that of an empty store where nothing is found.

        Raises:
            ValueError: an attribute is not what this kind writes.
        """
        return self.empty()

    def sealed(self, head: dict) -> dict[str, Any]:
        """What of the head has a digest in the store: name -> JSON value."""
        return {}

    def problems(self, head: dict, stored: Callable[[str], np.ndarray], file: Any) -> list[str]:
        """What is wrong with the columns, a clause each.

        Args:
            head: of the file.
            stored: path -> values as they are stored.
            file: `layout.Layout` of the file.

        Returns:
            The clauses; [] where nothing is wrong.
        """
        return []

    def of_frame(self, file: File, row: int) -> Any:
        """The value of a frame of one file, None where it has none.

        Args:
            file: that holds it.
            row: of the file.

        Returns:
            The value by the file's numbers, as `checked` takes it.
        """
        raise NotImplementedError

    def renamed(self, value: Any, places: np.ndarray, head: dict) -> Any:
        """A value with the numbers of the head that `joined` gave.

        Args:
            value: by the numbers of the other head.
            places: from `joined`.
            head: the joined one.

        Returns:
            The value by the numbers of `head`.
        """
        return value

    def in_view(self, value: Any, view, head: dict) -> Any:
        """A value of a frame, as one of its views has it; most kinds say the same of all views.

        Args:
            value: of the whole frame.
            view: `imaging.views.View`.
            head: of the part.

        Returns:
            What of it belongs to the view, in the pixels of the whole frame.
        """
        return value

    def moved(self, value: Any, framing) -> Any:
        """A value after `imaging.framing.Framing`, None where it has to be made anew.

        Args:
            value: of the frame before.
            framing: how the frame is cropped, padded and resized.

        Returns:
            The value in the pixels of the new frame.
        """
        return value


def texts(found: Any, name: str = "names") -> list[str]:
    """An attribute that is a list of texts, [] where there is none.

    Args:
        found: the attribute, None where there is none.
        name: of the attribute, for the message.

    Returns:
        The list.

    Raises:
        ValueError: it is something else.
    """
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError(f"{name} is no list of texts")
    return found


def names_joined(names: Sequence[str], others: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names and then the new ones of others; and where each of the others is.

    Args:
        names: come first, in their order.
        others: of which only the new ones are added.

    Returns:
        All names, and (n,) int32: number in `others` -> number in all names.

    Examples:
        >>> names_joined(["a", "b"], ["b", "c"])
        (['a', 'b', 'c'], array([1, 2], dtype=int32))
    """
    whole = list(dict.fromkeys([*names, *others]))
    return whole, np.array([whole.index(name) for name in others], np.int32)


def out_of_range(path: str, values: np.ndarray, least: float, end: float) -> list[str]:
    """A clause where numbers are not from `least` up to, not including, `end`; NaN is no number.

    Args:
        path: of the column, for the clause.
        values: of the column.
        least: smallest that is allowed.
        end: first that is too large.

    Returns:
        One clause, or none.
    """
    wrong = int(((values < least) | (values >= end)).sum()) if len(values) else 0
    return [f"{path} of {wrong:,} rows is out of range"] if wrong else []


def run_of(read: Callable[[str, str], Any], path: str) -> dict:
    """Which run predicted the labels of a dataset or group, as a part of a head; {} where people gave them.

    Args:
        read: gives an attribute.
        path: of the dataset or group.

    Returns:
        `run`, or nothing.

    Raises:
        ValueError: the attribute is no text.
    """
    run = read(path, "run")
    if run is not None and not isinstance(run, str):
        raise ValueError(f"run of {path}")
    return {"run": run} if run else {}


def run_joined(head: dict, other: dict, what: str) -> dict:
    """The part of a joined head that says which run predicted the labels.

    Args:
        head: the first.
        other: the head that is added; one without names and run holds nothing.
        what: of the labels, for the message.

    Returns:
        `run`, or nothing.

    Raises:
        ValueError: one was predicted and the other was not, or by another run.
    """
    runs = [one.get("run", "") for one in (head, other) if one.get("names") or one.get("run")]
    if len(set(runs)) > 1:
        raise ValueError(
            f"the {what} of one were predicted by run {max(runs)} and those of the other were not, and a prediction is "
            "no label"
        )
    return {"run": runs[0]} if runs and runs[0] else {}


def predicted_by(head: dict) -> dict[str, str]:
    """The attributes that mark labels as predicted; {} for those that people gave."""
    return {"origin": "predicted", "run": head["run"]} if head.get("run") else {}
