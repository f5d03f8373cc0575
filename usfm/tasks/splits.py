"""Published splits: read from JSON, CSV or lists of names, found in a store by name, and made into folds."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.store.reader import Store
from usfm.tasks.folds import Fold
from usfm.tasks.split_files import Listed, folds_of_column, part_word, read
from usfm.tasks.split_names import Names

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Published:
    """A split as somebody has published it, in the frames of a store.

    Attributes:
        parts: name of the split ("split"), or of each fold -> (N,) object array of "train", "val", "test" or "".
        fold: (N,) object array, the fold in which a frame is tested, "" where it is in none; None for a single split.
        unmatched: entries of the file that stand for no frame of the store.
        entries: entries of the file.
    """

    parts: dict[str, np.ndarray]
    fold: np.ndarray | None
    unmatched: int
    entries: int


def published(store: Store, given: Sequence[str]) -> Published:
    """Read published splits, and find their frames.

    Args:
        store: The store.
        given: Files (JSON, CSV, lists of names), or the name of one column of the store's sources.

    Returns:
        The split, or the folds.

    Raises:
        RequestError: A file cannot be read, holds no split, names no frame of the store, or puts one into two parts.
    """
    if len(given) == 1 and not os.path.lexists(given[0]):
        if given[0] in store.source_columns:
            return of_column(store, given[0])
        if not os.path.dirname(given[0]) and "." not in given[0]:
            raise RequestError(
                f"--splits {given[0]}: is neither a file nor a column of {store.paths[0]}"
                f"{did_you_mean(given[0], store.source_columns) or '; its columns: ' + ', '.join(store.source_columns)}"
            )
    return matched(store, read(given), ", ".join(given))


def matched(store: Store, listed: Listed, file: str) -> Published:
    """Give each frame the part that the entries of a file say.

    Args:
        store: The store.
        listed: What the file holds.
        file: Its name, for messages.

    Returns:
        The split or the folds, by frame.

    Raises:
        RequestError: No entry stands for a frame, or a frame is in two parts of one fold.
    """
    names = Names(store)
    rows = names.best(listed.names)
    if not any(len(one) for one in rows):
        raise RequestError(
            f"{file}: none of its {len(rows):,} entries stands for a frame of {store.paths[0]} (the first is "
            f"'{listed.names[0].shown()}', a source of the store '{names.shown()}'); names are compared with the ends "
            "of the sources' paths."
        )
    parts = {}
    for name, words in listed.parts.items():
        found = np.full(len(store), "", object)
        for at, mine in enumerate(rows):
            word = words[at]
            if not word or not len(mine):
                continue
            clash = (found[mine] != "") & (found[mine] != word)
            if clash.any():
                raise RequestError(
                    f"{file}: '{listed.names[at].shown()}' is in {found[mine][clash][0]} and in {word}; a frame can be "
                    "on one side only, so mend the file."
                )
            found[mine] = word
        parts[name] = found
    fold = None
    if len(parts) > 1 or "split" not in parts:
        fold = np.full(len(store), "", object)
        for name, words in parts.items():
            fold[words == held_word(words)] = name
    return Published(parts, fold, sum(not len(one) for one in rows), len(rows))


def held_word(words: np.ndarray) -> str:
    """The part of a fold that is predicted: "test", or "val" where it has no test frames.

    Examples:
        >>> held_word(np.array(["train", "val"], object))
        'val'
    """
    return "test" if (words == "test").any() else "val"


def of_column(store: Store, column: str) -> Published:
    """Read a split, or a fold for each source, from a column of the store's sources.

    Args:
        store: The store.
        column: Its name: words as train, val, test make a split; any other values are folds.

    Returns:
        The split or the folds, by frame.

    Raises:
        RequestError: The store has no such column, or it holds fewer than two values.
    """
    if column not in store.source_columns:
        hint = did_you_mean(column, store.source_columns) or f"; there are {', '.join(store.source_columns)}"
        raise RequestError(f"{store.paths[0]}: its sources have no column '{column}'{hint}")
    values = [str(one).strip() for one in store.of_frames(column)]
    words = [part_word(one) for one in values]
    if any(words) and all(word or not value for word, value in zip(words, values, strict=True)):
        return Published({"split": np.array(words, object)}, None, 0, store.num_sources)
    if len(set(values) - {""}) < 2:
        raise RequestError(f"{store.paths[0]}: column '{column}' has fewer than two values, so it makes no folds.")
    parts = {name: np.array(one, object) for name, one in folds_of_column(values).items()}
    return Published(parts, np.array(values, object), 0, store.num_sources)


def folds_from(store: Store, given: Sequence[str]) -> list[Fold]:
    """Folds to train and test on, of published files or of a column of the store.

    Args:
        store: The store.
        given: Files, or one column.

    Returns:
        A fold for each that is published, "split" where it is a single split; rows are those of the store.

    Raises:
        RequestError: As `published`, and where a fold has nothing to train on or nothing to predict.
    """
    found = []
    for name, words in published(store, given).parts.items():
        train = np.flatnonzero(words == "train")
        held = np.flatnonzero((words == "test") | (words == "val"))
        for rows, what in ((train, "train on"), (held, "predict")):
            if not len(rows):
                raise RequestError(f"{', '.join(given)}: fold '{name}' has no frame of the store to {what}.")
        found.append(Fold(name, train, held, words[held]))
    return found


def counts(words: np.ndarray) -> Mapping[str, int]:
    """How many frames are in each part, in the usual order.

    Examples:
        >>> counts(np.array(["test", "train", "train"], object))
        {'train': 2, 'test': 1}
    """
    found = Counter(words.tolist())
    order = [*PARTS, *sorted(set(found) - set(PARTS) - {""}), ""]
    return {name: found[name] for name in order if found[name]}
