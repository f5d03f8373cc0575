"""Labels that are numbers: measured values of a frame, and scores that a model gave it."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from usfm.store.dataset import Dataset
from usfm.store.labels.contract import Incoming, Kind

_LONGEST = 200


class Numbers(Kind):
    """Numbers of a frame by column, in a group that holds a dataset for each column; NaN = none."""

    letter: str
    """What begins its token."""

    @property
    def row(self) -> Dataset:
        """The schema's row of all its columns."""
        return self.datasets[0]

    @property
    def folder(self) -> str:
        """The group that holds the columns."""
        return self.home.rsplit("/", 1)[0]

    def paths(self, paths: Iterable[str]) -> list[str]:
        """Those of some paths that are columns of this kind."""
        return sorted(path for path in paths if path.startswith(f"{self.folder}/"))

    def within(self, paths) -> bool:
        """See `Kind`."""
        return bool(self.paths(paths))

    def checked(self, given: Mapping[str, float], head: dict, shape: tuple[int, ...]) -> dict[str, float] | None:
        """See `Kind`."""
        kind = np.dtype(self.row.dtype).type
        found = {name: float(kind(value)) for name, value in given.items()}
        for name, value in found.items():
            if not name or len(name.encode()) > _LONGEST or name in (".", "..") or set(name) & {"/", "\0"}:
                raise ValueError(f"{name!r} is no name for a column of {self.folder}")
            if np.isinf(value):
                raise ValueError(f"{name} is infinite")
        return {name: value for name, value in found.items() if value == value} or None

    def token(self, value: dict[str, float], head: dict) -> str:
        """See `Kind`."""
        return f"{self.letter}=" + ",".join(f"{name}:{value[name]!r}" for name in sorted(value))

    def columns(self, kept, frames: int, head: dict) -> dict:
        """See `Kind`."""
        names = sorted({name for one in kept.values() for name in one} | set(head.get("run", ()) if kept else ()))
        found = {name: np.full(frames, np.nan, self.row.dtype) for name in names}
        for row, one in kept.items():
            for name, value in one.items():
                found[name][row] = value
        return {f"{self.folder}/{name}": values for name, values in found.items()}

    def appended(self, part: Incoming) -> dict[str, np.ndarray]:
        """See `Kind`."""
        missing = np.full(part.frames, np.nan, self.row.dtype)
        return {path: part.tables.get(path, missing) for path in self.paths(part.planned)}

    def problems(self, head: dict, stored, file) -> list[str]:
        """See `Kind`."""
        return [f"{path} is infinite" for path in self.paths(file.columns) if np.isinf(stored(path)).any()]

    def of_frame(self, file, row: int) -> dict[str, float] | None:
        """See `Kind`."""
        found = {name: float(file.column(f"{self.folder}/{name}")[row]) for name in self.names(file)}
        return {name: value for name, value in found.items() if value == value} or None

    def names(self, file) -> list[str]:
        """The columns of a file."""
        return [path.rsplit("/", 1)[1] for path in self.paths(file.layout.columns)]

    def of_file(self, file, name: str) -> np.ndarray:
        """A column of a file, (n,); NaN where it has none.

        Args:
            file: a `StoredFile`.
            name: of the column, without its group.

        Returns:
            A value for each frame of the file.
        """
        path = f"{self.folder}/{name}"
        return file.column(path) if file.has_column(path) else np.full(file.count, np.nan, self.row.dtype)


class Value(Numbers):
    """Measured numbers, such as an ejection fraction, a length in mm, an age in weeks."""

    name, home, letter = "values", "/labels/value/<column>", "v"
    datasets = (
        Dataset(home, "float64", "(N,)", "", "a number measured on the frame, by the manifest's column; NaN = none",
                np.nan),
    )  # fmt: skip


class Score(Numbers):
    """What a model predicted. Its head: `run`, column -> id of the run that gave it."""

    name, home, letter = "scores", "/labels/score/<column>", "r"
    datasets = (
        Dataset(home, "float32", "(N,)", "", "a model's score of the frame; attributes origin (predicted) and run; "
                "NaN = none", np.nan),
    )  # fmt: skip

    def empty(self) -> dict:
        """See `Kind`."""
        return {"run": {}}

    def checked(self, given, head: dict, shape: tuple[int, ...]) -> dict[str, float] | None:
        """See `Kind`."""
        unknown = set(given) - set(head["run"])
        if unknown:
            raise ValueError(f"score {min(unknown)} is of no run that score_runs names")
        return super().checked(given, head, shape)

    def joined(self, head: dict, other: dict) -> tuple[dict, np.ndarray]:
        """See `Kind`."""
        differ = [name for name, run in other["run"].items() if head["run"].get(name, run) != run]
        if differ:
            raise ValueError(f"the scores {min(differ)} were predicted by different runs")
        return {"run": {**head["run"], **other["run"]}}, np.zeros(0, np.int32)

    def attributes(self, head: dict) -> dict[str, dict[str, Any]]:
        """See `Kind`."""
        return {f"{self.folder}/{name}": {"origin": "predicted", "run": run} for name, run in head["run"].items()}

    def head(self, read, paths: Iterable[str]) -> dict:
        """See `Kind`."""
        runs = {path.rsplit("/", 1)[1]: read(path, "run") or "" for path in self.paths(paths)}
        if not all(isinstance(run, str) for run in runs.values()):
            raise ValueError(f"run of {self.folder}")
        return {"run": runs}

    def sealed(self, head: dict) -> dict[str, Any]:
        """See `Kind`."""
        return {"score runs": dict(sorted(head["run"].items()))} if head["run"] else {}


VALUE, SCORE = Value(), Score()
