"""Labels by class: the class of a frame, and several classes that may apply at once."""

from collections.abc import Mapping, Sequence

import numpy as np

from usfm.store.dataset import Dataset
from usfm.store.labels.contract import Incoming, Kind, names_joined, out_of_range, texts


class Named(Kind):
    """A kind whose numbers count by names of its own, kept as the attribute `names` of its home."""

    what = "class"

    def empty(self) -> dict:
        """See `Kind`."""
        return {"names": []}

    def joined(self, head: dict, other: dict) -> tuple[dict, np.ndarray]:
        """See `Kind`."""
        names, places = names_joined(head["names"], other["names"])
        return {**head, "names": names}, places

    def attributes(self, head: dict) -> dict:
        """See `Kind`."""
        return {self.home: {"names": list(head["names"])}}

    def head(self, read, paths) -> dict:
        """See `Kind`."""
        return {"names": texts(read(self.home, "names"))}

    def sealed(self, head: dict) -> dict:
        """See `Kind`."""
        return {f"{self.what} names": list(head["names"])}


class Class(Named):
    """The class of a frame: its number."""

    name, home = "label", "/labels/class"
    datasets = (
        Dataset("/labels/class", "int32", "(N,)", "class", "class of the frame, attribute names; -1 = none", -1),
    )

    def checked(self, given, head: dict, shape: tuple[int, ...]) -> int | None:
        """See `Kind`."""
        if isinstance(given, str):
            if given and given not in head["names"]:
                head["names"].append(given)
            given = head["names"].index(given) if given else -1
        if given < 0:
            return None
        if given >= len(head["names"]):
            raise ValueError(f"class {given}, but there are names for {len(head['names'])}")
        return int(given)

    def token(self, value: int, head: dict) -> str:
        """See `Kind`."""
        return f"c={head['names'][value]}" if head["names"][value] else ""

    def columns(self, kept, frames: int, head: dict) -> dict:
        """See `Kind`."""
        if not kept and not head["names"]:
            return {}
        return {self.home: np.array([kept.get(row, -1) for row in range(frames)], np.int32)}

    def appended(self, part: Incoming) -> dict[str, np.ndarray]:
        """See `Kind`."""
        return {self.home: np.append(part.places, -1).astype(np.int32)[part.column(self.datasets[0])]}

    def problems(self, head: dict, stored, file) -> list[str]:
        """See `Kind`."""
        return out_of_range(self.home, stored(self.home), -1, len(head["names"])) + repeated(head["names"])

    def of_frame(self, file, row: int) -> int | None:
        """See `Kind`."""
        found = int(file.column(self.home)[row])
        return found if found >= 0 else None

    def renamed(self, value: int, places: np.ndarray, head: dict) -> int:
        """See `Kind`."""
        return int(places[value])

    def of_file(self, file, places: np.ndarray) -> np.ndarray:
        """Classes of a file's frames, int32 (n,), -1 = none.

        Args:
            file: a `StoredFile`.
            places: number in the file -> number wanted.

        Returns:
            The classes, by the numbers wanted.
        """
        if self.name not in file.kinds:
            return np.full(file.count, -1, np.int32)
        return np.append(places, -1).astype(np.int32)[file.column(self.home)]


class Multi(Named):
    """Which of several classes apply to a frame: uint8 (C,), 0 or 1, 255 = unknown."""

    name, home, what = "multi", "/labels/multi", "multi"
    datasets = (
        Dataset(
            "/labels/multi", "uint8", "(N, C)", "0 or 1", "which of the classes apply, attribute names; 255 = none", 255
        ),
    )

    def checked(self, given, head: dict, shape: tuple[int, ...]) -> np.ndarray | None:
        """See `Kind`."""
        if isinstance(given, Mapping):
            head["names"] += [name for name in given if name not in head["names"]]
            given = [given.get(name, 255) for name in head["names"]]
        values = np.asarray(given, np.uint8)
        if values.shape != (len(head["names"]),):
            raise ValueError(f"multi has shape {values.shape} for {len(head['names'])} classes")
        return values

    def sealed(self, head: dict) -> dict:
        """See `Kind`."""
        return super().sealed(head) if head["names"] else {}

    def token(self, value: np.ndarray, head: dict) -> str:
        """See `Kind`."""
        known = {name: int(one) for name, one in zip(head["names"], value, strict=False) if one != 255}
        return "m=" + ",".join(f"{name}:{known[name]}" for name in sorted(known)) if known else ""

    def columns(self, kept, frames: int, head: dict) -> dict:
        """See `Kind`."""
        if not kept:
            return {}
        values = np.full((frames, len(head["names"])), 255, np.uint8)
        for row, one in kept.items():
            values[row, : len(one)] = one
        return {self.home: values}

    def widths(self, head: dict) -> dict[str, tuple[int, ...]]:
        """See `Kind`."""
        return {self.home: (len(head["names"]),)}

    def appended(self, part: Incoming) -> dict[str, np.ndarray]:
        """See `Kind`."""
        values = np.full((part.frames, len(part.head["names"])), 255, np.uint8)
        if self.home in part.tables:
            values[:, part.places] = part.tables[self.home]
        return {self.home: values}

    def problems(self, head: dict, stored, file) -> list[str]:
        """See `Kind`."""
        values = stored(self.home)
        fits = values.shape[1] == len(head["names"]) and np.isin(values, (0, 1, 255)).all()
        return repeated(head["names"]) + ([] if fits else [f"{self.home} does not fit the classes"])

    def of_frame(self, file, row: int) -> np.ndarray | None:
        """See `Kind`."""
        found = file.column(self.home)[row]
        return found if (found != 255).any() else None

    def renamed(self, value: np.ndarray, places: np.ndarray, head: dict) -> np.ndarray:
        """See `Kind`."""
        values = np.full(len(head["names"]), 255, np.uint8)
        values[places] = value
        return values

    def of_file(self, file, places: np.ndarray, width: int) -> np.ndarray:
        """Classes of a file's frames, uint8 (n, width).

        Args:
            file: a `StoredFile`.
            places: number in the file -> number wanted.
            width: how many classes the result counts.

        Returns:
            0 or 1 for each class, 255 = unknown.
        """
        values = np.full((file.count, width), 255, np.uint8)
        if self.name in file.kinds:
            values[:, places] = file.column(self.home)
        return values


def repeated(names: Sequence[str]) -> list[str]:
    """A clause where two names are the same."""
    return ["two classes have the same name"] if len(set(names)) < len(names) else []


CLASS, MULTI = Class(), Multi()
