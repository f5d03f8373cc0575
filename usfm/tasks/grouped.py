"""Which frames make one case, and the columns that the cases of every task have."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from usfm.tasks.predictions import Predictions


@dataclass(frozen=True)
class Grouped:
    """n cases; the part of `contract.Scored` that does not depend on the task.

    Attributes:
        key: (n,) str, the same for the same case in another run.
        group: (n,) str, the patient (or the clip, where none is known) that is resampled as a whole.
        fold: (n,) str.
        frames: (n,) int, frames of each case.
    """

    key: np.ndarray
    group: np.ndarray
    fold: np.ndarray
    frames: np.ndarray

    def __len__(self) -> int:
        return len(self.key)

    def part(self, rows: np.ndarray) -> Self:
        """Some of the cases: of every array its rows."""
        columns = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(self, **{name: one[rows] for name, one in columns.items() if isinstance(one, np.ndarray)})


def grouped(held: Predictions, aggregate: str, truth: np.ndarray | None = None) -> tuple[np.ndarray, dict[str, Any]]:
    """Put frames together into cases.

    Args:
        held: predictions of m held-out frames.
        aggregate: frame; clip: the frames of one source; patient: those of one patient.
        truth: (m,) int class of each frame, where frames of different classes are never put together: such a clip or
            patient is one case a class. None: they are.

    Returns:
        (m,) int, the case of each frame; and the columns of `Grouped`, the cases in the order of their keys.

    Raises:
        KeyError: there is no such `aggregate`.

    >>> held = Predictions(*(np.array(list(names)) for names in ("abc", "xxy", "ppp", "ppp", "ttt", "000")), {})
    >>> place, columns = grouped(held, "clip")
    >>> place.tolist(), columns["frames"].tolist()
    ([0, 0, 1], [2, 1])
    """
    clip = [f"{g}\t{s}" for g, s in zip(held.group, held.source, strict=True)]
    keys = np.array({"frame": held.frame_id, "clip": clip, "patient": held.group}[aggregate], dtype=str)
    if truth is not None and aggregate != "frame":
        keys = np.array([f"{key}\t{held.class_names[c]}" for key, c in zip(keys, truth, strict=True)], dtype=str)
    key, first, place, frames = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return place, {"key": key, "group": held.group[first], "fold": held.fold[first], "frames": frames}
