"""Labels of the frames of one part, of all kinds of `labels.KINDS`."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from usfm.store.labels import KINDS, token
from usfm.store.part import column


class Labels:
    """What `PartWriter` knows of its frames' labels; only what is there takes room.

    Args:
        heads: name of a kind -> its head; they grow as frames bring new names.
        add_mask: takes a dataset and a mask that goes there, and gives its row and its digest.
    """

    def __init__(self, heads: dict[str, dict], add_mask: Callable[[str, np.ndarray], tuple[int, str]]):
        self.heads = heads
        self._add_mask = add_mask
        self._kept: dict[str, dict[int, Any]] = {name: {} for name in KINDS}
        self._tokens: dict[int, str] = {}
        self._places: dict[int, tuple[dict[str, dict], dict[str, np.ndarray]]] = {}

    def add(self, row: int, shape: tuple[int, ...], given: Mapping[str, Any]) -> None:
        """Take the labels of a frame, by the arguments of `PartWriter.frame`.

        Args:
            row: of the frame in the part.
            shape: of its pixels.
            given: name of a kind -> label; None for what is not known.

        Raises:
            ValueError: a store cannot hold one of them.
            TypeError: there is no such kind.
        """
        if not given.keys() <= KINDS.keys():
            raise TypeError(f"no kind of label: {', '.join(given.keys() - KINDS.keys())}; there are {', '.join(KINDS)}")
        values = {}
        for name, one in given.items():
            if one is None:
                continue
            kind = KINDS[name]
            value = kind.checked(one, self.heads[name], shape)
            if value is not None:
                values[name] = value
                self._kept[name][row] = kind.kept(value, self._add_mask)
        found = token(values, self.heads)
        if found:
            self._tokens[row] = found

    def carried(self, file, row: int, framing, without: Collection[str] = (), view=None) -> dict[str, Any]:
        """Labels of a frame of an input file, with this part's numbers, moved by a framing.

        Args:
            file: a `StoredFile`.
            row: frame of the file.
            framing: `imaging.framing.Framing`, None where the frame is not moved.
            without: kinds that are left behind.
            view: `imaging.views.View` that the frame becomes, None where it stays whole.

        Returns:
            Name of a kind -> value, as `add` takes them.
        """
        values, places = {}, self._join(file.heads, without)
        for name in file.kinds.difference(without):
            kind = KINDS[name]
            value = kind.of_frame(file, row)
            if value is not None:
                value = kind.renamed(value, places[name], self.heads[name])
                value = value if view is None else kind.in_view(value, view, self.heads[name])
                values[name] = value if framing is None else kind.moved(value, framing)
        return values

    def _join(self, heads: dict[str, dict], without: Collection[str]) -> dict[str, np.ndarray]:
        """This part's numbers for those of an input file, by kind; a part leaves the same kinds behind throughout."""
        known = self._places.get(id(heads))
        if known is None:
            places = {}
            for name, head in heads.items():
                if name in without:
                    continue
                joined, places[name] = KINDS[name].joined(self.heads[name], head)
                self.heads[name].update(joined)
            known = self._places[id(heads)] = heads, places
        return known[1]

    def tokens(self, count: int) -> list[str]:
        """All labels of every frame as text, "" where it has none."""
        return [self._tokens.get(row, "") for row in range(count)]

    def tables(self, count: int) -> dict[str, np.ndarray]:
        """The columns of all kinds, as far as there are any."""
        found = {}
        for name, kind in KINDS.items():
            found.update(kind.columns(self._kept[name], count, self.heads[name]))
        return {path: column(path, values) for path, values in found.items()}
