"""One store or several as one: where each frame lies, whatever is asked about it."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from usfm.store import digest, overlap
from usfm.store.opened import stored_file
from usfm.store.schema import FRAMES
from usfm.store.stored import StoredFile


class Files:
    """The files of a store in order, and what joins them: frames, sources, regions and overlays by one count.

    It keeps paths and nothing open: it pickles into any worker, forked or spawned, and opens there what it needs.

    Args:
        paths: a file, or several in order. A frame that several of them hold is one frame, where it stands first.
        first_wins: whether two may differ in a frame that both hold; `unlike` then lists what does not count.

    Raises:
        RequestError: a file is missing, foreign, or of a newer version; two hold the same frame and differ in it.
        Damaged: a file is not what was written.
    """

    def __init__(self, paths: str | Path | Sequence[str | Path], *, first_wins: bool = False):
        self.paths = [str(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
        self._columns: dict[str, np.ndarray] = {}
        self._heads: dict[str, tuple[dict, list[np.ndarray]]] = {}
        self._joined: tuple[list[dict], list[np.ndarray]] | None = None
        self._opened: tuple[int, list[StoredFile]] = (0, [])
        files = self.files()
        self.first_wins, self.unlike = first_wins, list[overlap.Unlike]()
        self.kept = overlap.kept_rows(files, self.unlike if first_wins else None)
        counts = [f.count if kept is None else len(kept) for f, kept in zip(files, self.kept, strict=True)]
        self.first = np.cumsum([0, *counts])
        self.first_region = np.cumsum([0, *(f.num_regions for f in files)])
        self.first_overlay = np.cumsum([0, *(f.num_overlays for f in files)])

    def __getstate__(self) -> dict:
        return {"paths": self.paths, "first_wins": self.first_wins}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["paths"], first_wins=state["first_wins"])

    def __len__(self) -> int:
        """Frames."""
        return int(self.first[-1])

    def files(self) -> list[StoredFile]:
        """The files, as this process has opened them."""
        pid, files = self._opened
        if pid != os.getpid():  # never what a parent process opened
            files = [stored_file(path) for path in self.paths]
            self._opened = os.getpid(), files
        return files

    def place(self, i: int) -> tuple[StoredFile, int, int]:
        """File, row in it, and number of the file that frame `i` lies in."""
        if not 0 <= i < len(self):
            raise IndexError(f"frame {i} of {len(self)}")
        at = int(np.searchsorted(self.first, i, side="right")) - 1
        row, kept = int(i - self.first[at]), self.kept[at]
        return self.files()[at], row if kept is None else int(kept[row]), at

    def whole(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        """Values of the frames of each file as values of this store's frames."""
        found = [piece if kept is None else piece[kept] for piece, kept in zip(pieces, self.kept, strict=True)]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def column(self, name: str) -> np.ndarray:
        """A column of /frames, (N,); strings as an object array of str. It is shared, so it cannot be written to."""
        if name not in FRAMES:
            raise KeyError(f"{name} is not a column of /frames; there are {', '.join(FRAMES)}")
        if name not in self._columns:
            pieces = [file.column(f"/frames/{name}") for file in self.files()]
            if name == "source":
                pieces = [self.sources_joined()[1][at][piece] for at, piece in enumerate(pieces)]
            first = {"region_row": self.first_region, "overlay_row": self.first_overlay}.get(name)
            if first is not None:
                pieces = [np.where(p >= 0, p + int(first[at]), -1) for at, p in enumerate(pieces)]
            self._columns[name] = self.whole(pieces).view()
            self._columns[name].flags.writeable = False
        return self._columns[name]

    def sources_joined(self) -> tuple[list[dict], list[np.ndarray]]:
        """Rows of /sources, a source that two files share once; and for each file its rows' places among them."""
        if self._joined is not None:
            return self._joined
        seen: dict[str, int] = {}
        rows, maps = [], []
        for file in self.files():
            table = {name: values.tolist() for name, values in file.table("sources").items()}
            here = []
            for values in zip(*table.values(), strict=True):
                row = dict(zip(table, values, strict=True))
                key = digest.row_digest(row) if len(self.paths) > 1 else str(len(seen))
                if key not in seen:
                    seen[key] = len(rows)
                    rows.append(row)
                here.append(seen[key])
            maps.append(np.array(here, np.int32))
        self._joined = rows, maps
        return self._joined
